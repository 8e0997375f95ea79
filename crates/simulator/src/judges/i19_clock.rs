//! I19, clock: whatever the wall clock does, no stage is skipped or repeated and nothing lasts for less than nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{History, Violation, history};

/// The moves a case may make. The order waits, looks again, confirms, decides; a doubt may hold it anywhere and let go
/// of it, and it may be over at any time.
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
];

/// Judges the moves of every case and all durations.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut stages: BTreeMap<u64, String> = BTreeMap::new();
    for noted in &history.records {
        let mut wrong = |what: String| found.push(Violation { invariant: "I19", at: noted.at, what });
        let Some(case) = history::case(&noted.record) else { continue };
        match history::text(&noted.record, "kind") {
            "case-opened" => {
                if stages.insert(case, String::new()).is_some() {
                    wrong(format!("case {case} is opened twice"));
                }
            }
            "case-moved" => {
                let (from, to) = (history::text(&noted.record, "from"), history::text(&noted.record, "to"));
                match stages.get_mut(&case) {
                    None => wrong(format!("case {case} moves and is not open")),
                    Some(stage) => {
                        if !stage.is_empty() && stage != from {
                            wrong(format!("case {case} moves from {from}, but stood at {stage}"));
                        }
                        if to != "closed" && !MOVES.contains(&(from, to)) {
                            wrong(format!("case {case} moves from {from} to {to}"));
                        }
                        to.clone_into(stage);
                    }
                }
            }
            "case-closed" => {
                let lasted = noted.record.get("lasted_secs").and_then(Value::as_i64);
                if lasted.is_none_or(|secs| secs < 0) {
                    wrong(format!("case {case} lasted {lasted:?} s"));
                }
                if stages.remove(&case).is_none() {
                    wrong(format!("case {case} is closed and was not open"));
                }
            }
            _ => {}
        }
    }
    found
}
