//! Moving the write-ahead log into the database beside the turns: an append waits for its own flush and for nothing else.
//!
//! SQLite would do it in the commit that makes the log long, and that commit would take ten times as long as the others.
//! Here a thread with a connection of its own moves what is there (a passive checkpoint, which hinders no writer); what was
//! written meanwhile is little, and the writer moves that itself, so that the log begins anew.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;

use super::{failure, reader::BUSY_TIMEOUT};
use crate::ports::JournalError;

/// The log is moved whenever about so much was written into it.
const EVERY_BYTES: u64 = 4 << 20;

/// What entries take in the log beside their text: hashes, the tree, the frames.
const OVERHEAD_BYTES: u64 = 512;

/// Moves the log of one journal.
#[derive(Debug)]
pub(super) struct Checkpoints {
    path: String,
    written_bytes: u64,
    ask: Option<SyncSender<()>>,
    moved: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Takes over from SQLite, which from now on leaves the log of this connection alone.
    pub(super) fn begin(writer: &Connection, file: &Path) -> Result<Self, JournalError> {
        let path = file.display().to_string();
        let beside = Connection::open(file)
            .and_then(|beside| {
                beside.busy_timeout(BUSY_TIMEOUT)?;
                beside.pragma_update(None, "wal_autocheckpoint", 0)?;
                writer.pragma_update(None, "wal_autocheckpoint", 0)?;
                Ok(beside)
            })
            .map_err(|error| failure::sqlite(&path, "open it", error))?;
        let (ask, asked) = sync_channel(1);
        let moved = Arc::new(AtomicBool::new(false));
        let (told, place) = (moved.clone(), path.clone());
        let thread = std::thread::Builder::new()
            .name("checkpoint".into())
            .spawn(move || move_when_asked(&beside, &asked, &told, &place))
            .map_err(|error| failure::io(&path, "start the thread that moves its log", error))?;
        Ok(Self { path, written_bytes: 0, ask: Some(ask), moved, thread: Some(thread) })
    }

    /// So much text in so many entries was committed.
    pub(super) fn wrote(&mut self, writer: &Connection, bytes: u64, entries: u64) {
        if self.moved.swap(false, Ordering::Acquire) {
            move_log(writer, &self.path);
        }
        self.written_bytes += bytes + entries * OVERHEAD_BYTES;
        if self.written_bytes < EVERY_BYTES {
            return;
        }
        self.written_bytes = 0;
        // Full: it has not begun with what it was asked before, and will find this too.
        if let Some(ask) = &self.ask {
            let _ = ask.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked, and if it has, the log is moved at the next start.
            let _ = thread.join();
        }
    }
}

fn move_when_asked(beside: &Connection, asked: &Receiver<()>, moved: &AtomicBool, path: &str) {
    while asked.recv().is_ok() {
        move_log(beside, path);
        moved.store(true, Ordering::Release);
    }
}

/// Nothing is lost by a log that could not be moved: it only gets longer, and is moved the next time.
fn move_log(connection: &Connection, path: &str) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(path, %error, "the journal's log could not be moved into its database; it is tried again later");
    }
}

#[cfg(test)]
mod tests {
    use fleet::journal::Body;
    use jiff::Timestamp;

    use super::*;
    use crate::{journal::SqliteJournal, ports::Journal as _};

    #[test]
    fn the_log_begins_anew_however_much_is_appended() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(dir.path()).unwrap();
        let log = dir.path().join("journal.db-wal");
        let text = "x".repeat(64 << 10);
        let mut longest = 0;
        for _ in 0..1_600 {
            let body = Body::SetAside { id: 1, reason: text.clone() };
            journal.append(Timestamp::UNIX_EPOCH, &[body], &[]).unwrap();
            longest = longest.max(std::fs::metadata(&log).unwrap().len());
        }
        // 100 MiB were appended. How far the thread gets is the scheduler's matter, but it gets somewhere.
        assert!((EVERY_BYTES..64 << 20).contains(&longest), "{longest}");
        assert_eq!(journal.last_seq(), 1_600);
        drop(journal);
        assert!(!log.exists(), "the last one who closes it moves all of it");
    }
}
