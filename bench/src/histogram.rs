//! Durations counted in buckets that grow with them: any quantile to within two percent, in constant memory.

use std::time::Duration;

/// Buckets for each doubling.
const FINE: u64 = 64;
const FINE_BITS: u32 = FINE.trailing_zeros();

/// How often which duration was measured.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    largest: Duration,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = bucket(micros);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.largest = self.largest.max(duration);
    }

    /// How many were counted.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The longest.
    pub fn largest(&self) -> Duration {
        self.largest
    }

    /// The duration that a share of them, 0 to 1, does not exceed; rounded up to the end of its bucket, and never beyond
    /// the longest. Nothing where nothing was counted.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.total as f64 * share.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(last_of(bucket)).min(self.largest);
            }
        }
        self.largest
    }

    /// Takes in another one.
    pub fn add(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.largest = self.largest.max(other.largest);
    }
}

fn bucket(micros: u64) -> usize {
    let doublings = (64 - micros.leading_zeros()).saturating_sub(FINE_BITS + 1);
    (u64::from(doublings) * FINE + (micros >> doublings)) as usize
}

/// The largest value of a bucket.
fn last_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / FINE).saturating_sub(1);
    ((bucket - doublings * FINE + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_within_two_percent_of_its_end() {
        let mut before = 0;
        for micros in (0..5_000).chain((5_000..100_000_000).step_by(9_973)) {
            let bucket = bucket(micros);
            let last = last_of(bucket);
            assert!(bucket >= before, "{micros}");
            assert!(last >= micros && (last - micros) as f64 <= 0.02 * micros as f64, "{micros}: {last}");
            before = bucket;
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        for micros in 1..=1_000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (0.001, 1.0), (1.0, 1_000.0)] {
            let found = histogram.quantile(share).as_micros() as f64;
            assert!(found >= exact && found <= exact * 1.02 + 1.0, "{share}: {found}");
        }
        assert_eq!((histogram.len(), histogram.largest()), (1_000, Duration::from_micros(1_000)));
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn two_histograms_together_are_the_one_of_both() {
        let (mut one, mut two, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for micros in 0..10_000 {
            let duration = Duration::from_micros(micros * micros);
            both.record(duration);
            if micros % 3 == 0 { one.record(duration) } else { two.record(duration) }
        }
        one.add(&two);
        for share in [0.1, 0.5, 0.9, 0.999] {
            assert_eq!(one.quantile(share), both.quantile(share));
        }
    }
}
