//! What is planned to happen, to whom, and when.

use crate::{
    clock::Moment,
    faults::Faults,
    seed::Purpose,
    world::{Boots, ClusterId, GroupId, MachineId, MachineState, PlaceId, Placement, ServiceId, TemplateId, World},
};

/// Something planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When.
    pub at: Moment,
    /// What.
    pub act: Act,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Act {
    /// From now on these faults, all others over.
    Faults(Box<Faults>),
    /// In the world.
    World(Deed),
}

/// Something that happens in the world.
#[derive(Clone, Debug)]
pub enum Deed {
    /// To machines.
    Machines {
        /// What.
        what: ToMachine,
        /// To which.
        whom: Cohort,
    },
    /// To a zone: lost, or back.
    Zone {
        /// Where.
        place: PlaceId,
        /// Which.
        zone: u8,
        /// Lost or back.
        lost: bool,
    },
    /// The control plane of a region takes no agents for so many milliseconds.
    ControlPlane {
        /// Where.
        place: PlaceId,
        /// How long.
        for_ms: i64,
    },
    /// A group gets a new image; a share of its members is replaced by it at once.
    Image {
        /// Which group.
        group: GroupId,
        /// What machines of the new image do.
        boots: Boots,
        /// Agent version in it.
        agent_version: String,
        /// Share of the members that is replaced, 0 to 1.
        share: f64,
    },
    /// A group's desired capacity.
    Scale {
        /// Which group.
        group: GroupId,
        /// How many.
        to: u32,
    },
    /// A group's launches fail with this message, or no longer.
    LaunchesFail {
        /// Which group.
        group: GroupId,
        /// Why.
        message: Option<String>,
    },
    /// A group's limits; without a number, the one it has, and with neither its desired capacity is its maximum.
    Limits {
        /// Which group.
        group: GroupId,
        /// Least.
        min: Option<u32>,
        /// Most.
        max: Option<u32>,
    },
    /// A process of a group is suspended, or resumed.
    Suspend {
        /// Which group.
        group: GroupId,
        /// `Launch`, `Terminate`, `ReplaceUnhealthy`.
        process: String,
        /// Suspended or resumed.
        suspended: bool,
    },
    /// Standalone tasks are started, with the definition of a service.
    RunTasks {
        /// Whose definition.
        service: ServiceId,
        /// How many.
        count: u32,
    },
    /// The tasks of a service are protected from scale-in, or no longer.
    ProtectTasks {
        /// Which service.
        service: ServiceId,
        /// Protected.
        protected: bool,
    },
    /// Somebody attaches network interfaces by hand, so many a machine, or takes them off again.
    AttachInterfaces {
        /// To which machines.
        whom: Cohort,
        /// How many.
        to: u8,
    },
    /// The subnet of a zone has so many free addresses left; `None`: as many as ever.
    FreeAddresses {
        /// Where.
        place: PlaceId,
        /// Which.
        zone: u8,
        /// How many.
        to: Option<u32>,
    },
    /// A container instance is tagged.
    Tag {
        /// Whose.
        whom: Cohort,
        /// Name and value.
        tags: Vec<(String, String)>,
    },
    /// A service is rolled out again.
    Deploy {
        /// Which.
        service: ServiceId,
    },
    /// A service's desired count.
    DesiredCount {
        /// Which.
        service: ServiceId,
        /// How many.
        to: u32,
    },
    /// A cluster is deleted with everything in it.
    DeleteCluster {
        /// Which.
        cluster: ClusterId,
    },
}

/// Something that happens to a machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the scenario files, explained there")]
pub enum ToMachine {
    AgentCrash,
    AgentStop,
    AgentHang,
    AgentRestart,
    AgentFlap { every_ms: u32 },
    AgentSteady,
    NetworkCut,
    NetworkRestore,
    DockerSick,
    DockerRecover,
    MachineStop,
    MachineStart,
    MachineTerminate,
    MachineBreak,
    MachineRepair,
    SpotNotice,
    Rebalance,
    Maintenance,
    MaintenanceOver,
    MachineReboot,
    SsmStop,
    SsmStart,
    MassReconnect { within_ms: u32 },
    Drain,
    Undrain,
    Deregister,
}

