//! Reading a journal, also while another process writes it.

use std::{io::Write, path::Path, time::Duration};

use fleet::journal::{Body, Entry};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use sha2::{Digest, Sha256};

use super::{
    chain::Hash,
    failure,
    schema::{self, Ends},
    walk::{Link, walk},
};
use crate::ports::{Journal, JournalError, SetAside};

/// How long a statement waits for somebody else's.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// A journal opened for reading. Sees what was there when each call began.
#[derive(Debug)]
pub struct JournalReader {
    pub(super) connection: Connection,
    pub(super) path: String,
}

/// What [`JournalReader::verify`] found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries checked.
    pub entries: u64,
    /// Number of the first one; those before it were removed by retention.
    pub first: i64,
    /// Number of the last one; 0 when there is none.
    pub last: i64,
    /// Hash of the last one, hexadecimal. Kept elsewhere, it proves later that nothing up to here was rewritten.
    pub hash: String,
}

/// A message that could not be understood, as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAside {
    /// Its number.
    pub id: i64,
    /// When it was kept.
    pub at: Timestamp,
    /// Why it could not be understood.
    pub reason: String,
    /// The message, whole.
    pub body: Vec<u8>,
}

impl JournalReader {
    /// Opens the journal of a data directory for reading. Needs no lock.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let file = schema::database(dir);
        let path = file.display().to_string();
        if !file.exists() {
            return Err(JournalError::Failed {
                path,
                doing: "open it",
                source: "there is no journal here; name the data directory that `muster serve` runs on".into(),
            });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&file, flags).map_err(|error| failure::sqlite(&path, "open it", error))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failure::sqlite(&path, "open it", error))?;
        schema::check(&connection, &path)?;
        Ok(Self { connection, path })
    }

    /// Number of the newest entry, 0 when there is none.
    pub fn last_seq(&self) -> Result<i64, JournalError> {
        Ok(Ends::read(&self.connection, &self.path)?.head.seq)
    }

    /// Number of the oldest entry still here, or the number the first one will have.
    pub fn first_seq(&self) -> Result<i64, JournalError> {
        Ok(Ends::read(&self.connection, &self.path)?.anchor.seq + 1)
    }

    /// Reads the entries after `after` in order, each checked against the one before it, until the end or until `each`
    /// returns false. To follow a journal, call again with the number of the last entry seen.
    pub fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        self.walk(after, &mut |link| Ok(each(link.entry(&self.path)?)))?;
        Ok(())
    }

    /// Walks the whole chain, checks every hash, that every body can be read, and that the messages set aside are still
    /// there. The first entry that does not fit ends the walk with [`JournalError::Broken`].
    pub fn verify(&self) -> Result<Verified, JournalError> {
        let mut kept = self
            .connection
            .prepare("SELECT 1 FROM set_aside WHERE id = ?1")
            .map_err(|error| failure::sqlite(&self.path, "read the messages set aside", error))?;
        let walked = self.walk(0, &mut |link| {
            if let Body::SetAside { id, .. } = link.entry(&self.path)?.body
                && !kept
                    .exists([id])
                    .map_err(|error| failure::sqlite(&self.path, "read the messages set aside", error))?
            {
                return Err(JournalError::Broken {
                    path: self.path.clone(),
                    seq: link.seq,
                    what: format!("the message {id} that it set aside is gone"),
                });
            }
            Ok(true)
        })?;
        Ok(Verified {
            entries: walked.entries,
            first: walked.anchor + 1,
            last: walked.anchor + i64::try_from(walked.entries).unwrap_or(i64::MAX),
            hash: hex::encode(walked.hash),
        })
    }

    /// Writes the entries after `after` as NDJSON: `seq`, `at`, `version`, `prev`, `hash` and the body byte for byte, so
    /// that the chain can be checked elsewhere. Returns how many were written.
    pub fn export(&self, after: i64, out: &mut dyn Write) -> Result<u64, JournalError> {
        let mut line = Vec::new();
        let walked = self.walk(after, &mut |link| {
            link.entry(&self.path)?;
            line.clear();
            writeln!(
                line,
                r#"{{"seq":{},"at":"{}","version":{},"prev":"{}","hash":"{}","body":{}}}"#,
                link.seq,
                link.at,
                link.version,
                hex::encode(link.prev),
                hex::encode(link.hash),
                link.body
            )
            .and_then(|()| out.write_all(&line))
            .map_err(|error| failure::io(&self.path, "write out its entries", error))?;
            Ok(true)
        })?;
        out.flush().map_err(|error| failure::io(&self.path, "write out its entries", error))?;
        Ok(walked.entries)
    }

    /// How many messages were set aside, ever.
    pub fn count_set_aside(&self) -> Result<u64, JournalError> {
        let count: i64 = self
            .connection
            .query_row("SELECT count(*) FROM set_aside", [], |row| row.get(0))
            .map_err(|error| failure::sqlite(&self.path, "count the messages set aside", error))?;
        Ok(count.unsigned_abs())
    }

    /// At most `limit` messages set aside, in the order they came, after the one numbered `after`.
    pub fn set_aside(&self, after: i64, limit: u32) -> Result<Vec<KeptAside>, JournalError> {
        let doing = "read the messages set aside";
        let mut statement = self
            .connection
            .prepare("SELECT id, at, reason, body FROM set_aside WHERE id > ?1 ORDER BY id LIMIT ?2")
            .map_err(|error| failure::sqlite(&self.path, doing, error))?;
        let rows = statement
            .query_map((after, limit), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
            })
            .map_err(|error| failure::sqlite(&self.path, doing, error))?;
        let mut kept = Vec::new();
        for row in rows {
            let (id, at, reason, body) = row.map_err(|error| failure::sqlite(&self.path, doing, error))?;
            let at = at.parse().map_err(|error| JournalError::Failed {
                path: self.path.clone(),
                doing,
                source: Box::<dyn std::error::Error + Send + Sync>::from(format!("message {id}: {error}")),
            })?;
            kept.push(KeptAside { id, at, reason, body });
        }
        Ok(kept)
    }

    /// The newest snapshot that is whole and stands for an entry before `seq`.
    pub fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        let doing = "read its snapshots";
        let mut before = seq;
        loop {
            let row: Option<(i64, Hash, Vec<u8>)> = match self
                .connection
                .query_row(
                    "SELECT seq, sha256, bytes FROM snapshot WHERE seq < ?1 ORDER BY seq DESC LIMIT 1",
                    [before],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()
            {
                Ok(row) => row,
                Err(error) if failure::is_damage(&error) => {
                    tracing::warn!(path = self.path, %error, "the snapshots cannot be read; the journal is replayed instead");
                    return Ok(None);
                }
                Err(error) => return Err(failure::sqlite(&self.path, doing, error)),
            };
            let Some((seq, sum, bytes)) = row else { return Ok(None) };
            if Hash::from(Sha256::digest(&bytes)) == sum {
                return Ok(Some((seq, bytes)));
            }
            tracing::warn!(
                path = self.path,
                seq,
                "a snapshot is damaged: its checksum does not match; an older one is tried"
            );
            before = seq;
        }
    }

    pub(super) fn walk(
        &self,
        after: i64,
        each: &mut dyn FnMut(Link<'_>) -> Result<bool, JournalError>,
    ) -> Result<super::walk::Walked, JournalError> {
        walk(&self.connection, &self.path, after, each)
    }

    fn refuse(&self, doing: &'static str) -> JournalError {
        JournalError::Failed { path: self.path.clone(), doing, source: "it was opened for reading only".into() }
    }
}

/// Reading as any journal; every attempt to write is refused.
impl Journal for JournalReader {
    fn append(&mut self, _: Timestamp, _: &[Body<'_>], _: &[SetAside]) -> Result<i64, JournalError> {
        Err(self.refuse("append to it"))
    }

    fn keep_snapshot(&mut self, _: i64, _: Timestamp, _: &[u8]) -> Result<(), JournalError> {
        Err(self.refuse("keep a snapshot in it"))
    }

    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        self.snapshot_before(seq)
    }

    fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        self.read(after, each)
    }

    fn prune(&mut self, _: Timestamp, _: u64) -> Result<u64, JournalError> {
        Err(self.refuse("remove old entries from it"))
    }
}
