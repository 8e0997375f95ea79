//! I12, no page twice: of each incident a receiver gets one firing and one resolve, in that order, and updates no more
//! often than it was promised.

use std::collections::BTreeMap;

use super::{Arrived, Conditions, History, Violation, history::text};
use crate::clock::SECOND;

/// How often a page may arrive again whose end muster has not seen (I12: at most one repeat).
const REPEATS: u32 = 1;

/// Judges the pages that were made, and those that arrived.
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
    let mut times: BTreeMap<(u8, u64), u32> = BTreeMap::new();
    for arrived in &history.arrived {
        let number = arrived.page["id"].as_u64().unwrap_or(0);
        let times = times.entry((arrived.by, number)).or_default();
        *times += 1;
        if *times > 1 + REPEATS + history.crashes.iter().filter(|(_, by)| *by == arrived.by).count() as u32 {
            let what = format!("page {number} arrived {times} times");
            found.push(Violation { invariant: "I12", at: arrived.at, what });
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
}
