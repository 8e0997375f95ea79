//! Too little room: the case of a pool, from the first suspicion to the group that grows.

use super::{PoolKey, weigh::Weighed};
use crate::{
    capacity::keeper::Decision as Kept,
    case::{Opening, Signal, Subject},
    effect::{Effect, Severity},
    host::Millis,
    journal::{Stage, Trouble},
    policy::Mode,
    remedy::{
        Decision, Remedy,
        act::{Act, ActResult, Intent},
    },
    repair::choice::Choice,
    slab::Slot,
    state::{Fleet, stamp},
};

/// A step that AWS has refused is not tried again for so long, at least.
const REFUSED_MS: Millis = 300_000;

impl Fleet {
    /// The open case of a pool.
    pub(crate) fn case_of_pool(&self, key: PoolKey) -> Option<Slot> {
        self.case_of_kind(self.keeping.pools.get(&key)?.first_case, Trouble::NoRoom)
    }

    /// There is less room than declared.
    pub(crate) fn keep_short(&mut self, key: PoolKey, weighed: &Weighed, effects: &mut Vec<Effect>) {
        let subject = Subject::Pool(key);
        if let Some(group) = key.group {
            self.want_group(group, super::ROUND_MS / 2);
        }
        let Some(slot) = self.case_of_pool(key) else {
            let until = self.now + self.grace_ms(subject, Trouble::NoRoom);
            let reasons = weighed.short.clone().into_iter().collect();
            let opening =
                Opening { trouble: Trouble::NoRoom, subject, since: self.now, stage: Stage::Suspected, until, reasons };
            self.open_case(opening, effects);
            return;
        };
        let Some(case) = self.cases.get(slot) else { return };
        let (stage, until) = (case.stage, case.until);
        match stage {
            // Its grace is over when the deadline has been met.
            Stage::Suspected if until == 0 => {
                self.signal(slot, Signal::GraceOver, effects);
                self.look_at_pool(slot, key);
            }
            Stage::Confirming => {
                let asked_at = case.asked_at;
                let told_at = match key.group {
                    Some(group) => self.keeping.groups.get(&group).map_or(0, |group| group.told_at),
                    // Nobody can be asked; that the room is short was seen twice.
                    None => self.now,
                };
                if told_at >= asked_at {
                    self.pool_agrees(slot, told_at);
                    self.signal(slot, Signal::LookAgrees, effects);
                    self.decide_pool(slot, key, true, effects);
                } else {
                    self.look_at_pool(slot, key);
                }
            }
            Stage::Confirmed => self.decide_pool(slot, key, true, effects),
            Stage::Decided => self.decide_pool(slot, key, false, effects),
            Stage::Verifying => self.watch_growth(slot, weighed, effects),
            Stage::Suspected | Stage::Acting | Stage::Held | Stage::Closed => {}
        }
    }

    /// There is as much room as declared.
    pub(crate) fn keep_enough(&mut self, key: PoolKey, weighed: &Weighed, effects: &mut Vec<Effect>) {
        let Some(slot) = self.case_of_pool(key) else { return };
        let room = match weighed.pool.zones.iter().map(|zone| zone.copies_now).min() {
            Some(least) => format!("there is room for {least} copies and more in each zone"),
            None => format!("there is room for {} copies", weighed.pool.copies_now),
        };
        self.close_case(slot, &room, effects);
    }

    fn look_at_pool(&mut self, slot: Slot, key: PoolKey) {
        let now = self.now;
        if let Some(case) = self.cases.get_mut(slot) {
            case.asked_at = now;
        }
        if let Some(group) = key.group {
            self.ask_group(group);
        }
    }

    fn pool_agrees(&mut self, slot: Slot, at: Millis) {
        if let Some(case) = self.cases.get_mut(slot) {
            case.looks = case.looks.saturating_add(1);
            case.agreed_at = at;
        }
    }

