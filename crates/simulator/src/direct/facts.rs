//! A change as the fact an observer would read out of its event. Texts borrow from the world, and names from a page on
//! which they are written out first, so that a routine event costs next to nothing.

use engine::ports::observation::{
    Amounts, Attributes, CheckStatus, DeploymentFact, Ec2State, Fact, Gpus, HealthCheck, HealthFact, HostAttributes,
    HostPort, InstanceFact, InstanceStatus, LaunchFailure, LifecycleFact, LifecycleStage, Observation, Protocol,
    Resources, ServiceActionFact, Source, TaskFact, TaskStatus, Text, amount, in_order,
};

use crate::{
    clock::Moment,
    world::{
        self, Change, Check, CheckKind, ClusterId, Host, HostId, HostState, HostStatus, MachineId, MachineState,
        PlaceId, Task, TaskId, What, World,
        change::{ServiceAction, Stage},
        placement,
    },
};

/// Names written out, to borrow from.
#[derive(Debug, Default)]
pub struct Page {
    text: Vec<u8>,
}

/// Where on a page the names of one change stand: the end of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spans {
    start: u32,
    ends: [u32; 3],
}

impl Page {
    /// Wipes the page.
    pub fn clear(&mut self) {
        self.text.clear();
    }

    /// Writes the names that the fact of a change needs.
    pub fn write(&mut self, world: &World, change: &Change) -> Spans {
        let start = self.text.len() as u32;
        let mut spans = Spans { start, ends: [start; 3] };
        match change.what {
            What::Host { host, .. } | What::Health { host, .. } | What::Novelty { host } => {
                world.write_host_arn(host, &mut self.text);
                spans.ends[0] = self.text.len() as u32;
                if let Some(found) = world.host(host) {
                    world.write_machine_id(found.machine, &mut self.text);
                }
                spans.ends[1] = self.text.len() as u32;
            }
            What::Task { task, now } => {
                world.write_task_arn(now.cluster, task, &mut self.text);
                spans.ends[0] = self.text.len() as u32;
                world.write_host_arn(now.host, &mut self.text);
                spans.ends[1] = self.text.len() as u32;
                self.text.extend_from_slice(world.task_group(&now).as_bytes());
                spans.ends[2] = self.text.len() as u32;
            }
            What::Service { service, .. } | What::Deployment { service, .. } => {
                self.text.extend_from_slice(world.service_arn(service).as_bytes());
                spans.ends[0] = self.text.len() as u32;
            }
            What::Machine { machine, .. }
            | What::SpotWarning { machine }
            | What::Rebalance { machine }
            | What::Lifecycle { machine, .. } => {
                world.write_machine_id(machine, &mut self.text);
                spans.ends[0] = self.text.len() as u32;
            }
            What::LaunchFailed { .. } => {}
        }
        spans
    }

    fn name(&self, spans: &Spans, number: usize) -> Text<'_> {
        let from = if number == 0 { spans.start } else { spans.ends[number - 1] };
        let bytes = self.text.get(from as usize..spans.ends[number] as usize).unwrap_or_default();
        Text::Borrowed(std::str::from_utf8(bytes).unwrap_or_default())
    }
}

