//! Container instances.

use std::hash::BuildHasher as _;

use super::{Order, Road, order};
use crate::{
    effect::Effect,
    host::{Agent, Host, Millis, UNVERSIONED},
    id::Arn,
    journal::Record,
    key::Key,
    names::{HASHER, Name, Names},
    observation::{Attributes, HostAttributes, InstanceFact, InstanceStatus},
    pool::Pool,
    slab::{NONE, Slot},
    state::{Fleet, millis, place_of},
    timer::{Timer, slotted},
};

/// Of a container instance that was deregistered: it never comes back, since an agent that registers anew gets another ARN.
const LAST_VERSION: i64 = i64::MAX;

/// A list of a cluster may lag behind its events; by so much it does not.
const LATE_MS: Millis = 10 * 60 * 1000;

impl Fleet {
    pub(super) fn apply_instance(&mut self, fact: &InstanceFact<'_>, road: Road, effects: &mut Vec<Effect>) {
        let slot = match self.find_host(&fact.arn) {
            Some(slot) => slot,
            None if fact.status == InstanceStatus::Inactive => {
                let key = Key::keep_arn(&mut self.names, &fact.arn);
                self.remember_host(key, LAST_VERSION, road.at.min(self.now));
                return;
            }
            None => match self.meet_host(fact, road) {
                Some(slot) => slot,
                None => return,
            },
        };
        if fact.status != InstanceStatus::Inactive && self.looks_up_first(slot, road) {
            return;
        }
        let Some(host) = self.hosts.get(slot) else { return };
        let order = if host.hearsay { Order::Newer } else { order(host.version, host.fact_at, fact.version, road.at) };
        match order {
            Order::Older => return,
            Order::Same if !road.is_look() => return,
            Order::Same | Order::Newer => {}
        }
        if fact.status == InstanceStatus::Inactive {
            if let Some(host) = self.hosts.get_mut(slot) {
                host.version = LAST_VERSION;
            }
            self.remove_host(slot, "the container instance was deregistered", effects);
            return;
        }
        self.note_gap(slot, fact, road, order, effects);
        let before = self.standing(slot);
        self.touch(slot);
        let moved = self.believe_instance(slot, fact, road);
        self.tie_to_machine(slot, fact, effects);
        let open_case = self.hosts.get(slot).is_some_and(|host| host.first_case != crate::case::NO_CASE);
        if moved || open_case {
            self.review_host(slot, effects);
            if let Some(looked_at) = road.looked_at.filter(|_| open_case || moved) {
                self.looked_at_host(slot, looked_at, effects);
            }
        }
        self.recount(slot, &before);
    }

    /// The slot of a host by its ARN.
    pub(crate) fn find_host(&self, arn: &str) -> Option<Slot> {
        self.hosts.find(&Key::find_arn(&self.names, arn)?)
    }

    /// A host seen for the first time. `None` when an event speaks of one that is over.
    fn meet_host(&mut self, fact: &InstanceFact<'_>, road: Road) -> Option<Slot> {
        let key = Key::keep_arn(&mut self.names, &fact.arn);
        if !road.is_look() && self.host_had_left(Some(key), fact, road.at) {
            return None;
        }
        let cluster = self.cluster_mut(&fact.cluster).arn;
        Some(self.hosts.insert(Host::new(key, cluster)))
    }

    /// Whether an event of this moment about a host that is not known speaks of one that has left: it was seen to leave in
    /// a later version, or its cluster was listed whole long after the event, and it was not there.
    pub(crate) fn host_had_left(&self, key: Option<Key>, fact: &InstanceFact<'_>, at: Millis) -> bool {
        let cluster = self.names.find(&fact.cluster).and_then(|name| self.clusters.get(&name));
        key.is_some_and(|key| self.departed_hosts.outlived(&key, fact.version))
            || cluster.is_some_and(|cluster| at + LATE_MS < cluster.looked_at)
    }

    /// Whether an event about a stranger is not believed yet, since the host may have left and been forgotten: it is looked up, and
    /// known by hearsay until then.
    fn looks_up_first(&mut self, slot: Slot, road: Road) -> bool {
        if road.is_look() || !self.departed_hosts.may_have_forgotten(road.at) {
            return false;
        }
        let now = self.now;
        let Some(host) = self.hosts.get_mut(slot).filter(|host| host.hearsay) else { return false };
        host.fact_at = host.fact_at.max(road.at.min(now));
        host.gap = true;
        let key = host.key;
        self.want_gap_filled(key);
        true
    }

