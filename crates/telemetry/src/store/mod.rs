//! A store of log groups.
//!
//! Events are durable when [`Store::put`] returns: they are in the write-ahead log. They are in memory too, as columns, until
//! [`Store::maintain`] or a lack of room seals them into files.

mod compact;
mod error;
mod group;
mod groups;
mod open;
mod put;
mod roll_up;
mod seal;

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use object_store::ObjectStore;
use url::Url;

use crate::{
    place::{Place, S3},
    snapshot,
    wal::Wal,
};
pub use error::{PutError, StoreError};
use group::Group;
pub use groups::{GroupInfo, StreamInfo};
pub use open::Opened;
pub use put::Put;

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The directory of the write-ahead log, and of everything else if there is no `url`.
    pub dir: PathBuf,
    /// Where files and manifests are kept instead: an object store.
    pub url: Option<Url>,
    /// How it is reached if it speaks S3.
    pub s3: S3,
    /// The account that groups belong to, of 12 digits.
    pub account: String,
    /// From so many bytes of rows in memory on, the largest group is sealed.
    pub memory_bytes: usize,
    /// With so many bytes of rows in memory no more events are taken in.
    pub memory_bytes_max: usize,
    /// A group of so many rows in memory is sealed.
    pub seal_rows: usize,
    /// Rows that are in memory for so long are sealed, in milliseconds.
    pub seal_after_ms: i64,
    /// A segment of the log is closed at so many bytes.
    pub segment_bytes: u64,
    /// If the log is larger, the groups that it is kept for are sealed, in bytes.
    pub wal_bytes: u64,
    /// Bytes of the disk that telemetry leaves to the journal.
    pub reserve_bytes: u64,
    /// If all files together have more bytes, the oldest are removed; `None`: they may.
    pub files_bytes: Option<u64>,
    /// So many small files of a day are merged into one.
    pub merge_files: usize,
    /// Files of more bytes are not merged any further.
    pub file_bytes: u64,
    /// A file of so many rows, or of a day that is over, gets roll-ups where they pay; `None`: no file does.
    pub rollup_rows: Option<u64>,
    /// For how long a file stays that no manifest names any more, for readers in other processes, in milliseconds.
    pub removal_after_ms: i64,
}

impl StoreConfig {
    /// A store in a local directory, with limits for a small machine.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            url: None,
            s3: S3::default(),
            account: "000000000000".to_owned(),
            memory_bytes: 48 << 20,
            memory_bytes_max: 128 << 20,
            seal_rows: 1 << 18,
            seal_after_ms: 10 * 60_000,
            segment_bytes: 32 << 20,
            wal_bytes: 512 << 20,
            reserve_bytes: 64 << 20,
            files_bytes: None,
            merge_files: 8,
            file_bytes: 96 << 20,
            rollup_rows: Some(1 << 15),
            removal_after_ms: 10 * 60_000,
        }
    }
}

/// A store. Copies are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: StoreConfig,
    place: Place,
    /// None in a store that can only be read.
    wal: Option<Wal>,
    groups: RwLock<BTreeMap<String, Arc<Group>>>,
    /// Held while a group is made, so that no two have one name.
    making: tokio::sync::Mutex<()>,
    /// Bytes of all rows in memory.
    memory: AtomicUsize,
    /// Whether files are being written because memory is short.
    relieving: AtomicBool,
    relieved: tokio::sync::Notify,
    /// Why the last attempt to write files failed.
    trouble: Mutex<Option<String>>,
    opened: Opened,
    /// Stands in the names of files: of two that write into one store none writes over a file of the other.
    writer: u64,
    /// Locked as long as the store is open for writing.
    _lock: Option<File>,
}

impl Store {
    /// What queries of these groups see. It does not change any more, and its files stay.
    ///
    /// # Errors
    /// When one of the groups is not there.
    pub fn snapshot(&self, groups: &[String]) -> Result<Vec<snapshot::Group>, StoreError> {
        groups.iter().map(|name| Ok(self.group(name)?.snapshot(&self.inner.config.account))).collect()
    }

    /// Where the files of snapshots are: a store whose paths they are, and the URL that it is known by.
    pub fn object_store(&self) -> (Arc<dyn ObjectStore>, Url) {
        self.inner.place.object_store()
    }

    /// What was found when the store was opened.
    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    fn all(&self) -> RwLockReadGuard<'_, BTreeMap<String, Arc<Group>>> {
        self.inner.groups.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn group(&self, name: &str) -> Result<Arc<Group>, StoreError> {
        self.all().get(name).cloned().ok_or_else(|| StoreError::NoGroup(name.to_owned()))
    }

    fn wal(&self) -> Result<&Wal, StoreError> {
        self.inner.wal.as_ref().ok_or(StoreError::ReadOnly)
    }
}

impl Inner {
    /// Counts what the rows of a group take now and took before.
    fn count_memory(&self, before: usize, now: usize) {
        use std::sync::atomic::Ordering::Relaxed;
        if now >= before {
            self.memory.fetch_add(now - before, Relaxed);
        } else {
            let less = before - now;
            // More was never counted than is subtracted; should it have been, nothing is less than that.
            let _ = self.memory.fetch_update(Relaxed, Relaxed, |it| Some(it.saturating_sub(less)));
        }
    }
}

/// Groups by their numbers.
fn by_number(groups: &BTreeMap<String, Arc<Group>>) -> HashMap<u64, Arc<Group>> {
    groups.values().map(|group| (group.number, Arc::clone(group))).collect()
}
