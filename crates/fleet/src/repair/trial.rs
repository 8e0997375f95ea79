//! What was learned from remedies that were tried: a remedy that keeps failing in one cohort is not tried there again
//! and again. The cohort alone pauses, one trial at a time shows whether it has mended, and a success lifts the pause.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    case::{Subject, duration_words},
    cohort::{CohortKey, Trait},
    host::Millis,
    names::Name,
    remedy::Remedy,
    slab::Slot,
    state::Fleet,
};

/// How long a trial counts.
const REMEMBERED_MS: Millis = 6 * 3_600_000;
/// Trials kept at most.
const MOST_TRIALS: usize = 1024;
/// Failures of one cohort that make it guilty.
const GUILTY: usize = 2;
/// The first pause after the second failure; it doubles with each further one.
const FIRST_PAUSE_MS: Millis = 15 * 60_000;
/// The longest pause.
const LONGEST_PAUSE_MS: Millis = 4 * 3_600_000;

/// One remedy that has ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) at: Millis,
    pub(crate) remedy: Remedy,
    pub(crate) helped: bool,
    pub(crate) values: [Option<Name>; 9],
}

/// The trials that still count, and what they come to. Thousands of cases that wait may each ask about nine cohorts at
/// once: the counts are made when a trial comes or goes, and not when somebody asks.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Trials {
    /// Oldest first.
    log: VecDeque<Trial>,
    /// Made from the log; a snapshot holds the log alone.
    #[serde(skip)]
    counts: BTreeMap<(Remedy, CohortKey), Counts>,
    #[serde(skip)]
    in_all: BTreeMap<Remedy, Failures>,
}

/// The trials of one remedy in one cohort.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    since_success: Failures,
    has_helped: bool,
    all: Failures,
}

/// How often something was tried, and how often in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    failed: usize,
    tried: usize,
    last_failed_at: Millis,
}

impl Failures {
    fn count(&mut self, trial: &Trial) {
        self.tried += 1;
        if !trial.helped {
            self.failed += 1;
            self.last_failed_at = self.last_failed_at.max(trial.at);
        }
    }
}

impl Trials {
    fn push(&mut self, trial: Trial) {
        while self.log.len() >= MOST_TRIALS {
            self.log.pop_front();
        }
        self.log.push_back(trial);
        self.recount();
    }

    /// Forgets what has counted long enough.
    pub(crate) fn forget(&mut self, now: Millis) {
        let before = self.log.len();
        while self.log.front().is_some_and(|trial| now - trial.at > REMEMBERED_MS) {
            self.log.pop_front();
        }
        if self.log.len() != before {
            self.recount();
        }
    }

    /// Makes the counts anew, as after a snapshot was read.
    pub(crate) fn recount(&mut self) {
        self.counts.clear();
        self.in_all.clear();
        for trial in self.log.iter().rev() {
            self.in_all.entry(trial.remedy).or_default().count(trial);
            for (shared, value) in Trait::ALL.iter().zip(trial.values) {
                let Some(value) = value else { continue };
                let counts = self.counts.entry((trial.remedy, (*shared, value))).or_default();
                counts.all.count(trial);
                // A success wipes out what failed before.
                counts.has_helped |= trial.helped;
                if !counts.has_helped {
                    counts.since_success.count(trial);
                }
            }
        }
    }
}

impl Fleet {
    /// What the subject of a case shares with others.
    pub(crate) fn values_of(&self, subject: Subject) -> [Option<Name>; 9] {
        match subject {
            Subject::Host(slot) => self.hosts.get(slot).map_or([None; 9], |host| self.cohort_values(host)),
            Subject::Machine(slot) => self.machine_values(slot),
            Subject::Cohort(_) | Subject::Pool(_) => [None; 9],
        }
    }

    /// What a machine that is no host shares with others, in the order of [`Trait::ALL`].
    pub(crate) fn machine_values(&self, slot: Slot) -> [Option<Name>; 9] {
        let Some(machine) = self.machines.get(slot) else { return [None; 9] };
        let membership = machine.membership.value;
        [
            machine.place,
            self.cluster_of_machine(machine),
            membership.and_then(|membership| membership.zone),
            None,
            None,
            membership.and_then(|membership| membership.launch_template),
            membership.and_then(|membership| membership.group),
            None,
            membership.and_then(|membership| membership.instance_type),
        ]
    }

    /// Notes how a remedy has ended.
    pub(crate) fn note_trial(&mut self, remedy: Remedy, values: [Option<Name>; 9], helped: bool) {
        self.repairs.trials.push(Trial { at: self.now, remedy, helped, values });
    }

    /// The sentence that forbids a remedy to a subject because of its cohort, if one does.
    pub(crate) fn guilty_cohort_sentence(&self, subject: Subject, remedy: Remedy) -> Option<String> {
        let values = self.values_of(subject);
        let (key, failures) = self.guiltiest(remedy, &values)?;
        let pause_ms = (FIRST_PAUSE_MS << (failures.failed - GUILTY).min(8)).min(LONGEST_PAUSE_MS);
        let over_at = failures.last_failed_at + pause_ms;
        let under_way = self.repairs.active.iter().any(|&slot| {
            self.cases.get(slot).is_some_and(|case| {
                case.repair().is_some_and(|repair| repair.remedy == remedy)
                    && self.values_of(case.subject)[key.0 as usize] == Some(key.1)
            })
        });
        let name = self.cohort_name(key);
        let (inside, outside) = (failures, self.trials_outside(remedy, key));
        let elsewhere = match outside.tried {
            0 => "none was tried elsewhere".to_owned(),
            tried => format!("{} of {tried} elsewhere did", tried - outside.failed),
        };
        let found = format!(
            "{} of the last {} attempts to {} with {} {name} did not help, {elsewhere}",
            inside.failed,
            inside.tried,
            remedy.word(),
            key.0.word(),
        );
        if self.now < over_at {
            let wait = duration_words((over_at - self.now) / 1000);
            return Some(format!("{found}: what they share is tried again in {wait}, one at a time"));
        }
        under_way.then(|| format!("{found}: one attempt is under way to see whether that has mended"))
    }

