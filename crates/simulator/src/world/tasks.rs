//! The life of a task: placed, stepped through its statuses by the agent of its host, stopped, forgotten (spec A.6).

use super::{
    DefinitionId, EniStatus, HostId, NO_TASK, ServiceId, StopCode, Symbol, Task, TaskId, TaskState, TaskStatus, What,
    World, agenda::Deed,
};
use crate::seed::Purpose;

impl World {
    /// Puts a task on a host. `running` places it as if it had always been there, and tells nobody.
    pub(crate) fn place_task(
        &mut self,
        service: Option<ServiceId>,
        group: Option<Symbol>,
        definition: DefinitionId,
        host: HostId,
        running: bool,
    ) -> Option<TaskId> {
        let what = self.definitions.get(definition.index())?;
        let (cpu, memory, awsvpc) = (what.cpu, what.memory_mib, what.awsvpc());
        let before = self.hosts.get(host.index())?.said;
        let gpus = lowest_free(before.gpus_taken, what.gpus);
        let ports = self.port_sets.with(before.ports, &what.ports);
        let slot = match self.free_tasks.pop() {
            Some(slot) => slot,
            None => self.tasks.len() as u32,
        };
        let generation = self.tasks.get(slot as usize).map_or(0, |old| old.generation + 1);
        let id = TaskId { slot, generation };
        let cluster = self.hosts.get(host.index())?.cluster;
        let (last, eni) = match (running, awsvpc) {
            (true, true) => (TaskStatus::Running, Some(EniStatus::Attached)),
            (true, false) => (TaskStatus::Running, None),
            (false, true) => (TaskStatus::Provisioning, Some(EniStatus::Precreated)),
            (false, false) => (TaskStatus::Pending, None),
        };
        let (slot_in_service, deployment) = match service.and_then(|service| self.services.get_mut(service.index())) {
            Some(service) => {
                service.tasks.push(id);
                if running {
                    service.running += 1;
                } else {
                    service.pending += 1;
                }
                (service.tasks.len() as u32 - 1, service.deployment.id)
            }
            None => (0, 0),
        };
        let next_on_host = std::mem::replace(&mut self.hosts[host.index()].first_task, slot);
        if let Some(next) = self.tasks.get_mut(next_on_host as usize) {
            next.previous_on_host = slot;
        }
        let task = Task {
            generation,
            present: true,
            said: TaskState {
                version: if running { 4 } else { 1 },
                last,
                desired_running: true,
                eni,
                stop_code: None,
                exit_code: None,
                updated_at: self.now,
            },
            cluster,
            service,
            definition,
            host,
            group,
            gpus,
            deployment,
            created_at: self.now,
            started_at: running.then_some(self.now),
            stopping_at: None,
            stopped_at: None,
            stopped_reason: None,
            next_on_host,
            previous_on_host: NO_TASK,
            slot_in_service,
        };
        match self.tasks.get_mut(slot as usize) {
            Some(old) => *old = task,
            None => self.tasks.push(task),
        }
        if let Some(cluster) = self.clusters.get_mut(cluster.index()) {
            if running {
                cluster.running_tasks += 1;
            } else {
                cluster.pending_tasks += 1;
            }
        }
        if running {
            let said = &mut self.hosts[host.index()].said;
            said.running += 1;
            said.cpu_left -= cpu;
            said.memory_left -= memory;
            said.enis += u16::from(awsvpc);
            (said.gpus_taken, said.ports) = (said.gpus_taken | gpus, ports);
            return Some(id);
        }
        self.hosts[host.index()].unsettled += 1;
        self.change_host(host, |said| {
            said.pending += 1;
            said.cpu_left -= cpu;
            said.memory_left -= memory;
            said.enis += u16::from(awsvpc);
            (said.gpus_taken, said.ports) = (said.gpus_taken | gpus, ports);
        });
        self.tell_task(id);
        self.schedule_step(id);
        Some(id)
    }

    fn tell_task(&mut self, id: TaskId) {
        let Some(now) = self.task(id).copied() else { return };
        let place = self.clusters.get(now.cluster.index()).map_or(super::PlaceId(0), |cluster| cluster.place);
        self.emit(place, What::Task { task: id, now });
    }

