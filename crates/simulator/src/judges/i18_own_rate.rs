//! I18, own rate: what the core asks to see stays within what may be asked in one call, and does not turn into a storm;
//! what fails is tried again a few times, and then another way is taken.

use std::collections::{BTreeMap, VecDeque};

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

/// Within this time the same thing is not looked at more often than [`OFTEN`] times, or than a decision wants looks in a row.
const AGAIN_MS: i64 = 5 * SECOND;

/// A deadline, a gap and a drain may each want to know.
const OFTEN: usize = 3;

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
    let often = conditions.policy.most_looks().max(OFTEN);
    let mut last: HashMap<(u8, &str, &str), VecDeque<Moment>> = HashMap::default();
    for asked in &history.looks {
        let most = if asked.kind == "pings" { 50 } else { 100 };
        if asked.ids.is_empty() || asked.ids.len() > most {
            wrong(asked.at, format!("a look at {} {} in one call, 1 to {most} may be", asked.ids.len(), asked.kind));
        }
        // A muster that comes back from a crash asks again for what it had asked.
        let came_back = history
            .crashes
            .iter()
            .any(|(at, by)| *by == asked.by && *at <= asked.at && asked.at.since(*at) < 4 * AGAIN_MS);
        for id in &asked.ids {
            let before = last.entry((asked.by, asked.kind, id.as_str())).or_default();
            while before.front().is_some_and(|at| asked.at.since(*at) >= AGAIN_MS) {
                before.pop_front();
            }
            before.push_back(asked.at);
            // Nor can one say how often, whose clock was set while it waited.
            if before.len() > often && !came_back && !conditions.clock_stepped {
                let ago: Vec<i64> = before.iter().map(|at| asked.at.since(*at)).collect();
                wrong(asked.at, format!("{id} ({}) is looked at again and again, {ago:?} ms before", asked.kind));
            }
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
    use crate::judges::{Noted, history::Asked, plain::Plain};

    #[test]
    fn a_host_is_looked_at_no_more_often_within_seconds_than_a_decision_wants_looks() {
        let judged = |looks: i64, apart_ms: i64, fail_after: u64| {
            let look = |number| Asked {
                at: Moment(number * apart_ms),
                by: 0,
                kind: "hosts",
                of: "c".to_owned(),
                ids: vec!["a".to_owned()],
            };
            let history = History { looks: (0..looks).map(look).collect(), ..History::default() };
            let policy = Plain(json!({ "fail_after": 1, "rules": [{ "fail_after": fail_after }] }));
            judge(&history, &Conditions { policy, ..Conditions::default() }).len()
        };
        assert_eq!((judged(3, 1_000, 1), judged(4, 1_000, 1), judged(9, 2_000, 1)), (0, 1, 0));
        assert_eq!((judged(4, 1_000, 4), judged(5, 1_000, 4)), (0, 1));
    }

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
