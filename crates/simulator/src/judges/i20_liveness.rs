//! I20, liveness: once nothing goes wrong any more but what is broken already, everything is repaired that can be, within
//! the waits of the ladder and the queue that the budget makes.

use super::{Conditions, History, TruthLog, Violation, history, i01_budget, plain::glob};
use crate::{
    clock::{HOUR, MINUTE, Moment, SECOND},
    world::{HostId, HostStatus, Lifecycle, Machine, MachineState, Process, World},
};

/// What a repair may take beyond the waits of the policy: ECS notices within two minutes, looks take some, SSM some more.
const OVERHEAD_MS: i64 = 10 * MINUTE;

/// How long after the faults have ceased all repairs may take: the waits once, and the longest remedy as often as the
/// budget makes hosts wait for one another.
pub fn time_to_repair_ms(world: &World, conditions: &Conditions) -> i64 {
    let plain = &conditions.policy;
    let broken = |host: &&crate::world::Host| {
        host.said.status != HostStatus::Inactive && world.machine(host.machine).is_some_and(|it| !it.healthy())
    };
    let mut longest = 0;
    for cluster in &world.clusters {
        let members = cluster.hosts.len().max(1);
        let queue = world
            .hosts
            .iter()
            .filter(|host| world.cluster(host.cluster).is_some_and(|other| other.arn == cluster.arn) && broken(host));
        let at_once = i01_budget::at_once_in(plain, &cluster.arn, members).max(1) as i64;
        let rounds = (queue.count() as i64 + at_once) / at_once;
        let waits = plain.wait_ms("grace_secs", 180, &cluster.arn, "agent-away")
            + plain.wait_ms("act_after_secs", 600, &cluster.arn, "agent-away")
            + plain.fail_after(&cluster.arn, "agent-away") * 35 * SECOND;
        let ladder = plain.ladder(&cluster.arn, "agent-away").unwrap_or_default();
        let rungs: i64 = ladder.iter().map(|(_, secs)| secs.unwrap_or(900) * 1000 + 5 * MINUTE).sum();
        let replacing =
            (plain.replacement_secs("drain_secs", 900) + plain.replacement_secs("arrival_secs", 900)) * 1000;
        longest = longest.max(waits + rounds * (rungs.max(20 * MINUTE) + replacing + OVERHEAD_MS));
    }
    longest + conditions.sweep_every_ms
}

/// Judges the hosts that are broken at the end, once they have had `time_to_repair_ms`.
pub fn judge(world: &World, truth: &TruthLog, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let Some(healed) = conditions.healed else { return Vec::new() };
    let mut found = Vec::new();
    let cases = history.cases();
    for (number, host) in world.hosts.iter().enumerate() {
        let Some(machine) = world.machine(host.machine) else { continue };
        let away = truth.unreachable_throughout(host.machine, healed, conditions.ended);
        if !away || host.said.status == HostStatus::Inactive || host.said.connected {
            continue;
        }
        let arn = world.host_arn(HostId(number as u32));
        let cluster = world.cluster(host.cluster).map_or("", |cluster| cluster.arn.as_str());
        let Some(remedy) = remedy_for(world, machine) else { continue };
        if excused(world, history, conditions, cluster, &arn, machine, remedy) {
            continue;
        }
        let own: Vec<u64> = cases.values().filter(|life| life.subject == arn).map(|life| life.case).collect();
        let last = history.records.iter().rev().find(|noted| noted.case().is_some_and(|(_, case)| own.contains(&case)));
        let last = last.map_or_else(|| "nothing is on record".to_owned(), |noted| noted.record.to_string());
        let what = format!("{arn} could have been mended by {remedy} since {}: {last}", healed.iso_secs());
        found.push(Violation { invariant: "I20", at: conditions.ended, what });
    }
    found
}

/// What would mend a machine whose agent is away, by the truth.
fn remedy_for(world: &World, machine: &Machine) -> Option<&'static str> {
    let in_service = machine.group.is_some() && machine.lifecycle == Lifecycle::InService;
    let reached = machine.ping(world.now).is_some_and(|ping| ping.online);
    let broken_agent = matches!(machine.agent.process, Process::Crashed | Process::Hung);
    match machine.state {
        MachineState::Running if machine.agent.cut || !machine.instance_ok || !machine.system_ok => {
            in_service.then_some("replace")
        }
        MachineState::Running if broken_agent && reached => Some("restart-agent"),
        MachineState::Terminated => Some("deregister"),
        _ => None,
    }
}

