//! How agents live: they keep a connection for half an hour, are back within seconds, and now and then do not come back
//! at all (spec G.4).
//!
//! What the control plane says (`agentConnected`) follows the truth with its own delays: a closed connection is seen at
//! once, a silent one when the heartbeat is missed.

use crate::{
    seed::Purpose,
    world::{
        Boots, CheckKind, CheckStatus, HostId, HostStatus, MachineId, MachineState, PlaceId, Process, StopCode, World,
        agenda::Deed,
    },
};

impl World {
    /// The registration of a machine that is not INACTIVE.
    pub(crate) fn registration(&self, machine: MachineId) -> Option<HostId> {
        let host = self.machines.get(machine.index())?.host?;
        (self.hosts.get(host.index())?.said.status != HostStatus::Inactive).then_some(host)
    }

    fn same_epoch(&self, machine: MachineId, epoch: u32) -> bool {
        self.machines.get(machine.index()).is_some_and(|found| found.agent.epoch == epoch)
    }

    /// Voids all appointments of the agent; returns the new epoch.
    fn next_epoch(&mut self, machine: MachineId) -> u32 {
        let Some(found) = self.machines.get_mut(machine.index()) else { return 0 };
        found.agent.epoch += 1;
        found.agent.epoch
    }

    fn can_reach_plane(&self, machine: MachineId) -> bool {
        self.machines.get(machine.index()).is_some_and(|found| {
            found.can_talk() && self.places.get(found.place.index()).is_some_and(|place| place.control_plane_up)
        })
    }

    pub(crate) fn agent_recycles(&mut self, machine: MachineId, epoch: u32) {
        if !self.same_epoch(machine, epoch) {
            return;
        }
        let flaps = self.machines[machine.index()].agent.flaps_every > 0;
        self.disconnect(machine);
        let (gap, slow) = (self.habits.gap_ms, self.habits.slow_gap_ms);
        let gap = if flaps {
            self.draw(Purpose::Flap, (3_000, 25_000))
        } else if self.streams.of(Purpose::Gap).chance(self.habits.slow_gap_share) {
            self.draw(Purpose::Gap, slow)
        } else {
            self.draw(Purpose::Gap, gap)
        };
        self.later(gap, Deed::Connect(machine, epoch));
    }

    pub(crate) fn agent_connects(&mut self, machine: MachineId, epoch: u32) {
        // An agent that cannot reach anybody is given a new appointment when its obstacle goes away.
        if !self.same_epoch(machine, epoch) || !self.can_reach_plane(machine) {
            return;
        }
        let Some(host) = self.registration(machine) else { return };
        let Some(found) = self.hosts.get(host.index()) else { return };
        if found.said.status == HostStatus::Registering {
            // Its trunk is still being made; it tries again.
            self.later(5_000, Deed::Connect(machine, epoch));
            return;
        }
        if found.said.status == HostStatus::RegistrationFailed {
            return;
        }
        let was_connected = found.said.connected;
        let impaired = found.connectivity.status == CheckStatus::Impaired;
        if !was_connected {
            self.change_host(host, |said| said.connected = true);
            if let Some(found) = self.hosts.get_mut(host.index()) {
                (found.connectivity.frozen_at, found.runtime.frozen_at) = (None, None);
            }
        }
        if impaired {
            self.change_check(host, CheckKind::AgentConnectivity, CheckStatus::Ok, self.now);
        }
        self.machines[machine.index()].agent.session = true;
        self.schedule_recycle(machine, epoch);
        if self.hosts[host.index()].unsettled > 0 {
            self.resume_tasks(host);
        }
        if self.machines[machine.index()].agent.docker_sick
            || self.hosts[host.index()].runtime.status != CheckStatus::Ok
        {
            self.later(30_000, Deed::CheckRuntime(machine));
        }
        if !was_connected {
            self.services_look_again(host);
        }
    }

