//! Queries that roll-ups answer: which they are, and of which parts of which files (decision 0016).
//!
//! | module | what it is |
//! |---|---|
//! | `wish` | whether a query asks only for what roll-ups hold |
//! | `cover` | which time is read from which level, and which from the rows themselves |
//! | `sources` | which files of a group are read for that |
//! | `percentile` | percentiles out of sketches |

pub(crate) mod cover;
pub(crate) mod percentile;
pub(crate) mod sources;
pub(crate) mod wish;

pub use telemetry::rollup::sketch::RELATIVE_ERROR;

/// When roll-ups answer instead of the rows that they sum up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Use {
    /// Where the answer is the same, sums of floats within a relative 1e-12 of the sum of their magnitudes.
    #[default]
    Exact,
    /// Also for percentiles, which are then within [`RELATIVE_ERROR`] of the values that they lie between.
    Approximate,
    /// Never.
    Never,
}

/// What roll-ups answered of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) group: String,
    /// How long the buckets were, in milliseconds, the longest first.
    pub(crate) widths_ms: Vec<i64>,
    /// How many files of roll-ups are read.
    pub(crate) files: usize,
    /// How many bytes these have.
    pub(crate) bytes: u64,
    /// The paths of files of which nothing else is read.
    pub(crate) spared: Vec<String>,
    /// How many bytes those have.
    pub(crate) spared_bytes: u64,
    /// Whether percentiles come from sketches.
    pub(crate) approximate: bool,
}

/// A length of time as people say it.
pub(crate) fn said(width_ms: i64) -> String {
    if width_ms % 3_600_000 == 0 { format!("{} h", width_ms / 3_600_000) } else { format!("{} min", width_ms / 60_000) }
}
