//! The append-only record: audit, recovery, timeline and replayable bug report in one.
//!
//! | to learn | read |
//! |---|---|
//! | where it lies and its tables | [`schema`] |
//! | writing: one process, one flush a batch, retention | [`sqlite`] |
//! | reading while somebody else writes; export | [`reader`] |
//! | the hash chain, and walking along it | [`chain`], [`walk`] |
//! | moving its log into the database beside the turns | `checkpoint` |
//! | one writer a directory | [`lock`] |
//! | the same in memory, for tests, demos and scans | [`memory`] |

pub mod chain;
mod checkpoint;
mod failure;
pub mod lock;
pub mod memory;
pub mod reader;
pub mod schema;
pub mod sqlite;
pub mod walk;

pub use memory::MemoryJournal;
pub use reader::{JournalReader, KeptAside, Verified};
pub use sqlite::SqliteJournal;
