//! What a store holds, read the long way.

#![allow(dead_code, reason = "each test uses its own part")]

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Int64Type, TimestampMillisecondType},
};
use object_store::{ObjectStoreExt, path::Path};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use telemetry::{Store, field, shape::message_column, snapshot::Group};

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) number: i64,
    pub(crate) stream: String,
    pub(crate) timestamp_ms: i64,
    pub(crate) message: String,
}

/// All events of a group, by number.
pub(crate) async fn rows(store: &Store, group: &str) -> Vec<Row> {
    let group = store.snapshot(&[group.to_owned()]).unwrap().remove(0);
    let mut rows = Vec::new();
    for batch in &group.batches {
        push(&group, batch, &mut rows);
    }
    for file in &group.files {
        let before = rows.len();
        for batch in file_batches(store, &file.path).await {
            push(&group, &batch, &mut rows);
        }
        let of_file = &rows[before..];
        assert_eq!(of_file.len() as u64, file.rows);
        assert_eq!(of_file.iter().map(|row| row.timestamp_ms).min(), Some(file.from_ms));
        assert_eq!(of_file.iter().map(|row| row.timestamp_ms).max(), Some(file.to_ms));
    }
    rows.sort();
    rows
}

/// The batches of a file.
pub(crate) async fn file_batches(store: &Store, path: &str) -> Vec<RecordBatch> {
    let (objects, _) = store.object_store();
    let bytes = objects.get(&Path::from(path)).await.unwrap().bytes().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

fn push(group: &Group, batch: &RecordBatch, rows: &mut Vec<Row>) {
    let messages = message_column(batch, &group.fields, &group.shapes).unwrap();
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let numbers = column(field::EVENT).as_primitive::<Int64Type>();
    let times = column(field::TIMESTAMP).as_primitive::<TimestampMillisecondType>();
    let streams = column(field::LOG_STREAM).as_string::<i32>();
    for row in 0..batch.num_rows() {
        assert!(messages.is_valid(row));
        rows.push(Row {
            number: numbers.value(row),
            stream: streams.value(row).to_owned(),
            timestamp_ms: times.value(row),
            message: messages.value(row).to_owned(),
        });
    }
}
