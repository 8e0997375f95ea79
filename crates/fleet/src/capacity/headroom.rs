//! What is free: per cluster, zone and capacity provider, counted as facts change and never summed up anew.
//!
//! Room on a host that takes no tasks is no room: it is counted apart, by the reason. Of network interfaces two views are
//! kept: what the scheduler believes, and what the machine can do by EC2's own count of what is attached.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::eni::{SlotLimit, slot_limit};
use crate::{
    case::NO_CASE,
    host::{Agent, Host},
    journal::Trouble,
    names::Name,
    observation::InstanceStatus,
    slab::{NONE, Slot},
    state::Fleet,
};

/// Whether a host's room can be relied on, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Availability {
    /// It takes tasks, and nothing speaks against it.
    Open,
    /// Somebody drains it.
    Draining,
    /// It is registering, deregistering, or failed to.
    NotActive,
    /// Its agent is disconnected.
    AgentLost,
    /// Nobody has said whether its agent is connected.
    AgentUnheard,
    /// EC2 says that the machine does not run.
    MachineDown,
    /// It, or its machine, is in an open case: ECS may place tasks on it, which may be lost.
    Suspected,
}

impl Availability {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Draining,
        Self::NotActive,
        Self::AgentLost,
        Self::AgentUnheard,
        Self::MachineDown,
        Self::Suspected,
    ];

    /// As people say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "takes tasks",
            Self::Draining => "draining",
            Self::NotActive => "not active",
            Self::AgentLost => "agent lost",
            Self::AgentUnheard => "agent never heard of",
            Self::MachineDown => "machine down",
            Self::Suspected => "in an open case",
        }
    }
}

/// How much of something there is, and how much of it is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// Free.
    pub free: u64,
    /// In all.
    pub total: u64,
}

impl Gauge {
    /// The free part in percent; `None` where there is nothing at all.
    pub fn percent_free(self) -> Option<f64> {
        (self.total > 0).then(|| self.free as f64 * 100.0 / self.total as f64)
    }

    fn add(&mut self, other: Self) {
        self.free += other.free;
        self.total += other.total;
    }

    fn subtract(&mut self, other: Self) {
        self.free = self.free.saturating_sub(other.free);
        self.total = self.total.saturating_sub(other.total);
    }
}

/// Interfaces for tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// As the scheduler counts: all network cards, less the tasks it has placed.
    pub scheduler: Gauge,
    /// Free if only network card 0 is used for tasks; at most `scheduler.free`.
    pub free_low: u64,
    /// Free by EC2's count of what is attached, where it was asked; else as the scheduler counts.
    pub physical_free: u64,
    /// Hosts of which EC2 was asked.
    pub physical_hosts: u64,
    /// Hosts whose limit is not known; they count in none of the figures above.
    pub unknown_hosts: u64,
}

/// What some hosts have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Hosts.
    pub hosts: u64,
    /// Of those, hosts that have not told their resources.
    pub silent_hosts: u64,
    /// CPU units.
    pub cpu_units: Gauge,
    /// Memory in MiB.
    pub memory_mib: Gauge,
    /// GPUs.
    pub gpus: Gauge,
    /// Interfaces for tasks.
    pub slots: Slots,
}

impl Sums {
    /// More hosts.
    pub fn add(&mut self, other: &Self) {
        self.hosts += other.hosts;
        self.silent_hosts += other.silent_hosts;
        self.cpu_units.add(other.cpu_units);
        self.memory_mib.add(other.memory_mib);
        self.gpus.add(other.gpus);
        self.slots.scheduler.add(other.slots.scheduler);
        self.slots.free_low += other.slots.free_low;
        self.slots.physical_free += other.slots.physical_free;
        self.slots.physical_hosts += other.slots.physical_hosts;
        self.slots.unknown_hosts += other.slots.unknown_hosts;
    }

    fn subtract(&mut self, other: &Self) {
        let less = |held: &mut u64, other: u64| *held = held.saturating_sub(other);
        less(&mut self.hosts, other.hosts);
        less(&mut self.silent_hosts, other.silent_hosts);
        self.cpu_units.subtract(other.cpu_units);
        self.memory_mib.subtract(other.memory_mib);
        self.gpus.subtract(other.gpus);
        self.slots.scheduler.subtract(other.slots.scheduler);
        less(&mut self.slots.free_low, other.slots.free_low);
        less(&mut self.slots.physical_free, other.slots.physical_free);
        less(&mut self.slots.physical_hosts, other.slots.physical_hosts);
        less(&mut self.slots.unknown_hosts, other.slots.unknown_hosts);
    }
}

