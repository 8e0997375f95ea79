//! Writing the journal: one process, one transaction and one flush a batch.

use std::path::Path;

use fleet::journal::{Body, Entry, JOURNAL_VERSION};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use sha2::{Digest, Sha256};

use super::{
    chain::{self, Hash},
    checkpoint::Checkpoints,
    failure,
    lock::DirectoryLock,
    reader::{BUSY_TIMEOUT, JournalReader},
    schema::{self, End, Ends},
};
use crate::ports::{Journal, JournalError, SetAside};

/// Snapshots kept: the newest, and one more in case that one is damaged.
const SNAPSHOTS_KEPT: u32 = 2;

/// The journal of a data directory, opened for writing. At most one exists at a time for a directory, on one machine.
#[derive(Debug)]
pub struct SqliteJournal {
    past: JournalReader,
    head: End,
    buffer: Vec<u8>,
    checkpoints: Checkpoints,
    _lock: DirectoryLock,
}

impl SqliteJournal {
    /// Opens the journal of a data directory, making both if they are not there. What a crash left half-written was
    /// never acknowledged and is undone by SQLite here.
    ///
    /// [`JournalError::Locked`] when another process has it, [`JournalError::Newer`] when a newer muster made it,
    /// [`JournalError::Broken`] when its newest entry is not the one on record.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let file = schema::database(dir);
        let path = file.display().to_string();
        make_directory(dir)
            .map_err(|error| failure::io(&dir.display().to_string(), "make the data directory", error))?;
        let lock = DirectoryLock::take(&schema::lock_file(dir))?;
        let mut connection = Connection::open(&file).map_err(|error| failure::sqlite(&path, "open it", error))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .and_then(|()| connection.pragma_update(None, "journal_mode", "wal"))
            .and_then(|()| connection.pragma_update(None, "synchronous", "full"))
            .map_err(|error| failure::sqlite(&path, "open it", error))?;
        schema::prepare(&mut connection, &path)?;
        let checkpoints = Checkpoints::begin(&connection, &file)?;
        let head = Ends::read(&connection, &path)?.head;
        let past = JournalReader { connection, path };
        // Reading what comes after the newest entry checks that it is there and is the one on record.
        past.walk(head.seq, &mut |_| Ok(true))?;
        Ok(Self { past, head, buffer: Vec::new(), checkpoints, _lock: lock })
    }

    /// Never lets the database grow past `bytes`: an append that would is refused with [`JournalError::Full`]. SQLite
    /// counts in pages of 4 KiB; the write-ahead log comes on top.
    pub fn limit_bytes(&mut self, bytes: u64) -> Result<(), JournalError> {
        let set = || -> rusqlite::Result<()> {
            let page: i64 = self.past.connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
            self.past.connection.pragma_update(None, "max_page_count", pages.max(1))
        };
        set().map_err(|error| failure::sqlite(&self.past.path, "limit its size", error))
    }

    /// The same journal for reading: verify, export, messages set aside.
    pub fn reader(&self) -> &JournalReader {
        &self.past
    }

    /// Number of the newest entry, 0 when there is none.
    pub fn last_seq(&self) -> i64 {
        self.head.seq
    }

    /// Runs `write` in one transaction; what it returns becomes the head when the bytes are on the disk.
    fn commit<T>(
        &mut self,
        doing: &'static str,
        write: impl FnOnce(&Transaction<'_>, &mut Writer<'_>) -> Result<T, WriteError>,
    ) -> Result<T, JournalError> {
        let path = &self.past.path;
        let transaction = self
            .past
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failure::sqlite(path, doing, error))?;
        let mut writer = Writer { head: self.head, buffer: &mut self.buffer, written_bytes: 0 };
        let value = write(&transaction, &mut writer).map_err(|error| error.sorted(path, doing))?;
        let (head, written_bytes) = (writer.head, writer.written_bytes);
        if head != self.head {
            transaction
                .prepare_cached("UPDATE chain SET head_seq = ?1, head_hash = ?2")
                .and_then(|mut statement| statement.execute((head.seq, head.hash)))
                .map_err(|error| failure::sqlite(path, doing, error))?;
        }
        transaction.commit().map_err(|error| failure::sqlite(path, doing, error))?;
        let entries = u64::try_from(head.seq - self.head.seq).unwrap_or_default();
        self.head = head;
        self.checkpoints.wrote(&self.past.connection, written_bytes, entries);
        Ok(value)
    }
}

/// Readable by its owner and group alone: a journal names hosts, accounts and what ails them.
fn make_directory(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.create(dir)
}

/// The head as it will be, and room to write a body in.
struct Writer<'a> {
    head: End,
    buffer: &'a mut Vec<u8>,
    written_bytes: u64,
}

