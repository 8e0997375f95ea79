//! Machines come and go: groups keep their desired capacity, machines boot and register, are stopped and terminated
//! (spec E, A.4).

use super::{
    Agent, Boots, Check, CheckStatus, GroupId, Host, HostId, HostState, HostStatus, KindId, Lifecycle, Machine,
    MachineId, MachineState, NO_TASK, PlaceId, Platform, Process, StopCode, Strategy, TaskStatus, TemplateId, What,
    World, agenda::Deed, change::Stage,
};
use crate::{
    clock::{HOUR, MINUTE, Moment, SECOND},
    seed::Purpose,
};

/// How often ECS looks whether a machine that it drains is empty.
const DRAIN_LOOK_MS: i64 = 15 * SECOND;
/// How long managed draining may hold a machine.
const LONGEST_DRAIN_MS: i64 = 48 * HOUR;

impl World {
    /// Puts a look at the group on the agenda, unless one is there.
    pub(crate) fn look_at_group(&mut self, group: GroupId, in_ms: i64) {
        let Some(found) = self.groups.get_mut(group.index()) else { return };
        if !std::mem::replace(&mut found.check_due, true) {
            self.later(in_ms, Deed::CheckGroup(group));
        }
    }

    pub(crate) fn group_notices(&mut self, group: GroupId) {
        let notice = self.habits.group_notice_ms;
        let delay = self.draw(Purpose::Groups, notice);
        self.look_at_group(group, delay);
    }

    pub(crate) fn check_group(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(id.index()) else { return };
        group.check_due = false;
        let suspended = |what: &str| group.suspended.iter().any(|process| process == what);
        let (may_launch, may_terminate, may_replace) =
            (!suspended("Launch"), !suspended("Terminate"), !suspended("ReplaceUnhealthy"));
        let (desired, members) = (group.desired as usize, group.members.clone());
        let mut counted = Vec::with_capacity(members.len());
        let mut look_again = false;
        for member in members {
            let Some(machine) = self.machines.get(member.index()) else { continue };
            if !matches!(machine.lifecycle, Lifecycle::Pending | Lifecycle::PendingWait | Lifecycle::InService) {
                continue;
            }
            // Any state but running is unhealthy at once; failing status checks are after some minutes (spec E.1).
            let gone = matches!(machine.state, MachineState::Stopping | MachineState::Stopped);
            let failing = !machine.system_ok || !machine.instance_ok;
            let impatient = failing && self.now.since(machine.checks_since) >= self.habits.group_patience_ms;
            if (gone || impatient || !machine.group_healthy) && may_replace && may_terminate {
                self.machines[member.index()].group_healthy = false;
                self.leave_group(member);
                continue;
            }
            look_again |= failing;
            counted.push(member);
        }
        if look_again {
            self.look_at_group(id, MINUTE);
        }
        if counted.len() > desired && may_terminate {
            // The newest go first; a protected one stays, and the group stays above what is wanted.
            let surplus = counted.len() - desired;
            let free = counted.iter().rev().filter(|member| !self.machines[member.index()].protected);
            let mut leaving: Vec<MachineId> = free.take(surplus).copied().collect();
            leaving.reverse();
            counted.retain(|member| !leaving.contains(member));
            for member in leaving {
                self.leave_group(member);
            }
        }
        if counted.len() < desired && may_launch {
            if self.groups[id.index()].launches_fail.is_some() {
                let place = self.groups[id.index()].place;
                self.emit(place, What::LaunchFailed { group: id });
                let why = self.groups[id.index()].launches_fail.clone();
                let description =
                    "Launching a new EC2 instance.  Status Reason: ".to_owned() + why.as_deref().unwrap_or_default();
                let cause = self.launch_cause(desired, counted.len());
                self.note_activity(id, None, description, cause, why);
                self.look_at_group(id, 2 * MINUTE);
                return;
            }
            let cause = self.launch_cause(desired, counted.len());
            for _ in counted.len()..desired {
                self.launch(id, &cause);
            }
        }
    }

    fn launch_cause(&self, desired: usize, there: usize) -> String {
        let at = self.now.iso_secs();
        format!(
            "At {at} an instance was started in response to a difference between desired and actual capacity, \
             increasing the capacity from {there} to {desired}."
        )
    }

