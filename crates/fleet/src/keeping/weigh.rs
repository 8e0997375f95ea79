//! The facts of one pool, put together, and what the keeper makes of them.

use std::collections::BTreeMap;

use super::{Kept, PoolKey, STALE_MS};
use crate::{
    capacity::{
        headroom::Availability,
        keeper::{Decision, Memory, Pool, ZoneRoom, decide},
        placement::Placement,
        shape::TaskShape,
        twin::Twin,
    },
    case::Subject,
    host::{Host, Millis},
    journal::Stage,
    machine::Machine,
    names::Name,
    observation::InstanceStatus,
    policy::Keep,
    remedy::Remedy,
    slab::Slot,
    state::{Fleet, stamp},
};

/// A pool, and what is to be done about it.
#[derive(Clone, Debug)]
pub(crate) struct Weighed {
    pub(crate) pool: Pool,
    pub(crate) decision: Decision,
    /// What the keeper would remember if the decision were carried out.
    pub(crate) memory: Memory,
    /// What is short, in words.
    pub(crate) short: Option<String>,
}

impl Fleet {
    /// Weighs a pool on what is believed now. `None`: too little is known, or it is too old to say anything.
    pub(crate) fn weigh_pool(&self, key: PoolKey) -> Option<Weighed> {
        let memory = self.keeping.pools.get(&key)?.memory.clone();
        self.weigh_pool_with(key, memory)
    }

    /// The same, with another memory than the pool's own.
    pub(crate) fn weigh_pool_with(&self, key: PoolKey, mut memory: Memory) -> Option<Weighed> {
        let (keep, kept) = (self.keep_of(key)?, self.keeping.pools.get(&key)?);
        let cluster = self.clusters.get(&key.cluster)?;
        let stale_ms = i64::from(self.policy.stale_after_secs) * 1000;
        if cluster.looked_at == 0 || self.now - cluster.looked_at > stale_ms || cluster.trouble.is_some() {
            return None;
        }
        if let Some(nothing) = self.nothing_to_keep(key, keep) {
            let decision = Decision::Hold { because: nothing.clone(), until: None };
            return Some(Weighed { pool: Pool::default(), decision, memory, short: Some(nothing) });
        }
        let pool = self.pool(key, keep, kept)?;
        let decision = decide(&keep.declared, &pool, &mut memory, stamp(self.now));
        let decision = self.restrict(key, keep, kept, &pool, decision);
        let short = pool.shortage(keep.declared.copies);
        Some(Weighed { pool, decision, memory, short })
    }

    /// That what room is declared for does not exist, in a sentence.
    fn nothing_to_keep(&self, key: PoolKey, keep: &Keep) -> Option<String> {
        let demand = self.keeping.demands.get(&(key.cluster, key.of))?;
        let told = demand.told_at != 0 && self.now - demand.told_at <= STALE_MS;
        if !told || demand.wanted.is_some() {
            return None;
        }
        let what = match keep.of.split_once(':') {
            Some(("service", name)) => format!("service {name}"),
            _ => format!("task definition {}", keep.of.rsplit(':').next().unwrap_or_default()),
        };
        let about = self.clusters.values().filter(|it| keep.is_about(self.short(it.arn))).count();
        let place = match about {
            1 => format!("cluster {}", self.short(key.cluster)),
            several => format!("any of the {several} clusters that this is about"),
        };
        Some(format!(
            "headroom is declared for {what}, and there is none in {place}: is its name misspelt in [[headroom]]?"
        ))
    }

