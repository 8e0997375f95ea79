//! Tasks.

use super::{Order, Road, order};
use crate::{
    effect::Effect,
    host::{Host, Millis, UNVERSIONED},
    journal::Record,
    key::Key,
    observation::TaskFact,
    slab::{NONE, Slot},
    state::Fleet,
    task::Task,
};

impl Fleet {
    pub(super) fn apply_task(&mut self, fact: &TaskFact<'_>, road: Road, effects: &mut Vec<Effect>) {
        let found = Key::find_arn(&self.names, &fact.arn).and_then(|key| self.tasks.find(&key));
        let Some(slot) = found else {
            self.meet_task(fact, road);
            return;
        };
        let Some(task) = self.tasks.get(slot) else { return };
        match order(task.version, task.fact_at, fact.version, road.at) {
            Order::Older => return,
            Order::Same if !road.is_look() => return,
            Order::Same | Order::Newer => {}
        }
        let (held, key, gap, unplaced) = (task.version, task.key, task.gap, task.host == NONE);
        if fact.last_status.is_over() {
            self.remove_task(slot, fact.version);
            return;
        }
        let skipped = fact.version.is_some_and(|came| held != UNVERSIONED && came > held + 1);
        let gap = if road.is_look() {
            if gap {
                self.gaps.remove(&key);
            }
            false
        } else if skipped && !gap {
            self.want_gap_filled(key);
            let came = fact.version.unwrap_or(held);
            effects.push(Effect::Record(Record::GapNoted { arn: key.text(&self.names), held, came }));
            true
        } else {
            gap
        };
        let (mut came_by_interface, mut host) = (false, NONE);
        if let Some(task) = self.tasks.get_mut(slot) {
            task.version = fact.version.unwrap_or(held);
            task.fact_at = task.fact_at.max(road.at.min(self.now));
            task.status = fact.last_status;
            task.desired_running = fact.desired_running;
            task.gap = gap;
            came_by_interface = fact.awsvpc && !task.awsvpc;
            task.awsvpc |= fact.awsvpc;
            host = task.host;
        }
        if came_by_interface {
            self.count_interface(host, true);
        }
        if unplaced && let Some(arn) = fact.instance.as_deref() {
            let host = self.host_for_task(arn, &fact.cluster);
            self.place_task(slot, host);
        }
    }

    /// A task seen for the first time. One that is over leaves only its name, in case an older event comes later.
    fn meet_task(&mut self, fact: &TaskFact<'_>, road: Road) {
        let key = Key::keep_arn(&mut self.names, &fact.arn);
        if fact.last_status.is_over() {
            self.remember_task(key, fact.version.unwrap_or(UNVERSIONED), road.at.min(self.now));
            return;
        }
        let by_event = !road.is_look();
        if by_event && self.departed_tasks.outlived(&key, fact.version) {
            return;
        }
        // An old event about a stranger may be about a task that is over and forgotten: believed, and looked up.
        let gap = by_event && self.departed_tasks.may_have_forgotten(road.at);
        if gap {
            self.want_gap_filled(key);
        }
        let cluster = self.cluster_mut(&fact.cluster).arn;
        let group = fact.group.as_deref().map(|group| self.names.keep(group));
        let slot = self.tasks.insert(Task {
            key,
            version: fact.version.unwrap_or(UNVERSIONED),
            fact_at: road.at.min(self.now),
            host: NONE,
            next: NONE,
            previous: NONE,
            group,
            cluster,
            status: fact.last_status,
            desired_running: fact.desired_running,
            gap,
            awsvpc: fact.awsvpc,
        });
        if let Some(arn) = fact.instance.as_deref() {
            let host = self.host_for_task(arn, &fact.cluster);
            self.place_task(slot, host);
        }
    }

    /// The host a task speaks of; known by hearsay alone until it is seen itself.
    fn host_for_task(&mut self, arn: &str, cluster: &str) -> Slot {
        let key = Key::keep_arn(&mut self.names, arn);
        match self.hosts.find(&key) {
            Some(slot) => slot,
            None => {
                let cluster = self.cluster_mut(cluster).arn;
                self.hosts.insert(Host::new(key, cluster))
            }
        }
    }

    fn place_task(&mut self, slot: Slot, host_slot: Slot) {
        let Some(host) = self.hosts.get_mut(host_slot) else { return };
        let next = std::mem::replace(&mut host.first_task, slot);
        if self.tasks.get(slot).is_some_and(|task| task.awsvpc) {
            self.count_interface(host_slot, true);
        }
        if let Some(task) = self.tasks.get_mut(slot) {
            task.host = host_slot;
            task.next = next;
            task.previous = NONE;
        }
        if let Some(task) = self.tasks.get_mut(next) {
            task.previous = slot;
        }
    }

    /// A task with an interface of its own has come to a host, or has left it.
    fn count_interface(&mut self, host: Slot, came: bool) {
        if self.hosts.get(host).is_none() {
            return;
        }
        self.touch(host);
        if let Some(host) = self.hosts.get_mut(host) {
            host.interfaces = if came { host.interfaces.saturating_add(1) } else { host.interfaces.saturating_sub(1) };
        }
    }

    pub(super) fn apply_task_missing(&mut self, arn: &str) {
        if let Some(slot) = Key::find_arn(&self.names, arn).and_then(|key| self.tasks.find(&key)) {
            self.remove_task(slot, None);
        }
    }

    /// Forgets a task that is over, but for its name.
    pub(crate) fn remove_task(&mut self, slot: Slot, version: Option<i64>) {
        let Some(task) = self.tasks.remove(slot) else { return };
        if task.gap {
            self.gaps.remove(&task.key);
        }
        if task.awsvpc {
            self.count_interface(task.host, false);
        }
        if let Some(next) = self.tasks.get_mut(task.next) {
            next.previous = task.previous;
        }
        match self.tasks.get_mut(task.previous) {
            Some(previous) => previous.next = task.next,
            None => {
                if let Some(host) = self.hosts.get_mut(task.host) {
                    host.first_task = task.next;
                }
            }
        }
        if let Some(host) = self.hosts.get(task.host).filter(|host| host.hearsay && host.first_task == NONE) {
            debug_assert_eq!(host.machine, NONE);
            self.touch(task.host);
            self.hosts.remove(task.host);
        }
        self.remember_task(task.key, version.unwrap_or(task.version).max(task.version), task.fact_at);
    }

    fn remember_task(&mut self, key: Key, version: i64, at: Millis) {
        let limit = 1024 + self.tasks.len() / 32;
        self.departed_tasks.remember(key, version, at, limit);
    }
}
