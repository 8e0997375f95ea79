//! The placement twin: the hosts of one cluster as ECS's scheduler sees them, gathered once for many questions, and
//! changed to ask what would be.

use std::{
    cell::{Cell, OnceCell},
    collections::BTreeMap,
};

use jiff::Timestamp;

use super::{
    eni::slot_limit,
    headroom::{Availability, physical_free},
    placement::Placement,
    query,
    shape::TaskShape,
};
use crate::{
    host::{Agent, Host},
    names::Name,
    observation::{Amounts, HostPort, InstanceStatus, Protocol},
    pool::Shared,
    slab::Slot,
    state::{Fleet, stamp},
};

/// Ports that the agent reserves where it is not told otherwise (aws-semantics A.5).
const RESERVED_ON_LINUX: [u16; 5] = [22, 2375, 2376, 51678, 51679];
const RESERVED_ON_WINDOWS: [u16; 11] = [53, 135, 139, 445, 2375, 2376, 3389, 5985, 5986, 51678, 51679];

/// The hosts of a cluster, ready to be asked.
pub struct Twin<'f> {
    pub(super) fleet: &'f Fleet,
    pub(super) seats: Vec<Seat>,
    pub(super) classes: Vec<Class>,
    by_class: BTreeMap<Class, u32>,
    groups: Groups,
}

/// One host, as far as placement goes.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// `None`: a host that does not exist yet.
    pub slot: Option<Slot>,
    pub availability: Availability,
    pub takes: Takes,
    pub external: bool,
    pub provider: Option<Name>,
    pub instance_type: Option<Name>,
    pub zone: Option<Name>,
    pub class: u32,
    /// `None`: the host has not told.
    pub left: Option<Amounts>,
    pub whole: Amounts,
    pub gpus: u16,
    pub gpus_whole: u16,
    pub ports: Ports,
    pub slots: SeatSlots,
}

/// Whether ECS gives a host tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Yes,
    NotActive,
    NoAgent,
}

/// Ports that are taken on a host.
#[derive(Clone, Debug)]
pub(super) enum Ports {
    /// The host has not told.
    Untold,
    Shared(Shared),
    Own(Vec<HostPort>),
}

/// Interfaces for tasks that are free on a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeatSlots {
    /// As the scheduler counts; `None`: the limit is not known.
    pub free: Option<u32>,
    /// On network card 0 alone, and by EC2's own count where there is one.
    pub sure: u32,
    pub held: u16,
    pub trunk: bool,
}

/// What hosts with the same attributes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    pub attributes: Option<Shared>,
    pub trunk: bool,
}

/// Tasks of groups by seat.
#[derive(Default)]
struct Groups {
    asked: Cell<bool>,
    index: OnceCell<Vec<(Name, u32)>>,
}

impl<'f> Twin<'f> {
    /// The hosts of a cluster, by its ARN. A cluster never heard of has none.
    pub fn of(fleet: &'f Fleet, cluster: &str) -> Self {
        let mut twin = Self {
            fleet,
            seats: Vec::new(),
            classes: Vec::new(),
            by_class: BTreeMap::new(),
            groups: Groups::default(),
        };
        let Some(cluster) = fleet.names.find(cluster) else { return twin };
        for (slot, host) in fleet.hosts.iter().filter(|(_, host)| host.cluster == cluster && !host.hearsay) {
            let seat = twin.seat(slot, host);
            twin.seats.push(seat);
        }
        twin
    }

    fn seat(&mut self, slot: Slot, host: &Host) -> Seat {
        let fleet = self.fleet;
        let class = Class { attributes: host.attributes, trunk: host.trunk };
        Seat {
            slot: Some(slot),
            availability: fleet.availability(host),
            takes: match (host.status, host.agent) {
                (InstanceStatus::Active, Agent::Connected) => Takes::Yes,
                (InstanceStatus::Active, _) => Takes::NoAgent,
                _ => Takes::NotActive,
            },
            external: host.external,
            provider: fleet.provider_of(host),
            instance_type: host.instance_type,
            zone: host.zone,
            class: self.class(class),
            left: host.resources.map(|resources| resources.remaining),
            whole: host.resources.map(|resources| resources.registered).unwrap_or_default(),
            gpus: host.gpus.remaining.min(host.gpus.registered),
            gpus_whole: host.gpus.registered,
            ports: host.ports.map_or(Ports::Untold, Ports::Shared),
            slots: fleet.seat_slots(host, host.trunk),
        }
    }

