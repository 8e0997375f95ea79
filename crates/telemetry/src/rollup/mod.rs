//! Roll-ups: the rows of a sealed file, summed up by minute, five minutes and hour (decision 0016).
//!
//! | module | what it is |
//! |---|---|
//! | `rule` | which groups have roll-ups, by which dimensions and of which metrics |
//! | `build` | a file is read and summed up |
//! | `cells` | which rows belong together, and which levels pay |
//! | `total` | count, sum, least and greatest |
//! | [`sketch`], `spread` | how the values of a metric are distributed |
//! | `write` | a level as a Parquet file |
//!
//! A roll-up belongs to one file and sums up exactly its rows: it is named by the entry of the file in the manifest, and goes
//! with it. So nothing is counted twice or missed, whatever is merged, comes late or is removed.

mod build;
mod cells;
mod rule;
pub mod sketch;
mod spread;
#[cfg(test)]
mod tests;
mod total;
mod write;

use serde::{Deserialize, Serialize};

pub(crate) use build::{Built, of_file};
pub(crate) use rule::Rule;

use crate::snapshot::File;

/// How long the buckets of the levels are, in milliseconds, the longest first.
pub const WIDTHS_MS: [i64; 3] = [3_600_000, 300_000, 60_000];

/// The column that says of which metric a row is: the name of the metric's column in the file. Empty in rows that count the
/// events themselves. The other columns of a level are the dimensions, [`field::TIMESTAMP`](crate::field::TIMESTAMP) for the
/// beginning of the bucket, and those below.
pub const METRIC: &str = "@metric";
/// How many values there are, or how many events.
pub const COUNT: &str = "@count";
/// The sum of the values.
pub const SUM: &str = "@sum";
/// The least value, where the metric's column holds floats.
pub const MIN: &str = "@min";
/// The greatest value, where the metric's column holds floats.
pub const MAX: &str = "@max";
/// The least value, where the metric's column holds integers.
pub const MIN_INTEGER: &str = "@min#integer";
/// The greatest value, where the metric's column holds integers.
pub const MAX_INTEGER: &str = "@max#integer";
/// How the values are distributed: a [`sketch::Sketch`] as bytes.
pub const SKETCH: &str = "@sketch";

/// What is known of the roll-ups of a file. Without levels it was looked at, and roll-ups do not pay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollups {
    /// The columns of texts by which its rows are told apart.
    pub dimensions: Vec<String>,
    /// Columns of numbers that the file has and the roll-ups have not. What is in neither has no value in the file.
    pub left_out: Vec<String>,
    /// Its levels, the one with the longest buckets first.
    pub levels: Vec<Level>,
}

/// The roll-up of a file with buckets of one length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// How long its buckets are, in milliseconds.
    pub width_ms: i64,
    /// Where it is; its times are those of the beginnings of buckets, its rows those of the roll-up.
    pub file: File,
    /// Whether it has sketches.
    pub sketches: bool,
}