    /// Decides on fresh facts alone where something would be done.
    fn decide_pool(&mut self, slot: Slot, key: PoolKey, first: bool, effects: &mut Vec<Effect>) {
        let raises = self.keeping.pools.get(&key).is_some_and(|kept| matches!(kept.decision, Kept::Raise { .. }));
        if raises && !self.group_is_fresh(key, self.acts_within_ms()) {
            self.look_at_pool(slot, key);
            return;
        }
        self.weigh_and_record(slot, first, effects);
        self.await_reconsideration(slot);
    }

    /// How old what a group told may be to make it larger or smaller.
    fn acts_within_ms(&self) -> Millis {
        2 * i64::from(self.policy.fresh_secs.max(1)) * 1000
    }

    /// The group was made larger: its hosts are waited for, until it is clear that they do not come, or are too few.
    fn watch_growth(&mut self, slot: Slot, weighed: &Weighed, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let Some(repair) = case.repair() else { return };
        let late = self.now - repair.step_since >= i64::from(repair.deadline_secs) * 1000;
        let failed = weighed.pool.launch_failed_at.is_some_and(|at| at >= stamp(repair.began_at));
        let comes = weighed.pool.coming() > 0 || self.now - repair.step_since < 2 * super::ROUND_MS;
        if comes && !late && !failed {
            return;
        }
        let how = match (failed, weighed.pool.coming()) {
            (true, _) => "the group could not launch".to_owned(),
            (_, 0) => "its hosts came, and there is still too little room".to_owned(),
            (_, coming) => format!("{coming} hosts had not come in time"),
        };
        self.climb(slot, &how, false, effects);
    }

    /// What too little room calls for.
    pub(crate) fn choose_more(&self, key: PoolKey) -> Choice {
        let leave = |because: Vec<String>| Choice::Leave { because };
        let Some(kept) = self.keeping.pools.get(&key) else {
            return leave(vec!["it is not declared any more".to_owned()]);
        };
        if let Some(silence) = self.silenced(&self.labels(Subject::Pool(key)), Trouble::NoRoom) {
            let why = format!("silence {silence} covers the cluster: its groups are left as they are");
            return leave(kept.short.iter().cloned().chain([why]).collect());
        }
        match &kept.decision {
            Kept::Raise { .. } if !self.group_is_fresh(key, self.acts_within_ms()) => {
                leave(vec!["what Auto Scaling said of the group is too old to act on".to_owned()])
            }
            Kept::Raise { by, to, because } => {
                let step = format!("the group grows from {} to {to} hosts", to.saturating_sub(*by));
                let because = vec![because.clone(), step];
                Choice::Take { rung: 0, remedy: Remedy::ScaleOut, terms: None, because }
            }
            Kept::Advise { by, because } => leave(vec![
                because.clone(),
                format!("{by} more hosts would be needed: see to its target or its maximum"),
            ]),
            Kept::Hold { because, .. } => leave(vec![because.clone()]),
            Kept::Enough | Kept::End { .. } => leave(vec!["there is room enough".to_owned()]),
        }
    }

    /// Whether a decision about a pool is one that only waits for hosts on their way: nobody is told of that.
    pub(crate) fn pool_only_waits(&self, key: PoolKey) -> bool {
        let Some(weighed) = self.weigh_pool(key) else { return false };
        weighed.pool.coming() > 0 && weighed.pool.launch_failed_at.is_none() && !weighed.pool.managed_scaling
    }

    /// How loud a decision is told; `None`: not at all. Nobody need wake up for room: what muster does about it by itself
    /// is good to know, what it cannot do is for working hours.
    pub(crate) fn loudness(&self, slot: Slot, decision: &Decision) -> Option<Severity> {
        let Some(case) = self.cases.get(slot) else { return Some(Severity::Critical) };
        match (case.trouble, decision, case.subject) {
            (Trouble::NoRoom | Trouble::MuchRoom, Decision::Will { .. } | Decision::Would { .. }, _) => {
                Some(Severity::Info)
            }
            (Trouble::NoRoom, Decision::Hold { .. }, Subject::Pool(key)) if self.pool_only_waits(key) => None,
            (Trouble::NoRoom | Trouble::MuchRoom, ..) => Some(Severity::Warning),
            _ => Some(Severity::Critical),
        }
    }

