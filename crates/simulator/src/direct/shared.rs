//! A journal in memory that outlives the muster that writes it, and that can be told to fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{
    journal::MemoryJournal,
    ports::{Body, Entry, Journal, JournalError, SetAside},
};
use jiff::Timestamp;

/// The same journal in several hands.
#[derive(Clone, Debug, Default)]
pub struct SharedJournal {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    journal: MemoryJournal,
    appends: u32,
    failing: Vec<u32>,
    failing_from: Option<u32>,
}

impl SharedJournal {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// These appends fail, counted from now, from 1.
    pub fn fail_at(&self, appends: &[u32]) {
        let mut inner = self.inner();
        let done = inner.appends;
        inner.failing = appends.iter().map(|append| append + done).collect();
    }

    /// From this append on all fail, counted from now, from 1; `None`: the disk is well again.
    pub fn fail_from(&self, append: Option<u32>) {
        let mut inner = self.inner();
        inner.failing_from = append.map(|append| append + inner.appends);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the entries as they were.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal for SharedJournal {
    fn append(&mut self, at: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<i64, JournalError> {
        let mut inner = self.inner();
        inner.appends += 1;
        let lost = inner.failing_from.is_some_and(|from| inner.appends >= from);
        if lost || inner.failing.contains(&inner.appends) {
            return Err(JournalError::Full { path: "the journal in memory".to_owned() });
        }
        inner.journal.append(at, bodies, set_aside)
    }

    fn keep_snapshot(&mut self, seq: i64, at: Timestamp, bytes: &[u8]) -> Result<(), JournalError> {
        self.inner().journal.keep_snapshot(seq, at, bytes)
    }

    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        self.inner().journal.snapshot_before(seq)
    }

    fn prune(&mut self, at: Timestamp, keep: u64) -> Result<u64, JournalError> {
        self.inner().journal.prune(at, keep)
    }

    fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        self.inner().journal.read(after, each)
    }
}
