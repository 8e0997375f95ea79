//! Too many at once. When a cohort loses more hosts than chance explains, muster doubts its own eyes: one case names
//! the cohort, and the cases of its hosts are held until they heal or are fewer again.
//!
//! The rule is I2 of the reliability catalogue: at least `doubt_min_hosts` and `doubt_share` of a cohort are away
//! and undecided at once. It is cohort-aware (a zone is not hidden in a large cluster), and it does not latch.

use std::collections::BTreeMap;

use crate::{
    case::{Opening, Signal, Subject, duration_words},
    cohort::{CohortKey, Tally, Trait},
    effect::{Effect, Severity},
    host::Millis,
    id::CaseId,
    journal::{Stage, Trouble},
    slab::Slot,
    state::Fleet,
    timer::Timer,
};

/// Of two explanations, one must fit this much better to replace a doubt's name: names should not flicker.
const CLEARLY_BETTER: f64 = 1.05;

/// More doubts at once than this tell nobody anything.
const MOST_DOUBTS: usize = 64;

impl Fleet {
    /// Whether a cohort misses so many hosts, not yet covered by a doubt, that they cannot be single troubles.
    pub(crate) fn misses_too_many(&self, key: CohortKey) -> bool {
        let tally = self.cohorts.tally(key);
        self.too_many(key.0, tally, tally.missing - tally.held.min(tally.missing))
    }

    /// Whether so many hosts of a cohort are away, decided upon or not, covered by a doubt or not.
    pub(crate) fn loses_too_many(&self, key: CohortKey) -> bool {
        let tally = self.cohorts.tally(key);
        self.too_many(key.0, tally, tally.away)
    }

    fn too_many(&self, shared: Trait, tally: Tally, missing: u32) -> bool {
        let by_share = (f64::from(tally.members) * self.policy.doubt_share).ceil() as u32;
        let whole_cluster = shared == Trait::Cluster && tally.members >= 2 && missing == tally.members;
        whole_cluster || missing >= self.policy.doubt_min_hosts.max(by_share).max(1)
    }

    /// Asks for a weighing once the loss has lasted.
    pub(crate) fn weigh_soon(&mut self) {
        self.weigh_within(i64::from(self.policy.doubt_after_secs) * 1000);
    }

    fn weigh_within(&mut self, wait: Millis) {
        let at = self.now + wait.max(1000);
        if self.weigh_at == 0 || self.weigh_at > at {
            self.weigh_at = at;
            self.timers.set(at, Timer::Doubt);
        }
    }

    /// Until when a lost agent is not decided upon by itself, because what it shares with others misses so many that
    /// the loss of all will be weighed by then. `None`: nothing is to be weighed.
    pub(crate) fn weighed_at(&self, slot: Slot) -> Option<Millis> {
        let case = self.cases.get(slot).filter(|case| case.trouble == Trouble::AgentAway)?;
        let Subject::Host(host) = case.subject else { return None };
        let doubt_after = i64::from(self.policy.doubt_after_secs) * 1000;
        self.standing(host).keys().any(|key| self.misses_too_many(key)).then(|| case.since + doubt_after * 4 / 3)
    }

    /// Weighs all cohorts: opens, renames, widens or lifts doubts.
    pub(crate) fn weigh(&mut self, effects: &mut Vec<Effect>) {
        self.weigh_at = 0;
        self.lift_doubts(effects);
        self.hold_strays(effects);
        self.rename_doubts(effects);
        let lasting = self.lasting_losses();
        // Each round covers at least one loss; the bound only guards against a mistake in that reasoning.
        for _ in 0..MOST_DOUBTS {
            let Some(key) = self.guilty_cohort(&lasting) else { break };
            match self.overlapping_doubt(key) {
                Some(slot) => self.widen_doubt(slot, key, effects),
                None => self.open_doubt(key, effects),
            }
        }
        let misses_too_many = self.cohorts.iter().any(|(key, _)| self.misses_too_many(key));
        if misses_too_many {
            // Enough are away, but not for long enough together: weighed again when the next may have lasted.
            self.weigh_within(i64::from(self.policy.doubt_after_secs) * 1000 / 6);
        } else if self.cases.doubts().next().is_some() {
            self.weigh_soon();
        }
    }

