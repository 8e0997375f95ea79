//! What List and Describe calls would answer, and what they cost.

use engine::ports::{
    FailureKind, Look, LookFailure, Scope, Sweep,
    observation::{
        AutoScalingFact, CapacityProviderFact, ClusterFact, Ec2State, Ec2StatusFact, Fact, Observation,
        ReachabilityStatus, Source, SsmFact, Text,
    },
};

use super::{facts, rooms};
use crate::{
    faults::Fate,
    simulation::Simulation,
    world::{
        ClusterId, Group, GroupId, HostId, HostStatus, MachineId, MachineState, PlaceId, TaskId, TaskStatus, World,
    },
};

/// An answer, or why there is none.
pub type Answered = Result<Sweep<'static>, LookFailure<'static>>;

/// Looks at everything once, in the order of the port's contract, but for tasks. `each` gets the answers as they come.
pub fn sweep(simulation: &mut Simulation, each: &mut dyn FnMut(Answered)) {
    sweep_and_audit(simulation, false, each);
}

/// The same; with `audit` the tasks of every cluster as well, as `sweep.audit_tasks` has it.
pub fn sweep_and_audit(simulation: &mut Simulation, audit: bool, each: &mut dyn FnMut(Answered)) {
    for place in 0..simulation.world.places.len() {
        let place = PlaceId(place as u32);
        each(clusters(simulation, place));
        for cluster in 0..simulation.world.clusters.len() {
            let found = &simulation.world.clusters[cluster];
            if found.place == place && found.active {
                each(cluster_hosts(simulation, ClusterId(cluster as u32)));
                if audit {
                    each(cluster_tasks(simulation, ClusterId(cluster as u32)));
                }
            }
        }
        each(machines(simulation, place));
        each(groups(simulation, place));
        each(pings(simulation, place));
    }
}

/// Looks at a few things.
pub fn look(simulation: &mut Simulation, look: &Look) -> Answered {
    match look {
        Look::Hosts { cluster, arns } => hosts(simulation, cluster, arns),
        Look::Registrations { cluster, machines } => registrations(simulation, cluster, machines),
        Look::Tasks { cluster, arns } => tasks(simulation, cluster, arns),
        Look::Machines { place, ids } => some_machines(simulation, place, ids),
        Look::Pings { place, ids } => some_pings(simulation, place, ids),
        Look::Groups { place, names } => rooms::groups(simulation, place, names),
        Look::Demand { cluster, of } => rooms::demand(simulation, cluster, of),
    }
}

pub(super) struct Asking<'a> {
    pub(super) simulation: &'a mut Simulation,
    pub(super) place: PlaceId,
    pub(super) scope: Scope<'static>,
}

impl<'a> Asking<'a> {
    /// Asks about a cluster, which may be one that the account has not.
    pub(super) fn of_cluster(
        simulation: &'a mut Simulation,
        arn: &str,
        scope: Scope<'static>,
    ) -> (Self, Option<ClusterId>) {
        let known = simulation.world.find_cluster_arn(arn);
        let place = known.and_then(|id| simulation.world.cluster(id)).map_or(PlaceId(0), |found| found.place);
        (Self { simulation, place, scope }, known)
    }

