//! Declared headroom at work: "always room for 4 more of api in each zone". What is declared is weighed from time to time
//! against what is believed; too little room is a case about the pool, too much one about the empty host that is to go.
//!
//! | to learn | read |
//! |---|---|
//! | what is kept of groups, demands and pools; the rounds and what they ask for | here |
//! | how the facts of one pool are put together and weighed | [`weigh`] |
//! | too little room, from the first suspicion to the group that grows | [`short`] |
//! | too much room, and the empty host that goes | [`spare`] |
//! | the decision itself | [`keeper`](crate::capacity::keeper) |

pub mod short;
pub mod spare;
pub mod weigh;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    capacity::keeper::{Decision, Memory},
    case::NO_CASE,
    effect::Effect,
    host::Millis,
    id::CaseId,
    key::Key,
    names::Name,
    observation::{DemandFact, GroupFact, group::Wanted},
    policy::Keep,
    slab::Slot,
    state::{Fleet, millis},
    timer::Timer,
};

/// Pools are weighed no more often than this, but for answers that were waited for: nothing here is done at every event.
const ROUND_MS: Millis = 60_000;
/// After an answer that was waited for.
const SOON_MS: Millis = 1_000;
/// How often a group in calm is asked for, and what a copy needs: a deployment may change it.
const CALM_MS: Millis = 600_000;
/// What was asked for and not answered is asked for again after so long.
const ASK_AGAIN_MS: Millis = 30_000;
/// Older than this, what is known of a demand or a group is nothing to act on.
const STALE_MS: Millis = 1_800_000;

/// Which room is kept: copies of something in a cluster, by one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PoolKey {
    /// Cluster ARN.
    pub cluster: Name,
    /// `service:NAME` or `family:NAME`.
    pub of: Name,
    /// The group, `ACCOUNT/REGION/GROUP`; `None`: it cannot be said which.
    pub group: Option<Name>,
}

/// All that is kept about declared headroom.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Keeping {
    pub(crate) groups: BTreeMap<Name, Group>,
    pub(crate) demands: BTreeMap<(Name, Name), Demand>,
    pub(crate) pools: BTreeMap<PoolKey, Kept>,
    /// When the pools are weighed next, or 0.
    pub(crate) next_at: Millis,
}

/// What is believed of a group as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) desired: u32,
    pub(crate) zones: Vec<Name>,
    pub(crate) launch_suspended: bool,
    pub(crate) terminate_suspended: bool,
    pub(crate) members: BTreeSet<Key>,
    pub(crate) protected: BTreeSet<Key>,
    /// When a launch last failed, or 0.
    pub(crate) failed_at: Millis,
    pub(crate) failures: u32,
    /// When the look began that told this, or 0.
    pub(crate) told_at: Millis,
    /// When it was last asked for, or 0.
    pub(crate) asked_at: Millis,
}

/// What is believed of what a copy needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Demand {
    /// `None`: there is none, or nobody has told.
    pub(crate) wanted: Option<Box<Wanted>>,
    /// Task groups of daemons, `service:NAME`.
    pub(crate) daemons: BTreeSet<Name>,
    pub(crate) told_at: Millis,
    pub(crate) asked_at: Millis,
}

/// One pool.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its open case, or [`NO_CASE`].
    pub(crate) first_case: Slot,
    /// The zones in each of which there is to be room; empty: in all together.
    pub(crate) zones: Vec<Name>,
    pub(crate) memory: Memory,
    /// The memory before a step that is under way.
    pub(crate) before: Option<Memory>,
    /// As last weighed.
    pub(crate) decision: Decision,
    /// What was short then, in words.
    pub(crate) short: Option<String>,
    /// Copies that a host with nothing on it takes, when that was last seen.
    pub(crate) per_host: u64,
    /// AWS has refused the last step: no other before this.
    pub(crate) not_before: Millis,
    /// Why.
    pub(crate) refused: String,
    /// The case of the host that is to go.
    pub(crate) ending: Option<(Slot, CaseId)>,
}

impl Kept {
    fn new(zones: Vec<Name>) -> Self {
        Self {
            first_case: NO_CASE,
            zones,
            memory: Memory::default(),
            before: None,
            decision: Decision::Enough,
            short: None,
            per_host: 0,
            not_before: 0,
            refused: String::new(),
            ending: None,
        }
    }
}

impl Fleet {
    /// Rounds begin as soon as something is declared.
    pub(crate) fn keep_rounds(&mut self) {
        let idle = self.policy.headroom.is_empty() && self.keeping.pools.is_empty();
        if self.keeping.next_at == 0 && !idle {
            self.keep_within(SOON_MS);
        }
    }

    /// A round is made within so long.
    pub(crate) fn keep_within(&mut self, wait: Millis) {
        let at = self.now + wait;
        if self.keeping.next_at == 0 || self.keeping.next_at > at {
            self.keeping.next_at = at;
            self.timers.set(at, Timer::Keeping);
        }
    }