    pub(crate) fn schedule_step(&mut self, id: TaskId) {
        let Some(version) = self.task(id).map(|task| task.said.version) else { return };
        let step = self.habits.task_step_ms;
        let delay = self.draw(Purpose::TaskLife, step).max(self.held_ms(id));
        self.later(delay, Deed::Step(id, version));
    }

    /// How long the task holds its host before its next step, because its service has connections to let go.
    fn held_ms(&self, id: TaskId) -> i64 {
        let leaving = self.task(id).filter(|task| task.said.last == TaskStatus::Deactivating);
        let service = leaving.and_then(|task| self.services.get(task.service?.index()));
        service.map_or(0, |service| service.deactivating_ms)
    }

    /// Tasks that stood still while the agent was away go on.
    pub(crate) fn resume_tasks(&mut self, host: HostId) {
        let moving: Vec<TaskId> =
            self.host_tasks(host).filter(|(_, task)| task.present && !task.settled()).map(|(id, _)| id).collect();
        for id in moving {
            self.schedule_step(id);
        }
    }

    pub(crate) fn step_task(&mut self, id: TaskId, version: u32) {
        let Some(task) = self.task(id).copied() else { return };
        if task.said.version != version || task.settled() {
            return;
        }
        let connected = self.hosts.get(task.host.index()).is_some_and(|host| host.said.connected);
        // The control plane makes and deletes the ENI; every other step is the agent's.
        let by_plane = matches!(task.said.last, TaskStatus::Provisioning | TaskStatus::Deprovisioning);
        if !connected && !by_plane {
            return;
        }
        let awsvpc = task.said.eni.is_some();
        if task.said.desired_running && task.said.last == TaskStatus::Provisioning && !self.has_free_index(task.host) {
            self.fail_to_start(id, "Unable to attach network interface to unused device index");
            return;
        }
        let next = if task.said.desired_running {
            match task.said.last {
                TaskStatus::Provisioning => (TaskStatus::Pending, Some(EniStatus::Attaching)),
                TaskStatus::Pending if awsvpc => (TaskStatus::Activating, Some(EniStatus::Attached)),
                _ => (TaskStatus::Running, Some(EniStatus::Attached)),
            }
        } else {
            match task.said.last {
                TaskStatus::Running | TaskStatus::Activating => (TaskStatus::Deactivating, Some(EniStatus::Attached)),
                TaskStatus::Deactivating => (TaskStatus::Stopping, Some(EniStatus::Attached)),
                TaskStatus::Deprovisioning => (TaskStatus::Stopped, Some(EniStatus::Deleted)),
                _ if awsvpc => (TaskStatus::Deprovisioning, Some(EniStatus::Detaching)),
                _ => (TaskStatus::Stopped, None),
            }
        };
        self.set_task(id, next.0, next.1);
        if !matches!(next.0, TaskStatus::Running | TaskStatus::Stopped) {
            self.schedule_step(id);
        }
    }

