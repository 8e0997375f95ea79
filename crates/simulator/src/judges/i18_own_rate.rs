//! I18, own rate: what the core asks to see stays within what may be asked in one call, and does not turn into a storm;
//! what fails is tried again a few times, and then another way is taken.

use std::collections::BTreeMap;

use super::{
    Conditions, History, Violation,
    history::{self, CaseKey},
};
use crate::{
    clock::{HOUR, Moment, SECOND},
    map::HashMap,
};

/// A tenth of the refill of the tightest bucket a look may draw from (20 a second, spec C.7), over an hour and for each
/// service.
const LOOKS_AN_HOUR: usize = 7_200;

/// The same thing is not looked at four times within this time: a deadline, a gap and a drain may each want to know.
const AGAIN_MS: i64 = 5 * SECOND;

/// A step of a remedy is tried so often. What undoes one has more tries, since nobody else would.
const TRIES: u32 = 3;

/// Whom a look asks: each service has buckets of its own.
fn service_of(kind: &str) -> &'static str {
    match kind {
        "machines" => "EC2",
        "pings" => "SSM",
        _ => "ECS",
    }
}

/// Judges sizes, repetitions and the number of looks in any hour, and the tries of every step.
pub fn judge(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let mut found = tries(history);
    let mut wrong = |at: Moment, what: String| found.push(Violation { invariant: "I18", at, what });
    let mut last: HashMap<(u8, &str, &str), [Moment; 3]> = HashMap::default();
    for asked in &history.looks {
        let most = if asked.kind == "pings" { 50 } else { 100 };
        if asked.ids.is_empty() || asked.ids.len() > most {
            wrong(asked.at, format!("a look at {} {} in one call, 1 to {most} may be", asked.ids.len(), asked.kind));
        }
        for id in &asked.ids {
            let Some(before) = last.get_mut(&(asked.by, asked.kind, id.as_str())) else {
                last.insert((asked.by, asked.kind, id), [Moment(i64::MIN / 2), Moment(i64::MIN / 2), asked.at]);
                continue;
            };
            let after = asked.at.since(before[0]);
            // A muster that comes back from a crash asks again for what it had asked.
            let came_back = history
                .crashes
                .iter()
                .any(|(at, by)| *by == asked.by && *at <= asked.at && asked.at.since(*at) < 4 * AGAIN_MS);
            // Nor can one say how often, whose clock was set while it waited.
            if after < AGAIN_MS && !came_back && !conditions.clock_stepped {
                wrong(asked.at, format!("{id} ({}) is looked at for the fourth time within {after} ms", asked.kind));
            }
            *before = [before[1], before[2], asked.at];
        }
    }
    for service in ["ECS", "EC2", "SSM"] {
        let times: Vec<Moment> =
            history.looks.iter().filter(|it| service_of(it.kind) == service).map(|it| it.at).collect();
        let beyond = times.iter().skip(LOOKS_AN_HOUR).zip(&times).find(|(last, first)| last.since(**first) <= HOUR);
        if let Some((at, _)) = beyond {
            wrong(*at, format!("more than {LOOKS_AN_HOUR} looks at {service} within an hour"));
        }
    }
    found
}

/// Intents of one case for the same act that follow failures of it, with no other way taken in between.
fn tries(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut tried: BTreeMap<CaseKey, (String, u32)> = BTreeMap::new();
    for noted in &history.records {
        let Some(key) = noted.case() else { continue };
        match noted.kind() {
            "intended" => {
                let intent = &noted.record["intent"];
                let word = history::act_word(intent);
                let sizes = &intent["act"]["set-desired"];
                if word == "undrain" || sizes["to"].as_u64() < sizes["from"].as_u64() {
                    continue;
                }
                let (act, times) = tried.entry(key).or_default();
                if act != word {
                    (*act, *times) = (word.to_owned(), 0);
                }
                *times += 1;
                if *times > TRIES {
                    let what = format!("case {} tries {word} for the {times}th time after failures", key.1);
                    found.push(Violation { invariant: "I18", at: noted.at, what });
                }
            }
            "ended" if history::text(&noted.record, "result") == "failed" => {}
            "ended" | "abandoned" | "case-moved" | "case-closed" => drop(tried.remove(&key)),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judges::Noted;

    #[test]
    fn a_step_that_fails_is_tried_three_times_and_anew_on_another_rung() {
        let intended = json!({"kind": "intended", "intent": {"case": 1, "act": "drain"}});
        let failed = json!({"kind": "ended", "case": 1, "result": "failed"});
        let abandoned = json!({"kind": "abandoned", "case": 1});
        let judge = |records: &[&serde_json::Value]| {
            let noted = |record: &&serde_json::Value| Noted { at: Moment(0), by: 0, record: (*record).clone() };
            tries(&History { records: records.iter().map(noted).collect(), ..History::default() }).len()
        };
        let three = [&intended, &failed, &intended, &failed, &intended, &failed];
        assert_eq!(judge(&three), 0);
        assert_eq!(judge(&[&three[..], &[&intended]].concat()), 1);
        assert_eq!(judge(&[&three[..], &[&abandoned], &three[..]].concat()), 0);
    }
}