    /// A group launches one machine, in its emptiest zone that is not lost.
    fn launch(&mut self, id: GroupId, cause: &str) {
        let Some(group) = self.groups.get_mut(id.index()) else { return };
        group.launches += 1;
        let (place, kinds, turn, template) = (group.place, group.kinds.clone(), group.launches, group.template);
        let (spot, cluster, members, zones) = (group.spot, group.cluster, group.members.clone(), group.zones.clone());
        let kind = kinds.get(turn as usize % kinds.len().max(1)).copied().unwrap_or(KindId(0));
        let lost = |zone: u8| {
            self.places
                .get(place.index())
                .and_then(|place| place.zones.get(usize::from(zone)))
                .is_some_and(|zone| zone.lost_since.is_some())
        };
        let usable: Vec<u8> = zones.iter().copied().filter(|zone| !lost(*zone)).collect();
        let usable = if usable.is_empty() { zones } else { usable };
        let load = |zone: u8| {
            members.iter().filter(|member| self.machines.get(member.index()).is_some_and(|it| it.zone == zone)).count()
        };
        let zone = usable.into_iter().min_by_key(|zone| (load(*zone), *zone)).unwrap_or(0);
        let machine = self.new_machine(place, zone, kind, Some(template), cluster);
        let found = &mut self.machines[machine.index()];
        (found.group, found.lifecycle, found.spot) = (Some(id), Lifecycle::Pending, spot);
        self.groups[id.index()].members.push(machine);
        self.dress(machine);
        let description = format!("Launching a new EC2 instance: {}", self.machine_id(machine));
        self.note_activity(id, Some(machine), description, cause.to_owned(), None);
        self.emit(place, What::Machine { machine, state: MachineState::Pending });
        let launch = self.habits.launch_ms;
        let delay = self.draw(Purpose::Boot, launch);
        self.later(delay, Deed::Running(machine));
    }

    /// A machine is made what its group's machines are like.
    pub(crate) fn dress(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        let Some(group) = found.group.and_then(|group| self.groups.get(group.index())) else { return };
        found.platform = group.outfit.platform;
        found.extra_enis = group.outfit.extra_enis;
        found.protected = group.protects_new;
    }

    /// A group's machines are like this from now on, those that it has and those that it gets.
    pub fn outfit(&mut self, group: GroupId, outfit: super::Outfit) {
        let Some(held) = self.groups.get_mut(group.index()) else { return };
        held.outfit = outfit;
        for machine in held.members.clone() {
            self.dress(machine);
            let Some(host) = self.registration(machine) else { continue };
            let (attributes, trunk) = self.host_outfit(machine);
            let found = &mut self.hosts[host.index()];
            (found.attributes, found.trunk) = (attributes, trunk);
        }
    }

    /// Attributes that a machine registers with, and whether it gets a trunk.
    fn host_outfit(&self, machine: MachineId) -> (Vec<(String, Option<String>)>, bool) {
        let Some(found) = self.machine(machine) else { return Default::default() };
        let cluster = self.cluster(found.cluster);
        let group = found.group.and_then(|group| self.group(group));
        let mut attributes = cluster.map(|cluster| cluster.host_attributes.clone()).unwrap_or_default();
        attributes.extend(group.map(|group| group.outfit.attributes.clone()).unwrap_or_default());
        let wished = group.and_then(|group| group.outfit.trunking);
        let trunking = wished.unwrap_or(cluster.is_some_and(|cluster| cluster.trunking));
        let able = !found.external && found.platform == Platform::Linux && found.kind.get().branch_enis.is_some();
        (attributes, trunking && able)
    }

    /// A group gets a new image for its next launches, and a share of its members is replaced by it.
    pub(crate) fn new_image(&mut self, id: GroupId, boots: Boots, agent_version: &str, share: f64) {
        let Some(group) = self.groups.get(id.index()) else { return };
        let (place, members, old) = (group.place, group.members.clone(), group.template);
        let name = self.templates.get(old.index()).map(|template| template.name.clone()).unwrap_or_default();
        let template = self.add_template(place, &name, agent_version, boots);
        self.groups[id.index()].template = template;
        let replaced = (members.len() as f64 * share.clamp(0.0, 1.0)).round() as usize;
        for member in members.into_iter().take(replaced) {
            self.leave_group(member);
        }
    }