    /// Moves a task to a status, with everything that follows from it.
    fn set_task(&mut self, id: TaskId, last: TaskStatus, eni: Option<EniStatus>) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(id.slot as usize) else { return };
        let before = task.said;
        task.said.last = last;
        task.said.desired_running &= last != TaskStatus::Stopped;
        if before.eni.is_some() {
            task.said.eni = eni;
        }
        task.said.version += 1;
        task.said.updated_at = now;
        if last == TaskStatus::Running {
            task.started_at = Some(now);
        }
        if last == TaskStatus::Stopped {
            task.stopped_at = Some(now);
        }
        let service = task.service.filter(|_| last == TaskStatus::Running);
        if let Some(service) = service.and_then(|service| self.services.get_mut(service.index())) {
            service.failed_starts = 0;
        }
        let after = *task;
        self.count(&after, before, after.said);
        if last == TaskStatus::Stopped {
            self.stopped_tasks.push_back((now, id));
            self.leave_service(id, &after);
        }
        self.tell_task(id);
        // The last new task to run ends a deployment.
        let rolling = after.service.filter(|service| {
            let found = self.services.get(service.index());
            found.is_some_and(|found| found.deployment.rollout == super::Rollout::InProgress)
        });
        if let Some(service) = rolling.filter(|_| last == TaskStatus::Running) {
            self.look_at_service(service, 500);
        }
    }

    // Keeps the counts of host, cluster and service: pending and running by desired status RUNNING (spec C.2).
    fn count(&mut self, task: &Task, before: TaskState, after: TaskState) {
        let (was, is) = (Counted::of(before), Counted::of(after));
        if let Some(cluster) = self.clusters.get_mut(task.cluster.index()) {
            was.take(&mut cluster.running_tasks, &mut cluster.pending_tasks);
            is.add(&mut cluster.running_tasks, &mut cluster.pending_tasks);
        }
        if let Some(service) = task.service.and_then(|service| self.services.get_mut(service.index())) {
            was.take(&mut service.running, &mut service.pending);
            is.add(&mut service.running, &mut service.pending);
        }
        let Some(host) = self.hosts.get_mut(task.host.index()) else { return };
        let (was_settled, is_settled) = (settled(before), settled(after));
        if was_settled && !is_settled {
            host.unsettled += 1;
        } else if !was_settled && is_settled {
            host.unsettled = host.unsettled.saturating_sub(1);
        }
        let over = after.last == TaskStatus::Stopped && before.last != TaskStatus::Stopped;
        if was == is && !over {
            return;
        }
        let what = self.definitions.get(task.definition.index());
        let (cpu, memory) = what.map_or((0, 0), |what| (what.cpu, what.memory_mib));
        let awsvpc = before.eni.is_some();
        let taken = host.said.ports;
        let ports = match what {
            Some(what) if over => self.port_sets.without(taken, &what.ports),
            _ => taken,
        };
        let gpus = if over { task.gpus } else { 0 };
        self.change_host(task.host, |said| {
            match was {
                Counted::Running => said.running = said.running.saturating_sub(1),
                Counted::Pending => said.pending = said.pending.saturating_sub(1),
                Counted::Neither => {}
            }
            match is {
                Counted::Running => said.running += 1,
                Counted::Pending => said.pending += 1,
                Counted::Neither => {}
            }
            if over {
                said.cpu_left += cpu;
                said.memory_left += memory;
                said.enis = said.enis.saturating_sub(u16::from(awsvpc));
                (said.gpus_taken, said.ports) = (said.gpus_taken & !gpus, ports);
            }
        });
    }

    fn leave_service(&mut self, id: TaskId, task: &Task) {
        let Some(service_id) = task.service else { return };
        let Some(service) = self.services.get_mut(service_id.index()) else { return };
        let at = task.slot_in_service as usize;
        if service.tasks.get(at) == Some(&id) {
            service.tasks.swap_remove(at);
            if let Some(moved) = service.tasks.get(at).copied()
                && let Some(moved) = self.tasks.get_mut(moved.slot as usize)
            {
                moved.slot_in_service = at as u32;
            }
        }
        let wait = self.service_wait_ms(service_id);
        self.look_at_service(service_id, wait);
    }

    /// When a service looks for what it lacks: soon, and the later the more starts have failed in a row.
    fn service_wait_ms(&self, service: ServiceId) -> i64 {
        let failed = self.services.get(service.index()).map_or(0, |service| service.failed_starts);
        if failed == 0 { 500 } else { (10_000 << failed.min(6)).min(15 * crate::clock::MINUTE) }
    }

    /// Wants a task stopped: `desiredStatus` becomes STOPPED; the agent does the rest when it can.
    pub(crate) fn want_stopped(&mut self, id: TaskId, code: StopCode, reason: Symbol, exit_code: Option<u8>) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(id.slot as usize).filter(|task| task.generation == id.generation) else {
            return;
        };
        if !task.present || !task.said.desired_running || task.said.last == TaskStatus::Stopped {
            return;
        }
        let before = task.said;
        task.said.desired_running = false;
        task.said.stop_code = Some(code);
        task.said.exit_code = exit_code;
        task.said.version += 1;
        task.said.updated_at = now;
        task.stopped_reason = Some(reason);
        task.stopping_at = Some(now);
        let after = *task;
        self.count(&after, before, after.said);
        self.tell_task(id);
        self.schedule_step(id);
        if let Some(service) = after.service {
            let wait = self.service_wait_ms(service);
            self.look_at_service(service, wait);
        }
    }

    /// Whether the machine of a host can attach one interface more, those counted that the scheduler does not see. The
    /// interface of the task in question is counted already.
    fn has_free_index(&self, host: HostId) -> bool {
        let Some(found) = self.hosts.get(host.index()) else { return true };
        let Some(machine) = self.machines.get(found.machine.index()) else { return true };
        let slots = machine.kind.get().task_enis(found.trunk).saturating_sub(u32::from(machine.extra_enis));
        machine.extra_enis == 0 || u32::from(found.said.enis) <= slots
    }

    /// A task that was placed cannot start; its service tries again, later and later.
    fn fail_to_start(&mut self, id: TaskId, reason: &str) {
        let reason = self.intern(reason);
        let service = self.task(id).and_then(|task| task.service);
        if let Some(service) = service.and_then(|service| self.services.get_mut(service.index())) {
            service.failed_starts = service.failed_starts.saturating_add(1);
        }
        self.want_stopped(id, StopCode::TaskFailedToStart, reason, None);
    }

    /// All tasks of a host are over at once: the machine is gone, or the host was deregistered by force.
    pub(crate) fn end_tasks(&mut self, host: HostId, code: StopCode, reason: &str) {
        let reason = self.intern(reason);
        let tasks: Vec<TaskId> = self
            .host_tasks(host)
            .filter(|(_, task)| task.present && task.said.last != TaskStatus::Stopped)
            .map(|(id, _)| id)
            .collect();
        for id in tasks {
            if let Some(task) = self.tasks.get_mut(id.slot as usize) {
                task.stopped_reason = task.stopped_reason.or(Some(reason));
                task.said.stop_code = task.said.stop_code.or(Some(code));
                task.stopping_at = task.stopping_at.or(Some(self.now));
            }
            self.set_task(id, TaskStatus::Stopped, Some(EniStatus::Deleted));
        }
    }

    /// A stopped task is no longer described; its slot is free.
    pub(crate) fn forget_task(&mut self, id: TaskId) {
        let Some(task) = self.task(id).copied() else { return };
        if let Some(next) = self.tasks.get_mut(task.next_on_host as usize) {
            next.previous_on_host = task.previous_on_host;
        }
        match self.tasks.get_mut(task.previous_on_host as usize) {
            Some(previous) => previous.next_on_host = task.next_on_host,
            None => {
                if let Some(host) = self.hosts.get_mut(task.host.index()) {
                    host.first_task = task.next_on_host;
                }
            }
        }
        if let Some(old) = self.tasks.get_mut(id.slot as usize) {
            old.present = false;
        }
        self.free_tasks.push(id.slot);
    }
}

