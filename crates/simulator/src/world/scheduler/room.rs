//! Whether a host takes a task, what it lacks if not, and which of several hosts is the best (spec A.8, C.4, D.1).
//!
//! A host is asked in ECS's order: status, agent, capacity provider and launch type, attributes and operating system,
//! zone, constraints, CPU, memory, ports, GPUs, interfaces, addresses. The first thing that is lacking is what the host
//! lacks; the closest host is the one that is asked longest.

use std::collections::HashMap;

use crate::{
    seed::Purpose,
    world::{
        ClusterId, DefinitionId, HostId, HostStatus, Placement, ServiceId, Symbol, Task, TaskDefinition, TaskStatus,
        World,
        change::{Closest, PlacementFailure},
        placement::{Amount, Constraint, Field, HostPort, LaunchType, PlacementStrategy, Protocol},
    },
};

/// What a host lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lack {
    /// It is not ACTIVE.
    Status,
    /// Its agent is not connected.
    Agent,
    /// It is not of the capacity provider.
    Provider,
    /// It is EC2 where an external host is asked for, or the other way round.
    LaunchType,
    /// The required attribute at this position; `None`: `ecs.capability.task-eni`.
    Attribute(Option<u16>),
    /// Its operating system is another.
    OsFamily,
    /// Its processor is another.
    Architecture,
    /// No subnet is in its zone.
    Location,
    /// The `memberOf` constraint at this position, those of the task definition counted first.
    MemberOf(u16),
    /// A task of the same group is there.
    DistinctInstance,
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// This port is taken.
    Port(HostPort),
    /// GPUs.
    Gpu,
    /// Network interfaces.
    Interfaces,
    /// The subnets of its zone have no free address.
    Addresses,
}

impl Lack {
    /// As the event tells it.
    pub fn reason(self) -> PlacementFailure {
        match self {
            Self::Status | Self::LaunchType => PlacementFailure::NoActiveInstances,
            Self::Agent => PlacementFailure::Agent,
            Self::Provider => PlacementFailure::EmptyCapacityProvider,
            Self::Attribute(_) | Self::OsFamily | Self::Architecture => PlacementFailure::Attribute,
            Self::Location => PlacementFailure::Location,
            Self::MemberOf(_) => PlacementFailure::MemberOf,
            Self::DistinctInstance => PlacementFailure::DistinctInstance,
            Self::Cpu => PlacementFailure::Cpu,
            Self::Memory => PlacementFailure::Memory,
            Self::Port(_) => PlacementFailure::Ports,
            Self::Gpu => PlacementFailure::Gpu,
            Self::Interfaces | Self::Addresses => PlacementFailure::Eni,
        }
    }

    /// How far the host got in being asked: the later, the closer.
    pub fn rank(self) -> u8 {
        match self {
            Self::Status => 0,
            Self::Agent => 1,
            Self::Provider | Self::LaunchType => 2,
            Self::Attribute(_) | Self::OsFamily | Self::Architecture | Self::Location => 3,
            Self::MemberOf(_) | Self::DistinctInstance => 4,
            Self::Cpu => 5,
            Self::Memory => 6,
            Self::Port(_) => 7,
            Self::Gpu => 8,
            Self::Interfaces => 9,
            Self::Addresses => 10,
        }
    }

    /// The host could take such a task if it were empty.
    pub fn is_shortage(self) -> bool {
        self.rank() >= 5
    }
}

/// Why a task found no room, with the hosts that came closest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the closest host lacks; `None`: there is no host at all.
    pub lack: Option<Lack>,
    /// The reason as ECS words it.
    pub why: PlacementFailure,
    /// The closest hosts.
    pub closest: Closest,
}

/// Who wants a task placed.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// A service.
    Service(ServiceId),
    /// Somebody who calls RunTask.
    Caller {
        /// `group`; `None`: `family:…`.
        group: Option<Symbol>,
        /// Constraints and strategies.
        placement: &'a Placement,
    },
}

/// A task that wants to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Its definition.
    pub definition: DefinitionId,
    /// Whose it is.
    pub who: Who<'a>,
}

/// What is asked, looked up once for all hosts.
struct Wanted<'a> {
    definition: &'a TaskDefinition,
    placement: &'a Placement,
    who: Who<'a>,
    /// Free addresses by zone, where they are counted.
    addresses: Vec<Option<u32>>,
    /// Which zones have a subnet of the service; empty: all.
    zones: Vec<bool>,
}

