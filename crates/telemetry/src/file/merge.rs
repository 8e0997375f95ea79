//! Several files become one.
//!
//! All are read side by side, each a little at a time; as their rows are in order already, the smallest of those in front comes
//! next. What is taken grows into columns again and is written in row groups. So a merge of any size needs the memory of one row
//! group and of a piece of each file.

use std::{cmp::Ordering, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatchReader, StringArray},
    datatypes::{DataType, Field, Float64Type, Int32Type, Int64Type, TimestampMillisecondType},
    error::ArrowError,
    record_batch::RecordBatch,
};
use bytes::Bytes;
use hashbrown::HashMap;
use parquet::{
    arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
};

use super::write::{RowGroups, Sealed};
use crate::{
    columns::Rows,
    field::{EVENT, INGESTION_TIME, Kind, LOG_STREAM, MESSAGE, REST, SHAPE, TIMESTAMP},
};

/// How many rows of each file are in memory.
const PIECE_ROWS: usize = 4_096;
/// How many rows a row group of a merged file has.
const GROUP_ROWS: usize = 1 << 17;

/// Why files could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file is not readable as Parquet, or the merged one not writable.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// What was read cannot be made into columns.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// A file lacks a column that each has.
    #[error("a file has no column {0}, or another kind of values in it")]
    Column(String),
}

/// Merges files of one day that are all ordered by `sorted_by`, time and number. Their content stays in memory compressed.
pub(crate) fn merge(files: Vec<Bytes>, sorted_by: &[String], day: i64) -> Result<Sealed, MergeError> {
    select(files, sorted_by, day, None)?.ok_or_else(|| MergeError::Column(EVENT.to_owned()))
}

/// A file without the rows of a stream; nothing if no row is left.
pub(crate) fn without_stream(
    file: Bytes,
    sorted_by: &[String],
    day: i64,
    stream: &str,
) -> Result<Option<Sealed>, MergeError> {
    select(vec![file], sorted_by, day, Some(stream))
}

fn select(
    files: Vec<Bytes>,
    sorted_by: &[String],
    day: i64,
    without: Option<&str>,
) -> Result<Option<Sealed>, MergeError> {
    let mut cursors = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    for file in files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(PIECE_ROWS).build()?;
        for field in reader.schema().fields() {
            if !fields.iter().any(|known| known.name() == field.name()) {
                fields.push(Field::new(field.name(), field.data_type().clone(), field.is_nullable()));
            }
        }
        cursors.push(Cursor { reader, piece: None, row: 0 });
    }
    for cursor in &mut cursors {
        cursor.fill(sorted_by)?;
    }
    let mut out = RowGroups::new(&fields)?;
    let mut sink = Sink::new(&fields);
    loop {
        let mut first: Option<usize> = None;
        for at in 0..cursors.len() {
            if cursors[at].piece.is_some()
                && first.is_none_or(|first| cursors[at].compare(&cursors[first]) == Ordering::Less)
            {
                first = Some(at);
            }
        }
        let Some(first) = first else { break };
        cursors[first].give(&mut sink, without);
        cursors[first].advance(sorted_by)?;
        if sink.rows.len >= GROUP_ROWS {
            sink.flush(&mut out)?;
        }
    }
    if sink.rows.len > 0 {
        sink.flush(&mut out)?;
    }
    Ok(if out.rows() == 0 { None } else { Some(out.finish(day)?) })
}

/// A file that is being read.
struct Cursor {
    reader: ParquetRecordBatchReader,
    piece: Option<Piece>,
    row: usize,
}

/// Rows of a file.
struct Piece {
    keys: Vec<Option<StringArray>>,
    timestamps: Vec<i64>,
    events: Vec<i64>,
    ingestion_times: Vec<i64>,
    streams: StringArray,
    columns: Vec<(String, ArrayRef)>,
    rows: usize,
}

fn millis(batch: &RecordBatch, name: &str) -> Result<Vec<i64>, MergeError> {
    let column = batch.column_by_name(name).and_then(|it| it.as_primitive_opt::<TimestampMillisecondType>());
    column.map(|it| it.values().to_vec()).ok_or_else(|| MergeError::Column(name.to_owned()))
}

fn texts(batch: &RecordBatch, name: &str) -> Option<StringArray> {
    batch.column_by_name(name).and_then(|it| it.as_string_opt::<i32>()).cloned()
}