    /// The number of a class, new or known.
    pub(super) fn class(&mut self, class: Class) -> u32 {
        *self.by_class.entry(class).or_insert_with(|| {
            self.classes.push(class);
            self.classes.len() as u32 - 1
        })
    }

    /// The value of an attribute of a class; of the trunk's id only that there is one.
    pub(super) fn attribute(&self, class: u32, name: &str) -> Option<&'f str> {
        let class = self.classes.get(class as usize)?;
        if name == "ecs.awsvpc-trunk-id" {
            return class.trunk.then_some("");
        }
        let name = self.fleet.names.find(name)?;
        let list = self.fleet.attribute_sets.list(class.attributes?);
        let place = list.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        list.get(place).map(|(_, value)| self.fleet.names.text(*value))
    }

    /// Whether a port is taken on a host; `None`: the host has not told.
    pub(super) fn is_taken(&self, seat: &Seat, port: &HostPort) -> Option<bool> {
        let taken = match &seat.ports {
            Ports::Untold => return None,
            Ports::Shared(set) => self.fleet.port_sets.list(*set),
            Ports::Own(list) => list,
        };
        Some(taken.binary_search(port).is_ok())
    }

    /// How many tasks of a group each seat has, those that are being stopped included.
    pub(super) fn tasks_of_group(&self, group: &str) -> Vec<u32> {
        let mut counts = vec![0; self.seats.len()];
        let Some(group) = self.fleet.names.find(group) else { return counts };
        // The first group asked for is counted in one walk over the tasks; from the second on an index is worth its price.
        if !self.groups.asked.replace(true) {
            let seats = self.seats_by_slot();
            for (_, task) in self.fleet.tasks.iter().filter(|(_, task)| task.group == Some(group)) {
                if let Some(count) = seat_of(&seats, task.host).and_then(|seat| counts.get_mut(seat as usize)) {
                    *count += 1;
                }
            }
            return counts;
        }
        let index = self.groups.index.get_or_init(|| {
            let seats = self.seats_by_slot();
            let tasks = self.fleet.tasks.iter();
            let mut index: Vec<(Name, u32)> =
                tasks.filter_map(|(_, task)| Some((task.group?, seat_of(&seats, task.host)?))).collect();
            index.sort_unstable();
            index
        });
        let begin = index.partition_point(|(name, _)| *name < group);
        for (_, seat) in index[begin..].iter().take_while(|(name, _)| *name == group) {
            if let Some(count) = counts.get_mut(*seat as usize) {
                *count += 1;
            }
        }
        counts
    }

    fn seats_by_slot(&self) -> Vec<u32> {
        let mut seats = Vec::new();
        for (seat, slot) in self.seats.iter().enumerate().filter_map(|(seat, it)| Some((seat, it.slot? as usize))) {
            if seats.len() <= slot {
                seats.resize(slot + 1, u32::MAX);
            }
            seats[slot] = seat as u32;
        }
        seats
    }

    /// The host as a query sees it; with one more task of a group on it, if one is given.
    pub(super) fn asked<'t>(&'t self, seat: &'t Seat, more: Option<&'t str>) -> Asked<'t, 'f> {
        Asked { twin: self, seat, more }
    }

    /// A host like this one that nothing has been placed on yet.
    pub(super) fn fresh(&self, like: &Seat) -> Option<Seat> {
        like.left?;
        let windows = self.attribute(like.class, "ecs.os-type").is_some_and(|os| os.eq_ignore_ascii_case("windows"));
        let reserved: &[u16] = if windows { &RESERVED_ON_WINDOWS } else { &RESERVED_ON_LINUX };
        // A host of the same type without tasks shows what is reserved; else what the agent reserves by itself.
        let unused = self.seats.iter().find(|seat| {
            seat.instance_type == like.instance_type
                && seat.left == Some(seat.whole)
                && !matches!(seat.ports, Ports::Untold)
                && seat.slots.held == 0
                && seat.slot.and_then(|slot| self.fleet.hosts.get(slot)).is_some_and(|host| {
                    host.first_task == crate::slab::NONE && host.running_tasks + host.pending_tasks == 0
                })
        });
        let defaults = || reserved.iter().map(|port| HostPort { port: *port, protocol: Protocol::Tcp }).collect();
        let host = like.slot.and_then(|slot| self.fleet.hosts.get(slot));
        let limit = host.and_then(|host| self.fleet.slot_limit(host));
        Some(Seat {
            slot: None,
            availability: Availability::Open,
            takes: Takes::Yes,
            left: Some(like.whole),
            gpus: like.gpus_whole,
            ports: unused.map_or_else(|| Ports::Own(defaults()), |seat| seat.ports.clone()),
            slots: SeatSlots {
                free: limit.map(|limit| limit.high),
                sure: limit.map_or(0, |limit| limit.low),
                held: 0,
                trunk: like.slots.trunk,
            },
            ..like.clone()
        })
    }

    /// How many copies a host like this one takes that nothing has been placed on yet; 0 where that is not known.
    pub(crate) fn copies_of_fresh(&self, like: Slot, shape: &TaskShape, placement: &Placement) -> u32 {
        let fresh = self.seats.iter().find(|seat| seat.slot == Some(like)).and_then(|seat| self.fresh(seat));
        let Some(fresh) = fresh else { return 0 };
        let mut alone = self.copy();
        alone.seats = vec![fresh];
        alone.fit_hosts(shape, placement).first().map_or(0, |host| host.copies)
    }

    /// The same hosts, to be changed.
    pub(super) fn copy(&self) -> Self {
        Self {
            fleet: self.fleet,
            seats: self.seats.clone(),
            classes: self.classes.clone(),
            by_class: self.by_class.clone(),
            groups: Groups::default(),
        }
    }
}