    /// Versions skipped between events: note it once, and look it up soon (the event may only be late).
    fn note_gap(&mut self, slot: Slot, fact: &InstanceFact<'_>, road: Road, order: Order, effects: &mut Vec<Effect>) {
        let Some(host) = self.hosts.get_mut(slot) else { return };
        let Some(came) = fact.version else { return };
        if road.is_look() {
            if host.gap {
                host.gap = false;
                let key = host.key;
                self.gaps.remove(&key);
            }
            return;
        }
        let skipped = order == Order::Newer && host.version != UNVERSIONED && came > host.version + 1;
        if !skipped || host.gap {
            return;
        }
        host.gap = true;
        let (key, held) = (host.key, host.version);
        self.want_gap_filled(key);
        effects.push(Effect::Record(Record::GapNoted { arn: key.text(&self.names), held, came }));
    }

    /// Queues a thing with skipped versions to be looked up.
    pub(super) fn want_gap_filled(&mut self, key: Key) {
        if self.gaps.is_empty() {
            let at = self.now + i64::from(self.policy.gap_look_secs) * 1000;
            self.timers.set(slotted(at, self.policy.grace_secs), Timer::Gaps);
        }
        self.gaps.insert(key);
    }

    /// Writes the fact into the host. True when something a trouble hangs on has moved.
    fn believe_instance(&mut self, slot: Slot, fact: &InstanceFact<'_>, road: Road) -> bool {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(slot) else { return false };
        let names = &mut self.names;
        let first_sight = std::mem::replace(&mut host.hearsay, false);
        host.version = fact.version.unwrap_or(if host.version == UNVERSIONED { UNVERSIONED } else { host.version });
        host.fact_at = host.fact_at.max(road.at.min(now));
        host.source = road.source;
        if road.is_look() {
            host.confirmed_at = host.confirmed_at.max(road.at.min(now));
        }
        let mut moved = first_sight;
        if host.status != fact.status || first_sight {
            host.status = fact.status;
            host.status_since = road.at.min(now);
            moved = true;
            if fact.status == InstanceStatus::Draining {
                let at = host.status_since + i64::from(self.policy.drain_stuck_secs) * 1000;
                self.timers.set(slotted(at, self.policy.grace_secs), Timer::Drain(slot));
            }
        }
        if host.status_reason.as_deref() != fact.status_reason.as_deref() {
            host.status_reason = fact.status_reason.as_deref().map(Into::into);
        }
        if let Some(connected) = fact.agent_connected {
            let agent = if connected { Agent::Connected } else { Agent::Disconnected };
            if host.agent != agent {
                if host.agent == Agent::Connected {
                    host.departures.note(road.at.min(now));
                }
                host.agent = agent;
                host.agent_since = road.at.min(now);
                moved = true;
            }
        }
        if let Some(count) = fact.running_tasks {
            host.running_tasks = count;
        }
        if let Some(count) = fact.pending_tasks {
            host.pending_tasks = count;
        }
        if fact.resources.is_some() {
            host.resources = fact.resources;
            host.gpus = fact.gpus.unwrap_or_default();
        }
        if let Some(ports) = fact.ports.as_deref()
            && host.ports.is_none_or(|held| self.port_sets.list(held) != ports)
        {
            let held = host.ports.replace(self.port_sets.keep(ports));
            self.port_sets.release(held);
        }
        if let Some(version) = fact.agent_version.as_deref()
            && host.agent_version.is_none_or(|held| names.text(held) != version)
        {
            host.agent_version = Some(names.keep(version));
        }
        if let Some(at) = fact.registered_at {
            host.registered_at = millis(at);
        }
        if let Some(provider) = fact.capacity_provider.as_deref()
            && host.capacity_provider.is_none()
        {
            host.capacity_provider = Some(names.keep(provider));
        }
        let sets = &mut self.attribute_sets;
        believe_attributes(host, (names, sets), &fact.attributes, &self.policy.protection, road.is_look());
        moved
    }

    /// Ties the host to its machine as soon as its id is known.
    fn tie_to_machine(&mut self, slot: Slot, fact: &InstanceFact<'_>, effects: &mut Vec<Effect>) {
        let Some(id) = fact.ec2_instance_id.as_deref().filter(|id| !id.is_empty()) else { return };
        let Some(host) = self.hosts.get(slot) else { return };
        if host.machine != NONE {
            return;
        }
        let machine = self.machine_slot(id);
        self.link_machine(slot, machine);
        let place = Arn::parse(&fact.cluster).map(|arn| place_of(&arn));
        if let (Some(place), Some(machine)) = (place, self.machines.get_mut(machine))
            && machine.place.is_none()
        {
            machine.place = Some(self.names.keep(&place));
        }
        self.review_machine(machine, effects);
    }

