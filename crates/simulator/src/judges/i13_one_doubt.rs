//! I13, one page a storm: no two doubts name the same cohort at the same time, no host that a doubt covers is also
//! paged of by itself, and what a route puts together is one incident.

use std::collections::BTreeMap;

use super::{
    CaseLife, Conditions, History, Violation,
    history::{self, CaseKey},
    plain::texts,
};

/// Judges the doubts, by the cohort that each one names at the moment, and the incidents, by what their route groups by.
pub fn judge(history: &History, conditions: &Conditions) -> Vec<Violation> {
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
    found.extend(incidents_apart(history, conditions));
    found
}

/// Incidents that a receiver is told of beside another one that is not over, though the route to it puts both together.
/// Zones and hosts are not looked at: what they were when an alert was raised, no page tells.
fn incidents_apart(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let routes = conditions.policy.0["routing"]["routes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    /// Cluster and trouble of an incident, by its key.
    type Labels<'h> = BTreeMap<&'h str, (&'h str, &'h str)>;
    let mut open: BTreeMap<(u8, &str), Labels<'_>> = BTreeMap::new();
    for made in &history.pages {
        let page = &made.page;
        let (receiver, key) = (history::text(page, "receiver"), history::text(page, "key"));
        let incidents = open.entry((made.by, receiver)).or_default();
        match history::text(page, "kind") {
            "resolved" => drop(incidents.remove(key)),
            "firing" => {
                let trouble = history::text(page, "trouble");
                let mut to = routes.iter().filter(|route| texts(&route["receivers"]).iter().any(|it| it == receiver));
                let (Some(route), None) = (to.next(), to.next()) else { continue };
                let by = texts(&route["group_by"]);
                let plain = by.iter().all(|by| matches!(by.as_str(), "cluster" | "trouble"));
                // What is no case of a host or a machine is an incident of its own.
                if by.is_empty() || !plain || matches!(trouble, "" | "doubt") {
                    continue;
                }
                let value = |name: &str, value| if by.iter().any(|it| it == name) { value } else { "" };
                let cluster = page["clusters"][0].as_str().unwrap_or_default();
                let label = (value("cluster", cluster), value("trouble", trouble));
                if let Some((other, _)) = incidents.iter().find(|(_, held)| **held == label) {
                    let what = format!("{key} is told to {receiver} beside {other}, and {by:?} of both are the same");
                    found.push(Violation { invariant: "I13", at: made.at, what });
                }
                incidents.insert(key, label);
            }
            _ => {}
        }
    }
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
    use crate::{
        clock::Moment,
        judges::{Arrived, Noted, Plain},
    };

    fn history(records: Vec<serde_json::Value>) -> History {
        let records = records.into_iter().map(|record| Noted { at: Moment(0), by: 0, record }).collect();
        History { records, ..History::default() }
    }

    fn opened(case: u64, subject: &str) -> serde_json::Value {
        json!({"kind": "case-opened", "case": case, "trouble": "doubt", "subject": subject})
    }

    #[test]
    fn two_doubts_of_one_cohort_are_one_too_many() {
        let found = judge(&history(vec![opened(1, "zone a"), opened(2, "zone a")]), &Conditions::default());
        assert_eq!(found.len(), 1);
        assert!(judge(&history(vec![opened(1, "zone a"), opened(2, "zone b")]), &Conditions::default()).is_empty());
    }

    #[test]
    fn a_restated_doubt_counts_by_its_new_name() {
        let moved = json!({"kind": "case-moved", "case": 1, "reasons": ["3 of 5 hosts of zone b are away at once"]});
        let judge = |records| judge(&history(records), &Conditions::default()).len();
        assert_eq!(judge(vec![opened(1, "zone a"), moved.clone(), opened(2, "zone a")]), 0);
        assert_eq!(judge(vec![opened(1, "zone a"), moved, opened(2, "zone b")]), 1);
    }

    #[test]
    fn two_hosts_of_one_cluster_are_one_incident_where_the_route_says_so() {
        let page = |at: i64, kind: &str, cluster: &str| Arrived {
            at: Moment(at),
            by: 0,
            page: json!({"kind": kind, "key": format!("k{at}"), "receiver": "pager", "trouble": "runtime", "clusters": [cluster]}),
        };
        let judge = |by: &str, pages| {
            let routes = json!({"routing": {"routes": [{"receivers": ["pager"], "group_by": [by]}]}});
            let conditions = Conditions { policy: Plain(routes), ..Conditions::default() };
            judge(&History { pages, ..History::default() }, &conditions).len()
        };
        let two = |cluster| vec![page(0, "firing", "a"), page(1, "firing", cluster)];
        assert_eq!((judge("cluster", two("a")), judge("cluster", two("b"))), (1, 0));
        assert_eq!((judge("trouble", two("b")), judge("host", two("a"))), (1, 0));
        let over = Arrived { at: Moment(1), ..page(0, "resolved", "a") };
        assert_eq!(judge("cluster", vec![page(0, "firing", "a"), over, page(2, "firing", "a")]), 0);
    }
}
