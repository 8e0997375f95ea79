//! The only door into the core.

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use crate::state::Fleet;
use crate::{
    effect::Effect,
    input::Input,
    key::Key,
    names::Name,
    state::{millis, stamp},
    timer::{Timer, slotted},
};

/// How many things with skipped versions are looked up at once, a cluster: one call.
const GAPS_PER_FLUSH: usize = 100;

/// Takes one input, changes beliefs, and says what the shell should do. Deadlines that are due at `now` are met as
/// well, whatever the input. A `now` before an earlier one is read as that earlier one: time in here never runs
/// backwards.
pub fn step(fleet: &mut Fleet, now: Timestamp, input: &Input<'_>) -> Vec<Effect> {
    fleet.now = fleet.now.max(millis(now));
    let woken_before = fleet.timers.first();
    fleet.keep_heartbeat();
    let mut effects = Vec::new();
    fleet.repairs.trials.forget(fleet.now);
    fleet.keep_routes(&mut effects);
    fleet.keep_rounds();
    match input {
        Input::Observed(observation) => fleet.observe(observation, None, &mut effects),
        Input::Swept(sweep) => fleet.sweep(sweep, &mut effects),
        Input::LookFailed(failure) => fleet.look_failed(failure),
        Input::Ticked => {}
        Input::Acted(outcome) => fleet.acted(outcome, &mut effects),
        Input::Asked(asked) => fleet.asked(asked, &mut effects),
        Input::Told(delivery) => fleet.told(delivery, &mut effects),
        Input::Leading(charge) => fleet.led(*charge, &mut effects),
    }
    fleet.meet_deadlines(&mut effects);
    fleet.voice_wishes(&mut effects);
    fleet.settle_headroom();
    let wake_at = fleet.timers.first();
    if wake_at != woken_before
        && let Some(at) = wake_at
    {
        effects.push(Effect::WakeAt(stamp(at)));
    }
    effects
}

impl Fleet {
    fn meet_deadlines(&mut self, effects: &mut Vec<Effect>) {
        while let Some((at, timer)) = self.timers.take_due(self.now) {
            match timer {
                Timer::Case(slot) => {
                    // The timer may be left from a case that has since moved on.
                    if self.cases.get(slot).is_some_and(|case| case.until == at) {
                        self.meet_case(slot, at, effects);
                    }
                }
                Timer::Doubt => {
                    if self.weigh_at == at {
                        self.weigh(effects);
                    }
                }
                Timer::Gaps => self.look_up_gaps(),
                Timer::Launch(slot) => self.meet_launch(slot, effects),
                Timer::Drain(slot) => self.meet_drain(slot, effects),
                Timer::Arrivals => self.meet_arrivals(),
                Timer::Undoing => self.meet_undoing(effects),
                Timer::Group(number) => self.meet_group(number, at, effects),
                Timer::Silence(number) => self.meet_silence(number),
                Timer::Heartbeat => self.meet_heartbeat(at, effects),
                Timer::Keeping => self.meet_keeping(at, effects),
            }
        }
    }

    fn meet_case(&mut self, slot: crate::slab::Slot, due: i64, effects: &mut Vec<Effect>) {
        if let Some(case) = self.cases.get_mut(slot) {
            case.until = 0;
        }
        self.meet_deadline(slot, due, effects);
    }

    /// Asks for the hosts and tasks whose versions skipped: one batch a cluster, the rest at the next turn.
    fn look_up_gaps(&mut self) {
        let mut hosts: BTreeMap<Name, usize> = BTreeMap::new();
        let mut tasks: BTreeMap<Name, usize> = BTreeMap::new();
        let mut asked: Vec<Key> = Vec::new();
        for key in &self.gaps {
            if let Some(host) = self.hosts.find(key).and_then(|slot| self.hosts.get(slot)) {
                let count = hosts.entry(host.cluster).or_default();
                if *count < GAPS_PER_FLUSH {
                    *count += 1;
                    self.wanted.hosts.entry(host.cluster).or_default().insert(*key);
                    asked.push(*key);
                }
            } else if let Some(task) = self.tasks.find(key).and_then(|slot| self.tasks.get(slot)) {
                let count = tasks.entry(task.cluster).or_default();
                if *count < GAPS_PER_FLUSH {
                    *count += 1;
                    self.wanted.tasks.entry(task.cluster).or_default().insert(*key);
                    asked.push(*key);
                }
            } else {
                asked.push(*key);
            }
        }
        for key in asked {
            self.gaps.remove(&key);
            if let Some(host) = self.hosts.find(&key).and_then(|slot| self.hosts.get_mut(slot)) {
                host.gap = false;
            }
            if let Some(task) = self.tasks.find(&key).and_then(|slot| self.tasks.get_mut(slot)) {
                task.gap = false;
            }
        }
        if !self.gaps.is_empty() {
            let at = self.now + i64::from(self.policy.gap_look_secs).max(1) * 1000;
            self.timers.set(slotted(at, self.policy.grace_secs), Timer::Gaps);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, ToSpan as _};

    use super::*;
    use crate::policy::Policy;

    #[test]
    fn a_clock_that_is_set_back_does_not_turn_time_back() {
        let noon: Timestamp = "2026-10-02T12:00:00Z".parse().unwrap_or_default();
        let mut fleet = Fleet::new(Policy::default());
        step(&mut fleet, noon, &Input::Ticked);
        step(&mut fleet, noon - 1.hour(), &Input::Ticked);
        assert_eq!(fleet.now, millis(noon), "what has been waited for stays waited for");
        step(&mut fleet, noon + 1.minute(), &Input::Ticked);
        assert_eq!(fleet.now, millis(noon + 1.minute()));
    }
}
