//! I13, one doubt a storm: no two doubts name the same cohort at the same time, and no host of a doubt is also told of
//! by itself.

use std::collections::BTreeMap;

use super::{History, Violation, history};

/// Judges the doubts, by the cohort that each one names at the moment.
pub fn judge(history: &History) -> Vec<Violation> {
    let cases = history.cases();
    let mut found = Vec::new();
    let mut named: BTreeMap<u64, String> = BTreeMap::new();
    for noted in &history.records {
        let Some(life) = history::case(&noted.record).and_then(|number| cases.get(&number)) else { continue };
        if life.trouble != "doubt" {
            continue;
        }
        let name = match history::text(&noted.record, "kind") {
            "case-opened" => Some(life.subject.clone()),
            "case-moved" => restated(&noted.record),
            "case-closed" => {
                named.remove(&life.case);
                continue;
            }
            _ => continue,
        };
        let Some(name) = name else {
            let what = format!("case {} is a doubt that names no cohort", life.case);
            found.push(Violation { invariant: "I13", at: noted.at, what });
            continue;
        };
        if let Some((other, _)) = named.iter().find(|(case, other)| **case != life.case && **other == name) {
            let what = format!("case {} doubts {name} while case {other} does already", life.case);
            found.push(Violation { invariant: "I13", at: noted.at, what });
        }
        named.insert(life.case, name);
    }
    found
}

/// The cohort that a restated doubt names: `3 of 5 hosts of COHORT are away …`.
fn restated(record: &serde_json::Value) -> Option<String> {
    let sentence = record.get("reasons")?.as_array()?.first()?.as_str()?;
    let (_, rest) = sentence.split_once(" hosts of ")?;
    rest.split_once(" are away").map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{clock::Moment, judges::Noted};

    fn history(records: Vec<serde_json::Value>) -> History {
        let records = records.into_iter().map(|record| Noted { at: Moment(0), record }).collect();
        History { records, ..History::default() }
    }

    fn opened(case: u64, subject: &str) -> serde_json::Value {
        json!({"kind": "case-opened", "case": case, "trouble": "doubt", "subject": subject})
    }

    #[test]
    fn two_doubts_of_one_cohort_are_one_too_many() {
        let found = judge(&history(vec![opened(1, "zone a"), opened(2, "zone a")]));
        assert_eq!(found.len(), 1);
        assert!(judge(&history(vec![opened(1, "zone a"), opened(2, "zone b")])).is_empty());
    }

    #[test]
    fn a_restated_doubt_counts_by_its_new_name() {
        let moved = json!({"kind": "case-moved", "case": 1, "reasons": ["3 of 5 hosts of zone b are away at once"]});
        assert!(judge(&history(vec![opened(1, "zone a"), moved.clone(), opened(2, "zone a")])).is_empty());
        assert_eq!(judge(&history(vec![opened(1, "zone a"), moved, opened(2, "zone b")])).len(), 1);
    }
}