    /// Of each cohort, those that have been away and undecided for `doubt_after_secs` and are covered by no doubt:
    /// agents that reconnect as they should make no doubt, however many of them do so at once.
    fn lasting_losses(&self) -> BTreeMap<CohortKey, u32> {
        let mut losses = BTreeMap::new();
        let bound = self.now - i64::from(self.policy.doubt_after_secs) * 1000;
        for (_, case) in self.cases.iter() {
            let Subject::Host(slot) = case.subject else { continue };
            let away = case.trouble == Trouble::AgentAway && !case.stage.is_decided() && case.stage != Stage::Held;
            if away && case.since <= bound {
                for key in self.standing(slot).keys() {
                    *losses.entry(key).or_default() += 1;
                }
            }
        }
        losses
    }

    /// The cohort that explains the uncovered losses best: of those that miss too many, the one whose members are
    /// missing and whose outsiders are not (F1 of precision and recall); the widest on a tie.
    fn guilty_cohort(&self, lasting: &BTreeMap<CohortKey, u32>) -> Option<CohortKey> {
        let guilty = |key: &CohortKey| {
            let lost = lasting.get(key).copied().unwrap_or(0);
            self.misses_too_many(*key) && self.too_many(key.0, self.cohorts.tally(*key), lost)
        };
        if !lasting.keys().any(guilty) {
            return None;
        }
        let total: u32 = self
            .cohorts
            .iter()
            .filter(|((shared, _), _)| *shared == Trait::Place)
            .map(|(_, tally)| tally.missing)
            .sum();
        let mut best: Option<(f64, CohortKey)> = None;
        for (key, tally) in self.cohorts.iter() {
            if !guilty(&key) || (key.0 == Trait::Place && self.clusters_in(key) < 2) {
                continue;
            }
            let fit = explains(tally, total);
            if best.is_none_or(|(best_fit, _)| fit > best_fit + 1e-9) {
                best = Some((fit, key));
            }
        }
        best.map(|(_, key)| key)
    }

    fn clusters_in(&self, (_, place): CohortKey) -> usize {
        self.clusters
            .values()
            .filter(|cluster| cluster.place == place && self.cohorts.tally((Trait::Cluster, cluster.arn)).members > 0)
            .count()
    }

    fn open_doubt(&mut self, key: CohortKey, effects: &mut Vec<Effect>) {
        let since = self.earliest_absence(key).unwrap_or(self.now);
        let sentence = self.doubt_sentence(key, self.now);
        let slot = self.open_case(
            Opening {
                trouble: Trouble::Doubt,
                subject: Subject::Cohort(key),
                since,
                stage: Stage::Confirmed,
                until: 0,
                reasons: vec![sentence.clone()],
            },
            effects,
        );
        let Some(id) = self.cases.get(slot).map(|case| case.id) else { return };
        self.tell(slot, Severity::Critical, sentence, effects);
        self.hold_members(key, id, effects);
    }

    /// A doubt that is open and shares hosts with this cohort.
    fn overlapping_doubt(&self, key: CohortKey) -> Option<Slot> {
        if let Some((slot, ..)) = self.cases.doubts().find(|(_, _, named)| *named == key) {
            return Some(slot);
        }
        if self.cohorts.tally(key).held == 0 {
            return None;
        }
        let holders = self.away_members(key).filter_map(|(_, _, held_by)| held_by).min()?;
        self.cases.doubts().find(|(_, id, _)| *id == holders).map(|(slot, ..)| slot)
    }

    fn widen_doubt(&mut self, slot: Slot, key: CohortKey, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get_mut(slot) else { return };
        let id = case.id;
        let renamed = case.subject != Subject::Cohort(key);
        case.subject = Subject::Cohort(key);
        self.hold_members(key, id, effects);
        if renamed {
            self.tell_doubt(slot, effects);
        }
        self.doubt_spread(slot, renamed, effects);
    }