    /// A round is due.
    pub(crate) fn meet_keeping(&mut self, due: Millis, effects: &mut Vec<Effect>) {
        if self.keeping.next_at == due {
            self.keep_all(effects);
        }
    }

    /// Weighs all pools, and asks for what is missing.
    pub(crate) fn keep_all(&mut self, effects: &mut Vec<Effect>) {
        self.keeping.next_at = 0;
        let pools = self.pools_declared();
        let gone: Vec<PoolKey> = self.keeping.pools.keys().filter(|key| !pools.contains_key(key)).copied().collect();
        for key in gone {
            self.forget_pool(key, effects);
        }
        for (key, zones) in &pools {
            let kept = self.keeping.pools.entry(*key).or_insert_with(|| Kept::new(Vec::new()));
            kept.zones.clone_from(zones);
        }
        for key in pools.into_keys() {
            self.keep_pool(key, effects);
        }
        if !self.policy.headroom.is_empty() || !self.keeping.pools.is_empty() {
            self.keep_within(ROUND_MS);
        }
    }

    fn keep_pool(&mut self, key: PoolKey, effects: &mut Vec<Effect>) {
        let Some(weighed) = self.weigh_pool(key) else { return };
        let Some(kept) = self.keeping.pools.get_mut(&key) else { return };
        kept.memory.plenty_since = weighed.memory.plenty_since;
        kept.decision = weighed.decision.clone();
        kept.short.clone_from(&weighed.short);
        if weighed.pool.copies_per_host > 0 {
            kept.per_host = weighed.pool.copies_per_host;
        }
        match &weighed.short {
            Some(_) => self.keep_short(key, &weighed, effects),
            None => self.keep_enough(key, &weighed, effects),
        }
        self.keep_spare(key, effects);
    }

    fn forget_pool(&mut self, key: PoolKey, effects: &mut Vec<Effect>) {
        let Some(kept) = self.keeping.pools.get(&key) else { return };
        let (ending, first_case) = (kept.ending, kept.first_case);
        let why = match self.keep_of(key) {
            Some(_) => "another group keeps this headroom now",
            None => "nobody declares this headroom any more",
        };
        for case in self.cases_from(first_case) {
            self.close_case(case, why, effects);
        }
        if let Some((slot, id)) = ending {
            self.let_stay(slot, id, why, effects);
        }
        self.keeping.pools.remove(&key);
    }

    /// The declaration of a pool.
    pub(crate) fn keep_of(&self, key: PoolKey) -> Option<&Keep> {
        self.policy.keep_of(self.short(key.cluster), self.names.text(key.of))
    }

    /// Each room that is declared, with the group that keeps it and the zones it is kept in. Asks for what must be known
    /// first.
    fn pools_declared(&mut self) -> BTreeMap<PoolKey, Vec<Name>> {
        let mut pools = BTreeMap::new();
        let clusters: Vec<Name> =
            self.clusters.values().filter(|cluster| cluster.looked_at != 0).map(|cluster| cluster.arn).collect();
        for cluster in clusters {
            let name = self.short(cluster).to_owned();
            let mut wanted: Vec<&Keep> = self.policy.headroom.iter().filter(|keep| keep.is_about(&name)).collect();
            // Of two about the same the first one holds.
            let mut met = BTreeSet::new();
            wanted.retain(|keep| met.insert(keep.of.clone()));
            let wanted: Vec<Keep> = wanted.into_iter().cloned().collect();
            for keep in wanted {
                let of = self.names.keep(&keep.of);
                self.want_demand(cluster, of);
                if self.keeping.demands.get(&(cluster, of)).is_some_and(|demand| demand.wanted.is_some()) {
                    self.pools_of(&keep, cluster, of, &mut pools);
                } else if self.is_nowhere(&keep, of, cluster) {
                    pools.insert(PoolKey { cluster, of, group: None }, Vec::new());
                }
            }
        }
        pools
    }

    /// Whether no cluster that a declaration is about has what it declares room for, and all have been asked: a name is
    /// misspelt, or the service is gone. It is said once, of the first of these clusters.
    fn is_nowhere(&self, keep: &Keep, of: Name, cluster: Name) -> bool {
        let mut about = self.clusters.values().filter(|it| keep.is_about(self.short(it.arn))).peekable();
        let is_first = about.peek().is_some_and(|first| first.arn == cluster);
        is_first
            && about.all(|it| {
                let demand = self.keeping.demands.get(&(it.arn, of));
                demand.is_some_and(|demand| demand.told_at != 0 && demand.wanted.is_none())
            })
    }

