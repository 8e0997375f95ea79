//! The only clock: the time of day, made fit for waiting.
//!
//! Deadlines must be waited for in time that really passes (I9, I19). The time of day alone does not do: it is set,
//! steps, and a step of an hour would meet every deadline of that hour at once. So the clock advances as the
//! monotonic clock does, and is drawn towards the time of day by at most a tenth of the time that passes.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::ports::Clock;

/// A difference beyond this is no drift and no step of a time server: the time of day was wrong and is right now.
const HOPELESS: SignedDuration = SignedDuration::from_hours(24);

/// The machine's clock. One for the whole process, so that all parts see the same time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

fn steady() -> &'static (Instant, Mutex<Steady>) {
    static STEADY: OnceLock<(Instant, Mutex<Steady>)> = OnceLock::new();
    STEADY.get_or_init(|| (Instant::now(), Mutex::new(Steady::new(Timestamp::now()))))
}

impl SystemClock {
    /// Time goes on from here if the time of day lies behind, as after a restart with a clock that was set back in the
    /// meantime: what is remembered must not lie in the future, where no deadline would be met until then.
    pub fn go_on_from(self, last: Timestamp) {
        let (_, steady) = steady();
        let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
        *steady = steady.not_before(last);
    }
}

/// Sleeps are cut into stretches of at most this, so that a suspended machine is noticed.
const STRETCH: Duration = Duration::from_secs(30);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let (start, steady) = steady();
        let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
        steady.advance(start.elapsed(), Timestamp::now())
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(STRETCH)).await;
        }
    }
}

/// The time of day without its steps. Pure: both clocks are arguments.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    /// Monotonic time at the last call.
    elapsed: Duration,
    /// What the last call returned.
    now: Timestamp,
}

impl Steady {
    /// A clock at the beginning of monotonic time.
    pub fn new(time_of_day: Timestamp) -> Self {
        Self { elapsed: Duration::ZERO, now: time_of_day }
    }

    /// The same clock, at least as late as `last`. More than a day ahead it would be as wrong as the time of day was.
    #[must_use]
    pub fn not_before(self, last: Timestamp) -> Self {
        let behind = last.duration_since(self.now);
        if behind.is_positive() && behind <= HOPELESS { Self { now: last, ..self } } else { self }
    }

    /// Advances to `elapsed` on the monotonic clock, at a moment when the time of day says `time_of_day`.
    pub fn advance(&mut self, elapsed: Duration, time_of_day: Timestamp) -> Timestamp {
        let passed = SignedDuration::try_from(elapsed.saturating_sub(self.elapsed)).unwrap_or(SignedDuration::ZERO);
        self.elapsed = self.elapsed.max(elapsed);
        let expected = self.now.saturating_add(passed).unwrap_or(self.now);
        let off = time_of_day.duration_since(expected);
        let draw = passed / 10;
        self.now = if off.abs() > HOPELESS {
            tracing::warn!(from = %expected, to = %time_of_day, "the time of day was set by more than a day; muster follows at once");
            time_of_day
        } else {
            expected.saturating_add(off.clamp(-draw, draw)).unwrap_or(expected)
        };
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-10-02T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_hour_stepped_forward_shortens_a_wait_by_a_tenth_at_most() {
        let mut steady = Steady::new(noon());
        let mut secs = 0;
        let stepped = |secs: u64| noon() + SignedDuration::from_secs(3600 + secs as i64);
        while steady.now < noon() + SignedDuration::from_secs(180) {
            secs += 1;
            steady.advance(Duration::from_secs(secs), stepped(secs));
        }
        assert!((163..=180).contains(&secs), "a wait of 180 s took {secs} s");
    }

    #[test]
    fn an_hour_stepped_back_never_turns_time_around_and_is_caught_up_with() {
        let mut steady = Steady::new(noon());
        let mut last = noon();
        for secs in 1..40_000u64 {
            let now = steady.advance(Duration::from_secs(secs), noon() + SignedDuration::from_secs(secs as i64 - 3600));
            assert!(now > last);
            last = now;
        }
        assert_eq!(last, noon() + SignedDuration::from_secs(39_999 - 3600));
    }

    #[test]
    fn after_a_restart_time_goes_on_from_what_is_remembered() {
        let hour = SignedDuration::from_hours(1);
        let mut steady = Steady::new(noon() - hour).not_before(noon());
        let second = steady.advance(Duration::from_secs(10), noon() - hour + SignedDuration::from_secs(10));
        assert_eq!(second, noon() + SignedDuration::from_secs(9), "it flows, and is drawn back by a tenth");
        assert_eq!(Steady::new(noon()).not_before(noon() - hour).now, noon());
        assert_eq!(Steady::new(noon()).not_before(noon() + 25 * hour).now, noon(), "that was no time");
    }

    #[test]
    fn a_clock_that_was_hopelessly_wrong_is_followed_at_once() {
        let mut steady = Steady::new("1970-01-01T00:00:10Z".parse().unwrap());
        assert_eq!(steady.advance(Duration::from_secs(1), noon()), noon());
    }

    #[test]
    fn while_both_clocks_agree_nothing_is_drawn() {
        let mut steady = Steady::new(noon());
        let later = noon() + SignedDuration::from_millis(1500);
        assert_eq!(steady.advance(Duration::from_millis(1500), later), later);
    }
}
