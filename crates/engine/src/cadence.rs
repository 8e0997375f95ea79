//! How often something is told that changes now and then: at once when it has changed, but not more often than a floor
//! allows; unchanged as often as a ceiling asks. Pure: whoever tells gives the time.

use jiff::Timestamp;

/// How often something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Between two tellings there are at least so many seconds.
    pub floor_secs: u32,
    /// What has not changed is told again after so many seconds.
    pub ceiling_secs: u32,
}

/// What was told last.
#[derive(Clone, Debug)]
pub struct Told<T> {
    tried_at: Option<Timestamp>,
    last: Option<(Timestamp, T)>,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self { tried_at: None, last: None }
    }
}

impl<T: PartialEq> Told<T> {
    /// Whether `now` is the time to tell this.
    pub fn is_due(&self, cadence: Cadence, now: Timestamp, what: &T) -> bool {
        if self.tried_at.is_some_and(|at| within(at, now, cadence.floor_secs)) {
            return false;
        }
        match &self.last {
            None => true,
            Some((at, held)) => held != what || !within(*at, now, cadence.ceiling_secs),
        }
    }

    /// It is being told: whether or not it arrives, the floor counts from here.
    pub fn tries(&mut self, now: Timestamp) {
        self.tried_at = Some(now);
    }

    /// It has arrived.
    pub fn arrived(&mut self, now: Timestamp, what: T) {
        self.last = Some((now, what));
    }
}

/// Less than so many seconds have passed. A clock that went back has passed all of them: to tell too often once is better
/// than to be silent until it catches up.
fn within(since: Timestamp, now: Timestamp, secs: u32) -> bool {
    let passed = now.as_millisecond() - since.as_millisecond();
    (0..i64::from(secs) * 1_000).contains(&passed)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const CADENCE: Cadence = Cadence { floor_secs: 15, ceiling_secs: 60 };

    fn after(secs: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000 + secs)
    }

    /// The seconds at which a value is told that is asked for every second.
    fn told(values: &[u32], arrives: impl Fn(i64) -> bool) -> Vec<i64> {
        let (mut told, mut at) = (Told::default(), Vec::new());
        for (secs, value) in (0..).zip(values) {
            if told.is_due(CADENCE, after(secs), value) {
                told.tries(after(secs));
                at.push(secs);
                if arrives(secs) {
                    told.arrived(after(secs), *value);
                }
            }
        }
        at
    }

    #[test]
    fn what_does_not_change_is_told_at_the_ceiling() {
        assert_eq!(told(&[7; 150], |_| true), [0, 60, 120]);
    }

    #[test]
    fn a_change_is_told_at_once_and_a_storm_of_changes_at_the_floor() {
        let mut once = [7; 100];
        once[20..].fill(8);
        assert_eq!(told(&once, |_| true), [0, 20, 80]);
        let storm: Vec<u32> = (0..50).collect();
        assert_eq!(told(&storm, |_| true), [0, 15, 30, 45]);
    }

    #[test]
    fn what_did_not_arrive_is_told_again_at_the_floor() {
        assert_eq!(told(&[7; 50], |secs| secs >= 30), [0, 15, 30]);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_silence() {
        let mut told = Told::default();
        told.tries(after(1_000));
        told.arrived(after(1_000), 7);
        assert!(told.is_due(CADENCE, after(0), &7));
    }

    proptest! {
        #[test]
        fn never_more_often_than_the_floor_nor_less_than_the_ceiling(values in prop::collection::vec(0..3_u32, 1..400)) {
            let at = told(&values, |_| true);
            prop_assert_eq!(at[0], 0);
            for pair in at.windows(2) {
                let gap = pair[1] - pair[0];
                prop_assert!((15..=60).contains(&gap), "{}", gap);
            }
            prop_assert!(values.len() as i64 - at[at.len() - 1] <= 60);
        }
    }
}