    /// Of the cohorts of these values, the one in which the remedy fails, as against everywhere else: failures there are
    /// the rule, and the trait explains them better than the wider ones do.
    pub(super) fn guiltiest(&self, remedy: Remedy, values: &[Option<Name>; 9]) -> Option<(CohortKey, Failures)> {
        let mut worst: Option<(f64, CohortKey, Failures)> = None;
        for (shared, value) in Trait::ALL.iter().zip(values) {
            let Some(value) = value else { continue };
            let key = (*shared, *value);
            let inside = self.trials_inside(remedy, key);
            if inside.failed < GUILTY || inside.failed * 2 < inside.tried {
                continue;
            }
            let all_failed = inside.failed + self.trials_outside(remedy, key).failed;
            let precision = inside.failed as f64 / inside.tried as f64;
            let recall = inside.failed as f64 / all_failed as f64;
            let fit = 2.0 * precision * recall / (precision + recall);
            // Of two that explain it equally well the narrower one pauses: that is all that was shown to fail.
            if worst.is_none_or(|(best, ..)| fit >= best - 1e-9) {
                worst = Some((fit, key, inside));
            }
        }
        worst.map(|(_, key, failures)| (key, failures))
    }

    /// The trials of a cohort since its last success.
    fn trials_inside(&self, remedy: Remedy, key: CohortKey) -> Failures {
        self.repairs.trials.counts.get(&(remedy, key)).map(|counts| counts.since_success).unwrap_or_default()
    }

    /// The trials of all others, whenever. The last failure is that of all.
    fn trials_outside(&self, remedy: Remedy, key: CohortKey) -> Failures {
        let all = self.repairs.trials.in_all.get(&remedy).copied().unwrap_or_default();
        let own = self.repairs.trials.counts.get(&(remedy, key)).map(|counts| counts.all).unwrap_or_default();
        Failures { failed: all.failed - own.failed, tried: all.tried - own.tried, ..all }
    }

    fn cohort_name(&self, key: CohortKey) -> String {
        let short = self.short(key.1);
        let text = if short.is_empty() { self.names.text(key.1) } else { short };
        text.rsplit('/').next().unwrap_or(text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn fleet() -> (Fleet, Name, Name) {
        let mut fleet = Fleet::new(Policy::default());
        fleet.now = 1_800_000_000_000;
        let (bad, good) = (fleet.names.keep("lt-bad:3"), fleet.names.keep("lt-good:2"));
        (fleet, bad, good)
    }

    fn values(template: Name) -> [Option<Name>; 9] {
        let mut values = [None; 9];
        values[Trait::LaunchTemplate as usize] = Some(template);
        values
    }

    #[test]
    fn one_failure_accuses_nobody_and_two_pause_their_cohort_alone() {
        let (mut fleet, bad, good) = fleet();
        fleet.note_trial(Remedy::Replace, values(bad), false);
        assert_eq!(fleet.guiltiest(Remedy::Replace, &values(bad)), None);
        fleet.note_trial(Remedy::Replace, values(good), true);
        fleet.note_trial(Remedy::Replace, values(bad), false);
        let (key, failures) = fleet.guiltiest(Remedy::Replace, &values(bad)).unwrap();
        assert_eq!((key, failures.failed, failures.tried), ((Trait::LaunchTemplate, bad), 2, 2));
        assert_eq!(fleet.guiltiest(Remedy::Replace, &values(good)), None);
        assert_eq!(fleet.guiltiest(Remedy::RestartAgent, &values(bad)), None);
    }

    #[test]
    fn a_snapshot_remembers_what_failed() {
        let (mut fleet, bad, _) = fleet();
        fleet.note_trial(Remedy::Replace, values(bad), false);
        fleet.note_trial(Remedy::Replace, values(bad), false);
        let again = crate::snapshot::load(&crate::snapshot::save(&fleet), Policy::default()).unwrap();
        assert!(again.guiltiest(Remedy::Replace, &values(bad)).is_some());
    }

    #[test]
    fn a_success_lifts_the_pause_and_time_wears_it_off() {
        let (mut fleet, bad, _) = fleet();
        fleet.note_trial(Remedy::Replace, values(bad), false);
        fleet.note_trial(Remedy::Replace, values(bad), false);
        assert!(fleet.guiltiest(Remedy::Replace, &values(bad)).is_some());
        fleet.note_trial(Remedy::Replace, values(bad), true);
        assert_eq!(fleet.guiltiest(Remedy::Replace, &values(bad)), None);
        fleet.note_trial(Remedy::Replace, values(bad), false);
        fleet.note_trial(Remedy::Replace, values(bad), false);
        fleet.now += REMEMBERED_MS + 1;
        fleet.repairs.trials.forget(fleet.now);
        assert_eq!(fleet.guiltiest(Remedy::Replace, &values(bad)), None);
    }
}