    fn tell_doubt(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let (id, stage, subject) = (case.id, case.stage, case.subject);
        let judgement = self.judge_subject(subject, Some(slot), self.now);
        effects.push(Effect::Record(crate::journal::Record::CaseMoved {
            case: id,
            from: stage,
            to: stage,
            verdict: judgement.verdict,
            confidence: judgement.confidence,
            reasons: judgement.reasons,
        }));
    }

    /// Hosts of a doubted cohort that went away after the doubt was opened.
    fn hold_strays(&mut self, effects: &mut Vec<Effect>) {
        let doubts: Vec<(Slot, CaseId, CohortKey)> = self.cases.doubts().collect();
        for (slot, id, key) in doubts {
            self.hold_members(key, id, effects);
            self.doubt_spread(slot, false, effects);
        }
    }

    fn hold_members(&mut self, key: CohortKey, doubt: CaseId, effects: &mut Vec<Effect>) {
        let members: Vec<(Slot, Slot)> = self
            .away_members(key)
            .filter(|(_, _, held_by)| held_by.is_none())
            .map(|(host, case, _)| (host, case))
            .collect();
        for (host, case) in members {
            self.hold(host, case, doubt, effects);
        }
    }

    /// Puts one case under a doubt.
    fn hold(&mut self, host: Slot, case: Slot, doubt: CaseId, effects: &mut Vec<Effect>) {
        let before = self.standing(host);
        if let Some(case) = self.cases.get_mut(case) {
            case.held_by = Some(doubt);
        }
        if !self.signal(case, Signal::Doubted, effects)
            && let Some(case) = self.cases.get_mut(case)
        {
            case.held_by = None;
        }
        self.recount(host, &before);
    }

    /// The doubt that covers a host, if any.
    pub(crate) fn doubt_over(&self, host: Slot) -> Option<CaseId> {
        let host = self.hosts.get(host)?;
        let values = self.cohort_values(host);
        self.cases
            .doubts()
            .find(|(_, _, (shared, value))| values[*shared as usize] == Some(*value))
            .map(|(_, id, _)| id)
    }

    /// Closes doubts whose cohort misses less than half of what opened them; the cases left start their grace anew.
    fn lift_doubts(&mut self, effects: &mut Vec<Effect>) {
        let doubts: Vec<(Slot, CaseId, CohortKey)> = self.cases.doubts().collect();
        for (slot, id, key) in doubts {
            let tally = self.cohorts.tally(key);
            let bound = (f64::from(tally.members) * self.policy.doubt_share / 2.0)
                .max(f64::from(self.policy.doubt_min_hosts) / 2.0);
            if f64::from(tally.missing) >= bound && tally.missing > 0 {
                continue;
            }
            let held: Vec<(Slot, Slot)> = self
                .cases
                .iter()
                .filter(|(_, case)| case.held_by == Some(id))
                .filter_map(|(case_slot, case)| match case.subject {
                    Subject::Host(host) => Some((host, case_slot)),
                    _ => None,
                })
                .collect();
            let answer = tally.members - tally.missing.min(tally.members);
            self.close_case(slot, &format!("{answer} of {} hosts answer again", tally.members), effects);
            for (host, case) in held {
                self.release(host, case, effects);
            }
        }
    }

    fn release(&mut self, host: Slot, case: Slot, effects: &mut Vec<Effect>) {
        let now = self.now;
        let before = self.standing(host);
        if let Some(case) = self.cases.get_mut(case) {
            case.held_by = None;
            case.looks = 0;
            case.waits_from = now;
        }
        self.signal(case, Signal::DoubtLifted, effects);
        self.set_deadline(case, self.now + i64::from(self.policy.grace_secs) * 1000);
        self.recount(host, &before);
    }

    /// Away and undecided members of a cohort: host, its case, and what holds it.
    fn away_members(&self, (shared, value): CohortKey) -> impl Iterator<Item = (Slot, Slot, Option<CaseId>)> {
        self.cases.iter().filter_map(move |(slot, case)| {
            let Subject::Host(host_slot) = case.subject else { return None };
            if case.trouble != Trouble::AgentAway || case.stage.is_decided() {
                return None;
            }
            let host = self.hosts.get(host_slot)?;
            let member = self.cohort_values(host)[shared as usize] == Some(value)
                && !self.machine_of(host).is_some_and(|machine| machine.is_down());
            member.then_some((host_slot, slot, case.held_by))
        })
    }

