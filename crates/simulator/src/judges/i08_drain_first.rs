//! I8, drain before terminate: a machine whose registration may still run tasks is only ended while it drains; hosts
//! with protected tasks are never ended; a ghost is deregistered only when its machine is really gone.

use super::{Call, Conditions, History, Violation, plain::glob};

/// Judges every call that ends a machine or a registration.
pub fn judge(history: &History, conditions: &Conditions) -> Vec<Violation> {
    history.calls.iter().filter(|call| call.was_made()).filter_map(|call| judge_call(call, conditions)).collect()
}

fn judge_call(call: &Call, conditions: &Conditions) -> Option<Violation> {
    let then = &call.then;
    let wrong = |what: String| {
        let what = format!("case {}: {} of {}: {what}", call.case().1, call.act(), call.target("machine"));
        Some(Violation { invariant: "I8", at: call.at, what })
    };
    let releases = call.act() == "deregister" && call.remedy() == "release-tasks";
    if call.act() == "deregister" && !releases && !then.gone {
        return wrong("its machine is not gone".to_owned());
    }
    if !call.ends_machine() && !releases {
        return None;
    }
    let (_, tasks, _) = conditions.policy.protection();
    if let Some(task) = then.known_tasks.iter().find(|group| tasks.iter().any(|pattern| glob(pattern, group))) {
        return wrong(format!("it runs a task of the protected group {task}"));
    }
    // A stopped or broken machine has lost its tasks already; so has one whose agent is away, as far as ECS can do
    // anything about it: there draining only keeps new tasks away.
    let lost = !then.runs || then.tasks.is_empty() || !then.connected;
    if call.ends_machine() && then.status == "ACTIVE" && !lost {
        return wrong(format!("it is ACTIVE, answers, and runs {} tasks: nobody has drained it", then.tasks.len()));
    }
    if call.ends_machine() && then.connected && then.protected_tasks > 0 {
        return wrong(format!("{} of its tasks are protected from scale-in", then.protected_tasks));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        clock::Moment,
        judges::{Plain, Then},
    };

    #[test]
    fn ending_an_answering_host_that_nobody_drained_is_a_violation() {
        let then = |status: &str| Then {
            status: status.into(),
            connected: true,
            runs: true,
            tasks: vec!["service:api".into()],
            known_tasks: vec!["service:api".into()],
            ..Then::default()
        };
        let judge = |act: &str, remedy: &str, then: Then, policy: serde_json::Value| {
            let intent = json!({"case": 1, "act": act, "remedy": remedy, "token": "t", "target": {"machine": "i-1"}});
            let call = Call { at: Moment(1), by: 0, intent, again: false, then, ended: None };
            let conditions = Conditions { policy: Plain(policy), ..Conditions::default() };
            super::judge(&History { calls: vec![call], ..History::default() }, &conditions).len()
        };
        assert_eq!(judge("terminate", "replace", then("ACTIVE"), json!({})), 1);
        assert_eq!(judge("terminate", "replace", then("DRAINING"), json!({})), 0);
        assert_eq!(
            judge("terminate", "replace", then("DRAINING"), json!({"protection": {"tasks": ["service:a*"]}})),
            1
        );
        assert_eq!(judge("deregister", "deregister", then("ACTIVE"), json!({})), 1);
    }
}
