//! A journal that keeps nothing: for measuring how fast everything else is.

use engine::ports::{Body, Entry, Journal, JournalError, SetAside};
use jiff::Timestamp;

/// Counts entries and forgets them. Nobody can recover from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forgetful {
    last: i64,
}

impl Journal for Forgetful {
    fn append(&mut self, _: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<i64, JournalError> {
        self.last += i64::try_from(bodies.len() + set_aside.len()).unwrap_or(i64::MAX);
        Ok(self.last)
    }

    fn keep_snapshot(&mut self, _: i64, _: Timestamp, _: &[u8]) -> Result<(), JournalError> {
        Ok(())
    }

    fn snapshot_before(&self, _: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        Ok(None)
    }

    fn prune(&mut self, _: Timestamp, _: u64) -> Result<u64, JournalError> {
        Ok(0)
    }

    fn read(&self, _: i64, _: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        Ok(())
    }
}