/// Some machines: those that fit everything that is asked, and of those a share or a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohort {
    /// Of this place.
    pub place: Option<PlaceId>,
    /// Of this cluster.
    pub cluster: Option<ClusterId>,
    /// The one at this position (from 0) of the cluster, in the order of launch, terminated ones counted.
    pub position: Option<u32>,
    /// In the zone of this name.
    pub zone: Option<String>,
    /// Of this group.
    pub group: Option<GroupId>,
    /// Of this launch template version.
    pub template: Option<TemplateId>,
    /// With this agent version.
    pub agent_version: Option<String>,
    /// ECS Anywhere hosts, or only those that are not.
    pub external: Option<bool>,
    /// Share of those, drawn.
    pub share: f64,
    /// At most so many of those, drawn.
    pub count: Option<u32>,
}

impl Default for Cohort {
    fn default() -> Self {
        Self {
            place: None,
            cluster: None,
            position: None,
            zone: None,
            group: None,
            template: None,
            agent_version: None,
            external: None,
            share: 1.0,
            count: None,
        }
    }
}

impl Cohort {
    /// The machines it names now, in the order of their launch. Terminated ones are left out, except by position.
    pub fn members(&self, world: &mut World) -> Vec<MachineId> {
        let of_cluster = |cluster| {
            let numbered = world.machines.iter().enumerate();
            numbered.filter(move |(_, it)| it.cluster == cluster).map(|(at, _)| MachineId(at as u32))
        };
        if let (Some(cluster), Some(position)) = (self.cluster, self.position) {
            return of_cluster(cluster).nth(position as usize).into_iter().collect();
        }
        let fits = |world: &World, id: MachineId| {
            let Some(it) = world.machine(id) else { return false };
            let zone = world.place(it.place).and_then(|place| place.zones.get(usize::from(it.zone)));
            it.state != MachineState::Terminated
                && self.place.is_none_or(|place| it.place == place)
                && self.cluster.is_none_or(|cluster| it.cluster == cluster)
                && self.group.is_none_or(|group| it.group == Some(group))
                && self.template.is_none_or(|template| it.template == Some(template))
                && self.external.is_none_or(|external| it.external == external)
                && self.zone.as_ref().is_none_or(|name| !it.external && zone.is_some_and(|zone| zone.name == *name))
                && self.agent_version.as_ref().is_none_or(|version| world.text(it.agent.version) == *version)
        };
        let all = (0..world.machines.len() as u32).map(MachineId);
        let mut members: Vec<MachineId> = all.filter(|id| fits(world, *id)).collect();
        let share = (members.len() as f64 * self.share.clamp(0.0, 1.0)).round() as usize;
        let wanted = self.count.map_or(share, |count| share.min(count as usize));
        // A partial Fisher-Yates: the first `wanted` are a fair draw.
        for at in 0..wanted.min(members.len()) {
            let rest = (members.len() - at) as u64;
            let other = at + world.streams.of(Purpose::Cohort).below(rest) as usize;
            if wanted < members.len() {
                members.swap(at, other);
            }
        }
        members.truncate(wanted);
        members.sort();
        members
    }
}