impl Piece {
    fn new(batch: &RecordBatch, sorted_by: &[String]) -> Result<Self, MergeError> {
        let events = batch.column_by_name(EVENT).and_then(|it| it.as_primitive_opt::<Int64Type>());
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns());
        let own = [TIMESTAMP, INGESTION_TIME, EVENT, LOG_STREAM];
        Ok(Self {
            keys: sorted_by.iter().map(|name| texts(batch, name)).collect(),
            timestamps: millis(batch, TIMESTAMP)?,
            ingestion_times: millis(batch, INGESTION_TIME)?,
            events: events.map(|it| it.values().to_vec()).ok_or_else(|| MergeError::Column(EVENT.to_owned()))?,
            streams: texts(batch, LOG_STREAM).ok_or_else(|| MergeError::Column(LOG_STREAM.to_owned()))?,
            columns: columns
                .filter(|(field, column)| !own.contains(&field.name().as_str()) && column.null_count() < column.len())
                .map(|(field, column)| (field.name().clone(), Arc::clone(column)))
                .collect(),
            rows: batch.num_rows(),
        })
    }
}

impl Cursor {
    fn fill(&mut self, sorted_by: &[String]) -> Result<(), MergeError> {
        self.row = 0;
        self.piece = match self.reader.next().transpose()? {
            Some(batch) => Some(Piece::new(&batch, sorted_by)?),
            None => None,
        };
        Ok(())
    }

    fn advance(&mut self, sorted_by: &[String]) -> Result<(), MergeError> {
        self.row += 1;
        if self.piece.as_ref().is_some_and(|piece| self.row >= piece.rows) {
            self.fill(sorted_by)?;
        }
        Ok(())
    }

    fn compare(&self, other: &Self) -> Ordering {
        let (Some(a), Some(b)) = (&self.piece, &other.piece) else { return Ordering::Equal };
        let text = |piece: &Option<StringArray>, row: usize| -> Option<(usize, usize)> {
            piece.as_ref().filter(|it| it.is_valid(row)).map(|_| (row, row))
        };
        for (left, right) in a.keys.iter().zip(&b.keys) {
            let ordering = match (text(left, self.row), text(right, other.row)) {
                (Some(_), Some(_)) => {
                    let left = left.as_ref().map(|it| it.value(self.row));
                    left.cmp(&right.as_ref().map(|it| it.value(other.row)))
                }
                (left, right) => left.is_some().cmp(&right.is_some()),
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        (a.timestamps[self.row], a.events[self.row]).cmp(&(b.timestamps[other.row], b.events[other.row]))
    }

    fn give(&self, sink: &mut Sink, without: Option<&str>) {
        if let Some(piece) = &self.piece
            && without.is_none_or(|stream| piece.streams.value(self.row) != stream)
        {
            sink.push(piece, self.row);
        }
    }
}

/// Where rows are gathered until they are a row group.
struct Sink {
    rows: Rows,
    places: HashMap<String, (Kind, u32), foldhash::fast::RandomState>,
}

impl Sink {
    fn new(fields: &[Field]) -> Self {
        let mut rows = Rows::default();
        let mut places = HashMap::default();
        for field in fields {
            let kind = match field.data_type() {
                DataType::Int64 => Kind::Integer,
                DataType::Float64 => Kind::Float,
                DataType::Boolean => Kind::Boolean,
                DataType::Utf8 => Kind::Text,
                _ => continue,
            };
            if ![EVENT, LOG_STREAM, MESSAGE, REST].contains(&field.name().as_str()) {
                places.insert(field.name().clone(), (kind, rows.add_column(field.name(), kind)));
            }
        }
        Self { rows, places }
    }

    fn push(&mut self, piece: &Piece, at: usize) {
        let row = self.rows.len;
        self.rows.timestamps.push(piece.timestamps[at]);
        self.rows.ingestion_times.push(piece.ingestion_times[at]);
        self.rows.events.push(piece.events[at]);
        self.rows.streams.push(row, piece.streams.value(at));
        for (name, column) in &piece.columns {
            if !column.is_valid(at) {
                continue;
            }
            match name.as_str() {
                MESSAGE => self.rows.messages.push(row, column.as_string::<i32>().value(at)),
                REST => self.rows.rest.push(row, column.as_string::<i32>().value(at)),
                SHAPE => self.rows.shapes.push(row, column.as_primitive::<Int32Type>().value(at)),
                name => {
                    let Some((kind, to)) = self.places.get(name) else { continue };
                    let to = *to as usize;
                    match kind {
                        Kind::Integer => {
                            self.rows.integers[to].push(row, column.as_primitive::<Int64Type>().value(at));
                        }
                        Kind::Float => {
                            self.rows.floats[to].push(row, column.as_primitive::<Float64Type>().value(at));
                        }
                        Kind::Boolean => self.rows.booleans[to].push(row, column.as_boolean().value(at)),
                        Kind::Text => self.rows.texts[to].push(row, column.as_string::<i32>().value(at)),
                    }
                }
            }
        }
        self.rows.len = row + 1;
    }

    fn flush(&mut self, out: &mut RowGroups) -> Result<(), MergeError> {
        let rows = self.rows.take();
        let order: Vec<u32> = (0..rows.len as u32).collect();
        out.push(&rows, &order)?;
        Ok(())
    }
}
