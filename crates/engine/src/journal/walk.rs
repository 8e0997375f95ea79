//! Walking along the chain: every way of reading entries goes through here, so that none is read unchecked.

use fleet::journal::{Body, Entry, JOURNAL_VERSION};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, types::ValueRef};

use super::{
    chain::{self, Hash},
    failure,
    schema::{End, Ends},
};
use crate::ports::JournalError;

/// An entry as it stands in the table, its place in the chain checked.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Number.
    pub seq: i64,
    /// Time, RFC 3339.
    pub at: &'a str,
    /// Format version.
    pub version: u32,
    /// Body, JSON.
    pub body: &'a str,
    /// Hash of the entry before.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
}

impl<'a> Link<'a> {
    /// Reads time and body.
    pub fn entry(&self, path: &str) -> Result<Entry<'a>, JournalError> {
        let broken = |what: String| JournalError::Broken { path: path.to_owned(), seq: self.seq, what };
        let at: Timestamp =
            self.at.parse().map_err(|error| broken(format!("its time {:?} is no time: {error}", self.at)))?;
        let body: Body<'a> =
            serde_json::from_str(self.body).map_err(|error| broken(format!("its body cannot be read: {error}")))?;
        Ok(Entry { seq: self.seq, at, version: self.version, body })
    }
}

/// Where a walk ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    /// Number of the last entry removed by retention, 0 if none was.
    pub(super) anchor: i64,
    /// Entries seen.
    pub(super) entries: u64,
    /// Hash of the last entry seen.
    pub(super) hash: Hash,
}

/// Reads the entries after `after`, checking that each follows from the one before it and that the last is the newest
/// one there should be. Ends early without complaint when `each` returns false. All of it is one view of the database,
/// whatever is appended meanwhile.
pub(super) fn walk(
    connection: &Connection,
    path: &str,
    after: i64,
    each: &mut dyn FnMut(Link<'_>) -> Result<bool, JournalError>,
) -> Result<Walked, JournalError> {
    let view = connection.unchecked_transaction().map_err(|error| failure::sqlite(path, "read it", error))?;
    let ends = Ends::read(&view, path)?;
    let broken = |seq: i64, what: String| JournalError::Broken { path: path.to_owned(), seq, what };
    let Some(mut last) = start(&view, path, after, &ends)? else {
        return Ok(Walked { anchor: ends.anchor.seq, entries: 0, hash: ends.head.hash });
    };
    let mut entries = 0;
    let mut statement = view
        .prepare_cached("SELECT seq, at, version, body, prev, hash FROM entry WHERE seq > ?1 ORDER BY seq")
        .map_err(|error| failure::sqlite(path, "read its entries", error))?;
    let mut rows = statement.query([last.seq]).map_err(|error| failure::sqlite(path, "read its entries", error))?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) if failure::is_damage(&error) => {
                return Err(broken(last.seq + 1, format!("the file is damaged here: {error}")));
            }
            Err(error) => return Err(failure::sqlite(path, "read its entries", error)),
        };
        let expected = last.seq + 1;
        let seq: i64 = row.get(0).map_err(|error| failure::sqlite(path, "read its entries", error))?;
        if seq != expected {
            return Err(broken(expected, format!("it is missing; the next entry is {seq}")));
        }
        let version: i64 = row.get(2).map_err(|error| broken(seq, format!("its version is no number: {error}")))?;
        let version = u32::try_from(version).unwrap_or(u32::MAX);
        if version > JOURNAL_VERSION {
            return Err(JournalError::Newer { path: path.to_owned(), found: version, known: JOURNAL_VERSION });
        }
        let column = |index: usize, name: &str| {
            row.get_ref(index).map_err(|error| failure::sqlite(path, "read its entries", error)).and_then(|value| {
                match value {
                    ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                        .map_err(|error| broken(seq, format!("its {name} is not UTF-8: {error}"))),
                    other => Err(broken(seq, format!("its {name} is not text but {:?}", other.data_type()))),
                }
            })
        };
        let (at, body) = (column(1, "time")?, column(3, "body")?);
        let hash = |index: usize, name: &str| {
            row.get::<_, Hash>(index).map_err(|error| broken(seq, format!("its {name} is no hash: {error}")))
        };
        let link = Link { seq, at, version, body, prev: hash(4, "prev")?, hash: hash(5, "hash")? };
        if link.prev != last.hash {
            return Err(broken(seq, "the hash it holds of the entry before is another".into()));
        }
        if chain::link(&link.prev, seq, at, version, body.as_bytes()) != link.hash {
            return Err(broken(seq, "its content does not match its hash: it was changed after it was written".into()));
        }
        last = End { seq, hash: link.hash };
        entries += 1;
        if !each(link)? {
            return Ok(Walked { anchor: ends.anchor.seq, entries, hash: last.hash });
        }
    }
    if last.seq < ends.head.seq {
        return Err(broken(last.seq + 1, format!("it is missing; the journal should go on to {}", ends.head.seq)));
    }
    if last != ends.head {
        return Err(broken(last.seq, format!("it is not the newest entry on record, which is {}", ends.head.seq)));
    }
    Ok(Walked { anchor: ends.anchor.seq, entries, hash: last.hash })
}

/// The link to start from: entry `after` itself or the anchor. `None`: nothing comes after.
fn start(connection: &Connection, path: &str, after: i64, ends: &Ends) -> Result<Option<End>, JournalError> {
    if after <= ends.anchor.seq {
        return Ok(Some(ends.anchor));
    }
    if after > ends.head.seq {
        return Ok(None);
    }
    let hash: Option<Hash> = connection
        .query_row("SELECT hash FROM entry WHERE seq = ?1", [after], |row| row.get(0))
        .optional()
        .map_err(|error| failure::sqlite(path, "read its entries", error))?;
    match hash {
        Some(hash) => Ok(Some(End { seq: after, hash })),
        None => Err(JournalError::Broken {
            path: path.to_owned(),
            seq: after,
            what: format!("it is missing; the journal should go on to {}", ends.head.seq),
        }),
    }
}
