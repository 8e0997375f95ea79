//! I5, journal first: what is handed out for doing is in the journal by then, every notice is about a case on the
//! record, and nothing happens in the account without an intent on the record before it.

use std::collections::BTreeMap;

use super::{History, Violation, history};
use crate::clock::Moment;

/// Judges the order that the recorder saw, the notices, and what happened.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut found: Vec<Violation> = history.disorder.iter().filter(|it| it.invariant == "I5").cloned().collect();
    let mut opened: BTreeMap<(u8, u64), Moment> = BTreeMap::new();
    let mut intended: BTreeMap<(u8, &str), (Moment, String)> = BTreeMap::new();
    for noted in &history.records {
        match (noted.kind(), noted.case()) {
            ("case-opened", Some(key)) => {
                opened.entry(key).or_insert(noted.at);
            }
            ("intended", _) => {
                let intent = &noted.record["intent"];
                let act = history::act_word(intent).to_owned();
                intended.entry((noted.by, history::text(intent, "token"))).or_insert((noted.at, act));
            }
            _ => {}
        }
    }
    let mut wrong = |at: Moment, what: String| found.push(Violation { invariant: "I5", at, what });
    for (at, by, case) in &history.notices {
        if opened.get(&(*by, *case)).is_none_or(|opened| opened > at) {
            wrong(*at, format!("people were told of case {case}, which was not on the record"));
        }
    }
    for call in &history.calls {
        if intended.get(&(call.by, call.token())).is_none_or(|(at, act)| *at > call.at || act != call.act()) {
            wrong(call.at, format!("{} was called as {} without that intent on the record", call.act(), call.token()));
        }
    }
    for happened in &history.happened {
        let before = intended.get(&(happened.by, happened.token.as_str()));
        if before.is_none_or(|(at, act)| *at > happened.at || *act != happened.act) {
            let what = format!("{} happened as `{}` without that intent on the record", happened.act, happened.token);
            wrong(happened.at, what);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judges::{Happened, Noted};

    #[test]
    fn what_happens_before_its_intent_is_on_the_record_is_a_violation() {
        let intent = json!({"kind": "intended", "intent": {"case": 1, "token": "t", "act": "drain"}});
        let happened =
            |at| Happened { at: Moment(at), by: 0, token: "t".into(), act: "drain".into(), machine: None, epoch: 0 };
        let history = |at| History {
            records: vec![Noted { at: Moment(5), by: 0, record: intent.clone() }],
            happened: vec![happened(at)],
            ..History::default()
        };
        assert_eq!(judge(&history(6)), Vec::new());
        assert_eq!(judge(&history(4)).len(), 1);
    }
}
