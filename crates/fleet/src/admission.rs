//! Is this news? Asked before an input is journaled, so that duplicates cost nothing.

use std::collections::BTreeSet;

use crate::{
    apply::{Order, order},
    case::NO_CASE,
    content::ContentKeys,
    host::Host,
    input::{Scope, Sweep},
    key::Key,
    observation::{Fact, HealthFact, InstanceFact, InstanceStatus, Observation, Source, TaskFact},
    slab::NONE,
    state::{Fleet, millis},
};

/// An absence in a complete answer counts only for what was known this long before the look began: events are dated to
/// the second, and a list is not one instant.
const SETTLED_MS: i64 = 5_000;

/// What an observation is to the beliefs held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It changes or refreshes a belief: journal it and step.
    News,
    /// Same version or same content as believed: drop it, count it.
    Duplicate,
    /// Older than what is believed, or about something that is over: drop it, count it.
    Stale,
    /// About a cluster that is not watched, or a machine that is no host's: drop it, count it.
    Foreign,
}

/// Weighs one observation against the beliefs, by `version` per ARN or by the content keys of the spec (A.2).
pub fn admit(fleet: &Fleet, observation: &Observation<'_>) -> Admission {
    let at = millis(observation.at);
    let looked = matches!(observation.source, Source::Sweep | Source::Look);
    match &observation.fact {
        Fact::Instance(fact) => admit_instance(fleet, fact, at, looked),
        Fact::Health(fact) => admit_health(fleet, fact, looked),
        Fact::Task(fact) => admit_task(fleet, fact, at, looked),
        Fact::Ec2State { instance_id, state } => {
            admit_dated(fleet, instance_id, |machine| (machine.state.is_stale(at), machine.state.repeats(state)))
        }
        Fact::Ec2Status(fact) => admit_dated(fleet, &fact.instance_id, |machine| {
            let checks = crate::machine::StatusChecks { system: fact.system, instance: fact.instance, ebs: fact.ebs };
            (
                machine.status.is_stale(at),
                machine.status.repeats(&checks)
                    && machine.state.repeats(&fact.state)
                    && machine.scheduled.as_deref() == fact.scheduled.as_deref(),
            )
        }),
        Fact::SpotInterruption { instance_id, .. } => {
            admit_dated(fleet, instance_id, |machine| (at < machine.interruption_at, at == machine.interruption_at))
        }
        Fact::RebalanceRecommendation { instance_id } => {
            admit_dated(fleet, instance_id, |machine| (at < machine.rebalance_at, at == machine.rebalance_at))
        }
        Fact::Ssm(fact) => admit_dated(fleet, &fact.instance_id, |machine| {
            (machine.ping.is_stale(at), machine.ping.value.is_some_and(|ping| ping.online == fact.online))
        }),
        Fact::AutoScaling(fact) => {
            let held = fleet.find_machine(&fact.instance_id).and_then(|slot| fleet.machines.get(slot));
            let Some(machine) = held else { return Admission::News };
            let text = |name: Option<crate::names::Name>| name.map(|name| fleet.names.text(name));
            let same = machine.membership.value.is_some_and(|held| {
                text(held.group)
                    .is_some_and(|group| group.strip_prefix(&*fact.place) == Some(&format!("/{}", fact.group)))
                    && text(held.lifecycle) == Some(&*fact.lifecycle)
                    && held.healthy == fact.healthy
                    && text(held.launch_template) == fact.launch_template.as_deref()
                    && text(held.zone) == fact.zone.as_deref()
                    && text(held.instance_type) == fact.instance_type.as_deref()
            });
            dated(machine.membership.is_stale(at), same)
        }
        Fact::Lifecycle(fact) => {
            match fleet.find_machine(&fact.instance_id).and_then(|slot| fleet.machines.get(slot)) {
                Some(machine) if machine.membership.is_stale(at) => Admission::Stale,
                _ => Admission::News,
            }
        }
        Fact::ServiceAction(_) | Fact::Deployment(_) | Fact::LaunchFailed(_) | Fact::Unknown { .. } => {
            let cluster = match &observation.fact {
                Fact::ServiceAction(fact) => Some(fact.cluster.as_ref()),
                _ => None,
            };
            if cluster.is_some_and(|cluster| fleet.is_foreign(cluster)) {
                return Admission::Foreign;
            }
            match content_print(observation) {
                Some(print) if fleet.contents.holds(print) => Admission::Duplicate,
                _ => Admission::News,
            }
        }
        Fact::Interfaces(fact) => admit_dated(fleet, &fact.instance_id, |machine| {
            (at < machine.interfaces_at, machine.interfaces == Some(crate::machine::Interfaces::of(fact)))
        }),
        Fact::InstanceType(fact) => {
            let held = fleet.names.find(&fact.name).and_then(|name| fleet.types.get(&name));
            dated(false, held == Some(&crate::capacity::eni::TypeLimits::told(fact)))
        }
        Fact::Subnet(fact) => match fleet.names.find(&fact.id).and_then(|id| fleet.subnets.get(&id)) {
            Some(held) => {
                let same =
                    held.free_addresses == fact.free_addresses && fleet.names.text(held.zone) == fact.zone.as_ref();
                dated(at < held.told_at, same)
            }
            None => Admission::News,
        },
        Fact::Group(fact) => {
            let held = fleet.names.find(&format!("{}/{}", fact.place, fact.name));
            match held.and_then(|name| fleet.keeping.groups.get(&name)) {
                // The same again is younger: what is acted upon must be.
                Some(held) if held.told_at <= at => Admission::News,
                Some(_) => Admission::Stale,
                None => Admission::Foreign,
            }
        }
        Fact::Demand(fact) => {
            let key = fleet.names.find(&fact.cluster).zip(fleet.names.find(&fact.of));
            match key.and_then(|key| fleet.keeping.demands.get(&key)) {
                Some(held) if held.told_at <= at => Admission::News,
                Some(_) => Admission::Stale,
                None => Admission::Foreign,
            }
        }
        Fact::InstanceMissing { arn } => known(fleet.find_host(arn).is_some()),
        Fact::TaskMissing { arn } => {
            known(Key::find_arn(&fleet.names, arn).and_then(|key| fleet.tasks.find(&key)).is_some())
        }
        Fact::Unregistered { instance_id, .. } => known(fleet.find_machine(instance_id).is_some()),
        Fact::Cluster(_) | Fact::ClusterMissing { .. } => Admission::News,
        Fact::CapacityProvider(fact) => {
            let group = fleet.names.find(&format!("{}/{}", fact.place, fact.group));
            let cluster = fleet.names.find(&fact.cluster).and_then(|name| fleet.clusters.get(&name));
            match (group, cluster) {
                (Some(group), Some(cluster))
                    if cluster.groups.contains(&group)
                        && cluster.providers.iter().any(|held| {
                            fleet.names.text(held.name) == fact.name
                                && held.group == group
                                && held.managed_scaling == fact.managed_scaling
                                && held.managed_termination_protection == fact.managed_termination_protection
                        }) =>
                {
                    Admission::Duplicate
                }
                _ => Admission::News,
            }
        }
    }
}

