//! I1, budget: no more hosts are disturbed at the same time, or begun with within an hour, than any limit allows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Call, Conditions, History, Violation,
    history::{CaseKey, text},
    plain::{Plain, PlainBudget, any_fits, cluster_name},
};
use crate::{
    clock::{HOUR, MINUTE, Moment},
    world::{HostStatus, MachineId, World},
};

/// A share is taken of the hosts that muster knows of, which may be some of a while ago.
const MEMBERS_WITHIN_MS: i64 = 30 * MINUTE;

/// A host that was disturbed on behalf of a case, from the first call until the case let go of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Disturbance {
    /// On behalf of which case.
    pub case: CaseKey,
    /// Container instance ARN or machine id.
    pub subject: String,
    /// Cluster ARN.
    pub cluster: String,
    /// Zone.
    pub zone: String,
    /// Auto Scaling group.
    pub group: String,
    /// From.
    pub from: Moment,
    /// Until; `None`: it lasts.
    pub until: Option<Moment>,
}

/// All disturbances: from the first call of a remedy until the case is closed, gives the remedy up, or leaves acting and
/// verifying; and where its machine was ended for its group to make another, until one has registered or is overdue.
pub fn disturbances(world: &World, history: &History, conditions: &Conditions) -> Vec<Disturbance> {
    let mut lets_go: BTreeMap<CaseKey, Vec<Moment>> = BTreeMap::new();
    for noted in &history.records {
        let Some(case) = noted.case() else { continue };
        let over = match noted.kind() {
            "case-closed" | "abandoned" => true,
            "case-moved" => !matches!(text(&noted.record, "to"), "acting" | "verifying"),
            _ => false,
        };
        if over {
            lets_go.entry(case).or_default().push(noted.at);
        }
    }
    let mut found: Vec<Disturbance> = Vec::new();
    for call in history.calls.iter().filter(|call| call.disturbs() && call.was_made()) {
        let case = call.case();
        let goes_on = found.iter().any(|it| it.case == case && it.until.is_none_or(|until| until >= call.at));
        if goes_on {
            continue;
        }
        let until = lets_go.get(&case).and_then(|times| times.iter().copied().find(|at| *at >= call.at));
        let until = until.map(|until| until.max(arrival(world, history, case, call.at, until, conditions)));
        let subject = if call.target("host").is_empty() { call.target("machine") } else { call.target("host") };
        found.push(Disturbance {
            case,
            subject: subject.to_owned(),
            cluster: call.target("cluster").to_owned(),
            zone: call.then.zone.clone(),
            group: call.then.group.clone(),
            from: call.at,
            until,
        });
    }
    found
}

/// When the machine registered that a group made in place of one that a case ended between these moments.
fn arrival(
    world: &World,
    history: &History,
    case: CaseKey,
    from: Moment,
    to: Moment,
    conditions: &Conditions,
) -> Moment {
    let ends = |call: &&Call| call.ends_machine() && call.was_made() && !call.was_impossible();
    let end = history.calls.iter().find(|call| call.case() == case && call.at >= from && call.at <= to && ends(call));
    // A group that is to be smaller gets no other machine.
    let Some(end) = end.filter(|end| !end.then.group.is_empty() && !end.keeps_room()) else { return from };
    // A group that was raised first and shrinks with the end makes no other: the one it was raised for is the new one.
    let shrinks = end.intent.pointer("/act/terminate-in-group/shrink").and_then(Value::as_bool).unwrap_or(false);
    let raised =
        |call: &&Call| call.case() == case && call.act() == "set-desired" && call.at <= end.at && call.was_made();
    let raised = history.calls.iter().rev().find(raised).filter(|_| shrinks);
    let end = raised.unwrap_or(end);
    let late =
        end.at.plus(conditions.shortened(history, conditions.policy.replacement_secs("arrival_secs", 900) * 1000));
    let in_group = |host: &&crate::world::Host| where_is(world, host.machine).1 == end.then.group;
    let registered = world.hosts.iter().filter(in_group).map(|host| host.registered_at).filter(|at| *at > end.at);
    registered.min().map_or(late, |at| at.min(late))
}

/// Judges each beginning against each budget.
pub fn judge(world: &World, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let all = disturbances(world, history, conditions);
    let hour = conditions.shortened(history, HOUR);
    let mut found = Vec::new();
    for begun in &all {
        for budget in conditions.policy.budgets() {
            if !any_fits(&budget.clusters, cluster_name(&begun.cluster)) {
                continue;
            }
            let beside = |other: &&Disturbance| {
                any_fits(&budget.clusters, cluster_name(&other.cluster)) && shares(&budget, begun, other)
            };
            let members = most_members(world, &budget, begun);
            if let Some(limit) = budget.at_once {
                let at_once: BTreeSet<&str> = all
                    .iter()
                    .filter(beside)
                    .filter(|it| it.from <= begun.from && it.until.is_none_or(|until| until > begun.from))
                    .map(|it| it.subject.as_str())
                    .collect();
                if at_once.len() > limit.of(members) {
                    found.push(wrong(begun, &budget, at_once.len(), limit.of(members), "at the same time"));
                }
            }
            if let Some(limit) = budget.per_hour {
                let lately: BTreeSet<&str> = all
                    .iter()
                    .filter(beside)
                    .filter(|it| it.from <= begun.from && begun.from.since(it.from) < hour)
                    .map(|it| it.subject.as_str())
                    .collect();
                if lately.len() > limit.of(members) {
                    found.push(wrong(begun, &budget, lately.len(), limit.of(members), "within an hour"));
                }
            }
        }
    }
    found
}

