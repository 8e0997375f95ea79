//! Sealed files: rows in an order that suits them, as Parquet.

mod chunk;
mod hybrid;
mod merge;
mod pages;
mod sort;
mod write;

pub use merge::MergeError;
pub(crate) use merge::{merge, without_stream};
pub(crate) use sort::{choose, order};
pub(crate) use write::{Sealed, seal};