    /// Pays for `count` calls of an operation; the first that fails, fails the look.
    pub(super) fn call(&mut self, action: &str, count: usize) -> Result<(), LookFailure<'static>> {
        for _ in 0..count {
            let (kind, message) = match self.simulation.call(self.place, action) {
                Fate::Answered => continue,
                Fate::Throttled => (FailureKind::Throttled, format!("{action} was throttled: Rate exceeded")),
                Fate::ServerError => (FailureKind::Failed, format!("{action} answered HTTP 500: ServerException")),
                Fate::Html => (FailureKind::Failed, format!("{action} answered with a page of HTML instead of JSON")),
                Fate::Hang | Fate::HangAfterEffect => {
                    (FailureKind::Failed, format!("{action} did not answer within 30 s"))
                }
                Fate::Denied(action) => {
                    (FailureKind::Denied, format!("not allowed to call {action}; add it to the policy of the role"))
                }
                Fate::Expired => (FailureKind::Denied, format!("{action}: the credentials have expired; renew them")),
            };
            return Err(self.failure(kind, message));
        }
        Ok(())
    }

    pub(super) fn failure(&self, kind: FailureKind, message: String) -> LookFailure<'static> {
        LookFailure { scope: self.scope.clone(), kind, message: Text::Owned(message) }
    }

    pub(super) fn answer(self, found: Vec<Fact<'static>>, source: Source, complete: bool) -> Answered {
        let at = self.simulation.now().timestamp();
        let found = found.into_iter().map(|fact| Observation { at, source, fact }).collect();
        Ok(Sweep { scope: self.scope, started_at: at, found, unchanged: 0, complete, absent: Vec::new() })
    }
}

fn pages(items: usize, page: usize) -> usize {
    items.div_ceil(page).max(1)
}

fn clusters(simulation: &mut Simulation, place: PlaceId) -> Answered {
    let scope = Scope::Clusters(Text::Owned(facts::place_name(&simulation.world, place).into_owned()));
    let mut asking = Asking { simulation, place, scope };
    let count = asking.simulation.world.clusters.iter().filter(|it| it.place == place && it.active).count();
    asking.call("ecs:ListClusters", pages(count, 100))?;
    asking.call("ecs:DescribeClusters", pages(count, 100))?;
    let world = &asking.simulation.world;
    let mut found = Vec::new();
    for cluster in world.clusters.iter().filter(|it| it.place == place && it.active) {
        found.push(Fact::Cluster(ClusterFact {
            arn: Text::Owned(cluster.arn.clone()),
            status: Text::Borrowed("ACTIVE"),
            registered_hosts: Some(cluster.hosts.len() as u32),
            capacity_providers: cluster.capacity_providers.iter().map(|it| Text::Owned(it.name.clone())).collect(),
            providers_told: true,
        }));
        for provider in &cluster.capacity_providers {
            let Some(group) = world.group(provider.group) else { continue };
            found.push(Fact::CapacityProvider(CapacityProviderFact {
                cluster: Text::Owned(cluster.arn.clone()),
                name: Text::Owned(provider.name.clone()),
                group: Text::Owned(group.name.clone()),
                place: Text::Owned(facts::place_name(world, group.place).into_owned()),
                managed_scaling: group.ecs_managed,
                managed_termination_protection: false,
            }));
        }
    }
    asking.answer(found, Source::Sweep, true)
}

fn cluster_hosts(simulation: &mut Simulation, cluster: ClusterId) -> Answered {
    let (place, arn, hosts) = match simulation.world.cluster(cluster) {
        Some(found) => (found.place, found.arn.clone(), found.hosts.clone()),
        None => (PlaceId(0), String::new(), Vec::new()),
    };
    let mut asking = Asking { simulation, place, scope: Scope::ClusterHosts(Text::Owned(arn)) };
    asking.call("ecs:ListContainerInstances", pages(hosts.len(), 100))?;
    if !hosts.is_empty() {
        asking.call("ecs:DescribeContainerInstances", pages(hosts.len(), 100))?;
    }
    let mut found = Vec::with_capacity(hosts.len() * 2);
    for page in hosts.chunks(100) {
        let staleness = asking.simulation.staleness();
        for &host in page {
            describe(&asking.simulation.world, host, staleness, &mut found);
        }
    }
    asking.answer(found, Source::Sweep, true)
}