fn known(is: bool) -> Admission {
    if is { Admission::News } else { Admission::Stale }
}

fn dated(stale: bool, same: bool) -> Admission {
    match (stale, same) {
        (true, _) => Admission::Stale,
        (_, true) => Admission::Duplicate,
        _ => Admission::News,
    }
}

fn admit_dated(fleet: &Fleet, id: &str, weigh: impl FnOnce(&crate::machine::Machine) -> (bool, bool)) -> Admission {
    match fleet.find_machine(id).and_then(|slot| fleet.machines.get(slot)) {
        Some(machine) => {
            let (stale, same) = weigh(machine);
            dated(stale, same)
        }
        None => Admission::Foreign,
    }
}

fn by_order(order: Order) -> Admission {
    match order {
        Order::Newer => Admission::News,
        Order::Same => Admission::Duplicate,
        Order::Older => Admission::Stale,
    }
}

fn admit_instance(fleet: &Fleet, fact: &InstanceFact<'_>, at: i64, looked: bool) -> Admission {
    let key = Key::find_arn(&fleet.names, &fact.arn);
    match key.and_then(|key| fleet.hosts.get(fleet.hosts.find(&key)?)) {
        Some(host) if host.hearsay => Admission::News,
        // Tags change without a new version.
        Some(host) if looked && protection_changes(fleet, host, fact) => Admission::News,
        Some(host) => by_order(order(host.version, host.fact_at, fact.version, at)),
        None if fleet.is_foreign(&fact.cluster) => Admission::Foreign,
        None if looked && fact.status == InstanceStatus::Inactive => Admission::Stale,
        None if !looked && fleet.host_had_left(key, fact, at) => Admission::Stale,
        None => Admission::News,
    }
}