/// The observation of a change whose names stand on the page.
pub fn observation<'a>(world: &'a World, page: &'a Page, spans: &Spans, change: &Change) -> Observation<'a> {
    let fact = match change.what {
        What::Host { host, state } => match world.host(host) {
            Some(found) => {
                Fact::Instance(instance(world, found, host, &state, page.name(spans, 0), page.name(spans, 1)))
            }
            None => Fact::InstanceMissing { arn: page.name(spans, 0) },
        },
        What::Health { host, check, status, since } => {
            let at = whole_secs(change.at).timestamp();
            Fact::Health(HealthFact {
                arn: page.name(spans, 0),
                cluster: world.host(host).map_or(Text::Borrowed(""), |host| cluster_arn(world, host.cluster)),
                ec2_instance_id: Some(page.name(spans, 1)),
                checks: vec![HealthCheck {
                    kind: Text::Borrowed(check.word()),
                    status: CheckStatus::parse(status.word()),
                    last_status_change: Some(at),
                    last_updated: Some(at),
                    reason: reason(check, status, since),
                }],
            })
        }
        What::Task { now, .. } => {
            let group = page.name(spans, 2);
            Fact::Task(task(world, &now, page.name(spans, 0), Some(page.name(spans, 1)), Some(group)))
        }
        What::Service { service, action, closest } => {
            let cluster = world.service(service).map_or(Text::Borrowed(""), |it| cluster_arn(world, it.cluster));
            let (level, name, reason) = match action {
                ServiceAction::SteadyState => ("INFO", "SERVICE_STEADY_STATE", None),
                ServiceAction::PlacementFailure(why) => ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", Some(why.word())),
            };
            Fact::ServiceAction(ServiceActionFact {
                service: page.name(spans, 0),
                cluster,
                level: Text::Borrowed(level),
                name: Text::Borrowed(name),
                reason: reason.map(Text::Borrowed),
                created_at: Some(Text::Owned(change.at.iso_millis())),
                hosts: closest.into_iter().flatten().map(|host| Text::Owned(world.host_arn(host))).collect(),
            })
        }
        What::Deployment { deployment, rollout, .. } => Fact::Deployment(DeploymentFact {
            service: page.name(spans, 0),
            deployment: Text::Owned(format!("ecs-svc/{deployment:019}")),
            name: Text::Owned(format!("SERVICE_DEPLOYMENT_{}", rollout.word())),
            reason: None,
            updated_at: Some(Text::Owned(change.at.iso_secs())),
        }),
        What::Machine { state, .. } => {
            Fact::Ec2State { instance_id: page.name(spans, 0), state: Ec2State::parse(state.word()) }
        }
        What::SpotWarning { .. } => {
            Fact::SpotInterruption { instance_id: page.name(spans, 0), action: Text::Borrowed("terminate") }
        }
        What::Rebalance { .. } => Fact::RebalanceRecommendation { instance_id: page.name(spans, 0) },
        What::Lifecycle { group, stage, .. } => Fact::Lifecycle(LifecycleFact {
            instance_id: page.name(spans, 0),
            group: group_name(world, group),
            place: place_name(world, change.place),
            stage: match stage {
                Stage::Launching => LifecycleStage::Launching,
                Stage::Launched => LifecycleStage::Launched,
                Stage::Terminating => LifecycleStage::Terminating,
                Stage::Terminated => LifecycleStage::Terminated,
            },
        }),
        What::LaunchFailed { group } => Fact::LaunchFailed(LaunchFailure {
            group: group_name(world, group),
            place: place_name(world, change.place),
            message: world.group(group).and_then(|group| group.launches_fail.as_deref()).map(Text::Borrowed),
        }),
        What::Novelty { .. } => Fact::Unknown {
            source: Text::Borrowed("aws.ecs"),
            detail_type: Text::Borrowed("ECS Container Instance Mood Change"),
        },
    };
    // An envelope's time has whole seconds (spec A.1).
    Observation { at: whole_secs(change.at).timestamp(), source: Source::Event, fact }
}

fn whole_secs(at: Moment) -> Moment {
    Moment(at.0 - at.0.rem_euclid(1_000))
}

fn cluster_arn(world: &World, cluster: ClusterId) -> Text<'_> {
    Text::Borrowed(world.cluster(cluster).map_or("", |cluster| &cluster.arn))
}

fn group_name(world: &World, group: world::GroupId) -> Text<'_> {
    Text::Borrowed(world.group(group).map_or("", |group| &group.name))
}

pub(crate) fn place_name(world: &World, place: PlaceId) -> Text<'_> {
    Text::Owned(world.place(place).map(world::Place::name).unwrap_or_default())
}

fn reason(check: CheckKind, status: world::CheckStatus, since: Moment) -> Option<Text<'static>> {
    match (check, status) {
        (CheckKind::AgentConnectivity, world::CheckStatus::Impaired) => {
            Some(Text::Owned(format!("Agent disconnected since {}", since.iso_secs())))
        }
        (CheckKind::ContainerRuntime, world::CheckStatus::Impaired) => {
            Some(Text::Borrowed("Container runtime ping timed out"))
        }
        _ => None,
    }
}