    /// A machine in `pending`, its agent not started.
    pub(crate) fn new_machine(
        &mut self,
        place: PlaceId,
        zone: u8,
        kind: KindId,
        template: Option<TemplateId>,
        cluster: super::ClusterId,
    ) -> MachineId {
        let known = template.and_then(|template| self.templates.get(template.index()));
        let (ami, version) = match known {
            Some(template) => (template.ami, template.agent_version),
            None => (self.symbols.intern(""), self.symbols.intern("1.105.1")),
        };
        let machine = MachineId(self.machines.len() as u32);
        self.machines.push(Machine {
            place,
            zone,
            kind,
            template,
            ami,
            external: false,
            platform: Platform::Linux,
            extra_enis: 0,
            protected: false,
            spot: false,
            group: None,
            lifecycle: Lifecycle::None,
            group_healthy: true,
            state: MachineState::Pending,
            system_ok: true,
            instance_ok: true,
            checks_since: self.now,
            launched_at: self.now,
            ending_since: None,
            stopped_since: None,
            terminated_at: None,
            ping_lost_at: None,
            in_ssm: self.clusters.get(cluster.index()).is_none_or(|cluster| !cluster.without_ssm),
            ssm_stopped: false,
            cluster,
            host: None,
            agent: Agent {
                version,
                process: Process::Absent,
                docker_sick: false,
                cut: false,
                session: false,
                flaps_every: 0,
                doomed: false,
                epoch: 0,
            },
            scheduled: None,
            noted: None,
        });
        machine
    }

    pub(crate) fn machine_runs(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.state != MachineState::Pending {
            return;
        }
        found.state = MachineState::Running;
        found.ping_lost_at = None;
        found.ssm_stopped = false;
        let (place, group) = (found.place, found.group);
        if found.lifecycle == Lifecycle::Pending {
            found.lifecycle = Lifecycle::InService;
        }
        let zone_lost = self
            .places
            .get(place.index())
            .and_then(|it| it.zones.get(usize::from(self.machines[machine.index()].zone)));
        if zone_lost.is_some_and(|zone| zone.lost_since.is_some()) {
            self.machines[machine.index()].agent.cut = true;
        }
        self.emit(place, What::Machine { machine, state: MachineState::Running });
        if let Some(group) = group {
            self.activity_over(group, machine);
            self.emit(place, What::Lifecycle { machine, group, stage: Stage::Launched });
        }
        let boot = self.habits.boot_ms;
        let delay = self.draw(Purpose::Boot, boot);
        self.later(delay, Deed::Register(machine));
    }

    /// The agent of a machine starts: it registers anew, or resumes its registration from its checkpoint.
    pub(crate) fn register(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.state != MachineState::Running {
            return;
        }
        let boots = found.template.and_then(|template| self.templates.get(template.index())).map(|it| it.boots);
        let boots = boots.unwrap_or_default();
        if boots == Boots::NeverRegisters || found.agent.doomed {
            found.agent.process = Process::Crashed;
            self.note_truth(machine);
            return;
        }
        found.agent.process = Process::Alive;
        let plane = self.places.get(found.place.index()).is_some_and(|place| place.control_plane_up);
        if found.agent.cut || !plane {
            self.later(30_000, Deed::Register(machine));
            self.note_truth(machine);
            return;
        }
        if self.registration(machine).is_some() {
            self.tries_again(machine);
            self.note_truth(machine);
            return;
        }
        let host = self.new_host(machine);
        let trunk = self.hosts[host.index()].trunk || boots == Boots::RegistrationFails;
        self.note_truth(machine);
        if boots == Boots::AgentDies {
            let delay = self.draw(Purpose::Boot, (60_000, 240_000));
            self.later(delay, Deed::Die(machine));
        }
        if trunk {
            self.change_host(host, |said| said.status = HostStatus::Registering);
            let trunk = self.habits.trunk_ms;
            let delay = self.draw(Purpose::Boot, trunk);
            self.later(delay, Deed::Trunk(host));
        } else {
            self.host_joins(host);
        }
    }