/// Whether the tags and attributes of a look protect the host by another mark than is believed.
fn protection_changes(fleet: &Fleet, host: &Host, fact: &InstanceFact<'_>) -> bool {
    let crate::observation::Attributes::Known(known) = &fact.attributes else { return false };
    fleet.policy().protection.mark_among(&known.marks) != host.protected.as_deref()
}

fn admit_task(fleet: &Fleet, fact: &TaskFact<'_>, at: i64, looked: bool) -> Admission {
    let key = Key::find_arn(&fleet.names, &fact.arn);
    match key.and_then(|key| fleet.tasks.get(fleet.tasks.find(&key)?)) {
        Some(task) => by_order(order(task.version, task.fact_at, fact.version, at)),
        None if fleet.is_foreign(&fact.cluster) => Admission::Foreign,
        None if looked && fact.last_status.is_over() => Admission::Stale,
        None if !looked && key.is_some_and(|key| fleet.departed_tasks.outlived(&key, fact.version)) => Admission::Stale,
        None => Admission::News,
    }
}

fn admit_health(fleet: &Fleet, fact: &HealthFact<'_>, looked: bool) -> Admission {
    let Some(host) = fleet.find_host(&fact.arn).and_then(|slot| fleet.hosts.get(slot)) else {
        return if fleet.is_foreign(&fact.cluster) || !looked { Admission::Foreign } else { Admission::News };
    };
    let mut admission = Admission::Duplicate;
    for check in &fact.checks {
        let since = check.last_status_change.map_or(0, millis);
        match fleet.names.find(&check.kind).and_then(|kind| host.check(Some(kind))) {
            Some(held) if since != 0 && since < held.since => {
                if admission == Admission::Duplicate {
                    admission = Admission::Stale;
                }
            }
            Some(held) if held.status == check.status && (since == 0 || since == held.since) => {}
            _ => return Admission::News,
        }
    }
    admission
}

/// The content key of an unversioned event.
pub(crate) fn content_print(observation: &Observation<'_>) -> Option<u64> {
    let at = || observation.at.to_string();
    let written = |text: Option<&str>| text.map_or_else(at, str::to_owned);
    Some(match &observation.fact {
        Fact::ServiceAction(fact) => {
            ContentKeys::print(&["service", &fact.service, &fact.name, &written(fact.created_at.as_deref())])
        }
        Fact::Deployment(fact) => {
            ContentKeys::print(&["deployment", &fact.deployment, &fact.name, &written(fact.updated_at.as_deref())])
        }
        Fact::LaunchFailed(fact) => ContentKeys::print(&["launch", &fact.place, &fact.group, &at()]),
        // Two unknown events of one second may differ in what we do not read: both are kept.
        _ => return None,
    })
}

/// Boils the answer of a sweep down to what changes a belief: `found` keeps the news, `unchanged` counts the rest,
/// `absent` names what a complete answer did not. Every `Sweep` must pass here before it is journaled and stepped.
pub fn digest<'a>(fleet: &Fleet, mut sweep: Sweep<'a>) -> Sweep<'a> {
    if sweep.complete {
        sweep.absent = absent(fleet, &sweep).into_iter().map(Into::into).collect();
    }
    let before = sweep.found.len();
    sweep.found.retain(|observation| keeps(fleet, observation));
    sweep.unchanged = sweep.unchanged.saturating_add((before - sweep.found.len()) as u32);
    sweep
}

/// Whether a sweep's fact is worth a place in the journal.
fn keeps(fleet: &Fleet, observation: &Observation<'_>) -> bool {
    match admit(fleet, observation) {
        Admission::News => true,
        Admission::Stale | Admission::Foreign => false,
        // The same again still confirms a case or fills a gap; and ECS may change a flag without counting.
        Admission::Duplicate => match &observation.fact {
            Fact::Instance(fact) => fleet
                .find_host(&fact.arn)
                .and_then(|slot| fleet.hosts.get(slot))
                .is_some_and(|host| host.first_case != NO_CASE || host.gap || differs(host, fact)),
            Fact::Task(fact) => Key::find_arn(&fleet.names, &fact.arn)
                .and_then(|key| fleet.tasks.get(fleet.tasks.find(&key)?))
                .is_some_and(|task| task.gap || task.status != fact.last_status),
            Fact::Ec2State { instance_id, .. } => has_case(fleet, instance_id),
            Fact::Ec2Status(fact) => has_case(fleet, &fact.instance_id),
            Fact::Ssm(fact) => has_case(fleet, &fact.instance_id),
            _ => false,
        },
    }
}

