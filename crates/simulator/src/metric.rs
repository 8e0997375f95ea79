//! Metrics of CloudWatch: what was put, and statistics over periods of it.

use std::collections::BTreeMap;

use crate::clock::{HOUR, Moment};

/// A series: a metric with one exact set of dimensions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Dimensions, sorted by name.
    pub dimensions: Vec<(String, String)>,
}

impl Series {
    /// A series; the order of the dimensions does not matter.
    pub fn new(namespace: &str, name: &str, mut dimensions: Vec<(String, String)>) -> Self {
        dimensions.sort();
        Self { namespace: namespace.to_owned(), name: name.to_owned(), dimensions }
    }
}

/// A statistic set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Set {
    /// Number of samples.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Set {
    /// A value that was seen so many times.
    pub fn of(value: f64, count: f64) -> Self {
        Self { count, sum: value * count, least: value, greatest: value }
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
        }
    }
}

/// A statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::SampleCount, Self::Average, Self::Sum, Self::Minimum, Self::Maximum];

    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::SampleCount => "SampleCount",
            Self::Average => "Average",
            Self::Sum => "Sum",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }

    /// Reads [`word`](Self::word).
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|statistic| statistic.word() == word)
    }

    /// The statistic of a set; `None` where there were no samples.
    pub fn of(self, set: &Set) -> Option<f64> {
        (set.count > 0.0).then_some(match self {
            Self::SampleCount => set.count,
            Self::Average => set.sum / set.count,
            Self::Sum => set.sum,
            Self::Minimum => set.least,
            Self::Maximum => set.greatest,
        })
    }
}

/// How long points are kept: as long as CloudWatch keeps those of a minute.
const KEPT_MS: i64 = 15 * 24 * HOUR;

/// The metrics of an account in a region.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Each series with its points: the second they begin at, by unit.
    series: BTreeMap<Series, BTreeMap<(i64, String), Set>>,
}

impl Metrics {
    /// Adds to a point. It carries the beginning of its minute, or of its second with high resolution.
    pub fn put(&mut self, series: Series, at: Moment, unit: &str, set: Set, high_resolution: bool) {
        let secs = at.0.div_euclid(1000);
        let begins = if high_resolution { secs } else { secs - secs.rem_euclid(60) };
        let points = self.series.entry(series).or_default();
        points.entry((begins, unit.to_owned())).and_modify(|held| *held = held.with(set)).or_insert(set);
    }

    /// Forgets what is too old.
    pub fn forget(&mut self, now: Moment) {
        let oldest = now.plus(-KEPT_MS).0.div_euclid(1000);
        for points in self.series.values_mut() {
            *points = points.split_off(&(oldest, String::new()));
        }
        self.series.retain(|_, points| !points.is_empty());
    }

    /// The series that there are.
    pub fn all(&self) -> impl Iterator<Item = &Series> {
        self.series.keys()
    }

    /// What was put from one second to another (not included); `None` where nothing was. With a unit only what was put
    /// with it counts.
    pub fn over(&self, series: &Series, from_secs: i64, until_secs: i64, unit: Option<&str>) -> Option<Set> {
        let points = self.series.get(series)?.range((from_secs, String::new())..(until_secs, String::new()));
        let of_unit = points.filter(|((_, held), _)| unit.is_none_or(|unit| unit == held));
        of_unit.map(|(_, set)| *set).reduce(Set::with)
    }

    /// The units of a series' points.
    pub fn unit(&self, series: &Series) -> Option<&str> {
        self.series.get(series)?.keys().next_back().map(|(_, unit)| unit.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_minute_are_one_and_units_and_dimensions_keep_apart() {
        let series = |zone: &str| Series::new("Muster/Capacity", "free", vec![("Zone".into(), zone.into())]);
        let mut metrics = Metrics::default();
        let at = Moment(1_790_928_000_000);
        metrics.put(series("a"), at.plus(1_000), "Count", Set::of(4.0, 1.0), false);
        metrics.put(series("a"), at.plus(59_000), "Count", Set::of(2.0, 3.0), false);
        metrics.put(series("a"), at.plus(60_000), "Percent", Set::of(50.0, 1.0), false);
        let secs = at.0 / 1000;
        let minute = metrics.over(&series("a"), secs, secs + 60, None).unwrap();
        assert_eq!(Statistic::ALL.map(|it| it.of(&minute)), [4.0, 2.5, 10.0, 2.0, 4.0].map(Some));
        assert_eq!(metrics.over(&series("a"), secs, secs + 120, Some("Percent")).map(|set| set.sum), Some(50.0));
        assert_eq!(metrics.over(&series("b"), secs, secs + 120, None), None);
        metrics.forget(at.plus(16 * 24 * HOUR));
        assert_eq!(metrics.all().count(), 0);
    }
}
