//! I4, healthy hosts: no host that was well for the whole time of its case is ever confirmed lost, decided upon, or
//! touched. One exception: where ECS and the host had no connection, the agent may be restarted, though the fault lay
//! with ECS, or the agent would have come back a little later by itself. In a cluster of one or two hosts nobody can tell,
//! and it disturbs no task. An empty host that is one too many is another matter (I15).

use super::{CaseLife, Conditions, History, TruthLog, Violation, history};
use crate::{
    clock::{Moment, SECOND},
    world::{Host, HostStatus, MachineId, World},
};

/// Troubles that say something about a host that the truth can contradict. Draining for too long, a failed registration
/// and a doubt are judged elsewhere or not at all.
const JUDGED: &[&str] = &["agent-away", "runtime", "host-impaired", "flapping"];

/// What a look said counts for so long, until a decision is due in the next slot of time.
const LATELY_MS: i64 = 5 * SECOND;

/// Judges every case that came further than a suspicion, and every call.
pub fn judge(world: &World, truth: &TruthLog, history: &History, conditions: &Conditions) -> Vec<Violation> {
    // Answers may be as old as the account lets them be, and an agent whose network is back waits before it tries again:
    // the host must have been well for so much longer.
    let before = -(conditions.stale_ms + world.habits.backoff_ms.1);
    let cases = history.cases();
    let mut found = Vec::new();
    for noted in &history.records {
        let Some(life) = noted.case().and_then(|key| cases.get(&key)) else { continue };
        let decided = history::would(&noted.record);
        let confirmed =
            noted.kind() == "case-moved" && matches!(history::text(&noted.record, "to"), "confirmed" | "decided");
        // To do something takes more than a look that said so; to say so, or to restart the agent that is away, does not.
        let mild = decided.is_none_or(|remedy| matches!(remedy, "tell-someone" | "restart-agent"));
        let told = mild && life.trouble == "agent-away" && seen_away(history, &life.subject, noted.at);
        if (decided.is_some() || confirmed) && !told {
            found.extend(judge_case(world, truth, life, noted.at, decided, before));
        }
    }
    for call in history.calls.iter().filter(|call| call.disturbs() && call.was_made()) {
        let Some(life) = cases.get(&call.case()) else {
            let what = format!("{} of {} for case {}, which never was", call.act(), call.token(), call.case().1);
            found.push(Violation { invariant: "I4", at: call.at, what });
            continue;
        };
        if call.keeps_room() {
            // That it is well is why it may go: I15 judges whether it was empty.
            continue;
        }
        let machine = call.then.machine;
        let unreachable = |id| !truth.reachable_throughout(id, life.opened.plus(before), call.at);
        let away = || machine.is_some_and(unreachable) || seen_away(history, &life.subject, call.at);
        if call.act() == "restart-agent" && away() {
            continue;
        }
        if machine.is_some_and(|machine| truth.healthy_throughout(machine, life.opened.plus(before), call.at)) {
            let what = format!(
                "{} of {}, which was well since case {} was opened at {}",
                call.act(),
                life.subject,
                life.case,
                life.opened.iso_secs()
            );
            found.push(Violation { invariant: "I4", at: call.at, what });
        }
    }
    found
}

/// A look has just said that the agent is away. It speaks the truth: a routine reconnect may take its time.
fn seen_away(history: &History, subject: &str, at: Moment) -> bool {
    let lately = history.seen.partition_point(|seen| seen.at <= at);
    let mut lately = history.seen[..lately].iter().rev().take_while(|seen| at.since(seen.at) <= LATELY_MS);
    lately.any(|seen| seen.against && seen.id == subject)
}

fn judge_case(
    world: &World,
    truth: &TruthLog,
    life: &CaseLife,
    at: Moment,
    decided: Option<&str>,
    before: i64,
) -> Option<Violation> {
    let wrong = |what: String| Some(Violation { invariant: "I4", at, what });
    if life.trouble == "never-registered" {
        let machine = world.namer.read_machine(&life.subject).map(|(machine, _)| machine);
        let host = machine.and_then(|id| world.machine(id)).and_then(|it| it.host).and_then(|id| world.host(id));
        // Who was deregistered before anybody looked is not in the cluster either.
        let left_before = |host: &Host| host.said.status == HostStatus::Inactive && host.said.updated_at < life.opened;
        if host.is_some_and(|host| host.registered_at < life.opened && !left_before(host)) {
            return wrong(format!("case {} says {} never registered; it had", life.case, life.subject));
        }
        return None;
    }
    if !JUDGED.contains(&life.trouble.as_str()) {
        return None;
    }
    let machine: Option<MachineId> =
        TruthLog::host_of(world, &life.subject).and_then(|id| world.host(id)).map(|it| it.machine);
    let Some(machine) = machine else {
        return wrong(format!("case {} is about {}, which never existed", life.case, life.subject));
    };
    let healthy = truth.healthy_throughout(machine, life.opened.plus(before), at);
    let reachable = truth.reachable_throughout(machine, life.opened.plus(before), at);
    // While the control plane is away a healthy host may be confirmed to be away, but no more than that decided upon.
    let too_much = decided.is_some_and(|remedy| !matches!(remedy, "restart-agent" | "tell-someone"));
    if healthy && (too_much || reachable) {
        let did = if decided.is_some() { "decided upon" } else { "confirmed" };
        return wrong(format!(
            "case {} ({}) {did} {}, which was well since the case was opened at {}",
            life.case,
            life.trouble,
            life.subject,
            life.opened.iso_secs()
        ));
    }
    None
}
