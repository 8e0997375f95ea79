//! The write-ahead log: what came in and is in no file yet.
//!
//! It is a directory of segments, each a list of records, one for each batch. A record is on the disk as a whole or not at all: a
//! head with its own checksum says how long the body is and what its checksum must be. Segments bear the number of the first event
//! that can be in them; the newest is never removed, so that numbers never begin anew.

mod commit;
mod difference;
mod read;
mod record;
mod segment;

pub use commit::WalError;
pub(crate) use commit::{Usage, Wal, WalConfig, free_bytes};
pub(crate) use read::{Opened as OpenedSegment, open_all, read_all};
pub use read::{ReadError, Replay};
pub(crate) use record::{Body, EventsBody, Kind, Note};
pub(crate) use segment::sync_dir;

#[cfg(test)]
mod tests;