impl Task {
    /// The task is where it wants to be: it runs, or it is over.
    pub fn settled(&self) -> bool {
        settled(self.said)
    }
}

/// The lowest bits that are free: as many as a task wants GPUs.
fn lowest_free(taken: u16, wanted: u8) -> u16 {
    let mut found = 0_u16;
    for bit in (0..16).map(|at| 1_u16 << at).filter(|bit| taken & bit == 0).take(usize::from(wanted)) {
        found |= bit;
    }
    found
}

fn settled(said: TaskState) -> bool {
    said.last == TaskStatus::Stopped || said.desired_running && said.last == TaskStatus::Running
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    Running,
    Pending,
    Neither,
}

impl Counted {
    fn of(said: TaskState) -> Self {
        match (said.desired_running, said.last) {
            (true, TaskStatus::Running) => Self::Running,
            (true, TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating) => Self::Pending,
            _ => Self::Neither,
        }
    }

    fn take(self, running: &mut u32, pending: &mut u32) {
        match self {
            Self::Running => *running = running.saturating_sub(1),
            Self::Pending => *pending = pending.saturating_sub(1),
            Self::Neither => {}
        }
    }

    fn add(self, running: &mut u32, pending: &mut u32) {
        match self {
            Self::Running => *running += 1,
            Self::Pending => *pending += 1,
            Self::Neither => {}
        }
    }
}