    /// What the keeper cannot know: that it is not clear which group is meant, that somebody has refused, or that another
    /// pool of the same group is being served.
    fn restrict(&self, key: PoolKey, keep: &Keep, kept: &Kept, pool: &Pool, decision: Decision) -> Decision {
        let hold = |because: String, until: Option<Millis>| Decision::Hold { because, until: until.map(stamp) };
        let Some(short) = pool.shortage(keep.declared.copies) else {
            return match (&decision, self.providers_untold(key)) {
                (Decision::End { .. }, Some(untold)) => hold(untold, None),
                _ => decision,
            };
        };
        if key.group.is_none() {
            let names: Vec<&str> =
                self.candidates(keep, key.cluster, key.of).into_iter().map(|group| self.group_name(group)).collect();
            let why = match names.as_slice() {
                [] => "no Auto Scaling group that muster knows feeds the cluster".to_owned(),
                several => format!("which group is to grow? {} do: name one in `groups`", several.join(" and ")),
            };
            return hold(format!("{short}; {why}"), None);
        }
        if !matches!(decision, Decision::Raise { .. }) {
            return decision;
        }
        if let Some(untold) = self.providers_untold(key) {
            return hold(format!("{short}; {untold}"), None);
        }
        if kept.not_before > self.now {
            return hold(format!("{short}, but the last step was refused: {}", kept.refused), Some(kept.not_before));
        }
        if keep.scale_out_policy.is_some() && pool.group_max > keep.declared.max_hosts {
            return hold(
                format!(
                    "{short}; the scaling policy may make the group as large as its own maximum, {}, and max_hosts is {}",
                    pool.group_max, keep.declared.max_hosts
                ),
                None,
            );
        }
        let other = self.repairs.active.iter().filter_map(|slot| self.cases.get(*slot)).any(|case| {
            let same = matches!(case.subject, Subject::Pool(other) if other != key && other.group == key.group);
            same && case.stage == Stage::Acting
        });
        if other {
            return hold(format!("{short}; the group is being made larger for something else"), None);
        }
        decision
    }

    /// That it is not known who sizes the pool's group: a capacity provider of any cluster beside it may, and nobody has said
    /// what it does.
    pub(crate) fn providers_untold(&self, key: PoolKey) -> Option<String> {
        let place = self.clusters.get(&key.cluster)?.place;
        let untold = self.clusters.values().find(|it| it.place == place && it.looked_at != 0 && !it.providers_told)?;
        let name = self.short(untold.arn);
        Some(format!(
            "whether managed scaling sizes the group is not known: the capacity providers of cluster {name} were not described"
        ))
    }

    /// The name of a group, without its place.
    pub(crate) fn group_name(&self, group: Name) -> &str {
        let text = self.names.text(group);
        text.splitn(3, '/').nth(2).unwrap_or(text)
    }

    fn pool(&self, key: PoolKey, keep: &Keep, kept: &Kept) -> Option<Pool> {
        let demand = self.keeping.demands.get(&(key.cluster, key.of))?;
        if self.now - demand.told_at > STALE_MS {
            return None;
        }
        let wanted = demand.wanted.as_ref()?;
        let shape = &wanted.shape;
        let placement = Placement { subnets: self.subnet_rooms(&wanted.subnets), ..wanted.placement.clone() };
        let twin = Twin::of(self, self.names.text(key.cluster));
        let answer = twin.fit(shape, &placement);
        let rooms = self.rooms(answer.hosts.iter().filter_map(|host| {
            let open = host.availability == Availability::Open;
            host.slot.filter(|_| open).map(|slot| (slot, u64::from(host.copies)))
        }));
        let mut pool =
            Pool { copies_now: rooms.values().fold(0, |sum, room| room.saturating_add(sum)), ..Pool::default() };
        if keep.each_zone {
            let room = |zone: &Name| rooms.get(&Some(*zone)).copied().unwrap_or(0);
            let zones = kept.zones.iter();
            pool.zones = zones
                .map(|zone| ZoneRoom { zone: self.names.text(*zone).to_owned(), copies_now: room(zone) })
                .collect();
            pool.copies_now = kept.zones.iter().map(room).fold(0, u64::saturating_add);
        }
        let Some(name) = key.group else { return Some(pool) };
        let group = self.keeping.groups.get(&name).filter(|group| self.now - group.told_at <= STALE_MS)?;
        pool.desired = group.desired;
        (pool.group_min, pool.group_max) = (group.min, group.max);
        (pool.launch_suspended, pool.terminate_suspended) = (group.launch_suspended, group.terminate_suspended);
        pool.managed_scaling = self
            .clusters
            .values()
            .flat_map(|cluster| &cluster.providers)
            .any(|provider| provider.group == name && provider.managed_scaling);
        pool.launch_failed_at = (group.failed_at != 0).then(|| stamp(group.failed_at));
        pool.launch_failures = group.failures;
        let members: Vec<Slot> =
            group.members.iter().filter_map(|machine| self.host_on(self.machines.find(machine)?)).collect();
        pool.members = members.len() as u32;
        let per_host = self.copies_per_host(&twin, shape, &placement, &members);
        pool.copies_per_host = if per_host > 0 { per_host } else { kept.per_host };
        if keep.declared.scale_in && pool.shortage(keep.declared.copies).is_none() {
            pool.empty = self.empty_hosts(key, keep, kept, &rooms, &members);
        }
        Some(pool)
    }