/// The tasks of a cluster that are not over.
fn cluster_tasks(simulation: &mut Simulation, cluster: ClusterId) -> Answered {
    let (place, arn) =
        simulation.world.cluster(cluster).map_or((PlaceId(0), String::new()), |found| (found.place, found.arn.clone()));
    let alive = |task: &TaskId| simulation.world.task(*task).is_some_and(|it| it.said.last != TaskStatus::Stopped);
    let tasks: Vec<TaskId> = simulation.world.tasks_of_cluster(cluster).filter(alive).collect();
    let to_run = |task: &&TaskId| simulation.world.task(**task).is_some_and(|it| it.said.desired_running);
    let to_run = tasks.iter().filter(to_run).count();
    let mut asking = Asking { simulation, place, scope: Scope::ClusterTasks(Text::Owned(arn)) };
    // ListTasks lists those that are to run, and with another call those that are being stopped.
    asking.call("ecs:ListTasks", pages(to_run, 100) + pages(tasks.len() - to_run, 100))?;
    if !tasks.is_empty() {
        asking.call("ecs:DescribeTasks", pages(tasks.len(), 100))?;
    }
    let world = &asking.simulation.world;
    let found = tasks.into_iter().filter_map(|task| facts::owned_task(world, task)).map(Fact::Task).collect();
    asking.answer(found, Source::Sweep, true)
}

fn describe(world: &World, host: HostId, staleness: i64, found: &mut Vec<Fact<'static>>) {
    found.extend(facts::owned_instance(world, host, staleness).map(Fact::Instance));
    found.extend(facts::health(world, host).map(Fact::Health));
}

fn hosts(simulation: &mut Simulation, cluster: &str, arns: &[String]) -> Answered {
    let scope = Scope::Hosts { cluster: Text::Owned(cluster.to_owned()) };
    let (mut asking, known) = Asking::of_cluster(simulation, cluster, scope);
    asking.call("ecs:DescribeContainerInstances", pages(arns.len(), 100))?;
    if !known.and_then(|id| asking.simulation.world.cluster(id)).is_some_and(|found| found.active) {
        return Err(asking.failure(FailureKind::Gone, format!("there is no cluster {cluster}")));
    }
    let staleness = asking.simulation.staleness();
    let world = &asking.simulation.world;
    let mut found = Vec::with_capacity(arns.len() * 2);
    for arn in arns {
        let in_cluster = |host: &HostId| world.host(*host).is_some_and(|host| Some(host.cluster) == known);
        match world.find_host(arn).filter(in_cluster) {
            Some(host) => describe(world, host, staleness, &mut found),
            None => found.push(Fact::InstanceMissing { arn: Text::Owned(arn.clone()) }),
        }
    }
    asking.answer(found, Source::Look, false)
}

/// Which of these machines are hosts of the cluster, and which are not.
fn registrations(simulation: &mut Simulation, cluster: &str, machines: &[String]) -> Answered {
    let scope = Scope::Hosts { cluster: Text::Owned(cluster.to_owned()) };
    let (mut asking, known) = Asking::of_cluster(simulation, cluster, scope);
    asking.call("ecs:ListContainerInstances", 1)?;
    let hosts = match known.and_then(|id| asking.simulation.world.cluster(id)).filter(|found| found.active) {
        Some(found) => found.hosts.clone(),
        None => return Err(asking.failure(FailureKind::Gone, format!("there is no cluster {cluster}"))),
    };
    let staleness = asking.simulation.staleness();
    let world = &asking.simulation.world;
    let on = |text: &str| {
        let machine = world.find_machine(text);
        let fits = |host: &&HostId| {
            world.host(**host).is_some_and(|found| Some(found.machine) == machine)
                && world.host_as_of(**host, staleness).is_some_and(|state| state.status != HostStatus::Inactive)
        };
        hosts.iter().filter(fits).copied().collect::<Vec<_>>()
    };
    let listed: Vec<(&String, Vec<HostId>)> = machines.iter().map(|text| (text, on(text))).collect();
    let mut found = Vec::new();
    let mut any = false;
    for (machine, hosts) in &listed {
        if hosts.is_empty() {
            let (cluster, instance_id) = (Text::Owned(cluster.to_owned()), Text::Owned((*machine).clone()));
            found.push(Fact::Unregistered { cluster, instance_id });
        }
        any |= !hosts.is_empty();
        hosts.iter().for_each(|host| describe(world, *host, staleness, &mut found));
    }
    if any {
        asking.call("ecs:DescribeContainerInstances", 1)?;
    }
    asking.answer(found, Source::Look, false)
}

