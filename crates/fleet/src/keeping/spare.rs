//! Too much room: the case of an empty host that is to go, one at a time.

use super::PoolKey;
use crate::{
    capacity::keeper::Decision as Kept,
    case::{Opening, Subject},
    effect::Effect,
    id::CaseId,
    journal::{Stage, Trouble},
    observation::InstanceStatus,
    remedy::Remedy,
    repair::choice::Choice,
    slab::Slot,
    state::Fleet,
};

impl Fleet {
    /// Opens the case of a host that is to go, or closes it when it is to stay.
    pub(crate) fn keep_spare(&mut self, key: PoolKey, effects: &mut Vec<Effect>) {
        let Some(kept) = self.keeping.pools.get(&key) else { return };
        let (ending, decision) = (kept.ending, kept.decision.clone());
        if let Some((slot, id)) = ending {
            let open = self.cases.get(slot).filter(|case| case.id == id);
            let Some(case) = open else {
                if let Some(kept) = self.keeping.pools.get_mut(&key) {
                    kept.ending = None;
                }
                return;
            };
            let host = if let Subject::Host(host) = case.subject { Some(host) } else { None };
            let goes = match &decision {
                Kept::End { machine, .. } => {
                    self.host_of_machine(machine).is_some() && self.host_of_machine(machine) == host
                }
                _ => false,
            };
            if !goes && !matches!(case.stage, Stage::Acting | Stage::Verifying) {
                let why = match host.map(|host| self.is_spare(key, host)) {
                    Some(Err(why)) => why,
                    _ => "there is not too much room any more".to_owned(),
                };
                self.let_stay(slot, id, &why, effects);
            }
            return;
        }
        let Kept::End { machine, because } = decision else { return };
        // Somebody who stopped muster, or a doubt, stops this before it is even a case.
        let stopped = self.stopped(self.locality(Subject::Pool(key))).or_else(|| self.pool_doubted(key));
        let Some(host) = self.host_of_machine(&machine).filter(|_| stopped.is_none()) else { return };
        if let Some(group) = key.group {
            self.want_group(group, super::ROUND_MS / 2);
        }
        let opening = Opening {
            trouble: Trouble::MuchRoom,
            subject: Subject::Host(host),
            since: self.now,
            stage: Stage::Confirmed,
            until: self.now + 1000,
            reasons: vec![because],
        };
        let slot = self.open_case(opening, effects);
        let id = self.cases.get(slot).map(|case| case.id);
        if let (Some(kept), Some(id)) = (self.keeping.pools.get_mut(&key), id) {
            kept.ending = Some((slot, id));
        }
    }

    /// A host that was to go stays.
    pub(crate) fn let_stay(&mut self, slot: Slot, id: CaseId, why: &str, effects: &mut Vec<Effect>) {
        if self.cases.get(slot).is_some_and(|case| case.id == id) {
            self.close_case(slot, why, effects);
        }
        for kept in self.keeping.pools.values_mut().filter(|kept| kept.ending == Some((slot, id))) {
            kept.ending = None;
        }
    }

    /// The pool for which a host is to go.
    pub(crate) fn pool_that_ends(&self, host: Slot) -> Option<PoolKey> {
        self.keeping.pools.iter().find_map(|(key, kept)| {
            let (slot, id) = kept.ending?;
            let case = self.cases.get(slot).filter(|case| case.id == id)?;
            (case.subject == Subject::Host(host)).then_some(*key)
        })
    }

    /// What too much room calls for.
    pub(crate) fn choose_fewer(&self, host: Slot) -> Choice {
        let leave = |because: &str| Choice::Leave { because: vec![because.to_owned()] };
        let Some(key) = self.pool_that_ends(host) else { return leave("it is not to go any more") };
        if let Some(silence) = self.silenced(&self.labels(Subject::Host(host)), Trouble::MuchRoom) {
            return leave(&format!("silence {silence} covers the cluster: its groups are left as they are"));
        }
        if let Err(why) = self.is_spare(key, host) {
            return leave(&why);
        }
        match self.keeping.pools.get(&key).map(|kept| &kept.decision) {
            Some(Kept::End { because, .. }) => {
                let because = vec![because.clone()];
                Choice::Take { rung: 0, remedy: Remedy::ScaleIn, terms: None, because }
            }
            _ => leave("there is not too much room any more"),
        }
    }

    /// From now on a host is on its way out: the next one waits its time.
    pub(crate) fn spare_begins(&mut self, host: Slot) {
        let now = crate::state::stamp(self.now);
        let Some(key) = self.pool_that_ends(host) else { return };
        if let Some(kept) = self.keeping.pools.get_mut(&key) {
            kept.memory.lowered_at = Some(now);
            kept.memory.plenty_since = None;
        }
    }

    /// Whether a host that is being taken out of service may still go: empty, unprotected, and not missed by anybody.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn may_still_go(&self, slot: Slot) -> Result<(), String> {
        let Some(key) = self.pool_that_ends(slot) else { return Err("nobody wants it to go any more".to_owned()) };
        let Some(host) = self.hosts.get(slot) else { return Err("the host is gone".to_owned()) };
        if host.status == InstanceStatus::Active {
            self.is_spare(key, slot)?;
        } else {
            self.is_empty(key, host)?;
            self.is_unprotected(key, host)?;
        }
        if let Some(untold) = self.providers_untold(key) {
            return Err(untold);
        }
        if self.keep_of(key).is_none_or(|keep| !keep.declared.scale_in) {
            return Err("no host is to go any more".to_owned());
        }
        let group = key.group.and_then(|group| self.keeping.groups.get(&group));
        let floor = self.keep_of(key).map_or(0, |keep| keep.declared.min_hosts);
        if group.is_none_or(|group| group.desired <= floor.max(group.min)) {
            return Err("its group is not to be smaller".to_owned());
        }
        let managed = self.clusters.values().flat_map(|cluster| &cluster.providers);
        if managed.into_iter().any(|it| Some(it.group) == key.group && it.managed_scaling) {
            return Err("managed scaling decides the size of its group".to_owned());
        }
        match self.all_have_room_without(key, slot) {
            true => Ok(()),
            false => Err("without it there would be too little room".to_owned()),
        }
    }
}