    /// The act by which a pool's group grows, decided anew on what is believed now.
    ///
    /// # Errors
    /// Why it need not, or may not, grow any more.
    pub(crate) fn grow(&mut self, key: PoolKey) -> Result<Act, String> {
        let weighed = self.weigh_pool(key).ok_or("too little is known of the group now")?;
        let (by, to) = match weighed.decision {
            Kept::Raise { by, to, .. } => (by, to),
            Kept::Hold { because, .. } | Kept::Advise { because, .. } => return Err(because),
            Kept::Enough | Kept::End { .. } => return Err("there is room enough by now".to_owned()),
        };
        let policy = self.keep_of(key).and_then(|keep| keep.scale_out_policy.clone());
        let Some(kept) = self.keeping.pools.get_mut(&key) else { return Err("it is not declared any more".to_owned()) };
        // Given back if the step is not carried out.
        kept.before.get_or_insert_with(|| kept.memory.clone());
        kept.memory = weighed.memory;
        let from = to - by;
        Ok(match policy {
            Some(policy) => Act::ExecutePolicy { policy, from },
            None => Act::SetDesired { from, to },
        })
    }

    /// Whether a step upwards is still what the pool calls for, just before the call.
    pub(crate) fn still_grows(&self, key: PoolKey, act: &Act) -> Result<(), String> {
        let from = match act {
            Act::SetDesired { from, .. } | Act::ExecutePolicy { from, .. } => *from,
            _ => return Ok(()),
        };
        let Some(kept) = self.keeping.pools.get(&key) else { return Err("it is not declared any more".to_owned()) };
        // Weighed as before the step: what it has put into the memory is this very call.
        let memory = kept.before.as_ref().unwrap_or(&kept.memory);
        let weighed = self.weigh_pool_with(key, memory.clone()).ok_or("too little is known of the group now")?;
        match weighed.decision {
            Kept::Raise { by, to, .. } if to - by == from => Ok(()),
            Kept::Raise { .. } => Err("the group has another size by now: somebody else sizes it".to_owned()),
            Kept::Hold { because, .. } | Kept::Advise { because, .. } => Err(because),
            Kept::Enough | Kept::End { .. } => Err("there is room enough by now".to_owned()),
        }
    }

    /// The pool for which a step upwards is under way, its case closed or not.
    pub(crate) fn pool_of_intent(&self, intent: &Intent) -> Option<PoolKey> {
        let group = intent.target.group.as_deref()?;
        let steps = self.keeping.pools.iter().filter(|(_, kept)| kept.before.is_some());
        let mut keys = steps.map(|(key, _)| *key);
        keys.find(|key| {
            self.names.text(key.cluster) == intent.target.cluster
                && key.group.is_some_and(|held| self.group_name(held) == group)
        })
    }

    /// What has become of a step upwards.
    pub(crate) fn grown(&mut self, key: PoolKey, result: &ActResult<'_>) {
        let now = self.now;
        let Some(kept) = self.keeping.pools.get_mut(&key) else { return };
        let before = kept.before.take();
        let happened = match result {
            ActResult::Done { .. } => true,
            ActResult::Failed { may_have_happened, .. } => *may_have_happened,
            _ => false,
        };
        if !happened && let Some(before) = before {
            kept.memory = before;
        }
        if matches!(result, ActResult::Impossible { .. } | ActResult::Denied { .. } | ActResult::Gone { .. }) {
            kept.not_before = now + REFUSED_MS;
            result.says().clone_into(&mut kept.refused);
        }
    }

    /// How far muster goes to keep a room; `None`: as the policy says.
    pub(crate) fn mode_of(&self, subject: Subject, trouble: Trouble) -> Option<Mode> {
        let key = match (subject, trouble) {
            (Subject::Pool(key), _) => key,
            (Subject::Host(slot), Trouble::MuchRoom) => self.pool_that_ends(slot)?,
            _ => return None,
        };
        self.keep_of(key)?.mode
    }
}
