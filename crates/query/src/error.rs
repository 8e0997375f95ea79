//! Why a query gave no result, in words for people.

use datafusion::error::DataFusionError;
use insights::QueryError;

/// Why a query gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryFailed {
    /// The text is no query, or one that means nothing.
    #[error("{0}")]
    Malformed(#[from] Box<QueryError>),
    /// It needs what does not exist: a group, a table, a column of one.
    #[error("{0}")]
    Refused(String),
    /// It needs more memory than it may have, and cannot go on disk.
    #[error(
        "the query needs more than the {limit_bytes} bytes of memory that it may have: ask for a shorter time, for fewer groups, \
         or filter before `stats` and `sort` ({detail})"
    )]
    Memory {
        /// How much it may have, in bytes.
        limit_bytes: usize,
        /// Which step wanted it.
        detail: String,
    },
    /// It took longer than it may.
    #[error("the query did not end within {secs} seconds: ask for a shorter time, or filter more")]
    Time {
        /// How long it may take, in seconds.
        secs: u64,
    },
    /// Too many others are running.
    #[error("{running} queries are running, and no more may: wait until one has ended, or stop one")]
    Busy {
        /// How many.
        running: usize,
    },
    /// Somebody stopped it.
    #[error("the query was stopped")]
    Stopped,
    /// A file could not be read.
    #[error("reading the store failed: {0}")]
    Store(String),
    /// A fault of muster.
    #[error("the query failed inside of muster, which is a fault of muster: {0}")]
    Internal(String),
}

impl From<QueryError> for QueryFailed {
    fn from(error: QueryError) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl From<DataFusionError> for QueryFailed {
    fn from(error: DataFusionError) -> Self {
        Self::of(&error, 0)
    }
}

impl QueryFailed {
    /// What an error of the engine means, where a query may have so much memory.
    pub(crate) fn of(error: &DataFusionError, limit_bytes: usize) -> Self {
        // The engine has no kind of its own for a disk that is full of what did not fit into memory.
        if let Some(detail) = error.strip_backtrace().lines().find(|line| line.contains("max_temp_directory_size")) {
            return Self::Memory { limit_bytes, detail: detail.to_owned() };
        }
        match error.find_root() {
            DataFusionError::ResourcesExhausted(detail) => {
                let detail = detail.lines().next().unwrap_or_default().to_owned();
                Self::Memory { limit_bytes, detail }
            }
            DataFusionError::Plan(message) | DataFusionError::Execution(message) => Self::Refused(message.clone()),
            DataFusionError::ObjectStore(error) => Self::Store(error.to_string()),
            DataFusionError::ParquetError(error) => Self::Store(error.to_string()),
            DataFusionError::IoError(error) => Self::Store(error.to_string()),
            _ => Self::Internal(error.strip_backtrace()),
        }
    }
}