    /// A new registration of a machine, ACTIVE and connected; tells nobody.
    pub(crate) fn new_host(&mut self, machine: MachineId) -> HostId {
        let found = &self.machines[machine.index()];
        let (kind, cluster) = (found.kind.get(), found.cluster);
        let (attributes, trunk) = self.host_outfit(machine);
        let host = HostId(self.hosts.len() as u32);
        let check = Check { status: CheckStatus::Ok, changed_at: self.now, frozen_at: None };
        self.hosts.push(Host {
            machine,
            cluster,
            said: HostState {
                version: 0,
                status: HostStatus::Active,
                connected: true,
                running: 0,
                pending: 0,
                enis: 0,
                gpus_taken: 0,
                ports: 0,
                cpu_left: kind.cpu,
                memory_left: kind.memory_mib,
                updated_at: self.now,
            },
            registered_at: self.now,
            status_reason: None,
            trunk,
            connectivity: check,
            runtime: check,
            away_since: None,
            tags: self.clusters.get(cluster.index()).map(|cluster| cluster.host_tags.clone()).unwrap_or_default(),
            attributes,
            away_version: 0,
            unsettled: 0,
            first_task: NO_TASK,
        });
        self.machines[machine.index()].host = Some(host);
        if let Some(cluster) = self.clusters.get_mut(cluster.index()) {
            cluster.hosts.push(host);
        }
        host
    }

    pub(crate) fn trunk_decided(&mut self, host: HostId) {
        let Some(found) = self.hosts.get(host.index()) else { return };
        if found.said.status != HostStatus::Registering {
            return;
        }
        let machine = found.machine;
        let template = self.machines.get(machine.index()).and_then(|machine| machine.template);
        let boots = template.and_then(|template| self.templates.get(template.index())).map(|it| it.boots);
        if boots == Some(Boots::RegistrationFails) {
            let reason = self.intern("Trunk ENI could not be created: the subnet has no free addresses.");
            if let Some(found) = self.hosts.get_mut(host.index()) {
                found.status_reason = Some(reason);
            }
            self.change_host(host, |said| {
                said.status = HostStatus::RegistrationFailed;
                said.connected = false;
            });
            return;
        }
        self.host_joins(host);
    }

    fn host_joins(&mut self, host: HostId) {
        self.change_host(host, |said| said.status = HostStatus::Active);
        let Some(machine) = self.hosts.get(host.index()).map(|host| host.machine) else { return };
        self.machines[machine.index()].agent.session = true;
        let epoch = self.machines[machine.index()].agent.epoch;
        self.schedule_recycle(machine, epoch);
        self.services_look_again(host);
    }

    /// A member is taken out of its group: terminated, after the hook if there is one.
    pub(crate) fn leave_group(&mut self, machine: MachineId) {
        let Some(group) = self.machines.get(machine.index()).and_then(|machine| machine.group) else { return };
        let Some(owner) = self.groups.get(group.index()) else { return };
        let (hook, drains, place) = (owner.terminate_hook_ms, owner.managed_draining, owner.place);
        let (desired, members) = (owner.desired, owner.members.len());
        let found = &mut self.machines[machine.index()];
        if !matches!(found.lifecycle, Lifecycle::Pending | Lifecycle::PendingWait | Lifecycle::InService) {
            return;
        }
        let (healthy, waits) = (found.group_healthy, (hook > 0 || drains) && found.state == MachineState::Running);
        let id = self.machine_id(machine);
        let at = self.now.iso_secs();
        let cause = if healthy {
            format!("At {at} instance {id} was taken out of service: {members} members, {desired} wanted.")
        } else {
            format!("At {at} an instance was taken out of service in response to a health check.")
        };
        self.note_activity(group, Some(machine), format!("Terminating EC2 instance: {id}"), cause, None);
        let found = &mut self.machines[machine.index()];
        if waits {
            found.lifecycle = Lifecycle::TerminatingWait;
            self.emit(place, What::Lifecycle { machine, group, stage: Stage::Terminating });
            if drains {
                self.drain_before_end(machine);
            } else {
                self.later(hook, Deed::HookOver(machine));
            }
        } else {
            found.lifecycle = Lifecycle::Terminating;
            self.terminate(machine);
        }
    }

