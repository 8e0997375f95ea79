//! I2, blindness: while a fifth of a cohort (and at least three hosts) is away for one reason, nothing is decided to be
//! done to any of them, and one doubt stands for all.

use std::collections::BTreeMap;

use super::{History, TruthLog, Violation, history};
use crate::{
    clock::{MINUTE, Moment},
    world::{HostStatus, Machine, MachineId, MachineState, World},
};

/// The cohort must have been away for so long before a decision is held against anybody: ECS needs two minutes to notice
/// a silent agent, an observer some time to see the pattern.
const AWAY_MS: i64 = 5 * MINUTE;

/// Judges all decisions to act, and the doubts.
pub fn judge(world: &World, truth: &TruthLog, history: &History) -> Vec<Violation> {
    let cases = history.cases();
    let mut found = Vec::new();
    for noted in &history.records {
        // Telling a person disturbs no host; a ghost's machine is gone whatever may be wrong with the others.
        let Some("restart-agent" | "restart-runtime" | "replace") = history::would(&noted.record) else { continue };
        let Some(life) = history::case(&noted.record).and_then(|number| cases.get(&number)) else { continue };
        if life.trouble != "agent-away" {
            continue;
        }
        let Some(machine) = TruthLog::host_of(world, &life.subject).and_then(|id| world.host(id)).map(|it| it.machine)
        else {
            continue;
        };
        if let Some((cohort, away, of)) = blind_cohort(world, truth, machine, noted.at) {
            let what = format!(
                "case {} decided to act on {} while {away} of {of} hosts of {cohort} were away",
                life.case, life.subject
            );
            found.push(Violation { invariant: "I2", at: noted.at, what });
        }
    }
    let mut open: BTreeMap<&str, u64> = BTreeMap::new();
    for noted in &history.records {
        let Some(life) = history::case(&noted.record).and_then(|number| cases.get(&number)) else { continue };
        if life.trouble != "doubt" {
            continue;
        }
        match history::text(&noted.record, "kind") {
            "case-opened" => {
                if let Some(other) = open.insert(&life.subject, life.case) {
                    let what = format!("case {} doubts {} while case {other} does already", life.case, life.subject);
                    found.push(Violation { invariant: "I2", at: noted.at, what });
                }
            }
            "case-closed" => {
                open.remove(life.subject.as_str());
            }
            _ => {}
        }
    }
    found
}

/// A cohort of the machine of which too many had been away for long, at that moment.
fn blind_cohort(world: &World, truth: &TruthLog, machine: MachineId, at: Moment) -> Option<(String, usize, usize)> {
    let own = world.machine(machine)?;
    type Same<'a> = Box<dyn Fn(&Machine) -> bool + 'a>;
    let cohorts: [(&str, Same<'_>); 5] = [
        ("its cluster", Box::new(|other| other.cluster == own.cluster)),
        ("its zone", Box::new(|other| !own.external && other.place == own.place && other.zone == own.zone)),
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
            let long_before = at.plus(-AWAY_MS);
            away += usize::from(truth.unreachable_throughout(MachineId(number as u32), long_before, at));
        }
        if away >= 3 && away * 5 >= of {
            return Some((name.to_owned(), away, of));
        }
    }
    None
}

/// The machine was there and registered at that moment, as far as the world can still tell.
fn registered_at(world: &World, machine: &Machine, at: Moment) -> bool {
    let Some(host) = machine.host.and_then(|host| world.host(host)) else { return false };
    let gone_before = host.said.status == HostStatus::Inactive && host.said.updated_at <= at;
    let ended_before = machine.terminated_at.is_some_and(|ended| ended <= at)
        || machine.state == MachineState::ShuttingDown && machine.terminated_at.is_none();
    host.registered_at <= at && !gone_before && !ended_before
}
