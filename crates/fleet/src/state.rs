//! Everything muster believes, in one place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    capacity::{
        eni::TypeLimits,
        headroom::{Headroom, Touched},
        placement::Subnet,
    },
    case::Cases,
    cluster::Cluster,
    cohort::Cohorts,
    content::ContentKeys,
    departed::Departed,
    effect::Effect,
    host::{Host, Millis},
    id::Arn,
    keeping::Keeping,
    key::Key,
    look::Wanted,
    machine::Machine,
    names::{Name, Names},
    notice::Notices,
    observation::HostPort,
    policy::Policy,
    pool::Pool,
    repair::Repairs,
    slab::{NONE, Slab, Slot},
    task::Task,
    timer::Timers,
};

/// Everything muster believes. Changed only by [`step`](crate::step::step).
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Fleet {
    pub(crate) policy: Policy,
    pub(crate) names: Names,
    pub(crate) hosts: Slab<Host>,
    pub(crate) machines: Slab<Machine>,
    pub(crate) tasks: Slab<Task>,
    pub(crate) clusters: BTreeMap<Name, Cluster>,
    /// Clusters watched in a place, once that place has been listed completely. Others are foreign.
    pub(crate) watched: BTreeMap<Name, BTreeSet<Name>>,
    pub(crate) cases: Cases,
    pub(crate) cohorts: Cohorts,
    /// Sets of attributes, by name and value, shared by the hosts that have them.
    pub(crate) attribute_sets: Pool<(Name, Name)>,
    /// Sets of ports that are taken.
    pub(crate) port_sets: Pool<HostPort>,
    /// What instance types can have, where EC2 has been asked.
    pub(crate) types: BTreeMap<Name, TypeLimits>,
    /// Subnets and their free addresses.
    pub(crate) subnets: BTreeMap<Name, Subnet>,
    /// What is free, counted as facts change.
    pub(crate) headroom: Headroom,
    pub(crate) timers: Timers,
    pub(crate) repairs: Repairs,
    pub(crate) keeping: Keeping,
    pub(crate) notices: Notices,
    pub(crate) departed_tasks: Departed,
    pub(crate) departed_hosts: Departed,
    pub(crate) contents: ContentKeys,
    /// Hosts and tasks with skipped versions, to be looked up.
    pub(crate) gaps: BTreeSet<Key>,
    /// When the cohorts are weighed next, or 0.
    pub(crate) weigh_at: Millis,
    /// The latest `now` ever given: time in here never runs backwards.
    pub(crate) now: Millis,
    #[serde(skip)]
    pub(crate) wanted: Wanted,
    /// Hosts whose share of the headroom has changed in this step.
    #[serde(skip)]
    pub(crate) touched: Touched,
}