    /// The host that a machine has become, if it has: one that registers still is on its way.
    fn host_on(&self, machine: Slot) -> Option<Slot> {
        let machine = self.machines.get(machine).filter(|machine| !machine.is_down())?;
        self.hosts_of(machine).into_iter().find(|slot| {
            self.hosts.get(*slot).is_some_and(|host| {
                !host.hearsay && matches!(host.status, InstanceStatus::Active | InstanceStatus::Draining)
            })
        })
    }

    fn rooms(&self, hosts: impl Iterator<Item = (Slot, u64)>) -> BTreeMap<Option<Name>, u64> {
        let mut rooms: BTreeMap<Option<Name>, u64> = BTreeMap::new();
        for (slot, copies) in hosts {
            let room = rooms.entry(self.hosts.get(slot).and_then(|host| host.zone)).or_default();
            *room = room.saturating_add(copies);
        }
        rooms
    }

    /// Copies that a host with nothing on it takes; of several types the largest, so that never too many are launched.
    fn copies_per_host(&self, twin: &Twin<'_>, shape: &TaskShape, placement: &Placement, members: &[Slot]) -> u64 {
        let mut kinds: BTreeMap<Option<Name>, Slot> = BTreeMap::new();
        for slot in members {
            let Some(host) = self.hosts.get(*slot).filter(|host| host.resources.is_some()) else { continue };
            kinds.entry(host.instance_type).or_insert(*slot);
        }
        kinds.values().map(|slot| u64::from(twin.copies_of_fresh(*slot, shape, placement))).max().unwrap_or(0)
    }

    /// Machines of the group that may go: empty hosts that nothing protects and without which there is still room for all
    /// that is declared in the cluster. The one that is on its way out already, then those where most is left.
    fn empty_hosts(
        &self,
        key: PoolKey,
        keep: &Keep,
        kept: &Kept,
        rooms: &BTreeMap<Option<Name>, u64>,
        members: &[Slot],
    ) -> Vec<String> {
        let going = kept.ending.and_then(|(slot, id)| {
            let case = self.cases.get(slot).filter(|case| case.id == id)?;
            if let Subject::Host(host) = case.subject { Some(host) } else { None }
        });
        let room = |host: &Host| match keep.each_zone {
            true => rooms.get(&host.zone).copied().unwrap_or(0),
            false => rooms.values().fold(0, |sum, room| room.saturating_add(sum)),
        };
        let mut found: Vec<(bool, u64, Millis, Slot)> = members
            .iter()
            .filter(|slot| self.is_spare(key, **slot).is_ok())
            .filter_map(|slot| {
                let host = self.hosts.get(*slot)?;
                Some((Some(*slot) == going, room(host), host.registered_at, *slot))
            })
            .collect();
        found.sort_unstable_by_key(|(going, room, since, slot)| (!going, std::cmp::Reverse((*room, *since)), *slot));
        // To see what the others would have without it costs a walk each: the first few are enough to find one.
        let spare = found.into_iter().take(4).filter(|(.., slot)| self.all_have_room_without(key, *slot));
        spare.filter_map(|(.., slot)| Some(self.machine_of(self.hosts.get(slot)?)?.key.text(&self.names))).collect()
    }

