//! When something runs out: the slope of its last samples, with how sure it is; silence when they do not say.
//!
//! The slope is the median of the slopes of all pairs (Theil and Sen), which a quarter of wild samples cannot move far. Its
//! interval is by ranks (Kendall), which asks nothing of how the samples are spread. What is told is when the line through
//! the medians reaches nothing; where the interval holds a slope that never gets there, nothing is told.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Samples of what is left of one thing, the newest last. Bounded: a new one pushes the oldest out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    samples: VecDeque<(Timestamp, f64)>,
}

/// How many samples are kept: a day of one each quarter of an hour, eight hours of one each five minutes. All pairs of
/// them are looked at, 4,560.
pub const KEPT: usize = 96;

/// Fewer samples say nothing.
pub const FEWEST: usize = 8;

/// Samples of a shorter time say nothing.
pub const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

/// Samples further apart than this share of the time from the first to the last leave a hole that nobody can vouch for.
const WIDEST_HOLE: f64 = 0.5;

/// Further away than this many times what was observed, nothing is foretold.
const HORIZON: f64 = 20.0;

/// The width of the interval, as a quantile of the normal distribution: 90 % of slopes lie within.
const QUANTILE: f64 = 1.645;

/// When something runs out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunsOut {
    /// By the median slope.
    pub at: Timestamp,
    /// By the steepest slope of the interval.
    pub earliest: Timestamp,
    /// By the flattest; `None`: beyond what can be foretold.
    pub latest: Option<Timestamp>,
    /// How much less it becomes an hour.
    pub lost_per_hour: f64,
}

/// Why nothing is foretold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// Too few samples.
    #[error("only {samples} samples")]
    TooFew {
        /// How many.
        samples: usize,
    },
    /// Of too short a time.
    #[error("the samples are of {minutes} minutes only")]
    TooShort {
        /// How many minutes.
        minutes: i64,
    },
    /// Most of that time nobody looked.
    #[error("nobody looked for most of the time")]
    Hole,
    /// The last sample is too old to say what is now.
    #[error("the last sample is {minutes} minutes old")]
    TooOld {
        /// How old.
        minutes: i64,
    },
    /// It does not become less, or may not.
    #[error("it does not become less, as far as the samples say")]
    NotLess,
    /// It becomes less so slowly that much may happen before.
    #[error("it lasts longer than can be foretold")]
    Far,
}

impl Default for Trend {
    fn default() -> Self {
        Self { samples: VecDeque::with_capacity(KEPT) }
    }
}

impl Trend {
    /// Notes what was left at a time. A sample that is not newer than the last, or that is no number, is passed over.
    pub fn note(&mut self, at: Timestamp, left: f64) {
        if !left.is_finite() || self.samples.back().is_some_and(|(last, _)| *last >= at) {
            return;
        }
        if self.samples.len() >= KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back((at, left));
    }

    /// When the last sample was taken.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.samples.back().map(|(at, _)| *at)
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// When it runs out, or why that cannot be said.
    pub fn runs_out(&self, now: Timestamp) -> Result<RunsOut, Silence> {
        let samples = self.samples.len();
        let (Some((first, _)), Some((last, _))) = (self.samples.front(), self.samples.back()) else {
            return Err(Silence::TooFew { samples });
        };
        if samples < FEWEST {
            return Err(Silence::TooFew { samples });
        }
        let span = last.duration_since(*first);
        if span < SHORTEST {
            return Err(Silence::TooShort { minutes: span.as_mins() });
        }
        let secs: Vec<f64> = self.samples.iter().map(|(at, _)| at.duration_since(*first).as_secs_f64()).collect();
        let left: Vec<f64> = self.samples.iter().map(|(_, left)| *left).collect();
        let span = span.as_secs_f64();
        if secs.windows(2).any(|pair| pair[1] - pair[0] > span * WIDEST_HOLE) {
            return Err(Silence::Hole);
        }
        let age = now.duration_since(*last);
        if age.as_secs_f64() > span * WIDEST_HOLE {
            return Err(Silence::TooOld { minutes: age.as_mins() });
        }
        let (low, middle, high) = slopes(&secs, &left);
        if middle >= 0.0 || high >= 0.0 {
            return Err(Silence::NotLess);
        }
        // The line through the medians: where it stands now, whatever the last sample was.
        let offset = median(&mut secs.iter().zip(&left).map(|(at, left)| left - middle * at).collect::<Vec<f64>>());
        let today = now.duration_since(*first).as_secs_f64();
        let left_now = offset + middle * today;
        let after = |slope: f64| (left_now / -slope).max(0.0);
        let at = |secs: f64| {
            (secs <= span * HORIZON)
                .then(|| SignedDuration::try_from_secs_f64(secs).ok())
                .flatten()
                .and_then(|after| now.checked_add(after).ok())
        };
        Ok(RunsOut {
            at: at(after(middle)).ok_or(Silence::Far)?,
            earliest: at(after(low)).ok_or(Silence::Far)?,
            latest: at(after(high)),
            lost_per_hour: -middle * 3600.0,
        })
    }
}

