//! How the values of all metrics are distributed, while a file is read.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::{
    cells::Cells,
    sketch::{Sketch, bucket},
};

/// The shortest buckets of time that have sketches, in milliseconds: in shorter ones a sketch is as large as the values.
const SKETCHED_MS: i64 = 300_000;
/// So many buckets of values are counted in all sketches together; beyond that only sketches of hours are kept, and then none.
const BUCKETS_MAX: usize = 1 << 20;
/// How many bits the number of a bucket of values has.
const BUCKET_BITS: u32 = 18;

/// Sketches by cell and metric.
pub(super) type Sketches = HashMap<(u32, usize), Sketch, RandomState>;

/// Values by cell, metric and bucket.
#[derive(Debug)]
pub(super) struct Spread {
    metrics: u64,
    /// The level whose cells are told apart.
    level: usize,
    /// The cell there of each cell of the first level.
    to: Vec<u32>,
    counts: HashMap<u64, u64, RandomState>,
}

impl Spread {
    /// No values yet; nothing if no level has sketches.
    pub(super) fn new(cells: &Cells, metrics: usize) -> Option<Self> {
        let level = cells.levels.iter().position(|level| level.width_ms >= SKETCHED_MS)?;
        Some(Self { metrics: metrics as u64, level, to: cells.lifted(0, level), counts: HashMap::default() })
    }

    /// Counts values of a metric with their cells at the first level.
    pub(super) fn add(&mut self, metric: usize, values: impl Iterator<Item = (u32, f64)>) {
        for (cell, value) in values {
            let place = u64::from(self.to[cell as usize]) * self.metrics + metric as u64;
            *self.counts.entry(place << BUCKET_BITS | u64::from(bucket(value))).or_default() += 1;
        }
    }

    /// Keeps only what there is room for; nothing if there is none.
    pub(super) fn within_limits(mut self, cells: &Cells) -> Option<Self> {
        while self.counts.len() > BUCKETS_MAX {
            let longer = self.level + 1;
            if longer >= cells.levels.len() {
                return None;
            }
            let to = cells.lifted(self.level, longer);
            let mut counts: HashMap<u64, u64, RandomState> = HashMap::default();
            for (key, count) in self.counts {
                let (place, bucket) = (key >> BUCKET_BITS, key & ((1 << BUCKET_BITS) - 1));
                let place = u64::from(to[(place / self.metrics) as usize]) * self.metrics + place % self.metrics;
                *counts.entry(place << BUCKET_BITS | bucket).or_default() += count;
            }
            self.counts = counts;
            self.level = longer;
            self.to = cells.lifted(0, longer);
        }
        Some(self)
    }

    /// The sketches of a level; nothing if it has none.
    pub(super) fn sketches(&self, cells: &Cells, level: usize) -> Option<Sketches> {
        if level < self.level {
            return None;
        }
        let to = cells.lifted(self.level, level);
        let mut sketches = Sketches::default();
        for (key, count) in &self.counts {
            let (place, bucket) = (key >> BUCKET_BITS, (key & ((1 << BUCKET_BITS) - 1)) as u32);
            let cell = to[(place / self.metrics) as usize];
            sketches.entry((cell, (place % self.metrics) as usize)).or_default().add_bucket(bucket, *count);
        }
        Some(sketches)
    }
}