    pub(crate) fn schedule_recycle(&mut self, machine: MachineId, epoch: u32) {
        let flaps = self.machines[machine.index()].agent.flaps_every;
        let stay = if flaps > 0 {
            i64::from(flaps)
        } else {
            let (low, high) = self.habits.recycle_ms;
            self.draw(Purpose::Recycle, (low, high))
        };
        self.later(stay, Deed::Recycle(machine, epoch));
    }

    pub(crate) fn connection_drops(&mut self, machine: MachineId, epoch: u32) {
        // Whatever became of the agent meanwhile: one that cannot talk is missed.
        let talks = self.machines.get(machine.index()).is_some_and(crate::world::Machine::can_talk);
        if self.same_epoch(machine, epoch) || !talks {
            self.disconnect(machine);
        }
    }

    /// ECS sees the connection of a machine's agent closed.
    pub(crate) fn disconnect(&mut self, machine: MachineId) {
        self.machines[machine.index()].agent.session = false;
        let Some(host) = self.registration(machine) else { return };
        let Some(found) = self.hosts.get(host.index()) else { return };
        if !found.said.connected {
            return;
        }
        self.change_host(host, |said| said.connected = false);
        let (now, due) = (self.now, self.now.plus(self.habits.connectivity_threshold_ms));
        if let Some(found) = self.hosts.get_mut(host.index()) {
            found.away_version = found.said.version;
            // The runtime's status travels over the agent's own connection: it goes stale (spec C.2).
            found.runtime.frozen_at = Some(now);
            let version = found.away_version;
            self.away.push_back((due, host, version));
        }
    }

    /// The agent says nothing any more but nobody closed its connection: the missed heartbeat tells.
    fn goes_silent(&mut self, machine: MachineId) {
        let epoch = self.next_epoch(machine);
        self.will_be_missed(machine, epoch);
    }

    fn will_be_missed(&mut self, machine: MachineId, epoch: u32) {
        let notice = self.habits.notice_ms;
        let delay = self.draw(Purpose::Notice, notice);
        self.later(delay, Deed::Drop(machine, epoch));
    }

    /// The agent may try again: with the backoff of an unexpected loss.
    pub(crate) fn tries_again(&mut self, machine: MachineId) {
        // One that hangs does not try, and nobody has missed its heartbeat yet.
        let hangs = self.machines.get(machine.index()).is_some_and(|it| it.agent.process == Process::Hung);
        let seems_connected = self
            .registration(machine)
            .and_then(|host| self.hosts.get(host.index()))
            .is_some_and(|it| it.said.connected);
        if hangs && seems_connected {
            self.goes_silent(machine);
            return;
        }
        let epoch = self.next_epoch(machine);
        let backoff = self.habits.backoff_ms;
        let delay = self.draw(Purpose::Backoff, backoff);
        let restarting = self.machines.get(machine.index()).is_some_and(|it| it.agent.process == Process::Restarting);
        self.later(delay, if restarting { Deed::Restarted(machine, epoch) } else { Deed::Connect(machine, epoch) });
    }

