//! I3, two witnesses: what would end a machine, or what runs on it, is preceded at most half a minute before by a look
//! at ECS that says the agent is away, and by somebody else who speaks against the machine. Decisions may rest on
//! looks three times as old. A sweep looks at everything.

use super::{
    Call, Conditions, History, TruthLog, Violation,
    history::{self, CaseKey},
};
use crate::{
    clock::{HOUR, Moment, SECOND},
    world::World,
};

/// Three times the freshness that a decision asks for, and the time an answer takes.
const DECIDED_FRESH_MS: i64 = 95_000;

/// I3's half minute, and the time the calls between the reading and the act take.
const ACTED_FRESH_MS: i64 = 35 * SECOND;

/// How long the answers before a call are on their way at most, that to the first of them included.
const ANSWERED_MS: i64 = 30 * SECOND;

/// How long the word of a host whose agent was restarted in vain counts.
const UNHEALED_COUNTS_MS: i64 = HOUR;

/// Judges all decisions that would replace the machine of a host whose agent is away, and all calls that end one.
pub fn judge(world: &World, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let mut found = decisions(world, history);
    for call in history.calls.iter().filter(|call| call.was_made()) {
        let releases = call.act() == "deregister" && call.remedy() == "release-tasks";
        // An empty host that is one too many is well: I15 judges whether it may go.
        if call.keeps_room() {
            continue;
        }
        if call.ends_machine() || releases || call.act() == "reboot" {
            found.extend(judge_call(history, call, conditions));
        }
    }
    found
}

fn decisions(world: &World, history: &History) -> Vec<Violation> {
    let cases = history.cases();
    let mut found = Vec::new();
    for noted in &history.records {
        if history::would(&noted.record) != Some("replace") {
            continue;
        }
        let Some(life) = noted.case().and_then(|key| cases.get(&key)) else { continue };
        if life.trouble != "agent-away" {
            continue;
        }
        let machine = TruthLog::host_of(world, &life.subject).and_then(|id| world.host(id)).map(|it| it.machine);
        let Some(machine) = machine.map(|machine| world.machine_id(machine)) else { continue };
        let key = noted.case().unwrap_or_default();
        let lately = |kinds: &[&str], id: &str| {
            let from = noted.at.plus(-DECIDED_FRESH_MS);
            let seen = {
                let to = history.seen.partition_point(|seen| seen.at <= noted.at);
                history.seen[..to].iter().rev().take_while(|seen| seen.at >= from)
            };
            seen.into_iter()
                .any(|seen| seen.by == noted.by && seen.id == id && seen.against && kinds.contains(&seen.kind))
        };
        let witnessed = lately(&["machines", "pings"], &machine) || unhealed(history, key, noted.at);
        for (witness, heard) in [("ECS has not", lately(&["hosts"], &life.subject)), ("nobody else has", witnessed)] {
            if !heard {
                let what = format!("case {} would replace {machine} and {witness} spoken against it lately", life.case);
                found.push(Violation { invariant: "I3", at: noted.at, what });
            }
        }
    }
    found
}

/// The host has said that its agent does not answer after a restart.
fn unhealed(history: &History, case: CaseKey, at: Moment) -> bool {
    history.calls.iter().rev().any(|other| {
        let says = other.ended.as_ref().filter(|(_, result)| history::result_word(result) == "unhealed");
        let since_ms = says.map(|(said, _)| at.since(*said));
        other.case() == case && since_ms.is_some_and(|ms| (0..=UNHEALED_COUNTS_MS).contains(&ms))
    })
}