fn tasks(simulation: &mut Simulation, cluster: &str, arns: &[String]) -> Answered {
    let scope = Scope::Tasks { cluster: Text::Owned(cluster.to_owned()) };
    let (mut asking, _) = Asking::of_cluster(simulation, cluster, scope);
    asking.call("ecs:DescribeTasks", pages(arns.len(), 100))?;
    let world = &asking.simulation.world;
    let found = arns.iter().map(|arn| match world.find_task(arn).and_then(|id| facts::owned_task(world, id)) {
        Some(task) => Fact::Task(task),
        None => Fact::TaskMissing { arn: Text::Owned(arn.clone()) },
    });
    let found = found.collect();
    asking.answer(found, Source::Look, false)
}

fn machine_status(world: &World, id: MachineId) -> Option<Fact<'static>> {
    let machine = world.machine(id)?;
    let (system, instance) = world.status_checks(machine);
    Some(Fact::Ec2Status(Ec2StatusFact {
        instance_id: Text::Owned(world.machine_id(id)),
        state: facts::ec2_state(machine.state),
        system: ReachabilityStatus::parse(system),
        instance: ReachabilityStatus::parse(instance),
        ebs: if machine.state == MachineState::Running {
            ReachabilityStatus::Ok
        } else {
            ReachabilityStatus::NotApplicable
        },
        scheduled: machine.scheduled.map(Text::Borrowed),
    }))
}

fn machines(simulation: &mut Simulation, place: PlaceId) -> Answered {
    let scope = Scope::Machines(Text::Owned(facts::place_name(&simulation.world, place).into_owned()));
    let ids: Vec<MachineId> = simulation.world.place_machines(place).map(|(id, _)| id).collect();
    let mut asking = Asking { simulation, place, scope };
    asking.call("ec2:DescribeInstanceStatus", pages(ids.len(), 100))?;
    let found = ids.into_iter().filter_map(|id| machine_status(&asking.simulation.world, id)).collect();
    asking.answer(found, Source::Sweep, true)
}

pub(super) fn place_of(world: &World, name: &str) -> PlaceId {
    let found = name.split_once('/').and_then(|(account, region)| world.find_place(account, region));
    found.unwrap_or(PlaceId(0))
}

fn some_machines(simulation: &mut Simulation, place: &str, ids: &[String]) -> Answered {
    let scope = Scope::Machines(Text::Owned(place.to_owned()));
    let place = place_of(&simulation.world, place);
    let mut asking = Asking { simulation, place, scope };
    asking.call("ec2:DescribeInstanceStatus", pages(ids.len(), 100))?;
    let world = &asking.simulation.world;
    let known = |id: &MachineId| world.machine(*id).is_some_and(|it| it.known_to_ec2(world.now));
    let found = ids.iter().filter_map(|text| match world.find_machine(text).filter(known) {
        Some(id) => machine_status(world, id),
        None => Some(Fact::Ec2State { instance_id: Text::Owned(text.clone()), state: Ec2State::Gone }),
    });
    let found = found.collect();
    asking.answer(found, Source::Look, false)
}

fn groups(simulation: &mut Simulation, place: PlaceId) -> Answered {
    let scope = Scope::Groups(Text::Owned(facts::place_name(&simulation.world, place).into_owned()));
    let of_place = |world: &World| -> Vec<GroupId> {
        let numbered = world.groups.iter().enumerate();
        numbered.filter(|(_, group)| group.place == place).map(|(at, _)| GroupId(at as u32)).collect()
    };
    let groups = of_place(&simulation.world);
    let mut asking = Asking { simulation, place, scope };
    asking.call("autoscaling:DescribeAutoScalingGroups", pages(groups.len(), 100))?;
    let world = &asking.simulation.world;
    let mut found = Vec::new();
    for group in groups.iter().filter_map(|id| world.group(*id)) {
        found.extend(group.members.iter().filter_map(|member| membership(world, group, *member)));
    }
    asking.answer(found, Source::Sweep, true)
}