/// The median of the slopes of all pairs, and the ends of its interval.
fn slopes(secs: &[f64], left: &[f64]) -> (f64, f64, f64) {
    let count = secs.len();
    let mut slopes = Vec::with_capacity(count * (count - 1) / 2);
    for from in 0..count {
        for to in from + 1..count {
            slopes.push((left[to] - left[from]) / (secs[to] - secs[from]));
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let (pairs, n) = (slopes.len(), count as f64);
    let spread = (QUANTILE * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt()).min(pairs as f64);
    let low = ((pairs as f64 - spread) / 2.0).floor().max(0.0) as usize;
    let high = (((pairs as f64 + spread) / 2.0).ceil() as usize).min(pairs - 1);
    (slopes[low], middle(&slopes), slopes[high])
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    middle(values)
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Timestamp {
        "2026-10-02T00:00:00Z".parse().unwrap()
    }

    fn after(minutes: i64) -> Timestamp {
        start() + SignedDuration::from_mins(minutes)
    }

    fn trend(samples: impl IntoIterator<Item = (i64, f64)>) -> Trend {
        let mut trend = Trend::default();
        for (minutes, left) in samples {
            trend.note(after(minutes), left);
        }
        trend
    }

    #[test]
    fn a_steady_loss_runs_out_when_it_does() {
        let trend = trend((0..12).map(|step| (step * 5, 240.0 - 2.0 * step as f64)));
        let found = trend.runs_out(after(55)).unwrap();
        assert_eq!((found.at, found.earliest, found.latest), (after(600), after(600), Some(after(600))));
        assert!((found.lost_per_hour - 24.0).abs() < 1e-6);
    }

    #[test]
    fn a_few_wild_samples_do_not_move_it() {
        let wild = |step: i64| if step % 6 == 3 { 900.0 } else { 240.0 - 2.0 * step as f64 };
        let found = trend((0..24).map(|step| (step * 5, wild(step)))).runs_out(after(115)).unwrap();
        assert_eq!(found.at, after(600));
    }

    #[test]
    fn what_the_samples_do_not_say_is_not_said() {
        let silent = |samples: Vec<(i64, f64)>, now| trend(samples).runs_out(after(now)).unwrap_err();
        assert_eq!(silent(vec![], 0), Silence::TooFew { samples: 0 });
        assert_eq!(silent((0..7).map(|step| (step * 5, 9.0)).collect(), 35), Silence::TooFew { samples: 7 });
        assert_eq!(silent((0..9).map(|step| (step, 9.0 - step as f64)).collect(), 8), Silence::TooShort { minutes: 8 });
        assert_eq!(silent((0..9).map(|step| (step * 5, 9.0)).collect(), 40), Silence::NotLess);
        assert_eq!(silent((0..9).map(|step| (step * 5, step as f64)).collect(), 40), Silence::NotLess);
        let saw = |step: i64| (step * 5, if step % 2 == 0 { 10.0 } else { 90.0 });
        assert_eq!(silent((0..20).map(saw).collect(), 95), Silence::NotLess);
        let steep = |step: i64| (step * 5, 1e6 - step as f64);
        assert_eq!(silent((0..9).map(steep).collect(), 40), Silence::Far);
        assert_eq!(
            silent((0..9).map(|step| (step * 5, 50.0 - step as f64)).collect(), 90),
            Silence::TooOld { minutes: 50 }
        );
        let hole = (0..8).map(|step| (step, 50.0 - step as f64)).chain([(60, 1.0)]);
        assert_eq!(silent(hole.collect(), 60), Silence::Hole);
    }

    #[test]
    fn what_has_run_out_runs_out_now() {
        let found = trend((0..12).map(|step| (step * 5, 5.0 - step as f64))).runs_out(after(55)).unwrap();
        assert_eq!(found.at, after(55));
    }

    #[test]
    fn samples_are_bounded_and_in_order() {
        let mut trend = trend((0..500).map(|step| (step, 1.0)));
        trend.note(after(3), 2.0);
        trend.note(after(900), f64::NAN);
        assert_eq!(trend.len(), KEPT);
    }

    proptest! {
        /// A line with noise is found again, and the truth lies in the interval nearly always.
        #[test]
        fn the_interval_holds_the_middle(noise in prop::collection::vec(-5.0..5.0_f64, 24..96), loss in 0.5..4.0_f64) {
            let samples = noise.iter().enumerate().map(|(step, noise)| (step as i64 * 5, 1_000.0 - loss * step as f64 + noise));
            let now = after(noise.len() as i64 * 5);
            if let Ok(found) = trend(samples).runs_out(now) {
                prop_assert!(found.earliest <= found.at && found.latest.is_none_or(|latest| found.at <= latest));
                prop_assert!(found.earliest >= now);
            }
        }
    }
}
