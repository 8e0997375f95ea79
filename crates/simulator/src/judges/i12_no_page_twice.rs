//! I12, no page twice: of each incident a receiver gets one firing and one resolve, in that order, and updates no more
//! often than it was promised.

use std::collections::{BTreeMap, BTreeSet};

use super::{Arrived, Conditions, History, Violation, history::text};
use crate::clock::{MINUTE, SECOND};

/// How often a page may arrive again whose end muster has not seen (I12: at most one repeat).
const REPEATS: u32 = 1;

/// So many cases a page names at most: of one that names so many, nobody can say that it names all.
const NAMED: usize = 20;

/// Judges the pages that were made, those that arrived, and the resolves that were never made.
pub fn judge(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut last: BTreeMap<(u8, &str, &str), &Arrived> = BTreeMap::new();
    let interval_ms = conditions.policy.routing_secs("interval_secs", 300) * 1000;
    for made in &history.pages {
        let kind = text(&made.page, "kind");
        if kind == "heartbeat" {
            continue;
        }
        let key = (made.by, text(&made.page, "receiver"), text(&made.page, "key"));
        let before = last.get(&key).map(|page| text(&page.page, "kind"));
        let mut wrong = |what: String| {
            let what = format!("{what} of {} to {}", key.2, key.1);
            found.push(Violation { invariant: "I12", at: made.at, what });
        };
        match (before, kind) {
            (Some("firing" | "update"), "firing") => wrong("a second firing".to_owned()),
            (None | Some("resolved"), "resolved") => wrong("a resolve without a firing".to_owned()),
            (None | Some("resolved"), "update") => wrong("an update without a firing".to_owned()),
            _ => {}
        }
        if kind == "update" && !conditions.clock_stepped {
            let waited = last.get(&key).map_or(i64::MAX, |page| made.at.since(page.at));
            if waited < interval_ms - SECOND {
                wrong(format!("an update {waited} ms after the page before"));
            }
        }
        last.insert(key, made);
    }
    found.extend(unresolved(history, conditions));
    let number = |page: &Arrived| (page.by, page.page["id"].as_u64().unwrap_or(0));
    let made: BTreeMap<(u8, u64), &Arrived> = history.pages.iter().map(|page| (number(page), page)).collect();
    let mut times: BTreeMap<(u8, u64), u32> = BTreeMap::new();
    for arrived in &history.arrived {
        let (_, number) = number(arrived);
        // By its key and its kind the receiver knows what it was sent before.
        let differs = |page: &&&Arrived| ["key", "kind"].iter().any(|it| page.page[*it] != arrived.page[*it]);
        if let Some(page) = made.get(&(arrived.by, number)).filter(differs) {
            let (was, is) = (text(&page.page, "key"), text(&arrived.page, "key"));
            let what = format!("page {number} was made under {was} and arrives under {is}");
            found.push(Violation { invariant: "I12", at: arrived.at, what });
        }
        let times = times.entry((arrived.by, number)).or_default();
        *times += 1;
        if *times > 1 + REPEATS + history.crashes.iter().filter(|(_, by)| *by == arrived.by).count() as u32 {
            let what = format!("page {number} arrived {times} times");
            found.push(Violation { invariant: "I12", at: arrived.at, what });
        }
    }
    found
}

/// Incidents that were told and are over for long, and that nobody was told are over. Judged where the faults have ceased,
/// so that no page is held up by another.
fn unresolved(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let Some(healed) = conditions.healed else { return Vec::new() };
    /// Its cases, whether all of them are named, and whether its last page said that it is over.
    type Incident = (BTreeSet<u64>, bool, bool);
    let mut incidents: BTreeMap<(u8, &str, &str), Incident> = BTreeMap::new();
    for made in history.pages.iter().filter(|made| !text(&made.page, "trouble").is_empty()) {
        let key = (made.by, text(&made.page, "receiver"), text(&made.page, "key"));
        let (about, all, over) = incidents.entry(key).or_insert_with(|| (BTreeSet::new(), true, false));
        let named = made.page["cases"].as_array().map(Vec::as_slice).unwrap_or_default();
        about.extend(named.iter().filter_map(serde_json::Value::as_u64));
        *all &= named.len() < NAMED;
        *over = text(&made.page, "kind") == "resolved";
    }
    let cases = history.cases();
    let waits = ["wait_secs", "interval_secs"].map(|name| conditions.policy.routing_secs(name, 300) * 1000);
    let due = conditions.ended.plus(-(waits[0] + 2 * waits[1].max(MINUTE) + MINUTE));
    let mut found = Vec::new();
    for ((by, receiver, key), (about, all, over)) in incidents {
        let ended =
            |case: &u64| cases.get(&(by, *case)).and_then(|life| life.closed).is_some_and(|closed| closed < due);
        if all && !over && due > healed && about.iter().all(ended) {
            let what = format!("all of {key} is over, cases {about:?}, and {receiver} was never told so");
            found.push(Violation { invariant: "I12", at: conditions.ended, what });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Moment;

    #[test]
    fn firing_and_resolve_take_turns() {
        let page = |at: i64, kind: &str| Arrived {
            at: Moment(at),
            by: 0,
            page: json!({"id": at, "kind": kind, "key": "muster/1", "receiver": "pager"}),
        };
        let judge = |pages| super::judge(&History { pages, ..History::default() }, &Conditions::default()).len();
        assert_eq!(judge(vec![page(0, "firing"), page(300_000, "update"), page(300_001, "resolved")]), 0);
        assert_eq!(judge(vec![page(0, "firing"), page(1, "firing")]), 1);
        assert_eq!(judge(vec![page(0, "resolved")]), 1, "a resolve before its firing");
        assert_eq!(judge(vec![page(0, "firing"), page(5_000, "update")]), 1, "too soon");
    }

    #[test]
    fn a_page_arrives_under_the_key_that_it_was_made_with() {
        let page = |key: &str| Arrived {
            at: Moment(1),
            by: 0,
            page: json!({"id": 1, "kind": "firing", "key": key, "receiver": "pager"}),
        };
        let judge = |arrived| {
            let history = History { pages: vec![page("k")], arrived: vec![page("k"), arrived], ..History::default() };
            super::judge(&history, &Conditions::default()).len()
        };
        assert_eq!((judge(page("k")), judge(page("k-again"))), (0, 1));
    }

    #[test]
    fn what_is_over_is_called_over() {
        let page = |kind: &str| Arrived {
            at: Moment(1),
            by: 0,
            page: json!({"id": 1, "kind": kind, "key": "k", "receiver": "pager", "trouble": "runtime", "cases": [1]}),
        };
        let noted = |record| crate::judges::Noted { at: Moment(0), by: 0, record };
        let judge = |closed: bool, pages| {
            let mut records = vec![noted(json!({"kind": "case-opened", "case": 1, "trouble": "runtime"}))];
            records.extend(closed.then(|| noted(json!({"kind": "case-closed", "case": 1}))));
            let conditions = Conditions { healed: Some(Moment(0)), ended: Moment(10_000_000), ..Conditions::default() };
            super::judge(&History { records, pages, ..History::default() }, &conditions).len()
        };
        assert_eq!(judge(true, vec![page("firing")]), 1);
        assert_eq!(judge(true, vec![page("firing"), page("resolved")]), 0);
        assert_eq!(judge(false, vec![page("firing")]), 0);
    }
}
