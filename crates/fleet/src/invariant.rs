//! The invariants by their ids, and those that can be checked on the beliefs themselves at any moment.
//!
//! The catalogue with its thresholds is the reliability design (I1–I21). Each id has a judge in the simulator, or a
//! reason here why it has none yet.

use std::collections::BTreeSet;

use crate::{
    capacity::headroom::Headroom,
    case::Subject,
    cohort::Cohorts,
    journal::{Stage, Trouble},
    slab::NONE,
    state::Fleet,
};

/// An invariant of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// `I1` … `I21`.
    pub id: &'static str,
    /// In one line.
    pub rule: &'static str,
    /// Why nothing judges it yet; `None`: a judge does.
    pub not_judged_because: Option<&'static str>,
}

/// All of them.
pub const ALL: [Invariant; 21] = [
    Invariant { id: "I1", rule: "disruption never exceeds a budget", not_judged_because: None },
    Invariant { id: "I2", rule: "nothing is decided while a cohort is in doubt", not_judged_because: None },
    Invariant { id: "I3", rule: "ending a machine needs two fresh witnesses", not_judged_because: None },
    Invariant { id: "I4", rule: "a healthy host is never accused", not_judged_because: None },
    Invariant { id: "I5", rule: "the journal comes before the effect", not_judged_because: None },
    Invariant { id: "I6", rule: "an intent has at most one effect", not_judged_because: None },
    Invariant { id: "I7", rule: "one actor at a time", not_judged_because: None },
    Invariant { id: "I8", rule: "drain before terminate", not_judged_because: None },
    Invariant { id: "I9", rule: "stages keep their order and their waits", not_judged_because: None },
    Invariant { id: "I10", rule: "what must not be touched is not touched", not_judged_because: None },
    Invariant { id: "I11", rule: "no true outage goes without a case, or untold", not_judged_because: None },
    Invariant { id: "I12", rule: "no page twice", not_judged_because: None },
    Invariant { id: "I13", rule: "one page a storm", not_judged_because: None },
    Invariant { id: "I14", rule: "beliefs converge to the truth", not_judged_because: None },
    Invariant { id: "I15", rule: "capacity figures are true", not_judged_because: None },
    Invariant { id: "I16", rule: "alarm states follow the model", not_judged_because: Some("there are no alarms yet") },
    Invariant { id: "I17", rule: "journal rows that were acted upon survive", not_judged_because: None },
    Invariant { id: "I18", rule: "muster keeps to its share of the API", not_judged_because: None },
    Invariant { id: "I19", rule: "no clock skips or repeats a stage", not_judged_because: None },
    Invariant { id: "I20", rule: "what can be repaired is repaired", not_judged_because: None },
    Invariant { id: "I21", rule: "a replay gives the same decisions", not_judged_because: None },
];

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id}: {what}")]
pub struct Violation {
    /// Which invariant, or `books` for the core's own bookkeeping.
    pub id: &'static str,
    /// What is wrong.
    pub what: String,
}

