//! Time passes.

use super::{
    Change, CheckKind, CheckStatus, HostId, HostState, HostStatus, MachineId, Truth, What, World, agenda::Deed,
    id::PlaceId,
};
use crate::{clock::Moment, seed::Purpose};

impl World {
    /// Lets time pass until `until`; what happens in between happens at its own moment. Never goes back.
    pub fn advance_to(&mut self, until: Moment) {
        while let Some(at) = self.next_at().filter(|at| *at <= until) {
            self.happen(at);
        }
        self.now = self.now.max(until);
        self.forget();
    }

    /// Lets time pass until something happens that can be heard of outside, or until `until`.
    pub fn advance_to_change(&mut self, until: Moment) {
        while self.outbox.is_empty() {
            let Some(at) = self.next_at().filter(|at| *at <= until) else {
                self.now = self.now.max(until);
                break;
            };
            self.happen(at);
        }
        self.forget();
    }

    /// When something happens next.
    pub fn next_at(&self) -> Option<Moment> {
        let away = self.away.front().map(|(due, ..)| *due);
        match (self.agenda.next_at(), away) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn happen(&mut self, at: Moment) {
        self.now = self.now.max(at);
        if let Some(&(due, host, version)) = self.away.front()
            && due <= at
        {
            self.away.pop_front();
            self.pass_connectivity_threshold(host, version);
            return;
        }
        let Some((_, deed)) = self.agenda.pop(at) else { return };
        match deed {
            Deed::Recycle(machine, epoch) => self.agent_recycles(machine, epoch),
            Deed::Connect(machine, epoch) => self.agent_connects(machine, epoch),
            Deed::Drop(machine, epoch) => self.connection_drops(machine, epoch),
            Deed::Restarted(machine, epoch) => self.agent_restarted(machine, epoch),
            Deed::Die(machine) => self.agent_dies(machine),
            Deed::CheckRuntime(machine) => self.check_runtime(machine),
            Deed::CheckStatus(machine, ok) => self.check_status(machine, ok),
            Deed::Running(machine) => self.machine_runs(machine),
            Deed::Register(machine) => self.register(machine),
            Deed::Trunk(host) => self.trunk_decided(host),
            Deed::Interrupt(machine) => self.interrupt(machine),
            Deed::HookOver(machine) => self.hook_over(machine),
            Deed::DrainedOut(machine, until) => self.look_whether_drained(machine, until),
            Deed::Reboot(machine) => self.goes_down(machine),
            Deed::Booted(machine, epoch) => self.booted(machine, epoch),
            Deed::Ended(machine) => self.machine_ended(machine),
            Deed::CheckGroup(group) => self.check_group(group),
            Deed::CheckService(service) => self.check_service(service),
            Deed::Churn(service) => self.churn(service),
            Deed::Step(task, version) => self.step_task(task, version),
            Deed::PlaneUp(place) => self.control_plane_up(place),
        }
    }

    pub(crate) fn later(&mut self, millis: i64, deed: Deed) {
        self.agenda.add(self.now.plus(millis), deed);
    }

    /// A draw between two times, in milliseconds.
    pub(crate) fn draw(&mut self, purpose: Purpose, (low, high): (i64, i64)) -> i64 {
        self.streams.of(purpose).between(low, high)
    }

    pub(crate) fn emit(&mut self, place: PlaceId, what: What) {
        if self.silent {
            return;
        }
        self.serial += 1;
        self.outbox.push(Change { at: self.now, serial: self.serial, place, what });
    }

    /// Changes what ECS says of a host: the version goes up and everybody may hear of it.
    pub(crate) fn change_host(&mut self, host: HostId, change: impl FnOnce(&mut HostState)) {
        let now = self.now;
        let Some(found) = self.hosts.get_mut(host.index()) else { return };
        let before = found.said;
        change(&mut found.said);
        found.said.version += 1;
        found.said.updated_at = now;
        if before.connected && !found.said.connected {
            found.away_since = Some(now);
        } else if found.said.connected {
            found.away_since = None;
        }
        let state = found.said;
        let place = self.clusters.get(found.cluster.index()).map_or(PlaceId(0), |cluster| cluster.place);
        if self.memory_ms > 0 {
            let past = self.earlier.entry(host).or_default();
            past.push_back((now, before));
            while past.front().is_some_and(|(until, _)| now.since(*until) > self.memory_ms) {
                past.pop_front();
            }
        }
        self.emit(place, What::Host { host, state });
    }

    /// Changes a health check of a host, and says so.
    pub(crate) fn change_check(&mut self, host: HostId, check: CheckKind, status: CheckStatus, since: Moment) {
        let now = self.now;
        let Some(found) = self.hosts.get_mut(host.index()) else { return };
        let held = match check {
            CheckKind::AgentConnectivity => &mut found.connectivity,
            CheckKind::ContainerRuntime => &mut found.runtime,
        };
        if held.status == status {
            return;
        }
        (held.status, held.changed_at) = (status, now);
        let place = self.clusters.get(found.cluster.index()).map_or(PlaceId(0), |cluster| cluster.place);
        self.emit(place, What::Health { host, check, status, since });
    }

    fn pass_connectivity_threshold(&mut self, host: HostId, version: u32) {
        let Some(found) = self.hosts.get(host.index()) else { return };
        let (said, since) = (found.said, found.away_since);
        // Another disconnect since then has its own appointment; task changes raise the version but not the start.
        let same = found.away_version == version;
        if !said.connected && same && said.status != HostStatus::Inactive {
            self.change_check(host, CheckKind::AgentConnectivity, CheckStatus::Impaired, since.unwrap_or(self.now));
        }
    }

    /// Writes the truth about a machine down for judges, if it is another than last time.
    pub(crate) fn note_truth(&mut self, machine: MachineId) {
        if !self.keep_truth {
            return;
        }
        let Some(found) = self.machines.get(machine.index()) else { return };
        let plane = self.places.get(found.place.index()).is_some_and(|place| place.control_plane_up);
        let now_is = (found.healthy(), found.can_talk() && plane);
        if found.noted == Some(now_is) {
            return;
        }
        let truth = Truth { at: self.now, machine, host: found.host, healthy: now_is.0, reachable: now_is.1 };
        self.machines[machine.index()].noted = Some(now_is);
        self.truth.push(truth);
    }

    /// Notes the truth about every machine, at the beginning of a run.
    pub fn note_all_truth(&mut self) {
        self.keep_truth = true;
        for machine in 0..self.machines.len() {
            self.note_truth(MachineId(machine as u32));
        }
    }

    // Stopped tasks can be described for at least an hour (spec A.7).
    fn forget(&mut self) {
        while let Some(&(stopped, task)) = self.stopped_tasks.front() {
            if self.now.since(stopped) <= crate::clock::HOUR {
                break;
            }
            self.stopped_tasks.pop_front();
            self.forget_task(task);
        }
    }
}
