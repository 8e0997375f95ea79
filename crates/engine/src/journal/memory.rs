//! A journal in memory, for tests, demos and scans that have no data directory. It goes through the same text form as
//! the one on disk, so that what is read back is what a disk would have given back.

use std::collections::VecDeque;

use fleet::journal::{Body, Entry, JOURNAL_VERSION};
use jiff::Timestamp;

use crate::ports::{Journal, JournalError, SetAside};

/// Entries, snapshots and messages set aside, in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    first: i64,
    entries: VecDeque<(Timestamp, String)>,
    snapshots: Vec<(i64, Vec<u8>)>,
    set_aside: Vec<SetAside>,
    last_aside: i64,
    limit: Option<usize>,
}

impl MemoryJournal {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one that forgets its oldest entries and messages beyond `limit` of each: for long simulations, where
    /// nobody recovers from it.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    /// Number of the newest entry, 0 when there is none.
    pub fn last_seq(&self) -> i64 {
        self.first + i64::try_from(self.entries.len()).unwrap_or(i64::MAX)
    }

    /// The messages set aside.
    pub fn messages_set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    fn failed(doing: &'static str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JournalError {
        JournalError::Failed { path: "the journal in memory".into(), doing, source: error.into() }
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, at: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<i64, JournalError> {
        let mut written = Vec::with_capacity(bodies.len() + set_aside.len());
        let asides = set_aside.iter().zip(self.last_aside + 1..);
        let asides = asides.map(|(message, id)| Body::SetAside { id, reason: message.reason.clone() });
        for body in bodies {
            written.push(serde_json::to_string(body).map_err(|error| Self::failed("append to it", error))?);
        }
        for body in asides {
            written.push(serde_json::to_string(&body).map_err(|error| Self::failed("append to it", error))?);
        }
        self.entries.extend(written.into_iter().map(|text| (at, text)));
        self.set_aside.extend_from_slice(set_aside);
        self.last_aside += i64::try_from(set_aside.len()).unwrap_or(i64::MAX);
        if let Some(limit) = self.limit {
            while self.entries.len() > limit {
                self.entries.pop_front();
                self.first += 1;
            }
            let excess = self.set_aside.len().saturating_sub(limit);
            self.set_aside.drain(..excess);
        }
        Ok(self.last_seq())
    }

    fn keep_snapshot(&mut self, seq: i64, _: Timestamp, bytes: &[u8]) -> Result<(), JournalError> {
        self.snapshots.retain(|(kept, _)| *kept != seq);
        self.snapshots.push((seq, bytes.to_vec()));
        if self.snapshots.len() > 2 {
            self.snapshots.remove(0);
        }
        Ok(())
    }

    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        Ok(self.snapshots.iter().rev().find(|(kept, _)| *kept < seq).cloned())
    }

    fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        let skip = usize::try_from(after.saturating_sub(self.first)).unwrap_or(0);
        // Skipped at once: simulations read what is new after every turn.
        let skip = skip.min(self.entries.len());
        let from = self.first + 1 + i64::try_from(skip).unwrap_or(i64::MAX);
        for ((at, text), seq) in self.entries.range(skip..).zip(from..) {
            let body = serde_json::from_str(text).map_err(|error| Self::failed("read its entries", error))?;
            if !each(Entry { seq, at: *at, version: JOURNAL_VERSION, body }) {
                break;
            }
        }
        Ok(())
    }

    fn prune(&mut self, at: Timestamp, keep: u64) -> Result<u64, JournalError> {
        let wanted = self.last_seq().saturating_sub(i64::try_from(keep).unwrap_or(i64::MAX));
        let Some(through) = self.snapshots.first().map(|(seq, _)| wanted.min(*seq)).filter(|seq| *seq > self.first)
        else {
            return Ok(0);
        };
        let removed = through - self.first;
        self.entries.drain(..usize::try_from(removed).unwrap_or(0));
        self.first = through;
        self.append(at, &[Body::Pruned { entries: removed.unsigned_abs(), through }], &[])?;
        Ok(removed.unsigned_abs())
    }
}