enum WriteError {
    Sqlite(rusqlite::Error),
    Json(serde_json::Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl WriteError {
    fn sorted(self, path: &str, doing: &'static str) -> JournalError {
        match self {
            Self::Sqlite(error) => failure::sqlite(path, doing, error),
            Self::Json(error) => JournalError::Failed { path: path.to_owned(), doing, source: Box::new(error) },
        }
    }
}

impl Writer<'_> {
    fn entry(&mut self, transaction: &Transaction<'_>, at: &str, body: &Body<'_>) -> Result<(), WriteError> {
        self.buffer.clear();
        serde_json::to_writer(&mut *self.buffer, body).map_err(WriteError::Json)?;
        // serde_json writes UTF-8 only; checking again costs little beside the flush.
        let text =
            std::str::from_utf8(self.buffer).map_err(|error| WriteError::Json(serde::ser::Error::custom(error)))?;
        let seq = self.head.seq + 1;
        let hash = chain::link(&self.head.hash, seq, at, JOURNAL_VERSION, text.as_bytes());
        transaction
            .prepare_cached("INSERT INTO entry (seq, at, version, body, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute((seq, at, JOURNAL_VERSION, text, self.head.hash, hash))?;
        self.head = End { seq, hash };
        self.written_bytes += text.len() as u64;
        Ok(())
    }
}

impl Journal for SqliteJournal {
    fn append(&mut self, at: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<i64, JournalError> {
        if bodies.is_empty() && set_aside.is_empty() {
            return Ok(self.head.seq);
        }
        let at = at.to_string();
        self.commit("append to it", |transaction, writer| {
            for body in bodies {
                writer.entry(transaction, &at, body)?;
            }
            for message in set_aside {
                transaction
                    .prepare_cached("INSERT INTO set_aside (at, reason, body) VALUES (?1, ?2, ?3)")?
                    .execute((&at, &message.reason, &message.body))?;
                writer.written_bytes += message.body.len() as u64;
                let id = transaction.last_insert_rowid();
                writer.entry(transaction, &at, &Body::SetAside { id, reason: message.reason.clone() })?;
            }
            Ok(())
        })?;
        Ok(self.head.seq)
    }

    fn keep_snapshot(&mut self, seq: i64, at: Timestamp, bytes: &[u8]) -> Result<(), JournalError> {
        let sum = Hash::from(Sha256::digest(bytes));
        self.commit("keep a snapshot in it", |transaction, writer| {
            writer.written_bytes += bytes.len() as u64;
            transaction.execute(
                "INSERT OR REPLACE INTO snapshot (seq, at, sha256, bytes) VALUES (?1, ?2, ?3, ?4)",
                (seq, at.to_string(), sum, bytes),
            )?;
            transaction.execute(
                "DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT ?1)",
                [SNAPSHOTS_KEPT],
            )?;
            Ok(())
        })
    }

    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        self.past.snapshot_before(seq)
    }

    fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        self.past.read(after, each)
    }

    /// The first entry that remains still follows from an anchor on record, so the chain stays whole.
    fn prune(&mut self, at: Timestamp, keep: u64) -> Result<u64, JournalError> {
        let anchor = Ends::read(&self.past.connection, &self.past.path)?.anchor;
        let oldest_snapshot: Option<i64> = self
            .past
            .connection
            .query_row("SELECT min(seq) FROM snapshot", [], |row| row.get(0))
            .map_err(|error| failure::sqlite(&self.past.path, "read its snapshots", error))?;
        let wanted = self.head.seq.saturating_sub(i64::try_from(keep).unwrap_or(i64::MAX));
        let Some(through) = oldest_snapshot.map(|seq| seq.min(wanted)).filter(|through| *through > anchor.seq) else {
            return Ok(0);
        };
        let at = at.to_string();
        self.commit("remove old entries from it", |transaction, writer| {
            transaction.execute(
                "UPDATE chain SET anchor_seq = ?1, anchor_hash = (SELECT hash FROM entry WHERE seq = ?1)",
                [through],
            )?;
            let removed = transaction.execute("DELETE FROM entry WHERE seq <= ?1", [through])? as u64;
            writer.entry(transaction, &at, &Body::Pruned { entries: removed, through })?;
            Ok(removed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a power cut takes, no test of ours can show; what SQLite is told to wait for, this one does.
    #[test]
    fn an_append_waits_until_the_disk_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(dir.path()).unwrap();
        let told = |pragma: &str| -> String {
            let value =
                journal.past.connection.pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0));
            format!("{:?}", value.unwrap())
        };
        assert_eq!((told("journal_mode"), told("synchronous")), ("Text(\"wal\")".to_owned(), "Integer(2)".to_owned()));
    }
}