impl Fleet {
    /// An empty fleet under a policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The earliest deadline, if any.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.timers.first().map(stamp)
    }

    /// The clusters watched in `place`, by name, if that place has been listed.
    pub(crate) fn is_foreign(&self, cluster_arn: &str) -> bool {
        let Some(arn) = Arn::parse(cluster_arn) else { return false };
        let Some(place) = self.names.find(&place_of(&arn)) else { return false };
        let Some(watched) = self.watched.get(&place) else { return false };
        !self.names.find(cluster_arn).is_some_and(|name| watched.contains(&name))
    }

    /// The cluster's belief, made on first mention.
    pub(crate) fn cluster_mut(&mut self, arn: &str) -> &mut Cluster {
        let name = self.names.keep(arn);
        let names = &mut self.names;
        let now = self.now;
        self.clusters.entry(name).or_insert_with(|| Cluster {
            arn: name,
            place: names.keep(&Arn::parse(arn).map_or_else(String::new, |arn| place_of(&arn))),
            status: None,
            registered_hosts: None,
            looked_at: 0,
            trouble: None,
            first_seen: now,
            groups: Vec::new(),
            providers: Vec::new(),
            providers_told: false,
        })
    }

    /// The slot of a machine, made on first mention.
    pub(crate) fn machine_slot(&mut self, id: &str) -> Slot {
        let key = Key::keep_machine(&mut self.names, id);
        match self.machines.find(&key) {
            Some(slot) => slot,
            None => self.machines.insert(Machine::new(key)),
        }
    }

    /// The machine under a host.
    pub(crate) fn machine_of(&self, host: &Host) -> Option<&Machine> {
        if host.machine == NONE { None } else { self.machines.get(host.machine) }
    }

    /// Ties a host to its machine.
    pub(crate) fn link_machine(&mut self, host_slot: Slot, machine_slot: Slot) {
        self.touch(host_slot);
        let Some(machine) = self.machines.get_mut(machine_slot) else { return };
        let next = std::mem::replace(&mut machine.first_host, host_slot);
        machine.registered_once = true;
        let group = machine.group();
        let Some(host) = self.hosts.get_mut(host_slot) else { return };
        host.machine = machine_slot;
        host.next_on_machine = next;
        let cluster = host.cluster;
        if let Some(group) = group {
            self.note_group(cluster, group);
        }
    }

    /// A member of this group belongs to this cluster.
    pub(crate) fn note_group(&mut self, cluster: Name, group: Name) {
        if let Some(cluster) = self.clusters.get_mut(&cluster)
            && !cluster.groups.contains(&group)
        {
            cluster.groups.push(group);
        }
    }

    /// Takes a host out of the list of its machine.
    pub(crate) fn unlink_machine(&mut self, host_slot: Slot) {
        self.touch(host_slot);
        let Some(host) = self.hosts.get_mut(host_slot) else { return };
        let machine_slot = std::mem::replace(&mut host.machine, NONE);
        let next = std::mem::replace(&mut host.next_on_machine, NONE);
        let Some(machine) = self.machines.get_mut(machine_slot) else { return };
        if machine.first_host == host_slot {
            machine.first_host = next;
            return;
        }
        let mut at = machine.first_host;
        while let Some(other) = self.hosts.get_mut(at) {
            if other.next_on_machine == host_slot {
                other.next_on_machine = next;
                return;
            }
            at = other.next_on_machine;
        }
    }

    /// The hosts registered from a machine.
    pub(crate) fn hosts_of(&self, machine: &Machine) -> Vec<Slot> {
        let mut slots = Vec::new();
        let mut at = machine.first_host;
        while let Some(host) = self.hosts.get(at) {
            slots.push(at);
            at = host.next_on_machine;
        }
        slots
    }

    /// The tasks on a host.
    pub(crate) fn tasks_of(&self, host: &Host) -> impl Iterator<Item = (Slot, &Task)> {
        let mut at = host.first_task;
        std::iter::from_fn(move || {
            let slot = at;
            let task = self.tasks.get(slot)?;
            at = task.next;
            Some((slot, task))
        })
    }

    /// Forgets a host with all that hangs on it. Its cases are closed first.
    pub(crate) fn remove_host(&mut self, slot: Slot, why: &str, effects: &mut Vec<Effect>) {
        let before = self.standing(slot);
        self.touch(slot);
        self.close_cases_of_host(slot, why, effects);
        let tasks: Vec<Slot> = match self.hosts.get(slot) {
            Some(host) => self.tasks_of(host).map(|(task, _)| task).collect(),
            None => return,
        };
        for task in tasks {
            self.tasks.remove(task);
        }
        let machine = self.hosts.get(slot).map_or(NONE, |host| host.machine);
        self.unlink_machine(slot);
        self.recount_removed(&before);
        if let Some(host) = self.hosts.remove(slot) {
            self.attribute_sets.release(host.attributes);
            self.port_sets.release(host.ports);
            self.gaps.remove(&host.key);
            self.remember_host(host.key, host.version, self.now);
        }
        self.forget_machine_if_gone(machine, effects);
    }

    /// Remembers a host that is over, in case an older event about it comes later.
    pub(crate) fn remember_host(&mut self, key: Key, version: i64, at: Millis) {
        let limit = 256 + self.hosts.len() / 32;
        self.departed_hosts.remember(key, version, at, limit);
    }

    /// Forgets a machine that EC2 does not know any more, that is in no group and carries no host.
    pub(crate) fn forget_machine_if_gone(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(machine) = self.machines.get(slot) else { return };
        let down = machine.is_gone() || machine.state.value.is_none();
        if machine.first_host == NONE && down && machine.group().is_none() {
            self.close_cases_of_machine(slot, "the machine is gone", effects);
            self.machines.remove(slot);
        }
    }
}

/// `ACCOUNT/REGION` of an ARN.
pub fn place_of(arn: &Arn<'_>) -> String {
    format!("{}/{}", arn.account, arn.region)
}

/// From the packed form of a time.
pub(crate) fn stamp(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Into the packed form of a time.
pub(crate) fn millis(at: Timestamp) -> Millis {
    at.as_millisecond()
}