impl World {
    fn wanted<'a>(&'a self, cluster: ClusterId, ask: &Ask<'a>) -> Option<Wanted<'a>> {
        let definition = self.definition(ask.definition)?;
        let placement = match ask.who {
            Who::Service(service) => &self.service(service)?.placement,
            Who::Caller { placement, .. } => placement,
        };
        let place = self.place(self.cluster(cluster)?.place)?;
        let mut wanted = Wanted { definition, placement, who: ask.who, addresses: Vec::new(), zones: Vec::new() };
        if definition.awsvpc() {
            if let Some(subnets) = &placement.subnets {
                wanted.zones = place.zones.iter().map(|zone| subnets.contains(&zone.subnet)).collect();
            }
            if place.zones.iter().any(|zone| zone.others > 0) {
                let zones = 0..place.zones.len() as u8;
                let counted = zones.map(|zone| self.counted_addresses(self.cluster(cluster)?.place, zone));
                wanted.addresses = counted.collect();
            }
        }
        Some(wanted)
    }

    /// What a host lacks for a task, if anything.
    pub fn lacks(&self, host: HostId, ask: &Ask<'_>) -> Option<Lack> {
        let cluster = self.host(host)?.cluster;
        self.lacks_for(host, &self.wanted(cluster, ask)?)
    }

    fn lacks_for(&self, host: HostId, wanted: &Wanted<'_>) -> Option<Lack> {
        let found = self.host(host)?;
        let said = &found.said;
        if said.status != HostStatus::Active {
            return Some(Lack::Status);
        }
        if !said.connected {
            return Some(Lack::Agent);
        }
        self.lacks_kind(host, wanted).or_else(|| self.lacks_constraint(host, wanted)).or_else(|| {
            let (definition, machine) = (wanted.definition, self.machine(found.machine)?);
            if said.cpu_left < definition.cpu {
                return Some(Lack::Cpu);
            }
            if said.memory_left < definition.memory_mib {
                return Some(Lack::Memory);
            }
            if let Some(port) = definition.ports.iter().find(|port| self.port_taken(host, **port)) {
                return Some(Lack::Port(*port));
            }
            let kind = machine.kind.get();
            if u32::from(definition.gpus) > u32::from(kind.gpus).saturating_sub(said.gpus_taken.count_ones()) {
                return Some(Lack::Gpu);
            }
            if !definition.awsvpc() {
                return None;
            }
            if u32::from(said.enis) >= kind.task_enis(found.trunk) {
                return Some(Lack::Interfaces);
            }
            let left = wanted.addresses.get(usize::from(machine.zone)).copied().flatten();
            (left == Some(0)).then_some(Lack::Addresses)
        })
    }

    /// Capacity provider, launch type, attributes, operating system, zone.
    fn lacks_kind(&self, host: HostId, wanted: &Wanted<'_>) -> Option<Lack> {
        let machine = self.machine(self.host(host)?.machine)?;
        let (definition, placement) = (wanted.definition, wanted.placement);
        if let Some(provider) = &placement.provider {
            let cluster = self.cluster(self.host(host)?.cluster)?;
            let provider = cluster.capacity_providers.iter().find(|held| held.name == *provider);
            if machine.group.is_none() || machine.group != provider.map(|held| held.group) {
                return Some(Lack::Provider);
            }
        }
        if placement.launch.is_some_and(|launch| machine.external != (launch == LaunchType::External)) {
            return Some(Lack::LaunchType);
        }
        if definition.awsvpc() && machine.external {
            return Some(Lack::Attribute(None));
        }
        for (required, number) in definition.requires.iter().zip(0..) {
            let has = self.attribute(host, &required.name);
            if !has.is_some_and(|value| required.value.is_none() || value == required.value) {
                return Some(Lack::Attribute(Some(number)));
            }
        }
        if let Some(family) = &definition.os_family
            && !family.eq_ignore_ascii_case(machine.platform.os_family())
        {
            return Some(Lack::OsFamily);
        }
        if let Some(architecture) = &definition.architecture
            && !architecture.eq_ignore_ascii_case(machine.kind.get().architecture)
        {
            return Some(Lack::Architecture);
        }
        let served = wanted.zones.get(usize::from(machine.zone)).copied().unwrap_or(true);
        (!served).then_some(Lack::Location)
    }

    fn lacks_constraint(&self, host: HostId, wanted: &Wanted<'_>) -> Option<Lack> {
        let said = &self.host(host)?.said;
        let own = &wanted.definition.constraints;
        if let Some(at) = own.iter().position(|expression| !expression.query.accepts(self, host, said)) {
            return Some(Lack::MemberOf(at as u16));
        }
        let mut number = own.len() as u16;
        for constraint in &wanted.placement.constraints {
            match constraint {
                Constraint::MemberOf(expression) => {
                    if !expression.query.accepts(self, host, said) {
                        return Some(Lack::MemberOf(number));
                    }
                    number += 1;
                }
                Constraint::DistinctInstance => {
                    if self.tasks_alike(host, wanted) > 0 {
                        return Some(Lack::DistinctInstance);
                    }
                }
            }
        }
        None
    }