impl Deed {
    /// Does it. What is refused (a machine that is gone already, say) does not happen.
    pub(crate) fn perform(&self, world: &mut World) {
        match self {
            Self::Machines { what, whom } => {
                let members = whom.members(world);
                if let ToMachine::MassReconnect { within_ms } = what {
                    world.recycle_now(&members, i64::from(*within_ms));
                    return;
                }
                for machine in members {
                    what.perform(world, machine);
                }
            }
            Self::Zone { place, zone, lost } => world.set_zone_lost(*place, *zone, *lost),
            Self::ControlPlane { place, for_ms } => world.control_plane_down(*place, *for_ms),
            Self::Image { group, boots, agent_version, share } => {
                world.new_image(*group, *boots, agent_version, *share);
            }
            Self::Scale { group, to } => {
                if let Some(found) = world.groups.get_mut(group.index()) {
                    found.max = found.max.max(*to);
                }
                refused(world.set_desired_capacity(*group, *to));
            }
            Self::LaunchesFail { group, message } => {
                if let Some(found) = world.groups.get_mut(group.index()) {
                    found.launches_fail = message.clone();
                }
                world.group_notices(*group);
            }
            Self::Limits { group, min, max } => {
                let Some(held) = world.group(*group).map(|held| (held.min, held.max, held.desired)) else { return };
                let full = if min.is_none() { held.2 } else { held.1 };
                refused(world.set_group_limits(*group, min.unwrap_or(held.0), max.unwrap_or(full)));
            }
            Self::Suspend { group, process, suspended } => {
                refused(world.suspend_process(*group, process, *suspended));
            }
            Self::RunTasks { service, count } => {
                let Some((cluster, definition)) = world.service(*service).map(|it| (it.cluster, it.definition)) else {
                    return;
                };
                for _ in 0..*count {
                    if let Err(refused) = world.run_task(cluster, definition, None, &Placement::default()) {
                        tracing::debug!(why = refused.why.word(), "a planned task found no room");
                    }
                }
            }
            Self::ProtectTasks { service, protected } => refused(world.protect_tasks(*service, *protected)),
            Self::AttachInterfaces { whom, to } => {
                for machine in whom.members(world) {
                    refused(world.attach_interfaces(machine, *to));
                }
            }
            Self::FreeAddresses { place, zone, to: Some(free) } => world.leave_addresses(*place, *zone, *free),
            Self::FreeAddresses { place, zone, to: None } => world.set_other_addresses(*place, *zone, 0),
            Self::Tag { whom, tags } => {
                for machine in whom.members(world) {
                    let Some(host) = world.registration(machine) else { continue };
                    for (key, value) in tags {
                        refused(world.tag_host(host, key, value));
                    }
                }
            }
            Self::Deploy { service } => world.deploy(*service),
            Self::DesiredCount { service, to } => refused(world.set_desired_count(*service, *to)),
            Self::DeleteCluster { cluster } => refused(world.delete_cluster(*cluster)),
        }
    }
}

// A plan that comes too late, for a machine that went meanwhile, is part of the story: it is logged.
fn refused(outcome: Result<(), crate::world::control::Refusal>) {
    if let Err(refusal) = outcome {
        tracing::debug!(%refusal, "a planned act did not take place");
    }
}

impl ToMachine {
    fn perform(self, world: &mut World, machine: MachineId) {
        match self {
            Self::AgentCrash => world.crash_agent(machine, true),
            Self::AgentStop => world.crash_agent(machine, false),
            Self::AgentHang => world.hang_agent(machine),
            Self::AgentRestart => world.restart_agent(machine),
            Self::AgentFlap { every_ms } => world.flap_agent(machine, every_ms),
            Self::AgentSteady => world.flap_agent(machine, 0),
            Self::NetworkCut => world.cut_network(machine),
            Self::NetworkRestore => world.restore_network(machine),
            Self::DockerSick => world.set_docker_sick(machine, true),
            Self::DockerRecover => world.set_docker_sick(machine, false),
            Self::MachineStop => world.stop(machine),
            Self::MachineStart => world.start(machine),
            Self::MachineTerminate => world.terminate(machine),
            Self::MachineBreak => world.break_machine(machine),
            Self::MachineRepair => world.repair_machine(machine),
            Self::SpotNotice => world.warn_of_interruption(machine),
            Self::Rebalance => world.recommend_rebalance(machine),
            Self::Maintenance => world.schedule_maintenance(machine, Some("system-reboot")),
            Self::MaintenanceOver => world.schedule_maintenance(machine, None),
            // Refused for a machine that does not run, as EC2 does.
            Self::MachineReboot => drop(world.reboot(machine)),
            Self::SsmStop => world.stop_ssm(machine, true),
            Self::SsmStart => world.stop_ssm(machine, false),
            Self::MassReconnect { within_ms } => world.recycle_now(&[machine], i64::from(within_ms)),
            Self::Drain | Self::Undrain | Self::Deregister => {
                let Some(host) = world.registration(machine) else { return };
                refused(match self {
                    Self::Drain => world.set_draining(host, true),
                    Self::Undrain => world.set_draining(host, false),
                    _ => world.deregister(host, true),
                });
            }
        }
    }
}