/// A member as its group tells it.
pub(super) fn membership(world: &World, group: &Group, member: MachineId) -> Option<Fact<'static>> {
    let machine = world.machine(member)?;
    let zone = world.place(machine.place).and_then(|place| place.zones.get(usize::from(machine.zone)));
    let template = machine.template.and_then(|id| world.templates.get(id.index()));
    Some(Fact::AutoScaling(AutoScalingFact {
        instance_id: Text::Owned(world.machine_id(member)),
        group: Text::Owned(group.name.clone()),
        place: Text::Owned(facts::place_name(world, group.place).into_owned()),
        lifecycle: Text::Borrowed(machine.lifecycle.word()),
        healthy: machine.group_healthy,
        zone: zone.map(|zone| Text::Owned(zone.name.clone())),
        instance_type: Some(Text::Borrowed(machine.kind.get().name)),
        launch_template: template.map(|it| Text::Owned(format!("{}:{}", it.id, it.version))),
        launched_at: Some(machine.launched_at.timestamp()),
    }))
}

fn ping(world: &World, id: MachineId) -> Option<SsmFact<'static>> {
    let machine = world.machine(id)?;
    let ping = machine.ping(world.now)?;
    Some(SsmFact {
        instance_id: Text::Owned(world.machine_id(id)),
        online: Some(ping.online),
        last_ping_at: Some(ping.last_at.timestamp()),
        platform: Some(Text::Borrowed("Amazon Linux")),
    })
}

fn pings(simulation: &mut Simulation, place: PlaceId) -> Answered {
    let scope = Scope::Pings(Text::Owned(facts::place_name(&simulation.world, place).into_owned()));
    let world = &simulation.world;
    let numbered = world.machines.iter().enumerate();
    let ids: Vec<MachineId> = numbered
        .filter(|(_, it)| it.place == place && it.in_ssm && it.state != MachineState::Terminated)
        .map(|(at, _)| MachineId(at as u32))
        .collect();
    let mut asking = Asking { simulation, place, scope };
    asking.call("ssm:DescribeInstanceInformation", pages(ids.len(), 50))?;
    let found = ids.into_iter().filter_map(|id| ping(&asking.simulation.world, id)).map(Fact::Ssm).collect();
    asking.answer(found, Source::Sweep, true)
}

fn some_pings(simulation: &mut Simulation, place: &str, ids: &[String]) -> Answered {
    let scope = Scope::Pings(Text::Owned(place.to_owned()));
    let place = place_of(&simulation.world, place);
    let mut asking = Asking { simulation, place, scope };
    asking.call("ssm:DescribeInstanceInformation", pages(ids.len(), 50))?;
    let world = &asking.simulation.world;
    let listed = |id: &MachineId| world.machine(*id).is_some_and(|it| it.state != MachineState::Terminated);
    let found = ids.iter().map(|text| {
        let known = world.find_machine(text).filter(listed).and_then(|id| ping(world, id));
        Fact::Ssm(known.unwrap_or_else(|| SsmFact {
            instance_id: Text::Owned(text.clone()),
            online: None,
            last_ping_at: None,
            platform: None,
        }))
    });
    let found = found.collect();
    asking.answer(found, Source::Look, false)
}

/// Hosts that a complete list of a cluster would hold, for judges: everything but INACTIVE.
pub fn listed_hosts(world: &World, cluster: ClusterId) -> impl Iterator<Item = HostId> {
    let hosts = world.cluster(cluster).map(|cluster| cluster.hosts.as_slice()).unwrap_or_default();
    hosts.iter().copied().filter(|host| world.host(*host).is_some_and(|it| it.said.status != HostStatus::Inactive))
}
