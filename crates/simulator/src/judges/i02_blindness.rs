//! I2, blindness: while a fifth of a cohort (and at least three hosts) is away for one reason, nothing is decided to be
//! done to any of them, and nothing is.

use super::{Conditions, History, TruthLog, Violation, history};
use crate::{
    clock::{MINUTE, Moment},
    world::{HostStatus, Machine, MachineId, World},
};

/// The cohort must have been away for so long before a decision is held against anybody: ECS needs two minutes to notice
/// a silent agent, an observer some time to see the pattern.
const AWAY_MS: i64 = 5 * MINUTE;

/// Judges all decisions to act. Where events get lost, only what the sweep before has shown can be held against muster.
pub fn judge(world: &World, truth: &TruthLog, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let away_ms = AWAY_MS + if conditions.events_unreliable { conditions.sweep_every_ms } else { 0 };
    let cases = history.cases();
    let mut found = Vec::new();
    for noted in &history.records {
        // Telling a person disturbs no host; a ghost's machine is gone whatever may be wrong with the others.
        let spared = |remedy: &str| matches!(remedy, "tell-someone" | "deregister");
        if history::would(&noted.record).is_none_or(spared) {
            continue;
        }
        let Some(life) = noted.case().and_then(|key| cases.get(&key)) else { continue };
        if life.trouble != "agent-away" {
            continue;
        }
        let Some(machine) = TruthLog::host_of(world, &life.subject).and_then(|id| world.host(id)).map(|it| it.machine)
        else {
            continue;
        };
        if let Some((cohort, away, of)) = blind_cohort(world, truth, machine, noted.at, away_ms) {
            let what = format!(
                "case {} decided to act on {} while {away} of {of} hosts of {cohort} were away",
                life.case, life.subject
            );
            found.push(Violation { invariant: "I2", at: noted.at, what });
        }
    }
    // What was decided before the loss was seen must not begin after it. One more minute, for calls under way.
    for call in history.calls.iter().filter(|call| call.was_made() && call.disturbs()) {
        let (Some(life), Some(machine)) = (cases.get(&call.case()), call.then.machine) else { continue };
        if life.trouble != "agent-away" || call.then.gone {
            continue;
        }
        if let Some((cohort, away, of)) = blind_cohort(world, truth, machine, call.at, away_ms + MINUTE) {
            let what = format!(
                "case {}: {} of {} while {away} of {of} hosts of {cohort} were away",
                life.case,
                call.act(),
                life.subject
            );
            found.push(Violation { invariant: "I2", at: call.at, what });
        }
    }
    found
}

/// A cohort of the machine of which too many had been away for long, at that moment.
fn blind_cohort(
    world: &World,
    truth: &TruthLog,
    machine: MachineId,
    at: Moment,
    away_ms: i64,
) -> Option<(String, usize, usize)> {
    let own = world.machine(machine)?;
    type Same<'a> = Box<dyn Fn(&Machine) -> bool + 'a>;
    let cohorts: [(&str, Same<'_>); 5] = [
        ("its cluster", Box::new(|other| other.cluster == own.cluster)),
        (
            "its zone",
            Box::new(|other| !own.external && !other.external && other.place == own.place && other.zone == own.zone),
        ),
        ("its group", Box::new(|other| own.group.is_some() && other.group == own.group)),
        ("its image", Box::new(|other| own.template.is_some() && other.ami == own.ami)),
        ("its agent version", Box::new(|other| other.agent.version == own.agent.version)),
    ];
    for (name, same) in cohorts {
        let (mut of, mut away) = (0_usize, 0_usize);
        for (number, other) in world.machines.iter().enumerate() {
            if !same(other) || !registered_at(world, other, at) {
                continue;
            }
            of += 1;
            let long_before = at.plus(-away_ms);
            away += usize::from(truth.unreachable_throughout(MachineId(number as u32), long_before, at));
        }
        if away >= 3 && away * 5 >= of {
            return Some((name.to_owned(), away, of));
        }
    }
    None
}

/// The machine was there, running and registered at that moment, as far as the world can still tell: one that was stopped
/// is away for a reason of its own, and one that ECS could not register was never there.
fn registered_at(world: &World, machine: &Machine, at: Moment) -> bool {
    let Some(host) = machine.host.and_then(|host| world.host(host)) else { return false };
    if host.said.status == HostStatus::RegistrationFailed {
        return false;
    }
    let gone_before = host.said.status == HostStatus::Inactive && host.said.updated_at <= at;
    let ended_before = [machine.ending_since, machine.stopped_since].into_iter().flatten().any(|since| since <= at);
    host.registered_at <= at && !gone_before && !ended_before
}