impl Fleet {
    /// Free interfaces for tasks of a host, as it is, or as it would be with or without a trunk.
    pub(super) fn seat_slots(&self, host: &Host, trunk: bool) -> SeatSlots {
        let limit = match host.instance_type {
            Some(name) if !host.external && trunk != host.trunk => {
                slot_limit(self.names.text(name), self.types.get(&name), trunk)
            }
            _ => self.slot_limit(host),
        };
        let held = u32::from(host.interfaces);
        let physical = self.machine_of(host).and_then(|machine| machine.interfaces).filter(|_| trunk == host.trunk);
        let sure = limit.map_or(0, |limit| {
            let by_card = limit.low.saturating_sub(held);
            let seen = physical.map(|seen| physical_free(limit, host, seen.attached));
            seen.map_or(by_card, |seen| by_card.min(u32::try_from(seen).unwrap_or(u32::MAX)))
        });
        SeatSlots { free: limit.map(|limit| limit.high.saturating_sub(held)), sure, held: host.interfaces, trunk }
    }

    /// How many lists of attributes and of ports are kept: hosts with the same share one.
    pub fn kept_lists(&self) -> (usize, usize) {
        (self.attribute_sets.len(), self.port_sets.len())
    }

    /// The ARN of a host.
    pub fn host_arn(&self, slot: Slot) -> String {
        self.hosts.get(slot).map(|host| host.key.text(&self.names)).unwrap_or_default()
    }
}

fn seat_of(seats: &[u32], slot: Slot) -> Option<u32> {
    seats.get(slot as usize).copied().filter(|seat| *seat != u32::MAX)
}

/// A seat that is asked a query.
pub(super) struct Asked<'t, 'f> {
    twin: &'t Twin<'f>,
    seat: &'t Seat,
    more: Option<&'t str>,
}

impl Asked<'_, '_> {
    fn host(&self) -> Option<&Host> {
        self.twin.fleet.hosts.get(self.seat.slot?)
    }
}

impl query::Host for Asked<'_, '_> {
    fn agent_connected(&self) -> Option<bool> {
        match self.seat.takes {
            Takes::Yes => Some(true),
            _ => Some(self.host()?.agent == Agent::Connected),
        }
    }

    fn agent_version(&self) -> Option<&str> {
        self.host()?.agent_version.map(|version| self.twin.fleet.names.text(version))
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.twin.attribute(self.seat.class, name)
    }

    fn machine_id(&self) -> Option<String> {
        self.twin.fleet.machine_of(self.host()?).map(|machine| machine.key.text(&self.twin.fleet.names))
    }

    fn registered_at(&self) -> Option<Timestamp> {
        self.host().map(|host| host.registered_at).filter(|at| *at != 0).map(stamp)
    }

    fn running_tasks(&self) -> u32 {
        self.host().map_or(0, |host| host.running_tasks)
    }

    fn any_group(&self, wanted: &mut dyn FnMut(&str) -> bool) -> bool {
        let fleet = self.twin.fleet;
        if self.more.is_some_and(&mut *wanted) {
            return true;
        }
        let Some(host) = self.host() else { return false };
        fleet.tasks_of(host).filter_map(|(_, task)| task.group).any(|group| wanted(fleet.names.text(group)))
    }
}
