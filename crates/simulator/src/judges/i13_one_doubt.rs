//! I13, one page a storm: no two doubts name the same cohort at the same time, and no host that a doubt covers is also
//! paged of by itself.

use std::collections::BTreeMap;

use super::{
    CaseLife, History, Violation,
    history::{self, CaseKey},
};

/// Judges the doubts, by the cohort that each one names at the moment.
pub fn judge(history: &History) -> Vec<Violation> {
    let cases = history.cases();
    let mut found = Vec::new();
    let mut named: BTreeMap<CaseKey, String> = BTreeMap::new();
    for noted in &history.records {
        let Some((key, life)) = noted.case().and_then(|key| cases.get_key_value(&key)) else { continue };
        if life.trouble != "doubt" {
            continue;
        }
        let name = match noted.kind() {
            "case-opened" => Some(life.subject.clone()),
            "case-moved" => restated(&noted.record),
            "case-closed" => {
                named.remove(key);
                continue;
            }
            _ => continue,
        };
        let Some(name) = name else {
            let what = format!("case {} is a doubt that names no cohort", life.case);
            found.push(Violation { invariant: "I13", at: noted.at, what });
            continue;
        };
        if let Some((other, _)) = named.iter().find(|(other, held)| *other != key && other.0 == key.0 && **held == name)
        {
            let what = format!("case {} doubts {name} while case {} does already", life.case, other.1);
            found.push(Violation { invariant: "I13", at: noted.at, what });
        }
        named.insert(*key, name);
    }
    found.extend(pages_of_the_held(history, &cases));
    found
}

/// Firings about hosts alone whose cases were all held by a doubt when they were made.
fn pages_of_the_held(history: &History, cases: &BTreeMap<CaseKey, CaseLife>) -> Vec<Violation> {
    let mut found = Vec::new();
    for page in history.pages.iter().filter(|page| history::text(&page.page, "kind") == "firing") {
        let about: Vec<&CaseLife> = page.page["cases"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|case| cases.get(&(page.by, case.as_u64()?)))
            .collect();
        // A page that is made in the turn in which a case was held was on its way.
        let held = |life: &&CaseLife| life.stage_at(page.at.plus(-1)) == "held" && life.stage_at(page.at) == "held";
        if !about.is_empty() && about.iter().all(held) {
            let hosts: Vec<&str> = about.iter().map(|life| life.subject.as_str()).take(3).collect();
            let what = format!("page {} is about {hosts:?} alone, which a doubt covers", page.page["id"]);
            found.push(Violation { invariant: "I13", at: page.at, what });
        }
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
        let records = records.into_iter().map(|record| Noted { at: Moment(0), by: 0, record }).collect();
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