    fn earliest_absence(&self, key: CohortKey) -> Option<Millis> {
        self.away_members(key).filter_map(|(_, case, _)| self.cases.get(case)).map(|case| case.since).min()
    }

    /// The doubt in one sentence, with its numbers.
    pub(crate) fn doubt_sentence(&self, key: CohortKey, now: Millis) -> String {
        let lasted = self.earliest_absence(key).map_or(0, |since| (now - since) / 1000);
        self.loss_sentence(key, &format!(" for up to {}", duration_words(lasted)))
    }

    /// The loss of a cohort in one sentence, without how long it lasts: that would be a walk through all cases.
    pub(crate) fn loss_sentence(&self, key: CohortKey, lasted: &str) -> String {
        let tally = self.cohorts.tally(key);
        let (mut hosts, mut missing) = (0, 0);
        for ((shared, _), other) in self.cohorts.iter() {
            if shared == Trait::Place {
                hosts += other.members;
                missing += other.away;
            }
        }
        let (outside, outside_missing) = (hosts - tally.members.min(hosts), missing - tally.away.min(missing));
        let name = self.short(key.1);
        let name = if name.is_empty() { self.names.text(key.1) } else { name };
        let elsewhere = match outside {
            0 => "there are no others to compare with".to_owned(),
            _ => format!("{} of {outside} others answer", outside - outside_missing),
        };
        let suspect = match key.0 {
            Trait::Place => "the control plane, credentials or the network are in doubt, not the hosts",
            Trait::Cluster => "the control plane or the network of the cluster is in doubt, not its hosts",
            _ => "what they share is in doubt, not each host",
        };
        format!(
            "{} of {} hosts of {} {name} are away at once{lasted}; {elsewhere}: {suspect}",
            tally.away,
            tally.members,
            key.0.word(),
        )
    }

    /// Renames an open doubt when another cohort explains the whole loss clearly better.
    pub(crate) fn rename_doubts(&mut self, effects: &mut Vec<Effect>) {
        let total: u32 = self
            .cohorts
            .iter()
            .filter(|((shared, _), _)| *shared == Trait::Place)
            .map(|(_, tally)| tally.missing)
            .sum();
        let doubts: Vec<(Slot, CaseId, CohortKey)> = self.cases.doubts().collect();
        if let [(slot, _, key)] = doubts[..] {
            let now_fits = explains(self.cohorts.tally(key), total);
            let better = self
                .cohorts
                .iter()
                .filter(|(other, _)| other.0 != Trait::Place || self.clusters_in(*other) >= 2)
                .filter(|(other, tally)| self.too_many(other.0, *tally, tally.missing))
                .map(|(other, tally)| (explains(tally, total), other))
                .filter(|(fit, _)| *fit > now_fits * CLEARLY_BETTER)
                .fold(None, |best: Option<(f64, CohortKey)>, (fit, other)| match best {
                    Some((best_fit, _)) if best_fit >= fit => best,
                    _ => Some((fit, other)),
                });
            if let Some((_, other)) = better {
                self.widen_doubt(slot, other, effects);
            }
        }
    }
}

/// How well a cohort explains a loss: 1 when all its members are missing and nobody else is.
fn explains(tally: Tally, total_missing: u32) -> f64 {
    if tally.missing == 0 || tally.members == 0 || total_missing == 0 {
        return 0.0;
    }
    let precision = f64::from(tally.missing) / f64::from(tally.members);
    let recall = f64::from(tally.missing) / f64::from(total_missing);
    2.0 * precision * recall / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cohort_that_lost_everybody_while_others_lost_nobody_explains_best() {
        let zone = Tally { members: 10, away: 10, missing: 10, held: 0 };
        let cluster = Tally { members: 30, away: 10, missing: 10, held: 0 };
        let part = Tally { members: 5, away: 5, missing: 5, held: 0 };
        assert!((explains(zone, 10) - 1.0).abs() < 1e-9);
        assert!(explains(zone, 10) > explains(cluster, 10));
        assert!(explains(zone, 10) > explains(part, 10));
    }
}
