//! Services keep their desired count: tasks go to ACTIVE hosts whose agent is connected and that have room (spec C.2,
//! A.8).

mod room;

pub use room::{Ask, Lack, Refused, Who};

use super::{
    DefinitionId, HostId, HostStatus, Rollout, ServiceId, ServiceMessage, StopCode, Strategy, TaskId, TaskStatus, What,
    World,
    agenda::Deed,
    change::{Closest, PlacementFailure, ServiceAction},
};
use crate::{clock::HOUR, seed::Purpose};

/// The same failed placement is said again after this time (spec A.8).
const REPEAT_FAILURE_MS: i64 = 6 * HOUR;

/// The most tasks started by one look at a service, as the real scheduler works in batches.
const BATCH: u32 = 200;

impl World {
    /// Puts a look at the service on the agenda, unless one is there.
    pub(crate) fn look_at_service(&mut self, service: ServiceId, in_ms: i64) {
        let Some(found) = self.services.get_mut(service.index()) else { return };
        if !std::mem::replace(&mut found.check_due, true) {
            self.later(in_ms, Deed::CheckService(service));
        }
    }

    /// A host became usable, or unusable: services that lack tasks look again, daemons too.
    pub(crate) fn services_look_again(&mut self, host: HostId) {
        let Some(cluster) = self.hosts.get(host.index()).map(|host| host.cluster) else { return };
        let Some(services) = self.clusters.get(cluster.index()).map(|cluster| cluster.services.clone()) else { return };
        for id in services {
            let service = &self.services[id.index()];
            let lacks = (service.running + service.pending) < service.desired || service.placement_failed_at.is_some();
            if lacks || service.strategy == Strategy::Daemon && self.hosts[host.index()].first_task == super::NO_TASK {
                self.look_at_service(id, 1_000);
            }
        }
    }

    pub(crate) fn check_service(&mut self, id: ServiceId) {
        let Some(service) = self.services.get_mut(id.index()) else { return };
        service.check_due = false;
        match service.strategy {
            Strategy::Replica => self.check_replicas(id),
            Strategy::Daemon => self.check_daemon(id),
        }
        self.settle_deployment(id);
    }

    fn check_replicas(&mut self, id: ServiceId) {
        let Some(service) = self.services.get(id.index()) else { return };
        let (desired, definition, cluster) = (service.desired, service.definition, service.cluster);
        // Nothing has to go away: the counts say it all, and nobody walks through a hundred thousand tasks.
        let settled = service.deployment.rollout == Rollout::Completed
            && self.clusters.get(cluster.index()).is_some_and(|cluster| cluster.draining == 0);
        if settled && service.running + service.pending <= desired {
            let wanted = desired - service.running - service.pending;
            let lacking = self.start_tasks(id, cluster, definition, wanted);
            self.note_placement(id, lacking);
            return;
        }
        let protected = service.protected;
        let minimum = (service.desired * service.minimum_healthy_percent).div_ceil(100);
        let maximum = service.desired * service.maximum_percent / 100;
        // `leaving`: on a draining host or of an older deployment; replaced first, then stopped.
        let (mut good, mut good_running, mut leaving, mut leaving_running) = (Vec::new(), 0, Vec::new(), 0);
        for &task in &service.tasks {
            let Some(found) = self.task(task) else { continue };
            if !found.said.desired_running {
                continue;
            }
            let draining =
                self.hosts.get(found.host.index()).is_some_and(|host| host.said.status == HostStatus::Draining);
            let runs = found.said.last == TaskStatus::Running;
            if draining || found.definition != definition {
                leaving.push((task, runs));
                leaving_running += u32::from(runs);
            } else {
                good.push(task);
                good_running += u32::from(runs);
            }
        }
        let total = (good.len() + leaving.len()) as u32;
        let wanted = desired.saturating_sub(good.len() as u32);
        let allowed = if leaving.is_empty() { wanted } else { wanted.min(maximum.saturating_sub(total)) };
        let lacking = self.start_tasks(id, cluster, definition, allowed);
        self.note_placement(id, lacking);
        // Protected tasks are replaced where that is due, and stay.
        if good.len() as u32 > desired && !protected {
            let reason = self.scaling_reason(id);
            for task in good.into_iter().skip(desired as usize) {
                self.want_stopped(task, StopCode::ServiceSchedulerInitiated, reason, None);
            }
        }
        let mut spare = (good_running + leaving_running).saturating_sub(minimum);
        if !leaving.is_empty() {
            let reason = self.scaling_reason(id);
            for (task, runs) in leaving {
                if protected || runs && spare == 0 {
                    continue;
                }
                spare = spare.saturating_sub(u32::from(runs));
                self.want_stopped(task, StopCode::ServiceSchedulerInitiated, reason, None);
            }
            let retry = self.habits.scheduler_retry_ms / 4;
            self.look_at_service(id, retry);
        }
    }