/// A container instance in a given state, as an event or a Describe tells it.
pub fn instance<'a>(
    world: &'a World,
    found: &'a Host,
    host: HostId,
    state: &HostState,
    arn: Text<'a>,
    machine_id: Text<'a>,
) -> InstanceFact<'a> {
    let machine = world.machine(found.machine);
    InstanceFact {
        arn,
        cluster: cluster_arn(world, found.cluster),
        ec2_instance_id: Some(machine_id),
        version: Some(i64::from(state.version)),
        status: match state.status {
            HostStatus::Registering => InstanceStatus::Registering,
            HostStatus::RegistrationFailed => InstanceStatus::RegistrationFailed,
            HostStatus::Active => InstanceStatus::Active,
            HostStatus::Draining => InstanceStatus::Draining,
            HostStatus::Deregistering => InstanceStatus::Deregistering,
            HostStatus::Inactive => InstanceStatus::Inactive,
        },
        status_reason: found.status_reason.map(|reason| Text::Borrowed(world.text(reason))),
        agent_connected: Some(state.connected),
        agent_version: machine.map(|machine| Text::Borrowed(world.text(machine.agent.version))),
        running_tasks: Some(u32::from(state.running)),
        pending_tasks: Some(u32::from(state.pending)),
        registered_at: Some(found.registered_at.timestamp()),
        resources: world.resources(host, state).map(|has| Resources {
            registered: Amounts { cpu_units: amount(has.cpu.into()), memory_mib: amount(has.memory_mib.into()) },
            remaining: Amounts {
                cpu_units: amount(has.cpu_left.into()),
                memory_mib: amount(has.memory_left_mib.into()),
            },
        }),
        gpus: world.resources(host, state).filter(|has| has.gpus > 0).map(|has| Gpus {
            registered: u16::from(has.gpus),
            remaining: u16::from(has.gpus).saturating_sub(has.gpus_taken.count_ones() as u16),
        }),
        ports: Some(ports(world, host, state)),
        capacity_provider: machine.and_then(|it| it.group).map(|group| group_name(world, group)),
        attributes: Attributes::Known(Box::new(attributes(world, found, host))),
    }
}

fn ports(world: &World, host: HostId, state: &HostState) -> Vec<HostPort> {
    let taken = |protocol, theirs| {
        let ports = world.ports_taken(host, state, theirs, true);
        ports.into_iter().map(move |port| HostPort { port, protocol })
    };
    in_order(
        taken(Protocol::Tcp, placement::Protocol::Tcp).chain(taken(Protocol::Udp, placement::Protocol::Udp)).collect(),
    )
}

/// The attributes that beliefs hang on by their names, and somebody's own. What the agent can do is told on the wire
/// alone.
fn attributes<'a>(world: &'a World, found: &'a Host, _: HostId) -> HostAttributes<'a> {
    let Some(machine) = world.machine(found.machine) else { return HostAttributes::default() };
    let os_type = Some(Text::Borrowed(machine.platform.os_type()));
    let own = found
        .attributes
        .iter()
        .map(|(name, value)| (Text::Borrowed(name.as_str()), Text::Borrowed(value.as_deref().unwrap_or_default())));
    let own: Vec<(Text<'a>, Text<'a>)> = own.collect();
    let marks = own.clone();
    if machine.external {
        return HostAttributes { external: true, os_type, marks, others: own, ..HostAttributes::default() };
    }
    let zone = world.place(machine.place).and_then(|place| place.zones.get(usize::from(machine.zone)));
    HostAttributes {
        zone: zone.map(|zone| Text::Borrowed(zone.name.as_str())),
        instance_type: Some(Text::Borrowed(machine.kind.get().name)),
        ami: Some(Text::Borrowed(world.text(machine.ami))),
        subnet: zone.map(|zone| Text::Borrowed(zone.subnet.as_str())),
        os_type,
        external: false,
        trunk: found.trunk,
        marks,
        others: own,
    }
}

/// A task as an event or a Describe tells it.
pub fn task<'a>(
    world: &'a World,
    task: &Task,
    arn: Text<'a>,
    instance: Option<Text<'a>>,
    group: Option<Text<'a>>,
) -> TaskFact<'a> {
    TaskFact {
        arn,
        cluster: cluster_arn(world, task.cluster),
        instance,
        version: Some(i64::from(task.said.version)),
        last_status: match task.said.last {
            world::TaskStatus::Provisioning => TaskStatus::Provisioning,
            world::TaskStatus::Pending => TaskStatus::Pending,
            world::TaskStatus::Activating => TaskStatus::Activating,
            world::TaskStatus::Running => TaskStatus::Running,
            world::TaskStatus::Deactivating => TaskStatus::Deactivating,
            world::TaskStatus::Stopping => TaskStatus::Stopping,
            world::TaskStatus::Deprovisioning => TaskStatus::Deprovisioning,
            world::TaskStatus::Stopped => TaskStatus::Stopped,
        },
        desired_running: task.said.desired_running,
        group,
        definition: Some(Text::Owned(world.definition_arn(task.definition))),
        awsvpc: task.said.eni.is_some(),
        connected: Some(true),
        started_at: task.started_at.map(Moment::timestamp),
        stop_code: task.said.stop_code.map(|code| Text::Borrowed(code.word())),
        stopped_reason: task.stopped_reason.map(|reason| Text::Borrowed(world.text(reason))),
    }
}