    pub(super) fn apply_instance_missing(&mut self, arn: &str, road: Road, effects: &mut Vec<Effect>) {
        let Some(slot) = self.find_host(arn) else { return };
        if self.hosts.get(slot).is_some_and(|host| host.fact_at <= road.looked_at.unwrap_or(road.at)) {
            self.remove_host(slot, "ECS does not know the container instance any more", effects);
        }
    }
}

/// Reads the attributes, unless they are the very bytes that were read last time.
fn believe_attributes(
    host: &mut Host,
    (names, sets): (&mut Names, &mut Pool<(Name, Name)>),
    attributes: &Attributes<'_>,
    protection: &crate::policy::Protection,
    looked: bool,
) {
    let print = match attributes {
        Attributes::Absent => return,
        Attributes::Raw(raw) => HASHER.hash_one(raw.as_bytes()) | 1,
        Attributes::Known(_) => 0,
    };
    if print != 0 && print == host.attributes_print {
        return;
    }
    host.attributes_print = print;
    let known = attributes.read();
    let mut keep = |text: &Option<crate::observation::Text<'_>>, held: &mut Option<crate::names::Name>| {
        if let Some(text) = text.as_deref() {
            *held = Some(names.keep(text));
        }
    };
    keep(&known.zone, &mut host.zone);
    keep(&known.instance_type, &mut host.instance_type);
    keep(&known.ami, &mut host.ami);
    keep(&known.subnet, &mut host.subnet);
    keep(&known.os_type, &mut host.os_type);
    let mark = protection.mark_among(&known.marks);
    // Tags come with looks alone: an event without them takes no protection away.
    if looked || mark.is_some() {
        host.protected = mark.map(Into::into);
    }
    host.external = known.external;
    host.trunk = known.trunk;
    let held = host.attributes.replace(sets.keep(&attribute_set(host, names, &known)));
    sets.release(held);
}

/// All attributes of a host but its trunk's id, which no other host has: those believed by their names, and the others.
fn attribute_set(host: &Host, names: &mut Names, known: &HostAttributes<'_>) -> Vec<(Name, Name)> {
    let nothing = names.keep("");
    let believed = [
        ("ecs.availability-zone", host.zone),
        ("ecs.instance-type", host.instance_type),
        ("ecs.ami-id", host.ami),
        ("ecs.subnet-id", host.subnet),
        ("ecs.os-type", host.os_type),
        ("ecs.capability.external", host.external.then_some(nothing)),
    ];
    let mut set: Vec<(Name, Name)> =
        known.others.iter().map(|(name, value)| (names.keep(name), names.keep(value))).collect();
    set.extend(believed.into_iter().filter_map(|(name, value)| value.map(|value| (names.keep(name), value))));
    // Of an attribute told twice the last word counts, as everywhere.
    set.reverse();
    set.sort_by_key(|(name, _)| *name);
    set.dedup_by_key(|(name, _)| *name);
    set
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, ToSpan as _};

    use super::*;
    use crate::{
        input::{Input, Scope, Sweep},
        observation::{Fact, Observation, Source},
        policy::Policy,
        step::step,
    };

    const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/prod";

    fn event(at: Timestamp) -> Input<'static> {
        let fact = InstanceFact {
            version: Some(7),
            agent_connected: Some(false),
            attributes: Attributes::Absent,
            ..InstanceFact::bare(
                "arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/0f3a",
                CLUSTER,
                InstanceStatus::Active,
            )
        };
        Input::Observed(Observation { at, source: Source::Event, fact: Fact::Instance(fact) })
    }

    #[test]
    fn an_event_that_comes_hours_late_brings_no_host_back_that_a_later_listing_did_not_find() {
        let noon: Timestamp = "2026-10-02T12:00:00Z".parse().unwrap_or_default();
        let mut fleet = Fleet::new(Policy::default());
        let listed = Sweep {
            scope: Scope::ClusterHosts(CLUSTER.into()),
            started_at: noon,
            found: Vec::new(),
            unchanged: 0,
            complete: true,
            absent: Vec::new(),
        };
        step(&mut fleet, noon, &Input::Swept(listed));
        step(&mut fleet, noon + 1.minute(), &event(noon - 7.hours()));
        assert_eq!(fleet.hosts.iter().count(), 0, "it had left before the listing");
        step(&mut fleet, noon + 1.minute(), &event(noon - 1.minute()));
        assert_eq!(fleet.hosts.iter().count(), 1, "a listing may lag a little behind");
    }
}