    /// ECS drains a machine that its group ends, and lets it go when nothing but daemons is left there, or after two days
    /// (managed draining, spec E.1).
    fn drain_before_end(&mut self, machine: MachineId) {
        if let Some(host) = self.registration(machine)
            && let Err(refusal) = self.set_draining(host, true)
        {
            tracing::debug!(%refusal, "managed draining left a host as it is");
        }
        self.later(DRAIN_LOOK_MS, Deed::DrainedOut(machine, self.now.plus(LONGEST_DRAIN_MS)));
    }

    pub(crate) fn look_whether_drained(&mut self, machine: MachineId, until: Moment) {
        let busy = self.registration(machine).is_some_and(|host| {
            self.host_tasks(host).any(|(_, task)| {
                let service = task.service.and_then(|service| self.services.get(service.index()));
                let daemon = service.is_some_and(|service| service.strategy == Strategy::Daemon);
                task.present && task.said.last != TaskStatus::Stopped && !daemon
            })
        });
        if busy && self.now < until {
            self.later(DRAIN_LOOK_MS, Deed::DrainedOut(machine, until));
        } else {
            self.hook_over(machine);
        }
    }

    pub(crate) fn hook_over(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.lifecycle == Lifecycle::TerminatingWait {
            found.lifecycle = Lifecycle::Terminating;
            self.terminate(machine);
        }
    }

    /// The machine begins to go away for good. ECS deregisters the host by itself only if the machine ran and its agent
    /// was connected; otherwise a ghost stays behind (spec A.4).
    pub fn terminate(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.external || matches!(found.state, MachineState::ShuttingDown | MachineState::Terminated) {
            return;
        }
        let ran = found.state == MachineState::Running;
        found.state = MachineState::ShuttingDown;
        found.ending_since = Some(self.now);
        found.ping_lost_at = found.ping_lost_at.or(Some(self.now));
        found.agent.process = Process::Absent;
        found.agent.epoch += 1;
        if found.lifecycle == Lifecycle::InService {
            found.lifecycle = Lifecycle::Terminating;
        }
        let place = found.place;
        self.emit(place, What::Machine { machine, state: MachineState::ShuttingDown });
        let deregisters = ran && self.registration(machine).is_some_and(|host| self.hosts[host.index()].said.connected);
        if deregisters && let Some(host) = self.registration(machine) {
            let id = self.machine_id(machine);
            self.end_tasks(host, StopCode::TerminationNotice, &format!("Host EC2 (instance {id}) terminated."));
            self.make_inactive(host);
        }
        self.note_truth(machine);
        let delay = self.draw(Purpose::Groups, (15_000, 60_000));
        self.later(delay, Deed::Ended(machine));
    }

    /// The machine begins to stop; its registration stays (spec A.4).
    pub fn stop(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.external || !matches!(found.state, MachineState::Running | MachineState::Pending) {
            return;
        }
        found.state = MachineState::Stopping;
        found.stopped_since = Some(self.now);
        found.ping_lost_at = found.ping_lost_at.or(Some(self.now));
        found.agent.process = Process::Absent;
        found.agent.epoch += 1;
        let place = found.place;
        self.emit(place, What::Machine { machine, state: MachineState::Stopping });
        if let Some(host) = self.registration(machine) {
            let id = self.machine_id(machine);
            self.end_tasks(host, StopCode::TerminationNotice, &format!("Host EC2 (instance {id}) stopped."));
        }
        self.disconnect(machine);
        self.note_truth(machine);
        let delay = self.draw(Purpose::Groups, (10_000, 45_000));
        self.later(delay, Deed::Ended(machine));
    }

    /// Starts a stopped machine; its agent resumes its registration.
    pub fn start(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.state != MachineState::Stopped {
            return;
        }
        (found.state, found.launched_at) = (MachineState::Pending, self.now);
        found.stopped_since = None;
        (found.system_ok, found.instance_ok, found.agent.docker_sick) = (true, true, false);
        let place = found.place;
        self.emit(place, What::Machine { machine, state: MachineState::Pending });
        let launch = self.habits.launch_ms;
        let delay = self.draw(Purpose::Boot, launch);
        self.later(delay, Deed::Running(machine));
    }