fn differs(host: &Host, fact: &InstanceFact<'_>) -> bool {
    let connected = host.agent == crate::host::Agent::Connected;
    host.status != fact.status || fact.agent_connected.is_some_and(|came| came != connected)
}

fn has_case(fleet: &Fleet, id: &str) -> bool {
    let Some(machine) = fleet.find_machine(id).and_then(|slot| fleet.machines.get(slot)) else { return false };
    machine.first_case != NO_CASE
        || fleet
            .hosts_of(machine)
            .into_iter()
            .filter_map(|slot| fleet.hosts.get(slot))
            .any(|host| host.first_case != NO_CASE)
}

/// What was believed to be in the scope well before the look began, and was not named.
fn absent(fleet: &Fleet, sweep: &Sweep<'_>) -> Vec<String> {
    let settled = millis(sweep.started_at) - SETTLED_MS;
    let named = named(fleet, sweep);
    let names = &fleet.names;
    let unnamed = |keys: Vec<Key>| -> Vec<String> {
        let keys: BTreeSet<Key> = keys.into_iter().filter(|key| !named.contains(key)).collect();
        keys.iter().map(|key| key.text(names)).collect()
    };
    match &sweep.scope {
        Scope::Clusters(place) => {
            let watched = names.find(place).and_then(|place| fleet.watched.get(&place));
            let found: BTreeSet<&str> = sweep
                .found
                .iter()
                .filter_map(|observation| match &observation.fact {
                    Fact::Cluster(fact) => Some(fact.arn.as_ref()),
                    _ => None,
                })
                .collect();
            let watched = watched.into_iter().flatten().map(|name| names.text(*name));
            watched.filter(|arn| !found.contains(arn)).map(str::to_owned).collect()
        }
        Scope::ClusterHosts(arn) => {
            let Some(cluster) = names.find(arn) else { return Vec::new() };
            unnamed(
                fleet
                    .hosts
                    .iter()
                    .filter(|(_, host)| host.cluster == cluster && host.fact_at <= settled)
                    .filter(|(_, host)| !host.hearsay || host.first_task == NONE)
                    .map(|(_, host)| host.key)
                    .collect(),
            )
        }
        Scope::ClusterTasks(arn) => {
            let Some(cluster) = names.find(arn) else { return Vec::new() };
            unnamed(
                fleet
                    .tasks
                    .iter()
                    .filter(|(_, task)| task.cluster == cluster && task.fact_at <= settled)
                    .map(|(_, task)| task.key)
                    .collect(),
            )
        }
        Scope::Machines(place) => {
            let Some(place) = names.find(place) else { return Vec::new() };
            unnamed(
                fleet
                    .machines
                    .iter()
                    .filter(|(_, machine)| machine.place == Some(place) && !machine.is_gone())
                    .filter(|(_, machine)| machine.state.value.is_some() && machine.state.confirmed_at <= settled)
                    .map(|(_, machine)| machine.key)
                    .collect(),
            )
        }
        Scope::Groups(place) => {
            let Some(place) = names.find(place) else { return Vec::new() };
            unnamed(
                fleet
                    .machines
                    .iter()
                    .filter(|(_, machine)| machine.place == Some(place) && machine.group().is_some())
                    .filter(|(_, machine)| machine.membership.confirmed_at <= settled)
                    .map(|(_, machine)| machine.key)
                    .collect(),
            )
        }
        Scope::Pings(_) | Scope::Hosts { .. } | Scope::Tasks { .. } | Scope::Demand { .. } => Vec::new(),
    }
}

fn named(fleet: &Fleet, sweep: &Sweep<'_>) -> BTreeSet<Key> {
    sweep
        .found
        .iter()
        .filter_map(|observation| match &observation.fact {
            Fact::Instance(fact) => Key::find_arn(&fleet.names, &fact.arn),
            Fact::Task(fact) => Key::find_arn(&fleet.names, &fact.arn),
            Fact::Ec2State { instance_id, .. } => Key::find_machine(&fleet.names, instance_id),
            Fact::Ec2Status(fact) => Key::find_machine(&fleet.names, &fact.instance_id),
            Fact::AutoScaling(fact) => Key::find_machine(&fleet.names, &fact.instance_id),
            _ => None,
        })
        .collect()
}