/// Checks what can be seen on the beliefs alone. Costs a walk over everything.
pub fn check(fleet: &Fleet) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut wrong = |id, what: String| violations.push(Violation { id, what });
    let mut seen = BTreeSet::new();
    for (slot, case) in fleet.cases.iter() {
        if !seen.insert((format!("{:?}", case.subject), case.trouble)) {
            wrong("books", format!("case {} doubles another of the same subject and trouble", case.id));
        }
        if case.stage == Stage::Held && case.held_by.is_none() {
            wrong("I2", format!("case {} is held by no doubt", case.id));
        }
        if case.held_by.is_some() && case.stage != Stage::Held {
            wrong("I2", format!("case {} has a doubt over it and is not held", case.id));
        }
        if case.stage == Stage::Decided && case.looks == 0 {
            wrong("I3", format!("case {} was decided without a look that agreed", case.id));
        }
        let linked = match case.subject {
            Subject::Host(host) => {
                fleet.hosts.get(host).is_some_and(|h| fleet.cases_from(h.first_case).contains(&slot))
            }
            Subject::Machine(machine) => {
                fleet.machines.get(machine).is_some_and(|m| fleet.cases_from(m.first_case).contains(&slot))
            }
            Subject::Cohort(_) => case.trouble == Trouble::Doubt,
            Subject::Pool(key) => {
                fleet.keeping.pools.get(&key).is_some_and(|kept| fleet.cases_from(kept.first_case).contains(&slot))
            }
        };
        if !linked {
            wrong("books", format!("case {} is not in the list of its subject", case.id));
        }
        if case.held_by.is_some_and(|doubt| !fleet.cases.iter().any(|(_, other)| other.id == doubt)) {
            wrong("books", format!("case {} is held by a doubt that is not open", case.id));
        }
    }
    for (slot, case) in fleet.cases.iter() {
        let works = case.repair().is_some();
        if works != matches!(case.stage, Stage::Acting | Stage::Verifying) {
            wrong("books", format!("case {} is {:?} and a remedy under way is {works}", case.id, case.stage));
        }
        if works != fleet.repairs.active.contains(&slot) {
            wrong(
                "I1",
                format!("case {} has a remedy under way that no budget counts, or none and is counted", case.id),
            );
        }
        let intent = case.repair().and_then(|repair| repair.intent);
        if intent.is_some_and(|intent| !fleet.repairs.open.contains_key(&intent)) {
            wrong("I5", format!("case {} waits for an intent that is not open", case.id));
        }
    }
    if let Some(slot) = fleet.repairs.active.iter().find(|slot| fleet.cases.get(**slot).is_none()) {
        wrong("I1", format!("a remedy is counted for case slot {slot}, where no case is"));
    }
    for (slot, host) in fleet.hosts.iter() {
        let away = fleet.case_of_kind(host.first_case, Trouble::AgentAway).is_some();
        if host.is_away() != away {
            wrong("I11", format!("{}: away is {} but a case is {}", host.key.text(&fleet.names), host.is_away(), away));
        }
        if host.machine != NONE && !fleet.machine_of(host).is_some_and(|m| fleet.hosts_of(m).contains(&slot)) {
            wrong("books", format!("{} is not in the list of its machine", host.key.text(&fleet.names)));
        }
        if fleet.tasks_of(host).any(|(_, task)| task.host != slot) {
            wrong("books", format!("a task in the list of {} is not on it", host.key.text(&fleet.names)));
        }
    }
    check_notices(fleet, &mut wrong);
    let mut recount = Cohorts::default();
    for (slot, _) in fleet.hosts.iter() {
        recount.include(&fleet.standing(slot));
    }
    if !recount.same_as(&fleet.cohorts) {
        wrong("books", "the running count of cohorts differs from a recount".to_owned());
    }
    let mut headroom = Headroom::default();
    for (slot, host) in fleet.hosts.iter() {
        headroom.include(&fleet.share(slot));
        let interfaces = fleet.tasks_of(host).filter(|(_, task)| task.awsvpc).count();
        if usize::from(host.interfaces) != interfaces {
            wrong("I15", format!("{} holds {interfaces} interfaces", host.key.text(&fleet.names)));
        }
    }
    if headroom != fleet.headroom {
        wrong("I15", "the running count of headroom differs from a recount".to_owned());
    }
    violations
}

/// Who is to be told: alerts and groups agree, and no group sleeps over something that somebody should hear of.
fn check_notices(fleet: &Fleet, wrong: &mut dyn FnMut(&'static str, String)) {
    let notices = &fleet.notices;
    for (id, alert) in &notices.alerts {
        if fleet.cases.get(alert.slot).is_none_or(|case| case.id != *id) {
            wrong("books", format!("people are told of case {id}, which is not open"));
        }
        for number in &alert.groups {
            if !notices.groups.get(number).is_some_and(|group| group.members.contains(id)) {
                wrong("books", format!("group {number} does not know that case {id} is in it"));
            }
        }
    }
    for (number, group) in &notices.groups {
        for id in &group.members {
            if !notices.alerts.get(id).is_some_and(|alert| alert.groups.contains(number)) {
                wrong("books", format!("case {id} does not know that it is in group {number}"));
            }
        }
        if !group.unheard.is_subset(&group.members) {
            wrong("books", format!("group {number} counts cases as new that are not in it"));
        }
        if notices.by_label.get(&group.label) != Some(number) {
            wrong("books", format!("group {number} is not found by what gathers it"));
        }
        if group.owed.is_some_and(|page| !notices.owed.contains_key(&page)) {
            wrong("I11", format!("group {number} waits for a page that nobody owes"));
        }
        if group.due == 0 && !group.queued && (!group.fired || !group.unheard.is_empty() || group.members.is_empty()) {
            wrong("I11", format!("group {number} sleeps, and nobody is told of what is in it"));
        }
    }
    if notices.by_label.len() != notices.groups.len() {
        wrong("books", "a group is gathered for that is no more".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_an_empty_fleet_breaks_none() {
        for (index, invariant) in ALL.iter().enumerate() {
            assert_eq!(invariant.id, format!("I{}", index + 1));
        }
        assert_eq!(check(&Fleet::default()), Vec::new());
    }
}
