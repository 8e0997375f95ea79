//! What the API needs of whatever keeps logs, and of whatever runs queries.

use std::sync::Arc;

use async_trait::async_trait;
use insights::Checked;
use telemetry::event::Event;

pub use super::rows::Rows;
pub use telemetry::{
    Class,
    reader::{Found as StoredEvent, Place},
    store::{GroupInfo, Put, StreamInfo},
};

/// Which streams of a group are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Streams {
    /// All.
    #[default]
    All,
    /// These.
    Named(Vec<String>),
    /// Those whose names begin so.
    Prefix(String),
}

impl Streams {
    /// Whether a stream is one of them.
    pub fn contains(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stream),
            Self::Prefix(prefix) => stream.starts_with(prefix),
        }
    }
}

/// Events that are wanted of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which streams.
    pub streams: Streams,
    /// The earliest time, in milliseconds since 1970.
    pub from_ms: i64,
    /// The latest time; it counts.
    pub to_ms: i64,
    /// Only events beyond this place, in the direction of reading.
    pub beyond: Option<Place>,
    /// From the newest backwards.
    pub newest_first: bool,
    /// So many at most.
    pub count: usize,
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// There is no such group.
    #[error("there is no log group {0}")]
    NoGroup(String),
    /// There is no such stream.
    #[error("there is no log stream {0}")]
    NoStream(String),
    /// There is one already.
    #[error("{0} exists already")]
    Exists(String),
    /// It breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// It goes beyond a limit.
    #[error("{0}")]
    Limit(String),
    /// The store cannot do it now: a disk that is full, an object store that does not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// What keeps the logs.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Makes a group.
    async fn create_group(&self, name: &str, class: Class, now_ms: i64) -> Result<(), LogsError>;
    /// Removes a group with all that is in it.
    async fn delete_group(&self, name: &str) -> Result<(), LogsError>;
    /// Groups by name, in the order of their names.
    async fn groups(&self, prefix: Option<&str>) -> Result<Vec<GroupInfo>, LogsError>;
    /// One group.
    async fn group(&self, name: &str) -> Result<GroupInfo, LogsError> {
        let groups = self.groups(Some(name)).await?;
        groups.into_iter().find(|group| group.name == name).ok_or_else(|| LogsError::NoGroup(name.to_owned()))
    }
    /// Keeps a group's events for so many days, or for ever.
    async fn set_retention(&self, name: &str, days: Option<u32>) -> Result<(), LogsError>;
    /// Makes a stream.
    async fn create_stream(&self, group: &str, stream: &str, now_ms: i64) -> Result<(), LogsError>;
    /// Removes a stream with all that is in it.
    async fn delete_stream(&self, group: &str, stream: &str) -> Result<(), LogsError>;
    /// Streams of a group by name, in the order of their names.
    async fn streams(&self, group: &str, prefix: Option<&str>) -> Result<Vec<StreamInfo>, LogsError>;
    /// Takes events in; they are on the disk when this returns.
    async fn put(&self, group: &str, stream: &str, events: Vec<Event>, now_ms: i64) -> Result<Put, LogsError>;
    /// Events of a group in their order.
    async fn events(&self, group: &str, wanted: &Wanted) -> Result<Vec<StoredEvent>, LogsError>;
}

/// A query that is to be run.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its text.
    pub text: String,
    /// The same, read and checked.
    pub checked: Checked,
    /// The log groups that it reads, all of which exist.
    pub groups: Vec<String>,
    /// The earliest time, in milliseconds since 1970.
    pub from_ms: i64,
    /// The latest time; it counts.
    pub to_ms: i64,
    /// Now.
    pub now_ms: i64,
    /// So many rows at most.
    pub limit: Option<u64>,
}

/// How far a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not begun.
    Scheduled,
    /// It runs.
    Running,
    /// All its rows are there.
    Complete,
    /// It cannot be finished.
    Failed,
    /// It was stopped.
    Cancelled,
    /// It took too long.
    Timeout,
}

impl Stage {
    /// As AWS writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Timeout => "Timeout",
        }
    }

    /// Nothing more comes of it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Scheduled | Self::Running)
    }
}

/// What was looked at for a query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Events that passed its filters.
    pub records_matched: f64,
    /// Events that were looked at.
    pub records_scanned: f64,
    /// Bytes of them.
    pub bytes_scanned: f64,
    /// Events that need not be looked at.
    pub estimated_records_skipped: f64,
    /// Bytes of them.
    pub estimated_bytes_skipped: f64,
    /// Log groups.
    pub groups_scanned: f64,
}

/// A row: the columns that are not null, with their texts.
pub type Row = Vec<(String, String)>;

/// What there is of a query's results.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The rows so far.
    pub rows: Rows,
    /// What was looked at so far.
    pub statistics: Statistics,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// A query that was started.
pub trait Running: Send + Sync {
    /// How far it is.
    fn stage(&self) -> Stage;
    /// What there is of it: of a running query the rows so far, of which later ones may take the place. Those are written for
    /// the asking, which takes a while; those of a query that is over are at hand.
    fn results(&self) -> Arc<Results>;
    /// What was looked at so far.
    fn statistics(&self) -> Statistics;
    /// Stops it.
    fn stop(&self);
}

/// What a pointer (`@ptr`) in a query's results points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointed {
    /// The event's group.
    pub group: String,
    /// Its time, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its number in the store.
    pub number: u64,
}

/// What runs queries.
#[async_trait]
pub trait Queries: Send + Sync {
    /// Starts one; the rows come while it runs.
    ///
    /// # Errors
    /// When it cannot be begun.
    async fn start(&self, order: Order) -> Result<Arc<dyn Running>, LogsError>;

    /// Reads a pointer that was in its results; `None` for what is none.
    fn pointed(&self, pointer: &str) -> Option<Pointed>;
}