/// The policy or an operator does not let muster do it.
fn excused(
    world: &World,
    history: &History,
    conditions: &Conditions,
    cluster: &str,
    arn: &str,
    machine: &Machine,
    remedy: &str,
) -> bool {
    let plain = &conditions.policy;
    let short = arn.rsplit('/').next().unwrap_or(arn);
    let id = machine.host.and_then(|host| world.host(host)).map(|host| world.machine_id(host.machine));
    let tasks = plain.protection().1;
    let runs_protected = machine.host.is_some_and(|host| {
        world.host_tasks(host).any(|(_, task)| {
            let name = task.service.and_then(|service| world.service(service)).map(|it| format!("service:{}", it.name));
            name.is_some_and(|name| tasks.iter().any(|pattern| glob(pattern, &name)))
        })
    });
    let ladder = plain.ladder(cluster, "agent-away");
    let on_ladder = ladder.is_none_or(|ladder| ladder.iter().any(|(rung, _)| rung == remedy));
    let windows = plain.0.get("windows").and_then(|it| it.as_array()).is_some_and(|it| !it.is_empty());
    let no_budget = plain.budgets().iter().any(|it| it.at_once.is_some_and(|limit| limit.of(1000) == 0));
    // Somebody's word, a breaker or failures of the same remedy in its cohort: told to a person, not repaired.
    let spoken = history.operator.iter().any(|act| {
        let text = act.request.to_string();
        ["pause", "hold", "veto"].iter().any(|word| act.request.get(word).is_some())
            || act.request.get("protect").is_some()
                && (text.contains(short)
                    || id.as_ref().is_some_and(|id| text.contains(id.as_str()))
                    || text.contains(super::plain::cluster_name(cluster)))
    });
    let cases = history.cases();
    let doubted = cases.values().any(|life| life.trouble == "doubt" && life.closed.is_none());
    let own = cases.iter().filter(|(_, life)| life.subject == arn && life.closed.is_none());
    let told = own.into_iter().any(|(key, _)| {
        let of_case = history.records.iter().rev().filter(|noted| noted.case() == Some(*key));
        let last = of_case.into_iter().find(|noted| noted.kind() == "decided");
        last.is_some_and(|noted| {
            // Too many of its kind are broken at once, or the same remedy has failed on them: for a person (I2).
            let held = noted.record["decision"]["hold"]["because"].to_string();
            history::would(&noted.record) == Some("tell-someone")
                || ["are away at once", "did not help"].iter().any(|words| held.contains(words))
                // The hour of a budget is longer than any wait; that it is used up must show in what was done.
                || held.contains("within the last hour") && disturbed_within_the_hour(history, conditions.ended)
                // Nor does whoever took over know what the one before has done within the hour.
                || held.contains("another muster was in charge") && took_over_within_the_hour(history, key.0, conditions.ended)
        })
    });
    plain.mode(cluster, "agent-away") != "act"
        || fails_in_its_group(world, history, machine, remedy)
        || !on_ladder
        || windows
        || no_budget
        || runs_protected
        || spoken
        || doubted
        || told
}

/// The same remedy was given up on two hosts of the same group: it is tried one at a time, after
/// ever longer waits, and not on this host in the time that the run has left. Its decision may name what else held it
/// first.
fn fails_in_its_group(world: &World, history: &History, machine: &Machine, remedy: &str) -> bool {
    let Some(group) = &machine.group else { return false };
    let cases = history.cases();
    let given_up = history.records.iter().filter(|noted| {
        let case = noted.case().and_then(|key| cases.get(&key));
        let of = case.and_then(|life| TruthLog::host_of(world, &life.subject)).and_then(|id| world.host(id));
        let same = of.and_then(|host| world.machine(host.machine)).is_some_and(|it| it.group.as_ref() == Some(group));
        noted.kind() == "abandoned" && noted.record["remedy"] == remedy && same
    });
    given_up.count() >= 2
}

/// Something was done to a host in the last hour of the run.
fn disturbed_within_the_hour(history: &History, ended: Moment) -> bool {
    history.calls.iter().any(|call| call.was_made() && call.disturbs() && ended.since(call.at) <= HOUR)
}

/// This muster came to be in charge in the last hour of the run.
fn took_over_within_the_hour(history: &History, by: u8, ended: Moment) -> bool {
    history.records.iter().any(|noted| {
        noted.by == by && noted.kind() == "led" && noted.record["leading"] == true && ended.since(noted.at) <= HOUR
    })
}

/// When the run should end that began to heal at `healed`.
pub fn ends_at(world: &World, conditions: &Conditions, healed: Moment) -> Moment {
    healed.plus(time_to_repair_ms(world, conditions))
}
