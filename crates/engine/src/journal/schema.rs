//! Where a journal lies and what its tables are.
//!
//! `DIR/journal.db` is an SQLite database (write-ahead log, flushed on every commit); `DIR/lock` is held by the writer.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::{chain::Hash, failure};
use crate::ports::JournalError;

/// `muster` in ASCII, cut to 32 bits: tells `file(1)` and muster whose database this is.
const APPLICATION_ID: i32 = 0x6d75_7374;

/// Version of the tables. A newer one is refused.
pub const SCHEMA_VERSION: u32 = 1;

/// The database of a data directory.
pub fn database(dir: &Path) -> PathBuf {
    dir.join("journal.db")
}

/// The lock file of a data directory.
pub fn lock_file(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// `chain` holds one row: the last entry that retention removed (zero and nothing at first) and the newest entry, so
/// that neither end of the chain can be cut off unseen. A trigger lets retention remove only what it has anchored.
const TABLES: &str = "
CREATE TABLE chain (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    anchor_seq INTEGER NOT NULL,
    anchor_hash BLOB NOT NULL,
    head_seq INTEGER NOT NULL,
    head_hash BLOB NOT NULL
) STRICT;
INSERT INTO chain VALUES (1, 0, zeroblob(32), 0, zeroblob(32));

CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'journal entries are never changed'); END;
CREATE TRIGGER entry_is_removed_by_retention_only BEFORE DELETE ON entry
WHEN OLD.seq > (SELECT anchor_seq FROM chain)
BEGIN SELECT RAISE(ABORT, 'journal entries are removed by retention only'); END;

CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE snapshot (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
";

/// Makes the tables in a new database; checks whose and how new an old one is.
pub(super) fn prepare(connection: &mut Connection, path: &str) -> Result<(), JournalError> {
    let doing = "set up its tables";
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(|error| failure::sqlite(path, "open it", error))?;
    let objects: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| failure::sqlite(path, "read it", error))?;
    if objects > 0 {
        return check(&transaction, path);
    }
    transaction.execute_batch(TABLES).map_err(|error| failure::sqlite(path, doing, error))?;
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .and_then(|()| transaction.pragma_update(None, "user_version", SCHEMA_VERSION))
        .map_err(|error| failure::sqlite(path, doing, error))?;
    transaction.commit().map_err(|error| failure::sqlite(path, doing, error))
}

/// Refuses a database that is not a journal, or one made by a newer muster.
pub(super) fn check(connection: &Connection, path: &str) -> Result<(), JournalError> {
    let number = |pragma: &str| -> Result<i64, JournalError> {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(|error| failure::sqlite(path, "read it", error))
    };
    if number("application_id")? != i64::from(APPLICATION_ID) {
        return Err(JournalError::Failed {
            path: path.to_owned(),
            doing: "read it as a journal",
            source: "it is an SQLite database, but not one that muster made; give muster a data directory of its own"
                .into(),
        });
    }
    let found = number("user_version")?;
    if found != i64::from(SCHEMA_VERSION) {
        return Err(JournalError::Newer {
            path: path.to_owned(),
            found: u32::try_from(found).unwrap_or(u32::MAX),
            known: SCHEMA_VERSION,
        });
    }
    Ok(())
}

/// One end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) seq: i64,
    pub(super) hash: Hash,
}

/// Both ends of the chain: what retention removed last, and the newest entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) anchor: End,
    pub(super) head: End,
}

impl Ends {
    /// Reads them.
    pub(super) fn read(connection: &Connection, path: &str) -> Result<Self, JournalError> {
        let row = connection
            .query_row("SELECT anchor_seq, anchor_hash, head_seq, head_hash FROM chain", [], |row| {
                Ok(Self {
                    anchor: End { seq: row.get(0)?, hash: row.get(1)? },
                    head: End { seq: row.get(2)?, hash: row.get(3)? },
                })
            })
            .optional();
        match row {
            Ok(Some(ends)) => Ok(ends),
            Ok(None) => Err(JournalError::Broken {
                path: path.to_owned(),
                seq: 1,
                what: "the row that holds both ends of the chain is gone".into(),
            }),
            Err(error @ rusqlite::Error::FromSqlConversionFailure(..))
            | Err(error @ rusqlite::Error::InvalidColumnType(..)) => Err(JournalError::Broken {
                path: path.to_owned(),
                seq: 1,
                what: format!("the ends of the chain are no hashes: {error}"),
            }),
            Err(error) => Err(failure::sqlite(path, "read the ends of its chain", error)),
        }
    }
}
