//! Which cells of (stage, fault, outcome) have been reached, and which have not: coverage of states, not of lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::judges::{History, history::text};

/// What can come of each stage of a case.
pub const OUTCOMES: &[(&str, &[&str])] = &[
    ("suspected", &["confirming", "held", "closed"]),
    ("confirming", &["confirmed", "held", "closed"]),
    ("confirmed", &["decided", "held", "closed"]),
    ("held", &["suspected", "closed"]),
    ("decided", &["acting", "confirmed", "closed", "hold", "would", "ask", "will"]),
    (
        "acting",
        &[
            "verifying",
            "confirmed",
            "decided",
            "closed",
            "done",
            "saved",
            "unhealed",
            "unfit",
            "gone",
            "impossible",
            "denied",
            "failed",
            "withheld",
        ],
    ),
    ("verifying", &["confirmed", "closed"]),
];

/// One cell.
pub type Cell = (String, String, String);

/// Cells and how often each was reached.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Reached cells.
    pub cells: BTreeMap<Cell, u64>,
    /// Classes of faults that were there at all.
    pub classes: BTreeSet<String>,
}

impl Coverage {
    /// Counts what a story with these classes of faults came to.
    pub fn add(&mut self, classes: &[String], history: &History) {
        let mut outcomes: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut stages: BTreeMap<(u8, u64), String> = BTreeMap::new();
        for noted in &history.records {
            let Some(case) = noted.case() else { continue };
            let mut reach = |stage: &str, outcome: &str| {
                *outcomes.entry((stage.to_owned(), outcome.to_owned())).or_default() += 1;
            };
            match noted.kind() {
                "case-opened" => {
                    stages.insert(case, "suspected".to_owned());
                }
                "case-moved" => {
                    let (from, to) = (text(&noted.record, "from"), text(&noted.record, "to"));
                    reach(from, to);
                    stages.insert(case, to.to_owned());
                }
                "case-closed" => reach(&stages.remove(&case).unwrap_or_default(), "closed"),
                "decided" => {
                    let decision = noted.record.get("decision").and_then(|it| it.as_object());
                    reach("decided", decision.and_then(|it| it.keys().next()).map_or("", String::as_str));
                }
                "ended" => reach("acting", text(&noted.record, "result")),
                _ => {}
            }
        }
        self.classes.extend(classes.iter().cloned());
        for ((stage, outcome), times) in outcomes {
            for class in classes {
                *self.cells.entry((stage.clone(), class.clone(), outcome.clone())).or_default() += times;
            }
        }
    }

    /// Takes another count in.
    pub fn merge(&mut self, other: Self) {
        self.classes.extend(other.classes);
        for (cell, times) in other.cells {
            *self.cells.entry(cell).or_default() += times;
        }
    }

    /// Reached cells, all cells that the transition table and the classes of faults make, and those never reached.
    pub fn result(&self) -> (usize, usize, Vec<Cell>) {
        let mut unreached = Vec::new();
        let mut all = 0;
        for (stage, outcomes) in OUTCOMES {
            for class in &self.classes {
                for outcome in *outcomes {
                    all += 1;
                    let cell = ((*stage).to_owned(), class.clone(), (*outcome).to_owned());
                    if !self.cells.contains_key(&cell) {
                        unreached.push(cell);
                    }
                }
            }
        }
        (all - unreached.len(), all, unreached)
    }

    /// For people: what was never reached, a line a stage and outcome, with the classes of faults.
    pub fn tell(&self) -> String {
        let (reached, all, unreached) = self.result();
        let mut by_outcome: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for (stage, class, outcome) in unreached {
            by_outcome.entry((stage, outcome)).or_default().push(class);
        }
        let share = if all == 0 { 0.0 } else { reached as f64 * 100.0 / all as f64 };
        let mut text = format!("cells (stage x fault x outcome): {reached} of {all} reached ({share:.0} %)");
        for ((stage, outcome), classes) in by_outcome {
            let missing = if classes.len() == self.classes.len() { "any fault".to_owned() } else { classes.join(", ") };
            text.push_str(&format!("\n  never {stage} -> {outcome} with {missing}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{clock::Moment, judges::Noted};

    #[test]
    fn a_cell_is_a_stage_a_fault_and_what_came_of_it() {
        let noted = |record| Noted { at: Moment(0), by: 0, record };
        let history = History {
            records: vec![
                noted(json!({"kind": "case-opened", "case": 1})),
                noted(json!({"kind": "case-moved", "case": 1, "from": "suspected", "to": "confirming"})),
                noted(json!({"kind": "case-closed", "case": 1})),
            ],
            ..History::default()
        };
        let mut coverage = Coverage::default();
        coverage.add(&["event drop".to_owned()], &history);
        let (reached, all, unreached) = coverage.result();
        assert_eq!(reached, 2);
        assert_eq!(all, reached + unreached.len());
        assert!(coverage.tell().contains("never acting -> done with any fault"));
    }
}
