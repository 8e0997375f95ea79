//! I6, one effect: whatever crashes, is repeated or answers too late, an intent takes effect at most once, and a machine
//! is ended by one intent alone.

use std::collections::BTreeMap;

use super::{Happened, History, Violation};

/// Judges what happened.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut by_token: BTreeMap<&str, &Happened> = BTreeMap::new();
    let mut ended: BTreeMap<u32, &Happened> = BTreeMap::new();
    let mut found = Vec::new();
    for happened in &history.happened {
        let mut wrong = |what: String| found.push(Violation { invariant: "I6", at: happened.at, what });
        if let Some(first) = by_token.get(happened.token.as_str()) {
            let at = first.at.iso_millis();
            wrong(format!("{} happened again as `{}`, after {at}", happened.act, happened.token));
        }
        by_token.insert(&happened.token, happened);
        let ends = matches!(happened.act.as_str(), "terminate-in-group" | "mark-unhealthy" | "terminate");
        if let Some(machine) = happened.machine.filter(|_| ends) {
            if let Some(first) = ended.get(&machine.0).filter(|first| first.token != happened.token) {
                wrong(format!(
                    "machine {} is ended as `{}` and had been as `{}`",
                    machine.0, happened.token, first.token
                ));
            }
            ended.insert(machine.0, happened);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Moment, world::MachineId};

    #[test]
    fn an_intent_that_happens_twice_is_a_violation() {
        let one = |token: &str| Happened {
            at: Moment(1),
            by: 0,
            token: token.into(),
            act: "restart-agent".into(),
            machine: Some(MachineId(3)),
            epoch: 0,
        };
        let judge = |happened| super::judge(&History { happened, ..History::default() }).len();
        assert_eq!(judge(vec![one("a"), one("b")]), 0);
        assert_eq!(judge(vec![one("a"), one("a")]), 1);
    }
}