    /// Starts so many tasks, a batch at a time; says what was lacking when there was no room, and for how many.
    fn start_tasks(
        &mut self,
        id: ServiceId,
        cluster: super::ClusterId,
        definition: DefinitionId,
        wanted: u32,
    ) -> Option<(Refused, u32)> {
        let ask = Ask { definition, who: Who::Service(id) };
        for placed in 0..wanted.min(BATCH) {
            match self.find_room(cluster, &ask) {
                Ok(host) => {
                    self.place_task(Some(id), None, definition, host, false);
                }
                Err(refused) => return Some((refused, wanted - placed)),
            }
        }
        if wanted > BATCH {
            self.look_at_service(id, 1_000);
        }
        None
    }

    fn check_daemon(&mut self, id: ServiceId) {
        let Some(service) = self.services.get(id.index()) else { return };
        let (definition, cluster) = (service.definition, service.cluster);
        let mut covered: std::collections::BTreeSet<HostId> = std::collections::BTreeSet::new();
        let mut surplus: Vec<TaskId> = Vec::new();
        for &task in &service.tasks {
            let Some(found) = self.task(task) else { continue };
            if !found.said.desired_running {
                continue;
            }
            let draining =
                self.hosts.get(found.host.index()).is_some_and(|host| host.said.status == HostStatus::Draining);
            if draining || found.definition != definition {
                surplus.push(task);
            }
            covered.insert(found.host);
        }
        let reason = self.scaling_reason(id);
        for task in surplus {
            self.want_stopped(task, StopCode::ServiceSchedulerInitiated, reason, None);
        }
        let Some(found) = self.clusters.get(cluster.index()) else { return };
        let hosts: Vec<HostId> = found.hosts.iter().copied().filter(|host| !covered.contains(host)).collect();
        let mut active = covered.len() as u32;
        let ask = Ask { definition, who: Who::Service(id) };
        for host in hosts {
            if self.hosts[host.index()].said.status != HostStatus::Active {
                continue;
            }
            let lack = self.lacks(host, &ask);
            // A host that such a task may never be placed on needs none; one without an agent or room does.
            if lack.is_none_or(|lack| lack == Lack::Agent || lack.is_shortage()) {
                active += 1;
            }
            if lack.is_none() {
                self.place_task(Some(id), None, definition, host, false);
            }
        }
        if let Some(service) = self.services.get_mut(id.index()) {
            service.desired = active;
        }
    }

    fn note_placement(&mut self, id: ServiceId, lacking: Option<(Refused, u32)>) {
        let now = self.now;
        let Some(service) = self.services.get_mut(id.index()) else { return };
        let Some((refused, short)) = lacking else {
            service.placement_failed_at = None;
            return;
        };
        let said_recently = service.placement_failed_at.is_some_and(|at| now.since(at) < REPEAT_FAILURE_MS);
        let name = service.name.clone();
        if !said_recently {
            service.placement_failed_at = Some(now);
            let words = self.failure_text(&refused);
            self.say(id, format!("(service {name}) {words}"));
            self.tell_service(id, ServiceAction::PlacementFailure(refused.why), refused.closest);
        }
        self.scale_for(id, &refused, short);
        let retry = self.habits.scheduler_retry_ms;
        self.look_at_service(id, retry);
    }

    /// What the service's own list of events says of a failed placement (spec A.8).
    fn failure_text(&self, refused: &Refused) -> String {
        let unable = "was unable to place a task because no container instance met all of its requirements.";
        let closest = match refused.closest[0] {
            Some(host) => host,
            None if refused.why == PlacementFailure::EmptyCapacityProvider => {
                return format!("{unable} Reason: No Container Instances were found in your capacity provider.");
            }
            None => return format!("{unable} Reason: No Container Instances were found in your cluster."),
        };
        let mut hex = Vec::new();
        self.namer.write_host(closest, &mut hex);
        let what = match refused.why {
            PlacementFailure::Cpu => "has insufficient CPU units available".to_owned(),
            PlacementFailure::Memory => "has insufficient memory available".to_owned(),
            PlacementFailure::Ports => "is already using a port required by your task".to_owned(),
            PlacementFailure::Attribute => "is missing an attribute required by your task".to_owned(),
            other => format!("encountered error \"{}\"", other.word()),
        };
        let hex = String::from_utf8(hex).unwrap_or_default();
        format!("{unable} The closest matching (container-instance {hex}) {what}.")
    }

