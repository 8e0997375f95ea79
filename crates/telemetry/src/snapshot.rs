//! What a query sees: for each log group the rows that are in memory only, and the files. It does not change while the query
//! runs; files that it names are not removed before it is dropped.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use crate::field::FieldIndex;

/// A sealed file of a group.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct File {
    /// Its path below the root of the store, as an object store knows it.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many events it holds.
    pub rows: u64,
    /// The earliest `@timestamp` in it, in milliseconds.
    pub from_ms: i64,
    /// The latest `@timestamp` in it, in milliseconds.
    pub to_ms: i64,
}

/// One group as a query sees it.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name, such as `/aws/ecs/containerinsights/lab/performance`.
    pub name: String,
    /// The account that it belongs to, of 12 digits.
    pub account: String,
    /// When it was made, in milliseconds; events before that are not seen by queries.
    pub created_ms: i64,
    /// Its discovered fields, for batches and files alike.
    pub fields: Arc<FieldIndex>,
    /// The texts of its shapes; `@shape` is an index into this list.
    pub shapes: Arc<Vec<Arc<str>>>,
    /// Events that are in no file yet. Batches may lack columns that were not needed.
    pub batches: Vec<RecordBatch>,
    /// Its files.
    pub files: Vec<File>,
}