    pub(crate) fn machine_ended(&mut self, machine: MachineId) {
        let now = self.now;
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        let (place, group) = (found.place, found.group);
        match found.state {
            MachineState::Stopping => found.state = MachineState::Stopped,
            MachineState::ShuttingDown => {
                found.state = MachineState::Terminated;
                found.terminated_at = Some(now);
                found.lifecycle = Lifecycle::Terminated;
            }
            _ => return,
        }
        let state = found.state;
        self.emit(place, What::Machine { machine, state });
        let Some(group) = group else { return };
        if state == MachineState::Terminated {
            if let Some(group) = self.groups.get_mut(group.index()) {
                group.members.retain(|member| *member != machine);
            }
            self.activity_over(group, machine);
            self.emit(place, What::Lifecycle { machine, group, stage: Stage::Terminated });
        }
        self.group_notices(group);
    }

    /// The registration ends: INACTIVE, no longer listed.
    pub(crate) fn make_inactive(&mut self, host: HostId) {
        let Some(found) = self.hosts.get(host.index()) else { return };
        let (cluster, drained) = (found.cluster, found.said.status == HostStatus::Draining);
        if let Some(cluster) = self.clusters.get_mut(cluster.index()) {
            cluster.draining = cluster.draining.saturating_sub(u32::from(drained));
            cluster.hosts.retain(|other| *other != host);
        }
        self.change_host(host, |said| {
            said.status = HostStatus::Inactive;
            said.connected = false;
        });
    }

    /// Two minutes' warning, then the machine is gone.
    pub fn warn_of_interruption(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get(machine.index()) else { return };
        if found.external || found.state != MachineState::Running {
            return;
        }
        let place = found.place;
        self.emit(place, What::Rebalance { machine });
        self.emit(place, What::SpotWarning { machine });
        self.later(2 * MINUTE, Deed::Interrupt(machine));
    }

    /// EC2 recommends to move away from a Spot machine before it is interrupted; nothing need follow.
    pub fn recommend_rebalance(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get(machine.index()) else { return };
        if !found.external && found.state == MachineState::Running {
            let place = found.place;
            self.emit(place, What::Rebalance { machine });
        }
    }

    /// EC2 schedules an event for a machine, or takes it back.
    pub fn schedule_maintenance(&mut self, machine: MachineId, what: Option<&'static str>) {
        if let Some(found) = self.machines.get_mut(machine.index()).filter(|found| !found.external) {
            found.scheduled = what;
        }
    }

    pub(crate) fn interrupt(&mut self, machine: MachineId) {
        self.terminate(machine);
    }

    pub(crate) fn check_status(&mut self, machine: MachineId, ok: bool) {
        let now = self.now;
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        // A check sees what is so when it runs, not what was when it was arranged.
        if found.state != MachineState::Running || found.instance_ok == ok || ok == found.agent.cut {
            return;
        }
        found.instance_ok = ok;
        if ok {
            found.system_ok = true;
        }
        found.checks_since = now;
        let group = found.group;
        self.note_truth(machine);
        if let Some(group) = group {
            self.group_notices(group);
        }
    }

    /// The machine breaks: no network, no agent, and EC2's status checks find out.
    pub fn break_machine(&mut self, machine: MachineId) {
        self.cut_network(machine);
        let check = self.habits.status_check_ms;
        let delay = self.draw(Purpose::Notice, check);
        self.later(delay, Deed::CheckStatus(machine, false));
    }

    /// The machine works again.
    pub fn repair_machine(&mut self, machine: MachineId) {
        self.restore_network(machine);
        let delay = self.draw(Purpose::Notice, (20_000, 60_000));
        self.later(delay, Deed::CheckStatus(machine, true));
    }

    /// A zone is cut off, or comes back.
    pub fn set_zone_lost(&mut self, place: PlaceId, zone: u8, lost: bool) {
        let now = self.now;
        let Some(found) = self.places.get_mut(place.index()).and_then(|it| it.zones.get_mut(usize::from(zone))) else {
            return;
        };
        found.lost_since = lost.then_some(now);
        for machine in self.machines_in(place) {
            if self.machines[machine.index()].zone != zone || self.machines[machine.index()].external {
                continue;
            }
            if lost {
                self.break_machine(machine);
            } else {
                self.repair_machine(machine);
            }
        }
    }
}