    /// Whether a host may go: empty, ACTIVE, connected, in no trouble, protected by nobody.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub(crate) fn is_spare(&self, key: PoolKey, slot: Slot) -> Result<(), String> {
        let Some(host) = self.hosts.get(slot) else { return Err("the host is gone".to_owned()) };
        if self.availability(host) != Availability::Open {
            return Err(format!("the host is {}", self.availability(host).word()));
        }
        self.is_empty(key, host)?;
        self.is_unprotected(key, host)?;
        match self.subject_forbidden(Subject::Host(slot), Remedy::ScaleIn) {
            Some(why) => Err(why),
            None => Ok(()),
        }
    }

    /// Whether nothing but daemons runs on a host, as ECS counts and as muster knows its tasks.
    pub(crate) fn is_empty(&self, key: PoolKey, host: &Host) -> Result<(), String> {
        let daemons = self.daemons_on(key, host);
        let tasks = self.tasks_of(host).filter(|(_, task)| !task.status.is_over()).count() as u32;
        let counted = host.running_tasks + host.pending_tasks;
        match tasks.max(counted) {
            held if held > daemons => Err(format!("{} tasks are on the host", held - daemons)),
            _ => Ok(()),
        }
    }

    /// Tasks of daemons on a host that are not over.
    pub(crate) fn daemons_on(&self, key: PoolKey, host: &Host) -> u32 {
        let Some(demand) = self.keeping.demands.get(&(key.cluster, key.of)) else { return 0 };
        let daemon = |group: Option<Name>| group.is_some_and(|group| demand.daemons.contains(&group));
        self.tasks_of(host).filter(|(_, task)| !task.status.is_over() && daemon(task.group)).count() as u32
    }

    /// Whether the machine is an unprotected member of the pool's group.
    pub(crate) fn is_unprotected(&self, key: PoolKey, host: &Host) -> Result<(), String> {
        let machine = self.machine_of(host).map(|machine: &Machine| machine.key);
        let group = key.group.and_then(|group| self.keeping.groups.get(&group));
        match (machine, group) {
            (Some(machine), Some(group)) if group.protected.contains(&machine) => {
                Err("its Auto Scaling group protects it from scale-in".to_owned())
            }
            (Some(machine), Some(group)) if group.members.contains(&machine) => Ok(()),
            _ => Err("it is no member of the group any more".to_owned()),
        }
    }

    /// Whether without a host there is still all the room that is declared in its cluster, whoever declares it. A group
    /// that another declaration does not want smaller stays as it is.
    pub(crate) fn all_have_room_without(&self, key: PoolKey, slot: Slot) -> bool {
        let Some(host) = self.hosts.get(slot) else { return false };
        let mut pools = self.keeping.pools.iter().filter(|(other, _)| other.cluster == key.cluster);
        pools.all(|(other, kept)| {
            let Some(keep) = self.keep_of(*other) else { return true };
            if other.group == key.group && !keep.declared.scale_in {
                return false;
            }
            let Some(demand) = self.keeping.demands.get(&(other.cluster, other.of)) else { return false };
            let Some(wanted) = demand.wanted.as_ref() else { return true };
            let placement = Placement { subnets: self.subnet_rooms(&wanted.subnets), ..wanted.placement.clone() };
            let answer = Twin::of(self, self.names.text(other.cluster)).fit(&wanted.shape, &placement);
            let rooms = self.rooms(answer.hosts.iter().filter_map(|fit| {
                let counts = fit.availability == Availability::Open && fit.slot != Some(slot);
                fit.slot.filter(|_| counts).map(|slot| (slot, u64::from(fit.copies)))
            }));
            let copies = u64::from(keep.declared.copies);
            match keep.each_zone {
                true => {
                    let zones = kept.zones.iter().filter(|zone| Some(**zone) == host.zone);
                    zones.map(|zone| rooms.get(&Some(*zone)).copied().unwrap_or(0)).all(|room| room >= copies)
                }
                false => rooms.values().fold(0_u64, |sum, room| room.saturating_add(sum)) >= copies,
            }
        })
    }

    /// Whether what is known of the pool's group was told within so long.
    pub(crate) fn group_is_fresh(&self, key: PoolKey, within_ms: Millis) -> bool {
        let group = key.group.and_then(|group| self.keeping.groups.get(&group));
        group.is_some_and(|group| group.told_at != 0 && self.now - group.told_at <= within_ms)
    }

    /// Whether so much of the cluster is away, or in doubt, that nothing is decided about its room (I2).
    pub(crate) fn pool_doubted(&self, key: PoolKey) -> Option<String> {
        use crate::cohort::Trait;
        let place = self.clusters.get(&key.cluster).map(|cluster| cluster.place);
        let own = [(Trait::Cluster, Some(key.cluster)), (Trait::Group, key.group), (Trait::Place, place)];
        for (shared, value) in own {
            if let Some(value) = value
                && self.loses_too_many((shared, value))
            {
                return Some(self.loss_sentence((shared, value), ""));
            }
        }
        self.cases.doubts().next()?;
        let covered = self.hosts_in(key.cluster).into_iter().find_map(|slot| self.doubt_over(slot));
        covered.map(|doubt| format!("case {doubt} doubts what hosts of the cluster share with others"))
    }

    /// Where the pool's group stands among its machines, for the sentence of a decision.
    pub(crate) fn pool_text(&self, key: PoolKey) -> String {
        let of = self.names.text(key.of);
        match key.group {
            Some(group) => format!("{of} on {}", self.group_name(group)),
            None => of.to_owned(),
        }
    }

    /// The host of a machine, by the machine's id.
    pub(crate) fn host_of_machine(&self, id: &str) -> Option<Slot> {
        self.host_on(self.find_machine(id)?)
    }
}