    /// The agent's process exits. With `comes_back`, systemd restarts it; without, it stays away (exit code 5, or
    /// somebody stopped the unit).
    pub fn crash_agent(&mut self, machine: MachineId, comes_back: bool) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.state != MachineState::Running {
            return;
        }
        found.agent.process = if comes_back { Process::Restarting } else { Process::Crashed };
        let cut = found.agent.cut;
        let epoch = self.next_epoch(machine);
        if cut {
            // Nobody closes the connection of a machine without a network.
            self.will_be_missed(machine, epoch);
        } else {
            self.disconnect(machine);
        }
        if comes_back {
            let restart = self.habits.restart_ms;
            let delay = self.draw(Purpose::Backoff, restart);
            self.later(delay, Deed::Restarted(machine, epoch));
        }
        self.note_truth(machine);
    }

    pub(crate) fn agent_dies(&mut self, machine: MachineId) {
        if let Some(found) = self.machines.get_mut(machine.index()) {
            found.agent.doomed = true;
        }
        self.crash_agent(machine, false);
    }

    pub(crate) fn agent_restarted(&mut self, machine: MachineId, epoch: u32) {
        if !self.same_epoch(machine, epoch) {
            return;
        }
        let agent = &mut self.machines[machine.index()].agent;
        if agent.docker_sick {
            // The agent is a container: without Docker systemd tries in vain, again and again.
            let restart = self.habits.restart_ms;
            let delay = self.draw(Purpose::Backoff, restart);
            self.later(delay, Deed::Restarted(machine, epoch));
            return;
        }
        agent.process = if agent.doomed { Process::Crashed } else { Process::Alive };
        let lives = agent.process == Process::Alive;
        self.note_truth(machine);
        if lives {
            self.later(0, Deed::Connect(machine, epoch));
        }
    }

    /// The agent's process lives on and does nothing.
    pub fn hang_agent(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.agent.process != Process::Alive {
            return;
        }
        found.agent.process = Process::Hung;
        self.goes_silent(machine);
        self.note_truth(machine);
    }

    /// Whether the agent of a machine comes back when somebody starts it now: its image lets it live, and Docker answers.
    pub fn agent_would_start(&self, machine: MachineId) -> bool {
        self.machines.get(machine.index()).is_some_and(|found| {
            let template = found.template.and_then(|template| self.templates.get(template.index()));
            let never = template.is_some_and(|template| template.boots == Boots::NeverRegisters);
            !never && !found.agent.doomed && !found.agent.docker_sick
        })
    }

    /// Somebody restarts the agent (SSM, or by hand). Cures a crash and a hang; not a sick Docker, nor an image that kills
    /// its agents.
    pub fn restart_agent(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.state != MachineState::Running {
            return;
        }
        (found.agent.process, found.agent.flaps_every) = (Process::Restarting, 0);
        let registered = self.registration(machine).is_some();
        let epoch = self.next_epoch(machine);
        self.disconnect(machine);
        let restart = self.habits.restart_ms;
        let delay = self.draw(Purpose::Backoff, restart);
        if registered {
            self.later(delay, Deed::Restarted(machine, epoch));
        } else {
            self.later(delay, Deed::Register(machine));
        }
        self.note_truth(machine);
    }

    /// The machine loses its network: agent and SSM fall silent.
    pub fn cut_network(&mut self, machine: MachineId) {
        let now = self.now;
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.agent.cut {
            return;
        }
        found.agent.cut = true;
        found.ping_lost_at = found.ping_lost_at.or(Some(now));
        self.goes_silent(machine);
        self.note_truth(machine);
    }

    /// The network is back.
    pub fn restore_network(&mut self, machine: MachineId) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if !found.agent.cut {
            return;
        }
        found.agent.cut = false;
        if found.state == MachineState::Running && !found.ssm_stopped {
            found.ping_lost_at = None;
        }
        self.tries_again(machine);
        self.note_truth(machine);
    }

    /// The machine's SSM agent stops, or runs again. Nothing else changes.
    pub fn stop_ssm(&mut self, machine: MachineId, stopped: bool) {
        let now = self.now;
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        found.ssm_stopped = stopped;
        if stopped {
            found.ping_lost_at = found.ping_lost_at.or(Some(now));
        } else if found.state == MachineState::Running && !found.agent.cut {
            found.ping_lost_at = None;
        }
    }

    /// The machine goes down to come up again: everything on it ends at once; ECS hears of the tasks when the agent is
    /// back.
    pub(crate) fn goes_down(&mut self, machine: MachineId) {
        let now = self.now;
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        if found.state != MachineState::Running {
            return;
        }
        (found.agent.process, found.agent.flaps_every) = (Process::Absent, 0);
        found.ping_lost_at = found.ping_lost_at.or(Some(now));
        let cut = found.agent.cut;
        let epoch = self.next_epoch(machine);
        if cut {
            // Nobody closes the connection of a machine without a network.
            self.will_be_missed(machine, epoch);
        } else {
            self.disconnect(machine);
        }
        let reboot = self.habits.reboot_ms;
        let delay = self.draw(Purpose::Boot, reboot);
        self.later(delay, Deed::Booted(machine, epoch));
        self.note_truth(machine);
    }

    pub(crate) fn booted(&mut self, machine: MachineId, epoch: u32) {
        if !self.same_epoch(machine, epoch) {
            return;
        }
        let found = &mut self.machines[machine.index()];
        if found.state != MachineState::Running {
            return;
        }
        found.agent.docker_sick = false;
        found.ssm_stopped = false;
        if !found.agent.cut {
            found.ping_lost_at = None;
        }
        match self.registration(machine) {
            Some(host) => {
                self.end_tasks(host, StopCode::EssentialContainerExited, "Essential container in task exited");
                self.agent_restarted(machine, epoch);
            }
            None => self.register(machine),
        }
    }

    /// Docker stops answering, or answers again.
    pub fn set_docker_sick(&mut self, machine: MachineId, sick: bool) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        found.agent.docker_sick = sick;
        self.later(45_000, Deed::CheckRuntime(machine));
        self.note_truth(machine);
    }

    pub(crate) fn check_runtime(&mut self, machine: MachineId) {
        let Some(host) = self.registration(machine) else { return };
        if !self.hosts.get(host.index()).is_some_and(|found| found.said.connected) {
            // Reported when the agent is back.
            return;
        }
        let sick = self.machines[machine.index()].agent.docker_sick;
        let status = if sick { CheckStatus::Impaired } else { CheckStatus::Ok };
        self.change_check(host, CheckKind::ContainerRuntime, status, self.now);
    }

    /// The agent comes and goes every so often; 0 ends it.
    pub fn flap_agent(&mut self, machine: MachineId, every_ms: u32) {
        let Some(found) = self.machines.get_mut(machine.index()) else { return };
        found.agent.flaps_every = every_ms;
        let epoch = self.next_epoch(machine);
        if self.registration(machine).is_some_and(|host| self.hosts[host.index()].said.connected) {
            self.schedule_recycle(machine, epoch);
        } else {
            self.later(5_000, Deed::Connect(machine, epoch));
        }
        self.note_truth(machine);
    }

    /// The server side closes the connections of these agents at once, within a few seconds: a deployment of the control
    /// plane's front ends.
    pub fn recycle_now(&mut self, machines: &[MachineId], within_ms: i64) {
        for &machine in machines {
            if !self.registration(machine).is_some_and(|host| self.hosts[host.index()].said.connected) {
                continue;
            }
            let epoch = self.next_epoch(machine);
            let delay = self.draw(Purpose::Notice, (0, within_ms));
            self.later(delay, Deed::Recycle(machine, epoch));
        }
    }

    /// The control plane of a region drops all agents and takes none back, for so long.
    pub fn control_plane_down(&mut self, place: PlaceId, for_ms: i64) {
        let Some(found) = self.places.get_mut(place.index()) else { return };
        found.control_plane_up = false;
        for machine in self.machines_in(place) {
            let epoch = self.next_epoch(machine);
            let delay = self.draw(Purpose::Notice, (0, 8_000));
            self.later(delay, Deed::Drop(machine, epoch));
            self.note_truth(machine);
        }
        self.later(for_ms.max(8_001), Deed::PlaneUp(place));
    }

    pub(crate) fn control_plane_up(&mut self, place: PlaceId) {
        let Some(found) = self.places.get_mut(place.index()) else { return };
        found.control_plane_up = true;
        for machine in self.machines_in(place) {
            self.tries_again(machine);
            self.note_truth(machine);
        }
    }

    /// Machines of a place that are not gone, in the order of their launch.
    pub(crate) fn machines_in(&self, place: PlaceId) -> Vec<MachineId> {
        let numbered = self.machines.iter().enumerate();
        numbered
            .filter(|(_, found)| found.place == place && found.state != MachineState::Terminated)
            .map(|(at, _)| MachineId(at as u32))
            .collect()
    }
}
