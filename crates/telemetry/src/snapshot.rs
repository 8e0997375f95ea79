//! What a query sees: for each log group the rows that are in memory only, and the files. It does not change while the query
//! runs; files that it names are not removed before it is dropped.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{array::AsArray as _, datatypes::TimestampMillisecondType, record_batch::RecordBatch};

use crate::{
    columns::Builder,
    event::Event,
    field::{self, FieldIndex},
    rollup::Rollups,
};

/// How many rows a batch in memory has at most; an engine's threads take them one by one.
pub const BATCH_ROWS: usize = 8_192;

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

impl File {
    /// Whether it may hold events of this time, both ends included.
    pub fn meets(&self, from_ms: i64, to_ms: i64) -> bool {
        self.to_ms >= from_ms && self.from_ms <= to_ms
    }
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
    /// The roll-ups of files, by the paths of these.
    pub rollups: BTreeMap<String, Arc<Rollups>>,
    /// Keeps its files from being removed.
    pub hold: Hold,
}

/// As long as one of its copies is there, the files of a snapshot are not removed.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    _held: Option<Arc<()>>,
}

impl Hold {
    pub(crate) fn new(held: Arc<()>) -> Self {
        Self { _held: Some(held) }
    }
}

impl Group {
    /// A group that is in memory only: each event with its stream, in the order of their numbers. They count as taken in when
    /// they happened.
    pub fn of_events<S: AsRef<str>>(
        name: &str,
        account: &str,
        created_ms: i64,
        events: impl IntoIterator<Item = (S, Event)>,
    ) -> Self {
        let mut builder = Builder::default();
        for (number, (stream, event)) in (0..).zip(events) {
            builder.push(stream.as_ref(), &event, event.timestamp_ms, number);
        }
        let batches = batches_of(&builder, 0);
        Self {
            name: name.to_owned(),
            account: account.to_owned(),
            created_ms,
            fields: Arc::new(builder.fields().clone()),
            shapes: Arc::new(builder.shapes().texts().to_vec()),
            batches,
            files: Vec::new(),
            rollups: BTreeMap::new(),
            hold: Hold::default(),
        }
    }
}

impl Group {
    /// How many events it has.
    pub fn records(&self) -> u64 {
        let in_memory: usize = self.batches.iter().map(RecordBatch::num_rows).sum();
        in_memory as u64 + self.files.iter().map(|file| file.rows).sum::<u64>()
    }

    /// The earliest and the latest `@timestamp`, in milliseconds; nothing if it is empty.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        let in_memory = self.batches.iter().filter_map(|batch| {
            let times = batch.column_by_name(field::TIMESTAMP)?.as_primitive_opt::<TimestampMillisecondType>()?;
            Some((arrow::compute::min(times)?, arrow::compute::max(times)?))
        });
        let files = self.files.iter().map(|file| (file.from_ms, file.to_ms));
        files.chain(in_memory).reduce(|(from, to), it| (from.min(it.0), to.max(it.1)))
    }
}

/// The rows of a builder from one of them on, as batches.
pub(crate) fn batches_of(builder: &Builder, from: usize) -> Vec<RecordBatch> {
    (from..builder.len())
        .step_by(BATCH_ROWS)
        .map(|start| builder.batch(start..builder.len().min(start + BATCH_ROWS)))
        .collect()
}