    fn pools_of(&mut self, keep: &Keep, cluster: Name, of: Name, pools: &mut BTreeMap<PoolKey, Vec<Name>>) {
        let candidates = self.candidates(keep, cluster, of);
        for group in &candidates {
            self.want_group(*group, CALM_MS);
        }
        let told = |group: &Name| self.keeping.groups.get(group).filter(|held| held.told_at != 0);
        if !candidates.iter().all(|group| told(group).is_some()) {
            // Those that are known already go on as they were.
            let known = self.keeping.pools.iter().filter(|(key, _)| key.cluster == cluster && key.of == of);
            pools.extend(known.map(|(key, kept)| (*key, kept.zones.clone())));
            return;
        }
        let key = |group| PoolKey { cluster, of, group };
        if !keep.each_zone {
            let only = if let [only] = candidates.as_slice() { Some(*only) } else { None };
            pools.insert(key(only), Vec::new());
            return;
        }
        let mut zones: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
        for group in &candidates {
            for zone in told(group).into_iter().flat_map(|held| &held.zones) {
                zones.entry(*zone).or_default().push(*group);
            }
        }
        if zones.is_empty() {
            pools.insert(key(None), Vec::new());
        }
        for (zone, groups) in zones {
            let only = if let [only] = groups.as_slice() { Some(*only) } else { None };
            pools.entry(key(only)).or_default().push(zone);
        }
    }

    /// The groups that may keep a room.
    pub(crate) fn candidates(&self, keep: &Keep, cluster: Name, of: Name) -> Vec<Name> {
        let Some(held) = self.clusters.get(&cluster) else { return Vec::new() };
        let demand = self.keeping.demands.get(&(cluster, of)).and_then(|demand| demand.wanted.as_ref());
        let provider = demand.and_then(|wanted| wanted.placement.capacity_provider.as_deref());
        let provided = held
            .providers
            .iter()
            .find(|it| provider.is_some_and(|name| self.names.text(it.name) == name))
            .map(|it| it.group);
        let fits = |group: &&Name| {
            let name = self.names.text(**group).splitn(3, '/').nth(2).unwrap_or_default();
            crate::glob::fits_any(&keep.groups, name) && provided.is_none_or(|provided| provided == **group)
        };
        held.groups.iter().filter(fits).copied().collect()
    }

    fn want_demand(&mut self, cluster: Name, of: Name) {
        let now = self.now;
        let demand = self.keeping.demands.entry((cluster, of)).or_default();
        if now - demand.told_at >= CALM_MS && now - demand.asked_at >= ASK_AGAIN_MS {
            demand.asked_at = now;
            self.wanted.demands.insert((cluster, of));
        }
    }

    /// Asks for a group again when what is known of it is older than this.
    pub(crate) fn want_group(&mut self, name: Name, older_than: Millis) {
        let now = self.now;
        let group = self.keeping.groups.entry(name).or_default();
        if now - group.told_at >= older_than && now - group.asked_at >= ASK_AGAIN_MS {
            self.ask_group(name);
        }
    }

    /// Asks for a group now: a case waits for the answer.
    pub(crate) fn ask_group(&mut self, name: Name) {
        self.keeping.groups.entry(name).or_default().asked_at = self.now;
        self.wanted.groups.insert(name);
    }

    /// Believes what was told of a group as a whole.
    pub(crate) fn apply_group(&mut self, fact: &GroupFact<'_>, looked_at: Millis) {
        let name = self.names.keep(&format!("{}/{}", fact.place, fact.name));
        // Of a group that nobody has asked about nothing is kept.
        let Some(held) = self.keeping.groups.get(&name).filter(|held| held.told_at <= looked_at) else { return };
        let asked_at = held.asked_at;
        let has = |process: &str| fact.suspended.iter().any(|held| held == process);
        let names = &mut self.names;
        let group = Group {
            min: fact.min,
            max: fact.max,
            desired: fact.desired,
            zones: fact.zones.iter().map(|zone| names.keep(zone)).collect(),
            launch_suspended: has("Launch"),
            terminate_suspended: has("Terminate"),
            members: fact.members.iter().map(|id| Key::keep_machine(names, id)).collect(),
            protected: fact.protected.iter().map(|id| Key::keep_machine(names, id)).collect(),
            failed_at: fact.failed_at.map_or(0, millis),
            failures: fact.failures,
            told_at: looked_at,
            asked_at,
        };
        self.keeping.groups.insert(name, group);
        self.keep_within(SOON_MS);
    }

    /// Believes what was told of what a copy needs.
    pub(crate) fn apply_demand(&mut self, fact: &DemandFact<'_>, looked_at: Millis) {
        let (cluster, of) = (self.names.keep(&fact.cluster), self.names.keep(&fact.of));
        let Some(held) = self.keeping.demands.get(&(cluster, of)).filter(|held| held.told_at <= looked_at) else {
            return;
        };
        let asked_at = held.asked_at;
        let names = &mut self.names;
        let daemons = fact.daemons.iter().map(|name| names.keep(&format!("service:{name}"))).collect();
        let demand = Demand { wanted: fact.wanted.clone(), daemons, told_at: looked_at, asked_at };
        self.keeping.demands.insert((cluster, of), demand);
        self.keep_within(SOON_MS);
    }
}
