//! I9, order and waits: no decision about a host that is away before its case was suspected, confirmed by a fresh look,
//! and old enough; a host that answers again leaves the ladder at once; rungs are climbed and never descended, each given
//! the time it was promised.

use std::collections::BTreeMap;

use super::{
    Conditions, History, TruthLog, Violation,
    history::{self, CaseKey},
};
use crate::clock::{Moment, SECOND};

/// A host that answered for so long before a call was made to be mended although it answers.
const ANSWERED_MS: i64 = 5 * SECOND;

/// The order of remedies where no ladder is set: the mildest first.
const MILDEST_FIRST: [&str; 9] = [
    "restart-agent",
    "restart-runtime",
    "reboot",
    "drain",
    "replace",
    "deregister",
    "release-tasks",
    "custom",
    "tell-someone",
];

/// Judges the moves of all cases of absence, the order of remedies and the calls. Where the observer's clock was
/// stepped, its waits are not ours to measure.
pub fn judge(truth: &TruthLog, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let mut found = waits(history, conditions);
    found.extend(rungs(history, conditions));
    for call in history.calls.iter().filter(|call| call.was_made() && call.disturbs()) {
        let away = call.intent["expects"]["agent_away"].as_bool().unwrap_or(false);
        let answers = call
            .then
            .machine
            .is_some_and(|machine| truth.reachable_throughout(machine, call.at.plus(-ANSWERED_MS), call.at));
        if away && answers && call.then.connected && conditions.stale_ms == 0 {
            let what = format!("case {}: {} although the agent answers again", call.case().1, call.act());
            found.push(Violation { invariant: "I9", at: call.at, what });
        }
    }
    found
}

fn waits(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let cases = history.cases();
    let mut stages: BTreeMap<CaseKey, Vec<(Moment, String)>> = BTreeMap::new();
    let mut found = Vec::new();
    for noted in &history.records {
        let Some((key, life)) = noted.case().and_then(|key| cases.get_key_value(&key)) else { continue };
        if life.trouble != "agent-away" {
            continue;
        }
        let plain = &conditions.policy;
        let grace_ms = plain.wait_ms("grace_secs", 180, &life.cluster, &life.trouble);
        let act_after_ms = plain.wait_ms("act_after_secs", 600, &life.cluster, &life.trouble);
        let mut wrong = |what: String| found.push(Violation { invariant: "I9", at: noted.at, what });
        let passed = stages.entry(*key).or_default();
        let reached = |stage: &str| passed.iter().rev().find(|(_, other)| other == stage).map(|(at, _)| *at);
        match noted.kind() {
            "case-moved" => {
                let to = history::text(&noted.record, "to");
                let waited = noted.at.since(life.opened);
                if to == "confirming" && waited < grace_ms && !conditions.clock_stepped {
                    wrong(format!("case {} was confirmed after {waited} ms, before the grace was over", life.case));
                }
                if to == "confirmed" && reached("confirming").is_none() {
                    wrong(format!("case {} was confirmed without a fresh look", life.case));
                }
                if to == "decided" && reached("confirmed").is_none() {
                    wrong(format!("case {} was decided without having been confirmed", life.case));
                }
                if to == "decided" && waited < act_after_ms && !conditions.clock_stepped {
                    wrong(format!("case {} was decided after {waited} ms", life.case));
                }
                if to == "acting" && reached("decided").is_none() {
                    wrong(format!("case {} is acted upon without a decision", life.case));
                }
                passed.push((noted.at, to.to_owned()));
            }
            "decided" if reached("decided").is_none() => {
                wrong(format!("case {} has a decision and never came to it", life.case));
            }
            "decided" if life.closed.is_some_and(|closed| closed < noted.at) => {
                wrong(format!("case {} was decided after it was closed", life.case));
            }
            "intended" if life.closed.is_some_and(|closed| closed < noted.at) => {
                let intent = &noted.record["intent"];
                if !matches!(history::act_word(intent), "undrain" | "set-desired") {
                    wrong(format!("case {} has an intent after it was closed", life.case));
                }
            }
            _ => {}
        }
    }
    found
}

/// What was last begun for a case: when, which rung, how long it was given.
struct Begun {
    at: Moment,
    rung: usize,
    remedy: String,
    deadline_ms: Option<i64>,
    failed: bool,
    abandoned_at: Option<Moment>,
}

