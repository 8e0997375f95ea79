//! I9, order and waits: no decision about a host that is away before its case was suspected, confirmed by a fresh look,
//! and old enough; and a host that answers again leaves the ladder at once.

use std::collections::BTreeMap;

use super::{Conditions, History, Violation, history};
use crate::clock::{MINUTE, Moment};

/// The waits of the default policy, which all runs use.
const GRACE_MS: i64 = 3 * MINUTE;
const ACT_AFTER_MS: i64 = 10 * MINUTE;

/// Judges the moves of all cases of absence. Where the observer's clock was stepped, its waits are not ours to measure.
pub fn judge(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let cases = history.cases();
    let mut stages: BTreeMap<u64, Vec<(Moment, String)>> = BTreeMap::new();
    let mut found = Vec::new();
    for noted in &history.records {
        let Some(life) = history::case(&noted.record).and_then(|number| cases.get(&number)) else { continue };
        if life.trouble != "agent-away" {
            continue;
        }
        let mut wrong = |what: String| found.push(Violation { invariant: "I9", at: noted.at, what });
        let passed = stages.entry(life.case).or_default();
        let reached = |stage: &str| passed.iter().rev().find(|(_, other)| other == stage).map(|(at, _)| *at);
        match history::text(&noted.record, "kind") {
            "case-moved" => {
                let to = history::text(&noted.record, "to");
                let waited = noted.at.since(life.opened);
                if to == "confirming" && waited < GRACE_MS && !conditions.clock_stepped {
                    wrong(format!("case {} was confirmed after {waited} ms, before the grace was over", life.case));
                }
                if to == "confirmed" && reached("confirming").is_none() {
                    wrong(format!("case {} was confirmed without a fresh look", life.case));
                }
                if to == "decided" && reached("confirmed").is_none() {
                    wrong(format!("case {} was decided without having been confirmed", life.case));
                }
                if to == "decided" && waited < ACT_AFTER_MS && !conditions.clock_stepped {
                    wrong(format!("case {} was decided after {waited} ms", life.case));
                }
                passed.push((noted.at, to.to_owned()));
            }
            "decided" if reached("decided").is_none() => {
                wrong(format!("case {} has a decision and never came to it", life.case));
            }
            "decided" if life.closed.is_some_and(|closed| closed < noted.at) => {
                wrong(format!("case {} was decided after it was closed", life.case));
            }
            _ => {}
        }
    }
    found
}
