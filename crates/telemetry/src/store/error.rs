//! What can go wrong in a store.

use std::{io, path::PathBuf};

use crate::{
    file::MergeError,
    limits::BatchError,
    place::PlaceError,
    wal::{ReadError, WalError},
};

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such group.
    #[error("there is no log group {0}; create it first, or look at the list of groups")]
    NoGroup(String),
    /// There is no such stream.
    #[error("log group {group} has no stream {stream}; create it first")]
    NoStream {
        /// The group.
        group: String,
        /// The stream.
        stream: String,
    },
    /// There is one already.
    #[error("{0} exists already")]
    Exists(String),
    /// The store can only be read.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// Another process has the store open.
    #[error("another process writes into the store {}; stop it, or open the store for reading only", .0.display())]
    Taken(PathBuf),
    /// The directory cannot be used.
    #[error("opening the store {}: {source}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The log cannot be written.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Files cannot be kept or read.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A manifest cannot be understood.
    #[error("the manifest {path} cannot be read: {what}; a newer muster may have written it")]
    Manifest {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file cannot be written or merged.
    #[error("log group {group}: {source}")]
    File {
        /// The group.
        group: String,
        /// What is wrong.
        source: MergeError,
    },
    /// Work on files was given up.
    #[error("work on files ended early: {0}")]
    Stopped(String),
}

/// Why a batch was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It breaks a limit.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// There is no such group or stream, or the store cannot take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much is in memory: files cannot be written as fast as events come, or not at all.
    #[error("{bytes} bytes of events wait in memory to be written to files, and at most {bytes_max} may: {cause}")]
    Behind {
        /// Bytes in memory.
        bytes: usize,
        /// How many are allowed.
        bytes_max: usize,
        /// What the last attempt ended with.
        cause: String,
    },
}
