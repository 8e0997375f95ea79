//! One line of a log.

/// A line of a log, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its text, as it came.
    pub message: String,
}