    fn scaling_reason(&mut self, id: ServiceId) -> super::Symbol {
        let deployment = self.services.get(id.index()).map_or(0, |service| service.deployment.id);
        self.intern(&format!("Scaling activity initiated by (deployment ecs-svc/{deployment:019})"))
    }

    fn say(&mut self, id: ServiceId, message: String) {
        self.serial += 1;
        let mut uuid = Vec::new();
        self.namer.write_event(self.serial, &mut uuid);
        let line = ServiceMessage { id: String::from_utf8(uuid).unwrap_or_default(), at: self.now, message };
        if let Some(service) = self.services.get_mut(id.index()) {
            service.events.push_front(line);
            service.events.truncate(100);
        }
    }

    fn tell_service(&mut self, id: ServiceId, action: ServiceAction, closest: Closest) {
        let Some(place) = self.service_place(id) else { return };
        self.emit(place, What::Service { service: id, action, closest });
    }

    fn service_place(&self, id: ServiceId) -> Option<super::PlaceId> {
        let cluster = self.services.get(id.index())?.cluster;
        self.clusters.get(cluster.index()).map(|cluster| cluster.place)
    }

    // A deployment is over when all tasks are of its definition and run.
    fn settle_deployment(&mut self, id: ServiceId) {
        let Some(service) = self.services.get(id.index()) else { return };
        if service.deployment.rollout != Rollout::InProgress || service.running < service.desired {
            return;
        }
        let definition = service.definition;
        // Tasks that are meant to stop do not count, even where a lost host keeps them from stopping.
        let all_new = service.tasks.iter().filter_map(|task| self.task(*task)).all(|task| {
            !task.said.desired_running || task.definition == definition && task.said.last == TaskStatus::Running
        });
        if !all_new {
            return;
        }
        let (now, name, deployment) = (self.now, service.name.clone(), service.deployment.id);
        let service = &mut self.services[id.index()];
        (service.deployment.rollout, service.deployment.updated_at) = (Rollout::Completed, now);
        self.say(id, format!("(service {name}) has reached a steady state."));
        self.tell_service(id, ServiceAction::SteadyState, [None; 3]);
        if let Some(place) = self.service_place(id) {
            self.emit(place, What::Deployment { service: id, deployment, rollout: Rollout::Completed });
        }
    }

    /// Rolls a service out again, with its task definition's next revision.
    pub fn deploy(&mut self, id: ServiceId) {
        let Some(service) = self.services.get(id.index()) else { return };
        let Some(old) = self.definitions.get(service.definition.index()).cloned() else { return };
        let newest = self.definitions.iter().filter(|other| other.place == old.place && other.family == old.family);
        let revision = newest.map(|other| other.revision).max().unwrap_or(old.revision) + 1;
        let definition = DefinitionId(self.definitions.len() as u32);
        self.definitions.push(super::TaskDefinition { revision, ..old });
        let deployment = self.streams.of(Purpose::Placement).bits() % 10_u64.pow(19);
        let now = self.now;
        let service = &mut self.services[id.index()];
        service.definition = definition;
        service.deployment =
            super::Deployment { id: deployment, rollout: Rollout::InProgress, created_at: now, updated_at: now };
        if let Some(place) = self.service_place(id) {
            self.emit(place, What::Deployment { service: id, deployment, rollout: Rollout::InProgress });
        }
        self.look_at_service(id, 500);
    }

    pub(crate) fn churn(&mut self, id: ServiceId) {
        let Some(service) = self.services.get(id.index()) else { return };
        let (rate, count) = (service.churn_per_hour, service.tasks.len());
        if rate <= 0.0 {
            return;
        }
        let ended = self.streams.of(Purpose::Churn).below(count as u64) as usize;
        let task = self.services[id.index()].tasks.get(ended).copied();
        if let Some(task) =
            task.filter(|task| self.task(*task).is_some_and(|task| task.said.last == TaskStatus::Running))
            && self.task(task).is_some_and(|task| self.hosts[task.host.index()].said.connected)
        {
            let reason = self.intern("Essential container in task exited");
            self.want_stopped(task, StopCode::EssentialContainerExited, reason, Some(1));
        }
        self.schedule_churn(id);
    }

    pub(crate) fn schedule_churn(&mut self, id: ServiceId) {
        let Some(service) = self.services.get(id.index()) else { return };
        let per_hour = service.churn_per_hour * f64::from(service.desired.max(1));
        if per_hour <= 0.0 {
            return;
        }
        let unit = self.streams.of(Purpose::Churn).unit();
        let wait = (-(1.0 - unit).ln() / per_hour * HOUR as f64).min(24.0 * HOUR as f64) as i64;
        self.later(wait.max(1), Deed::Churn(id));
    }
}