/// A part of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// All of it.
    Whole,
    /// One zone; `None`: hosts without a zone, as external ones are.
    Zone(Option<Name>),
    /// One capacity provider.
    Provider(Name),
}

/// What a part of a cluster has: apart by whether it can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    by_availability: [Sums; 7],
}

impl Supply {
    /// What hosts of one availability have.
    pub fn of(&self, availability: Availability) -> &Sums {
        &self.by_availability[availability as usize]
    }

    /// How many hosts there are, whatever their availability.
    pub fn hosts(&self) -> u64 {
        self.by_availability.iter().map(|sums| sums.hosts).sum()
    }
}

/// What is free, everywhere.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Headroom {
    supplies: BTreeMap<(Name, Part), Supply>,
}

impl Headroom {
    /// What a part of a cluster has.
    pub fn supply(&self, cluster: Name, part: Part) -> Supply {
        self.supplies.get(&(cluster, part)).copied().unwrap_or_default()
    }

    /// All parts of a cluster that have hosts, in order.
    pub fn parts(&self, cluster: Name) -> impl Iterator<Item = (Part, &Supply)> {
        self.supplies
            .range((cluster, Part::Whole)..)
            .take_while(move |((of, _), _)| *of == cluster)
            .map(|((_, part), supply)| (*part, supply))
    }

    /// Counts a host in.
    pub(crate) fn include(&mut self, share: &Share) {
        for key in share.keys() {
            self.supplies.entry(key).or_default().by_availability[share.availability as usize].add(&share.sums);
        }
    }

    fn exclude(&mut self, share: &Share) {
        for key in share.keys() {
            if let Some(supply) = self.supplies.get_mut(&key) {
                supply.by_availability[share.availability as usize].subtract(&share.sums);
                if supply.hosts() == 0 {
                    self.supplies.remove(&key);
                }
            }
        }
    }
}

/// What one host adds to the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    cluster: Option<Name>,
    zone: Option<Name>,
    provider: Option<Name>,
    availability: Availability,
    sums: Sums,
}

impl Share {
    const NOTHING: Self = Self {
        cluster: None,
        zone: None,
        provider: None,
        availability: Availability::Open,
        sums: Sums {
            hosts: 0,
            silent_hosts: 0,
            cpu_units: Gauge { free: 0, total: 0 },
            memory_mib: Gauge { free: 0, total: 0 },
            gpus: Gauge { free: 0, total: 0 },
            slots: Slots {
                scheduler: Gauge { free: 0, total: 0 },
                free_low: 0,
                physical_free: 0,
                physical_hosts: 0,
                unknown_hosts: 0,
            },
        },
    };

    /// What the host has.
    pub(super) fn sums(&self) -> Sums {
        self.sums
    }

    fn keys(&self) -> impl Iterator<Item = (Name, Part)> {
        let parts = [Some(Part::Whole), Some(Part::Zone(self.zone)), self.provider.map(Part::Provider)];
        let cluster = self.cluster;
        parts.into_iter().flatten().filter_map(move |part| Some((cluster?, part)))
    }
}

/// Shares as they were counted before this step changed their hosts.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeMap<Slot, Share>);

impl Fleet {
    /// What is free, as counted.
    pub fn headroom(&self) -> &Headroom {
        &self.headroom
    }

    /// To be called before anything changes that a host's share hangs on; it is counted anew at the end of the step.
    pub(crate) fn touch(&mut self, slot: Slot) {
        if slot != NONE && !self.touched.0.contains_key(&slot) {
            let share = self.share(slot);
            self.touched.0.insert(slot, share);
        }
    }

    /// To be called before a machine changes.
    pub(crate) fn touch_machine(&mut self, slot: Slot) {
        let mut at = self.machines.get(slot).map_or(NONE, |machine| machine.first_host);
        while let Some(next) = self.hosts.get(at).map(|host| host.next_on_machine) {
            self.touch(at);
            at = next;
        }
    }

    /// Counts the hosts that this step has changed.
    pub(crate) fn settle_headroom(&mut self) {
        for (slot, before) in std::mem::take(&mut self.touched).0 {
            let after = self.share(slot);
            if after != before {
                self.headroom.exclude(&before);
                self.headroom.include(&after);
            }
        }
    }

