//! I19, clock: whatever the wall clock does, no stage is skipped or repeated and nothing lasts for less than nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    History, Violation,
    history::{self, CaseKey},
};

/// The moves a case may make. The order waits, looks again, confirms, decides; a doubt may hold it anywhere and let go
/// of it, and it may be over at any time. Besides, a confirmed or decided case may come to `confirmed` again when its
/// verdict has become another: time alone never brings a stage twice. A doubt has no stages to go through; it is restated
/// when its cohort turns out to be another.
const MOVES: &[(&str, &str)] = &[
    ("suspected", "confirming"),
    ("confirming", "confirmed"),
    ("confirming", "suspected"),
    ("confirmed", "decided"),
    ("confirmed", "confirming"),
    ("decided", "confirming"),
    ("suspected", "held"),
    ("confirming", "held"),
    ("confirmed", "held"),
    ("decided", "held"),
    ("held", "suspected"),
    ("held", "confirming"),
    ("held", "confirmed"),
    ("held", "decided"),
    // Acting: from a decision, into the wait for its success, on to the next rung, or halted where it was.
    ("decided", "acting"),
    ("acting", "verifying"),
    ("acting", "confirmed"),
    ("acting", "decided"),
    ("verifying", "confirmed"),
];

/// Judges the moves of every case and all durations.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut stages: BTreeMap<CaseKey, (String, String)> = BTreeMap::new();
    let mut doubts: BTreeMap<CaseKey, Value> = BTreeMap::new();
    for noted in &history.records {
        let mut wrong = |what: String| found.push(Violation { invariant: "I19", at: noted.at, what });
        let Some(key) = noted.case() else { continue };
        let case = key.1;
        match noted.kind() {
            "case-opened" => {
                if history::text(&noted.record, "trouble") == "doubt" {
                    doubts.insert(key, noted.record["reasons"].clone());
                }
                if stages.insert(key, Default::default()).is_some() {
                    wrong(format!("case {case} is opened twice"));
                }
            }
            "case-moved" => {
                let (from, to) = (history::text(&noted.record, "from"), history::text(&noted.record, "to"));
                let reasons = &noted.record["reasons"];
                let restated =
                    doubts.get_mut(&key).is_some_and(|held| std::mem::replace(held, reasons.clone()) != *reasons);
                match stages.get_mut(&key) {
                    None => wrong(format!("case {case} moves and is not open")),
                    Some((stage, verdict)) => {
                        let now = history::text(&noted.record, "verdict");
                        // An operator may ask for a decision anew.
                        let asked = history.operator.iter().any(|act| act.granted && act.at == noted.at);
                        let again =
                            matches!((from, to), ("confirmed" | "decided", "confirmed")) && (verdict != now || asked);
                        if !stage.is_empty() && stage != from {
                            wrong(format!("case {case} moves from {from}, but stood at {stage}"));
                        }
                        if to != "closed" && !again && !restated && !MOVES.contains(&(from, to)) {
                            wrong(format!(
                                "case {case} moves from {from} to {to} with the verdict {verdict}, now {now}"
                            ));
                        }
                        to.clone_into(stage);
                        now.clone_into(verdict);
                    }
                }
            }
            "case-closed" => {
                let lasted = noted.record.get("lasted_secs").and_then(Value::as_i64);
                if lasted.is_none_or(|secs| secs < 0) {
                    wrong(format!("case {case} lasted {lasted:?} s"));
                }
                if stages.remove(&key).is_none() {
                    wrong(format!("case {case} is closed and was not open"));
                }
            }
            _ => {}
        }
    }
    found
}