fn wrong(begun: &Disturbance, budget: &PlainBudget, hosts: usize, limit: usize, when: &str) -> Violation {
    let what = format!(
        "with {} (case {}) {hosts} hosts are disturbed {when}, {limit} may be per {}",
        begun.subject, begun.case.1, budget.per
    );
    Violation { invariant: "I1", at: begun.from, what }
}

fn shares(budget: &PlainBudget, one: &Disturbance, other: &Disturbance) -> bool {
    match budget.per.as_str() {
        "fleet" => true,
        "zone" => one.cluster == other.cluster && one.zone == other.zone,
        "group" => one.group == other.group && (!one.group.is_empty() || one.cluster == other.cluster),
        _ => one.cluster == other.cluster,
    }
}

/// The most hosts that were registered in the scope lately.
fn most_members(world: &World, budget: &PlainBudget, begun: &Disturbance) -> usize {
    let (from, to) = (begun.from.plus(-MEMBERS_WITHIN_MS), begun.from);
    let fits = |host: &&crate::world::Host| {
        let cluster = world.cluster(host.cluster).map_or("", |cluster| cluster.arn.as_str());
        let (zone, group) = where_is(world, host.machine);
        let in_scope = match budget.per.as_str() {
            "fleet" => true,
            // Those that are in no zone, or in no group, stand together.
            "zone" => cluster == begun.cluster && zone == begun.zone,
            "group" => group == begun.group && (!group.is_empty() || cluster == begun.cluster),
            _ => cluster == begun.cluster,
        };
        let left = (host.said.status == HostStatus::Inactive).then_some(host.said.updated_at);
        in_scope
            && any_fits(&budget.clusters, cluster_name(cluster))
            && host.registered_at <= to
            && left.is_none_or(|left| left >= from)
    };
    world.hosts.iter().filter(fits).count()
}

/// The zone and the group of a machine, as the world knows them.
pub fn where_is(world: &World, machine: MachineId) -> (String, String) {
    let Some(found) = world.machine(machine) else { return Default::default() };
    let zone = world.place(found.place).and_then(|place| place.zones.get(usize::from(found.zone)));
    let group = found.group.and_then(|group| world.group(group));
    let zone = if found.external { None } else { zone };
    (zone.map_or(String::new(), |it| it.name.clone()), group.map_or(String::new(), |it| it.name.clone()))
}

/// How many hosts may be disturbed at once in a cluster of so many, by the limits that count for clusters or the fleet.
pub fn at_once_in(policy: &Plain, cluster_arn: &str, members: usize) -> usize {
    let fits = |budget: &PlainBudget| any_fits(&budget.clusters, cluster_name(cluster_arn));
    let limits = policy.budgets().into_iter().filter(fits).filter_map(|it| it.at_once);
    limits.map(|limit| limit.of(members)).min().unwrap_or(members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judges::{Noted, Then};

    fn call(at: i64, case: u64, host: &str) -> Call {
        let intent = json!({"case": case, "remedy": "restart-agent", "act": "restart-agent", "token": format!("t{case}"),
                            "target": {"cluster": "arn:c/prod", "host": host}});
        Call { at: Moment(at), by: 0, intent, again: false, then: Then::default(), ended: None }
    }

    fn policy(budget: serde_json::Value) -> Conditions {
        Conditions { policy: Plain(json!({ "budgets": [budget] })), ..Conditions::default() }
    }

    #[test]
    fn two_at_once_are_too_many_where_one_may_be_and_the_next_may_follow_the_first() {
        let world = World::new(1, Moment(0));
        let one = policy(json!({"per": "cluster", "at_once": {"hosts": 1}}));
        let mut history = History { calls: vec![call(10, 1, "a"), call(20, 2, "b")], ..History::default() };
        assert_eq!(judge(&world, &history, &one).len(), 1);
        let closed = json!({"kind": "case-closed", "case": 1});
        history.records.push(Noted { at: Moment(15), by: 0, record: closed });
        assert_eq!(judge(&world, &history, &one), Vec::new());
        let hourly = policy(json!({"per": "cluster", "per_hour": {"hosts": 1}}));
        assert_eq!(judge(&world, &history, &hourly).len(), 1, "both began within the hour");
    }

    #[test]
    fn another_machine_is_awaited_only_where_one_was_ended() {
        let world = World::new(1, Moment(0));
        let end = |at: i64, case: u64, result: &str| {
            let mut call = call(at, case, "");
            call.intent["act"] = json!("mark-unhealthy");
            call.intent["target"]["machine"] = json!(format!("i-{case}"));
            call.then.group = "web".to_owned();
            call.ended = Some((Moment(at + 1), json!({ result: {} })));
            call
        };
        let over =
            |at: i64, case: u64| Noted { at: Moment(at), by: 0, record: json!({"kind": "abandoned", "case": case}) };
        let one = policy(json!({"per": "cluster", "at_once": {"hosts": 1}}));
        let judged = |result: &str| {
            let history = History {
                calls: vec![end(0, 1, result), end(60_000, 2, result)],
                records: vec![over(1_000, 1), over(61_000, 2)],
                ..History::default()
            };
            judge(&world, &history, &one).len()
        };
        assert_eq!((judged("impossible"), judged("done")), (0, 1));
    }
}