fn judge_call(history: &History, call: &Call, conditions: &Conditions) -> Vec<Violation> {
    let (host, machine) = (call.target("host"), call.target("machine"));
    let heard = |id: &str, kinds: &[&str], must_speak_against: bool| {
        let from: Moment = call.at.plus(-ACTED_FRESH_MS);
        let to = history.seen.partition_point(|seen| seen.at <= call.at);
        let lately = history.seen[..to].iter().rev().take_while(|seen| seen.at >= from);
        lately.into_iter().any(|seen| {
            seen.by == call.by && seen.id == id && kinds.contains(&seen.kind) && (seen.against || !must_speak_against)
        })
    };
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(Violation { invariant: "I3", at: call.at, what });
    let what = format!("case {}: {} of {machine}", call.case().1, call.act());
    // Runtime and status-check troubles are told by ECS and EC2 while the agent answers: there ECS is only read.
    let away_matters = call.intent["expects"]["agent_away"].as_bool().unwrap_or(false);
    if !host.is_empty() && !heard(host, &["hosts"], away_matters) {
        wrong(format!("{what}, and no look of the last half minute at {host} in ECS says that it is away"));
    }
    // Of a machine that never registered, the group says that it is in service and ECS that it does not know it.
    if host.is_empty() {
        if !heard(machine, &["registrations"], true) {
            wrong(format!("{what}, and ECS was not asked within half a minute whether it is a host"));
        }
        // What registers between the answer and the call nobody can know.
        if call.then.machine_registered_at.is_some_and(|at| call.at.since(at) > ANSWERED_MS + conditions.stale_ms) {
            wrong(format!("{what}, which has registered meanwhile"));
        }
        return found;
    }
    // What the host itself said after a restart is a witness too.
    let unhealed = unhealed(history, call.case(), call.at);
    if !machine.is_empty() && !unhealed && !heard(machine, &["machines", "pings"], true) {
        wrong(format!("{what}, and neither EC2 nor SSM has spoken against it within half a minute"));
    }
    // What they said must be so: their answers are at most as old as the account lets them be.
    if !machine.is_empty() && !unhealed && !call.then.witnessed && conditions.stale_ms == 0 {
        wrong(format!("{what}, which runs, passes its checks and answers SSM"));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judges::{Seen, Then};

    #[test]
    fn a_termination_on_one_witness_or_on_an_old_look_is_a_violation() {
        let intent = json!({"case": 1, "remedy": "replace", "act": {"terminate-in-group": {"shrink": false}},
            "token": "t", "expects": {"agent_away": true}, "target": {"host": "arn:h", "machine": "i-1"}});
        let then = Then { witnessed: true, ..Then::default() };
        let call = Call { at: Moment(100_000), by: 0, intent, again: false, then, ended: None };
        let seen = |at: i64, id: &str, kind| Seen { at: Moment(at), by: 0, id: id.into(), kind, against: true };
        let judge = |seen: Vec<Seen>| {
            let history = History { seen, calls: vec![call.clone()], ..History::default() };
            super::judge(&World::new(1, Moment(0)), &history, &Conditions::default()).len()
        };
        assert_eq!(judge(vec![seen(90_000, "arn:h", "hosts"), seen(91_000, "i-1", "pings")]), 0);
        assert_eq!(judge(vec![seen(90_000, "arn:h", "hosts")]), 1);
        assert_eq!(judge(vec![seen(30_000, "arn:h", "hosts"), seen(91_000, "i-1", "pings")]), 1);
    }

    #[test]
    fn a_machine_that_never_registered_is_ended_only_when_ecs_was_asked_for_it_and_did_not_know_it() {
        let intent = json!({"case": 1, "remedy": "replace", "act": {"terminate-in-group": {"shrink": false}},
            "token": "t", "expects": {"unregistered": true}, "target": {"host": null, "machine": "i-1"}});
        let judge = |asked_at: i64, registered_at: Option<i64>| {
            let then = Then { machine_registered_at: registered_at.map(Moment), ..Then::default() };
            let call = Call { at: Moment(100_000), by: 0, intent: intent.clone(), again: false, then, ended: None };
            let seen = Seen { at: Moment(asked_at), by: 0, id: "i-1".into(), kind: "registrations", against: true };
            let history = History { seen: vec![seen], calls: vec![call], ..History::default() };
            super::judge(&World::new(1, Moment(0)), &history, &Conditions::default()).len()
        };
        assert_eq!(judge(99_000, None), 0);
        assert_eq!(judge(60_000, None), 1, "asked too long ago");
        assert_eq!(judge(99_000, Some(99_500)), 0, "it registers while the answer is on its way");
        assert_eq!(judge(99_000, Some(60_000)), 1);
    }
}
