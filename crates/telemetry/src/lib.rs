//! Records, logs and samples: how they arrive, how they are kept, how they are read back. No query engine: that is `query`.
//!
//! | module | what it is |
//! |---|---|
//! | [`columns`] | events become rows of columns |
//! | [`event`] | one line of a log, and the limits of a batch |
//! | [`field`] | which columns the discovered fields of a group have |
//! | [`limits`] | what a batch of events may be, and which events are kept |
//! | [`shape`] | the text of a message with holes where values stood, and messages rebuilt from it |
//! | [`snapshot`] | what a query sees: rows in memory and files, of one or more groups |
//! | [`reader`] | events of a snapshot, in their order |
//! | [`record`] | performance records of Container Insights, as their texts |
//! | [`rollup`] | rows of files, summed up by time and dimensions |
//! | [`emf`] | metrics that are embedded in lines |
//! | [`store`] | groups, their log, their files |

#![forbid(unsafe_code)]

pub mod columns;
pub mod emf;
pub mod event;
pub mod field;
mod file;
pub mod limits;
mod manifest;
mod place;
pub mod reader;
pub mod record;
pub mod rollup;
pub mod shape;
pub mod snapshot;
pub mod store;
mod wal;

pub use file::MergeError;
pub use manifest::Class;
pub use place::{PlaceError, S3};
pub use store::{GroupInfo, Put, PutError, Store, StoreConfig, StoreError, StreamInfo};
pub use wal::{ReadError, Replay, WalError};
