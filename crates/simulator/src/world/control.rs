//! What somebody does to the account: the write calls of ECS, Auto Scaling, EC2 and SSM, with their refusals.

use super::{
    Ask, ClusterId, DefinitionId, GroupId, HostId, HostStatus, Lifecycle, MachineId, MachineState, Placement, Refused,
    ServiceId, StopCode, Symbol, TaskId, TaskStatus, Who, World, change::PlacementFailure,
};

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("The referenced {0} was not found.")]
    Missing(&'static str),
    /// It cannot be done now; the text is AWS's own in substance.
    #[error("{0}")]
    Invalid(String),
    /// Later, perhaps.
    #[error("{0}")]
    Busy(String),
}

impl World {
    /// UpdateContainerInstancesState: DRAINING only from ACTIVE, and back (spec C.2).
    pub fn set_draining(&mut self, host: HostId, draining: bool) -> Result<(), Refusal> {
        let found = self.host(host).ok_or(Refusal::Missing("container instance"))?;
        let (from, to) = if draining {
            (HostStatus::Active, HostStatus::Draining)
        } else {
            (HostStatus::Draining, HostStatus::Active)
        };
        if found.said.status == to {
            return Ok(());
        }
        if found.said.status != from {
            let word = found.said.status.word();
            return Err(Refusal::Invalid(format!("A container instance in the {word} status cannot be updated.")));
        }
        let cluster = found.cluster;
        if let Some(cluster) = self.clusters.get_mut(cluster.index()) {
            cluster.draining = if draining { cluster.draining + 1 } else { cluster.draining.saturating_sub(1) };
        }
        self.change_host(host, |said| said.status = to);
        for service in self.clusters.get(cluster.index()).map(|it| it.services.clone()).unwrap_or_default() {
            self.look_at_service(service, 500);
        }
        Ok(())
    }

    /// DeregisterContainerInstance. Without `force` it is refused while tasks run.
    pub fn deregister(&mut self, host: HostId, force: bool) -> Result<(), Refusal> {
        let found = self.host(host).ok_or(Refusal::Missing("container instance"))?;
        if found.said.status == HostStatus::Inactive {
            return Err(Refusal::Missing("container instance"));
        }
        let machine = found.machine;
        if found.said.running > 0 && !force {
            return Err(Refusal::Invalid("Found running tasks on the instance.".into()));
        }
        self.end_tasks(host, StopCode::UserInitiated, "Container instance deregistration forced by user");
        self.make_inactive(host);
        // The agent, if it lives, hears that its registration is inactive, and asks again in an hour.
        if let Some(found) = self.machines.get_mut(machine.index()) {
            found.agent.session = false;
        }
        Ok(())
    }

    /// StopTask.
    pub fn stop_task(&mut self, task: TaskId, reason: &str) -> Result<(), Refusal> {
        self.task(task).ok_or(Refusal::Missing("task"))?;
        let reason = self.intern(if reason.is_empty() { "Task stopped by user" } else { reason });
        self.want_stopped(task, StopCode::UserInitiated, reason, None);
        Ok(())
    }

    /// RunTask with a count of one; the error says what was lacking, and which hosts came closest.
    pub fn run_task(
        &mut self,
        cluster: ClusterId,
        definition: DefinitionId,
        group: Option<Symbol>,
        placement: &Placement,
    ) -> Result<TaskId, Refused> {
        let host = self.find_room(cluster, &Ask { definition, who: Who::Caller { group, placement } })?;
        let gone = Refused { lack: None, why: PlacementFailure::NoActiveInstances, closest: [None; 3] };
        self.place_task(None, group, definition, host, false).ok_or(gone)
    }

    /// UpdateService with another desired count.
    pub fn set_desired_count(&mut self, service: ServiceId, desired: u32) -> Result<(), Refusal> {
        self.services.get_mut(service.index()).ok_or(Refusal::Missing("service"))?.desired = desired;
        self.look_at_service(service, 500);
        Ok(())
    }

    /// UpdateTaskProtection for all tasks of a service, those to come included.
    pub fn protect_tasks(&mut self, service: ServiceId, protected: bool) -> Result<(), Refusal> {
        self.services.get_mut(service.index()).ok_or(Refusal::Missing("service"))?.protected = protected;
        self.look_at_service(service, 500);
        Ok(())
    }

