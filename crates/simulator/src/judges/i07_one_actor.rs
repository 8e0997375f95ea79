//! I7, one actor: nothing happens by a muster whose lease is not the newest, nor while another's call is under way.

use super::{History, Violation};

/// Judges what happened, and the calls of several musters.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut newest = 0;
    for happened in &history.happened {
        if happened.epoch < newest {
            let what = format!(
                "{} happened as `{}` under epoch {} while epoch {newest} had begun",
                happened.act, happened.token, happened.epoch
            );
            found.push(Violation { invariant: "I7", at: happened.at, what });
        }
        newest = newest.max(happened.epoch);
    }
    for (at, call) in history.calls.iter().enumerate() {
        let over = |ended: &Option<(crate::clock::Moment, serde_json::Value)>| ended.as_ref().map(|(at, _)| *at);
        let beside = history.calls[..at].iter().rev().take(64).find(|other| {
            other.by != call.by && over(&other.ended).is_some_and(|ended| ended > call.at) && other.was_made()
        });
        if let Some(other) = beside.filter(|_| call.was_made()) {
            let what = format!(
                "muster {} calls {} while {} of muster {} is under way",
                call.by,
                call.act(),
                other.act(),
                other.by
            );
            found.push(Violation { invariant: "I7", at: call.at, what });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Moment, judges::Happened};

    #[test]
    fn an_old_epoch_after_a_newer_one_is_a_violation() {
        let one = |at, epoch| Happened {
            at: Moment(at),
            by: 0,
            token: format!("{at}"),
            act: "drain".into(),
            machine: None,
            epoch,
        };
        let judge = |happened| super::judge(&History { happened, ..History::default() }).len();
        assert_eq!(judge(vec![one(1, 1), one(2, 2), one(3, 2)]), 0);
        assert_eq!(judge(vec![one(1, 1), one(2, 2), one(3, 1)]), 1);
    }
}