    /// Whether an agent or a task has taken a port of a host.
    fn port_taken(&self, host: HostId, port: HostPort) -> bool {
        let Some(found) = self.host(host) else { return true };
        let reserved = self.machine(found.machine).map_or(&[][..], |machine| machine.platform.reserved_ports());
        port.protocol == Protocol::Tcp && reserved.contains(&port.port)
            || self.port_sets.get(found.said.ports).binary_search(&port).is_ok()
    }

    /// How many tasks of the same group are on a host, those that are being stopped included.
    fn tasks_alike(&self, host: HostId, wanted: &Wanted<'_>) -> usize {
        let there = self.host_tasks(host).filter(|(_, task)| task.present && task.said.last != TaskStatus::Stopped);
        there.filter(|(_, task)| self.is_alike(task, wanted)).count()
    }

    fn is_alike(&self, task: &Task, wanted: &Wanted<'_>) -> bool {
        match wanted.who {
            Who::Service(service) => task.service == Some(service),
            Who::Caller { group: Some(group), .. } => task.service.is_none() && task.group == Some(group),
            Who::Caller { group: None, .. } => {
                let family = |task: &Task| self.definition(task.definition).map(|definition| &definition.family);
                task.service.is_none() && task.group.is_none() && family(task) == Some(&wanted.definition.family)
            }
        }
    }

    /// Free addresses of a zone's subnet; `None` where nobody but hosts and tasks takes any: then there are always enough.
    fn counted_addresses(&self, place: crate::world::PlaceId, zone: u8) -> Option<u32> {
        let others = self.place(place)?.zones.get(usize::from(zone))?.others;
        (others > 0).then(|| self.free_addresses(place, zone))
    }

    /// A host of the cluster for the task; the search goes on where the last one ended, so tasks spread.
    pub(crate) fn find_room(&mut self, cluster: ClusterId, ask: &Ask<'_>) -> Result<HostId, Refused> {
        let at = self.best(cluster, ask)?;
        let Some(found) = self.clusters.get_mut(cluster.index()) else {
            return Err(Refused { lack: None, why: PlacementFailure::NoActiveInstances, closest: [None; 3] });
        };
        found.cursor = at as u32 + 1;
        found.hosts.get(at).copied().ok_or(Refused {
            lack: None,
            why: PlacementFailure::NoActiveInstances,
            closest: [None; 3],
        })
    }

    /// The position of the best host among those of the cluster.
    fn best(&mut self, cluster: ClusterId, ask: &Ask<'_>) -> Result<usize, Refused> {
        let nobody = Refused { lack: None, why: PlacementFailure::NoActiveInstances, closest: [None; 3] };
        let (candidates, random) = self.equals(cluster, ask, true)?;
        let drawn = random.then_some(candidates.len() as u64);
        let which = drawn.map_or(0, |of| self.streams.of(Purpose::Placement).below(of) as usize);
        candidates.get(which).copied().ok_or(nobody)
    }

    /// The positions of the hosts among which the strategies make no difference, and whether chance decides among them.
    /// Without strategies only the first one where no more are wanted.
    fn equals(&self, cluster: ClusterId, ask: &Ask<'_>, first: bool) -> Result<(Vec<usize>, bool), Refused> {
        let nobody = Refused { lack: None, why: PlacementFailure::NoActiveInstances, closest: [None; 3] };
        let wanted = self.wanted(cluster, ask).ok_or(nobody)?;
        let strategies = self.strategies(&wanted);
        let candidates = self.candidates(cluster, &wanted, first && strategies.is_empty())?;
        Ok(self.preferred(cluster, candidates, &wanted, &strategies))
    }

    /// The hosts that the next copy may go to: those with room that the strategies like best.
    pub fn best_hosts(&self, cluster: ClusterId, ask: &Ask<'_>) -> Vec<HostId> {
        let hosts = self.cluster(cluster).map_or(&[][..], |cluster| &cluster.hosts);
        let (positions, _) = self.equals(cluster, ask, false).unwrap_or_default();
        positions.into_iter().filter_map(|at| hosts.get(at).copied()).collect()
    }

    /// The strategies that hold: those of the placement, or what ECS gives a service that names none.
    fn strategies(&self, wanted: &Wanted<'_>) -> Vec<PlacementStrategy> {
        let service = matches!(wanted.who, Who::Service(_));
        if wanted.placement.strategies.is_empty() && service && self.habits.zone_spread {
            return vec![PlacementStrategy::zones()];
        }
        wanted.placement.strategies.clone()
    }