fn rungs(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let cases = history.cases();
    let mut begun: BTreeMap<CaseKey, Begun> = BTreeMap::new();
    let mut found = Vec::new();
    for noted in &history.records {
        // An operator who asks for another try begins anew.
        if noted.kind() == "operator-asked" {
            begun.clear();
            continue;
        }
        let Some(key) = noted.case() else { continue };
        if matches!(noted.kind(), "ended" | "abandoned") {
            let abandoned = noted.kind() == "abandoned";
            let failed = abandoned || history::text(&noted.record, "result") != "done";
            if let Some(before) = begun.get_mut(&key) {
                before.failed |= failed;
                before.abandoned_at = abandoned.then_some(noted.at).or(before.abandoned_at);
            }
        }
        // What a protection, a doubt or an operator has stopped half way is on hold in the same turn. It has neither helped
        // nor failed: how things are when it may go on decides, and that may call for something milder.
        let holds = noted.kind() == "decided" && noted.record["decision"]["hold"].is_object();
        if holds && begun.get(&key).is_some_and(|before| before.abandoned_at == Some(noted.at)) {
            begun.remove(&key);
        }
        let Some((how @ ("will" | "ask"), remedy)) = history::chosen(&noted.record) else { continue };
        // Room is kept by a declaration, and not by a ladder.
        if matches!(remedy, "scale-out" | "scale-in") {
            continue;
        }
        let Some(life) = cases.get(&key) else { continue };
        let ladder = conditions.policy.ladder(&life.cluster, &life.trouble);
        let place = match &ladder {
            Some(ladder) => ladder.iter().position(|(rung, _)| rung == remedy),
            None => MILDEST_FIRST.iter().position(|rung| *rung == remedy),
        };
        let mut wrong = |what: String| found.push(Violation { invariant: "I9", at: noted.at, what });
        let Some(rung) = place else {
            if remedy == "tell-someone" {
                // No ladder names its own end.
                begun.remove(&key);
            } else {
                wrong(format!("case {} {how} {remedy}, which is not on its ladder", life.case));
            }
            continue;
        };
        if let Some(before) = begun.get(&key) {
            // The same remedy may stand on a ladder twice.
            let again = ladder.iter().flatten().filter(|(other, _)| other == remedy).count() > 1;
            if rung < before.rung && !again {
                wrong(format!("case {} goes back from {} to {remedy}", life.case, before.remedy));
            }
            let waited = noted.at.since(before.at);
            let too_soon = before.deadline_ms.is_some_and(|deadline| waited < deadline);
            if rung > before.rung && too_soon && !before.failed && !conditions.clock_stepped {
                wrong(format!("case {} leaves {} after {waited} ms, before its deadline", life.case, before.remedy));
            }
        }
        if remedy == "tell-someone" {
            // The end of the ladder: it is climbed again after a while.
            begun.remove(&key);
        } else if how == "will" {
            let deadline_ms = ladder.as_ref().and_then(|it| it.get(rung)).and_then(|(_, secs)| *secs);
            let remedy = remedy.to_owned();
            let deadline_ms = deadline_ms.map(|secs| secs * 1000);
            begun.insert(key, Begun { at: noted.at, rung, remedy, deadline_ms, failed: false, abandoned_at: None });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judges::{Noted, Plain};

    #[test]
    fn rungs_are_climbed_in_the_order_of_the_ladder() {
        let opened = json!({"kind": "case-opened", "case": 1, "trouble": "agent-away", "cluster": "arn:c/prod"});
        let will = |remedy: &str| json!({"kind": "decided", "case": 1, "decision": {"will": {"remedy": remedy}}});
        let ladder = json!([{"remedy": "restart-agent", "deadline_secs": 60}, {"remedy": "replace"}]);
        let conditions =
            Conditions { policy: Plain(json!({"rules": [{ "ladder": ladder }]})), ..Conditions::default() };
        let judge = |steps: &[(i64, &str)]| {
            let mut records = vec![Noted { at: Moment(0), by: 0, record: opened.clone() }];
            records.extend(steps.iter().map(|(at, remedy)| Noted { at: Moment(*at), by: 0, record: will(remedy) }));
            rungs(&History { records, ..History::default() }, &conditions).len()
        };
        assert_eq!(judge(&[(0, "restart-agent"), (60_000, "replace")]), 0);
        assert_eq!(judge(&[(0, "restart-agent"), (59_000, "replace")]), 1, "before the deadline");
        assert_eq!(judge(&[(0, "replace"), (60_000, "restart-agent")]), 1, "back");
        assert_eq!(judge(&[(0, "replace"), (1, "tell-someone"), (60_000, "restart-agent")]), 0, "from the end anew");
        assert_eq!(judge(&[(0, "reboot")]), 1, "not on the ladder");
        let stopped = |hold_after_ms: i64| {
            let noted = |at, record| Noted { at: Moment(at), by: 0, record };
            let hold = json!({"kind": "decided", "case": 1, "decision": {"hold": {"because": ["protected"]}}});
            let records = vec![
                noted(0, opened.clone()),
                noted(0, will("replace")),
                noted(1_000, json!({"kind": "abandoned", "case": 1})),
                noted(1_000 + hold_after_ms, hold),
                noted(60_000, will("restart-agent")),
            ];
            rungs(&History { records, ..History::default() }, &conditions).len()
        };
        assert_eq!((stopped(0), stopped(1_000)), (0, 1), "stopped half way, or failed and held later");
    }
}