    /// TagResource on a container instance: a tag of the same key is replaced.
    pub fn tag_host(&mut self, host: HostId, key: &str, value: &str) -> Result<(), Refusal> {
        let tags = &mut self.hosts.get_mut(host.index()).ok_or(Refusal::Missing("container instance"))?.tags;
        tags.retain(|(held, _)| held != key);
        tags.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// SuspendProcesses and ResumeProcesses, for one process.
    pub fn suspend_process(&mut self, group: GroupId, process: &str, suspended: bool) -> Result<(), Refusal> {
        let found = self.groups.get_mut(group.index()).ok_or(Refusal::Missing("group"))?;
        found.suspended.retain(|held| held != process);
        if suspended {
            found.suspended.push(process.to_owned());
        }
        self.look_at_group(group, 1_000);
        Ok(())
    }

    /// UpdateAutoScalingGroup with other limits; the desired capacity follows into them.
    pub fn set_group_limits(&mut self, group: GroupId, min: u32, max: u32) -> Result<(), Refusal> {
        let found = self.groups.get_mut(group.index()).ok_or(Refusal::Missing("group"))?;
        if min > max {
            return Err(Refusal::Invalid("Max bound must be greater than or equal to min bound.".into()));
        }
        (found.min, found.max, found.desired) = (min, max, found.desired.clamp(min, max));
        self.look_at_group(group, 1_000);
        Ok(())
    }

    /// TerminateInstanceInAutoScalingGroup.
    pub fn terminate_in_group(&mut self, machine: MachineId, decrement: bool) -> Result<(), Refusal> {
        let id = self.machine_id(machine);
        let unknown =
            || Refusal::Invalid(format!("Instance Id not found - No managed instance found for instance ID {id}"));
        let found = self.machine(machine).ok_or_else(unknown)?;
        let group = found.group.ok_or_else(unknown)?;
        if matches!(found.lifecycle, Lifecycle::Terminated | Lifecycle::None) {
            return Err(unknown());
        }
        if decrement {
            let held = self.groups.get_mut(group.index()).ok_or_else(unknown)?;
            if held.desired <= held.min {
                return Err(Refusal::Invalid(format!(
                    "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate \
                     group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower \
                     group's min size.",
                    held.min
                )));
            }
            held.desired -= 1;
        }
        self.leave_group(machine);
        Ok(())
    }

    /// SetDesiredCapacity.
    pub fn set_desired_capacity(&mut self, group: GroupId, desired: u32) -> Result<(), Refusal> {
        let found = self.groups.get_mut(group.index()).ok_or(Refusal::Missing("group"))?;
        if desired > found.max {
            let max = found.max;
            return Err(Refusal::Invalid(format!(
                "New SetDesiredCapacity value {desired} is above max value {max} for the AutoScalingGroup."
            )));
        }
        if desired < found.min {
            let min = found.min;
            return Err(Refusal::Invalid(format!(
                "New SetDesiredCapacity value {desired} is below min value {min} for the AutoScalingGroup."
            )));
        }
        found.desired = desired;
        self.look_at_group(group, 1_000);
        Ok(())
    }

    /// SetInstanceProtection: a group that shrinks leaves a protected member alone.
    pub fn protect_machine(&mut self, machine: MachineId, protected: bool) -> Result<(), Refusal> {
        let found = self.machines.get_mut(machine.index()).filter(|found| found.group.is_some());
        found.ok_or(Refusal::Missing("instance"))?.protected = protected;
        Ok(())
    }

    /// PutAttributes with one attribute: one of the same name is replaced.
    pub fn put_attribute(&mut self, host: HostId, name: &str, value: Option<&str>) -> Result<(), Refusal> {
        let held = &mut self.hosts.get_mut(host.index()).ok_or(Refusal::Missing("container instance"))?.attributes;
        held.retain(|(other, _)| other != name);
        held.push((name.to_owned(), value.map(str::to_owned)));
        self.services_look_again(host);
        Ok(())
    }

    /// AttachNetworkInterface by hand: interfaces that the scheduler does not see, beside the primary one.
    pub fn attach_interfaces(&mut self, machine: MachineId, interfaces: u8) -> Result<(), Refusal> {
        self.machines.get_mut(machine.index()).ok_or(Refusal::Missing("instance"))?.extra_enis = interfaces;
        Ok(())
    }

    /// SetInstanceHealth: an unhealthy member is replaced on the group's own schedule.
    pub fn set_group_health(&mut self, machine: MachineId, healthy: bool) -> Result<(), Refusal> {
        let found = self.machines.get_mut(machine.index()).ok_or(Refusal::Missing("instance"))?;
        found.group_healthy = healthy;
        if let Some(group) = found.group {
            self.group_notices(group);
        }
        Ok(())
    }

    /// RebootInstances: the registration stays, the tasks end; the agent is away for a minute or two.
    pub fn reboot(&mut self, machine: MachineId) -> Result<(), Refusal> {
        let found = self.machines.get_mut(machine.index()).ok_or(Refusal::Missing("instance"))?;
        if found.state != MachineState::Running {
            return Err(Refusal::Invalid(format!("The instance is in the {} state.", found.state.word())));
        }
        self.goes_down(machine);
        Ok(())
    }

    /// SSM RunCommand `systemctl restart docker`: all containers of the machine stop, the agent is started again with it
    /// (spec F.3).
    pub fn restart_runtime(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.state != MachineState::Running {
            return;
        }
        found.agent.docker_sick = false;
        if let Some(host) = self.registration(machine) {
            self.end_tasks(host, StopCode::EssentialContainerExited, "Docker was restarted");
        }
        self.restart_agent(machine);
        self.later(45_000, super::agenda::Deed::CheckRuntime(machine));
    }

    /// DeleteCluster, of whatever is in it: hosts go INACTIVE without their machines being touched.
    pub fn delete_cluster(&mut self, cluster: ClusterId) -> Result<(), Refusal> {
        let hosts = self.cluster(cluster).ok_or(Refusal::Missing("cluster"))?.hosts.clone();
        for host in hosts {
            self.deregister(host, true)?;
        }
        if let Some(cluster) = self.clusters.get_mut(cluster.index()) {
            cluster.active = false;
        }
        Ok(())
    }

    /// How many tasks of a cluster are running by ECS's counting, recounted: a check on the books.
    pub fn recount(&self, cluster: ClusterId) -> (u32, u32) {
        let of_cluster =
            self.tasks.iter().filter(|task| task.present && task.cluster == cluster && task.said.desired_running);
        of_cluster.fold((0, 0), |(running, pending), task| match task.said.last {
            TaskStatus::Running => (running + 1, pending),
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating => (running, pending + 1),
            _ => (running, pending),
        })
    }
}