    /// Positions of the hosts with room, from the cursor on; only the first one where no more are wanted.
    fn candidates(&self, cluster: ClusterId, wanted: &Wanted<'_>, first: bool) -> Result<Vec<usize>, Refused> {
        let Some(found) = self.cluster(cluster) else { return Ok(Vec::new()) };
        let count = found.hosts.len();
        let (mut candidates, mut lacks) = (Vec::new(), Vec::new());
        for offset in 0..count {
            let at = (found.cursor as usize + offset) % count;
            match self.lacks_for(found.hosts[at], wanted) {
                None => {
                    candidates.push(at);
                    if first {
                        break;
                    }
                }
                Some(lack) => lacks.push((lack, found.hosts[at])),
            }
        }
        if candidates.is_empty() { Err(refused(&lacks)) } else { Ok(candidates) }
    }

    /// Those of the candidates that the strategies like best, one strategy after the other; and whether chance decides.
    fn preferred(
        &self,
        cluster: ClusterId,
        mut candidates: Vec<usize>,
        wanted: &Wanted<'_>,
        strategies: &[PlacementStrategy],
    ) -> (Vec<usize>, bool) {
        let Some(found) = self.cluster(cluster) else { return (candidates, false) };
        for strategy in strategies {
            match strategy {
                PlacementStrategy::Random => return (candidates, true),
                PlacementStrategy::Binpack(amount) => {
                    let left = |at: &usize| {
                        let said = self.host(found.hosts[*at]).map(|host| host.said);
                        said.map_or(i32::MAX, |said| match amount {
                            Amount::Cpu => said.cpu_left,
                            Amount::Memory => said.memory_left,
                        })
                    };
                    let least = candidates.iter().map(left).min();
                    candidates.retain(|at| Some(left(at)) == least);
                }
                PlacementStrategy::Spread(field) => {
                    let value = |host: HostId| match field {
                        Field::Instance => Some(host.0.to_string()),
                        Field::Attribute(name) => self.attribute(host, name).map(Option::unwrap_or_default),
                    };
                    let mut tasks: HashMap<Option<String>, usize> = HashMap::new();
                    for host in &found.hosts {
                        *tasks.entry(value(*host)).or_default() += self.tasks_alike(*host, wanted);
                    }
                    let load = |at: &usize| tasks.get(&value(found.hosts[*at])).copied().unwrap_or(0);
                    let least = candidates.iter().map(load).min();
                    candidates.retain(|at| Some(load(at)) == least);
                }
            }
        }
        (candidates, false)
    }

    /// How many copies a host would take, one after the other, if all of them went there; at most `most`. The world is left
    /// with them: ask a clone.
    pub fn fill_host(&mut self, host: HostId, ask: &Ask<'_>, most: u32) -> (u32, Option<Lack>) {
        for copies in 0..most {
            if let Some(lack) = self.lacks(host, ask) {
                return (copies, Some(lack));
            }
            self.put(host, ask);
        }
        (most, None)
    }

    /// How many copies a cluster would take, one after the other, at most `most`: the host of each, and why the next was
    /// refused. The world is left with them: ask a clone.
    pub fn fill_cluster(&mut self, cluster: ClusterId, ask: &Ask<'_>, most: u32) -> (Vec<HostId>, Option<Refused>) {
        let mut placed = Vec::new();
        while placed.len() < most as usize {
            match self.find_room(cluster, ask) {
                Ok(host) => {
                    self.put(host, ask);
                    placed.push(host);
                }
                Err(refused) => return (placed, Some(refused)),
            }
        }
        (placed, None)
    }

    fn put(&mut self, host: HostId, ask: &Ask<'_>) {
        let (service, group) = match ask.who {
            Who::Service(service) => (Some(service), None),
            Who::Caller { group, .. } => (None, group),
        };
        self.place_task(service, group, ask.definition, host, false);
    }
}

/// The refusal that these lacks add up to: that of the hosts that were asked longest, and of those what most of them lack.
fn refused(lacks: &[(Lack, HostId)]) -> Refused {
    let Some(rank) = lacks.iter().map(|(lack, _)| lack.rank()).max() else {
        return Refused { lack: None, why: PlacementFailure::NoActiveInstances, closest: [None; 3] };
    };
    let close: Vec<_> = lacks.iter().filter(|(lack, _)| lack.rank() == rank).collect();
    let times = |why: PlacementFailure| close.iter().filter(|(lack, _)| lack.reason() == why).count();
    // Of reasons that are equally frequent, the one that is asked for last.
    let most = close.iter().map(|(lack, _)| (times(lack.reason()), *lack)).max();
    let why = most.map_or(PlacementFailure::NoActiveInstances, |(_, lack)| lack.reason());
    let mut with_it = close.iter().filter(|(lack, _)| lack.reason() == why);
    let lack = with_it.clone().next().map(|(lack, _)| *lack);
    // What is not ACTIVE is close to nothing.
    let closest = if lack == Some(Lack::Status) {
        [None; 3]
    } else {
        std::array::from_fn(|_| with_it.next().map(|(_, host)| *host))
    };
    Refused { lack, why, closest }
}