/// Both checks of a host, as a Describe with CONTAINER_INSTANCE_HEALTH tells them.
pub fn health(world: &World, host: HostId) -> Option<HealthFact<'static>> {
    let found = world.host(host)?;
    let check = |kind: CheckKind, check: &Check, updated: Moment| HealthCheck {
        kind: Text::Borrowed(kind.word()),
        status: CheckStatus::parse(check.status.word()),
        last_status_change: Some(check.changed_at.timestamp()),
        last_updated: Some(updated.timestamp()),
        reason: reason(kind, check.status, found.away_since.unwrap_or(check.changed_at)),
    };
    Some(HealthFact {
        arn: Text::Owned(world.host_arn(host)),
        cluster: Text::Owned(world.cluster(found.cluster).map(|it| it.arn.clone()).unwrap_or_default()),
        ec2_instance_id: Some(Text::Owned(world.machine_id(found.machine))),
        checks: vec![
            check(CheckKind::AgentConnectivity, &found.connectivity, found.connectivity.updated_at(world.now)),
            check(CheckKind::ContainerRuntime, &found.runtime, found.runtime.updated_at(world.now)),
        ],
    })
}

/// EC2's state of a machine.
pub fn ec2_state(state: MachineState) -> Ec2State {
    Ec2State::parse(state.word())
}

/// The machine of a host, for answers.
pub fn machine_of(world: &World, host: HostId) -> Option<MachineId> {
    world.host(host).map(|host| host.machine)
}

/// The owned fact of a task.
pub fn owned_task(world: &World, id: TaskId) -> Option<TaskFact<'static>> {
    let found = world.task(id)?;
    let group = Some(world.task_group(found));
    let arn = Text::Owned(world.task_arn(found.cluster, id));
    let instance = Text::Owned(world.host_arn(found.host));
    let fact = task(world, found, arn, Some(instance), group.map(Text::Owned));
    Some(TaskFact {
        arn: Text::Owned(fact.arn.into_owned()),
        cluster: Text::Owned(fact.cluster.into_owned()),
        instance: fact.instance.map(|it| Text::Owned(it.into_owned())),
        group: fact.group.map(|it| Text::Owned(it.into_owned())),
        definition: fact.definition.map(|it| Text::Owned(it.into_owned())),
        stop_code: fact.stop_code.map(|it| Text::Owned(it.into_owned())),
        stopped_reason: fact.stopped_reason.map(|it| Text::Owned(it.into_owned())),
        version: fact.version,
        last_status: fact.last_status,
        desired_running: fact.desired_running,
        awsvpc: fact.awsvpc,
        connected: fact.connected,
        started_at: fact.started_at,
    })
}

fn own_pairs<'a>(pairs: Vec<(Text<'a>, Text<'a>)>) -> impl Iterator<Item = (Text<'static>, Text<'static>)> + 'a {
    pairs.into_iter().map(|(name, value)| (Text::Owned(name.into_owned()), Text::Owned(value.into_owned())))
}

/// The owned fact of a host, as it was so many milliseconds ago.
pub fn owned_instance(world: &World, host: HostId, staleness: i64) -> Option<InstanceFact<'static>> {
    let found = world.host(host)?;
    let state = world.host_as_of(host, staleness)?;
    let own = |text: Text<'_>| -> Text<'static> { Text::Owned(text.into_owned()) };
    let fact = instance(world, found, host, &state, Text::Borrowed(""), Text::Borrowed(""));
    let known = match fact.attributes {
        Attributes::Known(known) => HostAttributes {
            zone: known.zone.map(own),
            instance_type: known.instance_type.map(own),
            ami: known.ami.map(own),
            subnet: known.subnet.map(own),
            os_type: known.os_type.map(own),
            external: known.external,
            trunk: known.trunk,
            // Tags are told by looks alone, beside the attributes of one's own.
            marks: own_pairs(known.marks)
                .chain(found.tags.iter().map(|(key, value)| (Text::Owned(key.clone()), Text::Owned(value.clone()))))
                .collect(),
            others: own_pairs(known.others).collect(),
        },
        Attributes::Absent | Attributes::Raw(_) => HostAttributes::default(),
    };
    Some(InstanceFact {
        arn: Text::Owned(world.host_arn(host)),
        cluster: own(fact.cluster),
        ec2_instance_id: Some(Text::Owned(world.machine_id(found.machine))),
        version: fact.version,
        status: fact.status,
        status_reason: fact.status_reason.map(own),
        agent_connected: fact.agent_connected,
        agent_version: fact.agent_version.map(own),
        running_tasks: fact.running_tasks,
        pending_tasks: fact.pending_tasks,
        registered_at: fact.registered_at,
        resources: fact.resources,
        gpus: fact.gpus,
        ports: fact.ports,
        capacity_provider: fact.capacity_provider.map(own),
        attributes: Attributes::Known(Box::new(known)),
    })
}
