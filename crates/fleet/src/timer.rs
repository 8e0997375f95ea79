//! Deadlines, in order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{host::Millis, slab::Slot};

/// What a deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// A case reaches its deadline.
    Case(Slot),
    /// Weigh whether too many are missing at once.
    Doubt,
    /// Skipped versions are looked up.
    Gaps,
    /// A machine should have registered by now.
    Launch(Slot),
    /// A host should have drained by now.
    Drain(Slot),
    /// A replacement should have registered by now.
    Arrivals,
    /// Undoing is tried again.
    Undoing,
    /// A group of alerts is looked at.
    Group(u32),
    /// A silence ends.
    Silence(u32),
    /// The heartbeat is due.
    Heartbeat,
    /// Declared headroom is weighed.
    Keeping,
}

/// All deadlines.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Timers {
    due: BTreeSet<(Millis, Timer)>,
}

impl Timers {
    /// Sets a deadline. The same timer may stand at several times; whoever is called asks whether it still matters.
    pub fn set(&mut self, at: Millis, timer: Timer) {
        self.due.insert((at, timer));
    }

    /// Takes a deadline back.
    pub fn clear(&mut self, at: Millis, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    /// The earliest.
    pub fn first(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the earliest one that is due at `now`.
    pub fn take_due(&mut self, now: Millis) -> Option<(Millis, Timer)> {
        if self.due.first()?.0 > now { None } else { self.due.pop_first() }
    }
}

/// Rounds a deadline up to a whole slot, so that the deadlines of a storm fall together and share their looks.
/// A slot is a thirty-sixth of the grace, between one and five seconds.
pub fn slotted(at: Millis, grace_secs: u32) -> Millis {
    let slot = i64::from(grace_secs / 36).clamp(1, 5) * 1000;
    at.div_euclid(slot) * slot + if at.rem_euclid(slot) == 0 { 0 } else { slot }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_of_a_storm_fall_together() {
        assert_eq!(slotted(100_000_001, 180), 100_005_000);
        assert_eq!(slotted(100_004_999, 180), 100_005_000);
        assert_eq!(slotted(100_005_000, 180), 100_005_000);
        assert_eq!(slotted(100_000_001, 2), 100_001_000);
    }

    #[test]
    fn the_earliest_deadline_comes_first_and_only_when_due() {
        let mut timers = Timers::default();
        timers.set(20, Timer::Gaps);
        timers.set(10, Timer::Case(3));
        assert_eq!(timers.take_due(9), None);
        assert_eq!(timers.take_due(10), Some((10, Timer::Case(3))));
        timers.clear(20, Timer::Gaps);
        assert_eq!((timers.first(), timers.take_due(99)), (None, None));
    }
}