    /// What a host adds to the count now. A host known by hearsay alone adds nothing.
    pub(crate) fn share(&self, slot: Slot) -> Share {
        let Some(host) = self.hosts.get(slot).filter(|host| !host.hearsay) else { return Share::NOTHING };
        let mut sums = Sums { hosts: 1, ..Sums::default() };
        match host.resources {
            Some(resources) => {
                let (left, whole) = (resources.remaining, resources.registered);
                sums.cpu_units = gauge(left.cpu_units, whole.cpu_units);
                sums.memory_mib = gauge(left.memory_mib, whole.memory_mib);
                sums.gpus = gauge(host.gpus.remaining.into(), host.gpus.registered.into());
            }
            None => sums.silent_hosts = 1,
        }
        match self.slot_limit(host) {
            Some(limit) => sums.slots = self.slots(host, limit),
            None => sums.slots.unknown_hosts = 1,
        }
        Share {
            cluster: Some(host.cluster),
            zone: host.zone,
            provider: self.provider_of(host),
            availability: self.availability(host),
            sums,
        }
    }

    /// Whether a host's room can be relied on.
    pub(crate) fn availability(&self, host: &Host) -> Availability {
        let machine = self.machine_of(host);
        match (host.status, host.agent) {
            (InstanceStatus::Draining, _) => Availability::Draining,
            (status, _) if status != InstanceStatus::Active => Availability::NotActive,
            _ if machine.is_some_and(|machine| machine.is_down()) => Availability::MachineDown,
            (_, Agent::Disconnected) => Availability::AgentLost,
            (_, Agent::Unknown) => Availability::AgentUnheard,
            _ if self.is_in_trouble(host.first_case) => Availability::Suspected,
            _ if machine.is_some_and(|machine| machine.first_case != NO_CASE) => Availability::Suspected,
            _ => Availability::Open,
        }
    }

    /// Whether an open case speaks against a host. That it is one too many does not.
    pub(crate) fn is_in_trouble(&self, first_case: Slot) -> bool {
        let mut at = first_case;
        while let Some(case) = self.cases.get(at) {
            if case.trouble != Trouble::MuchRoom {
                return true;
            }
            at = case.next_of_subject;
        }
        false
    }

    /// How many interfaces for tasks a host has; `None` when its type is not known. Outside of EC2 there are none.
    pub(crate) fn slot_limit(&self, host: &Host) -> Option<SlotLimit> {
        if host.external {
            return Some(SlotLimit { low: 0, high: 0, interfaces: 0, branches: 0 });
        }
        let name = host.instance_type?;
        slot_limit(self.names.text(name), self.types.get(&name), host.trunk)
    }

    fn slots(&self, host: &Host, limit: SlotLimit) -> Slots {
        let held = u64::from(host.interfaces);
        let scheduler = Gauge { free: u64::from(limit.high).saturating_sub(held), total: limit.high.into() };
        let physical = self.machine_of(host).and_then(|machine| machine.interfaces);
        Slots {
            scheduler,
            free_low: u64::from(limit.low).saturating_sub(held),
            physical_free: physical.map_or(scheduler.free, |seen| physical_free(limit, host, seen.attached)),
            physical_hosts: u64::from(physical.is_some()),
            unknown_hosts: 0,
        }
    }

    /// The capacity provider of a host, by its own word or by its machine's group.
    pub(crate) fn provider_of(&self, host: &Host) -> Option<Name> {
        host.capacity_provider.or_else(|| {
            let group = self.machine_of(host)?.group()?;
            let providers = &self.clusters.get(&host.cluster)?.providers;
            providers.iter().find(|provider| provider.group == group).map(|provider| provider.name)
        })
    }
}

/// Interfaces that can still be attached for tasks, by EC2's count of those attached. With a trunk the interfaces of
/// tasks are branches, which EC2 does not count; one that is not stands in both counts, so that this is the lower bound.
pub(crate) fn physical_free(limit: SlotLimit, host: &Host, attached: u16) -> u64 {
    let all = u64::from(limit.interfaces) + u64::from(limit.branches);
    let branches = if host.trunk { u64::from(host.interfaces) } else { 0 };
    all.saturating_sub(u64::from(attached) + branches)
}

/// Nothing is ever free that is not there.
fn gauge(free: u32, total: u32) -> Gauge {
    Gauge { free: free.min(total).into(), total: total.into() }
}
