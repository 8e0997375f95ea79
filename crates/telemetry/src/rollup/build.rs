//! A file is read twice, a little at a time: first by what its rows are told apart, then their numbers.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, StringArray},
    datatypes::{DataType, Field, Float64Type, Int64Type, Schema, TimestampMillisecondType},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
};

use super::{
    Level, Rollups, Rule,
    cells::{Cells, LevelCells, Rows},
    spread::Spread,
    total::{Floats, Integers},
    write,
};
use crate::{
    field::{EVENT, TIMESTAMP},
    file::MergeError,
    snapshot::File,
};

/// How many rows are in memory at a time.
const PIECE_ROWS: usize = 8_192;
/// A file of more rows has no roll-ups: eight bytes are kept for each row of it.
const ROWS_MAX: i64 = 8_000_000;
/// A level has at most such a part of the bytes of its file: without sketches, if it has more with them.
const BYTES_PART: u64 = 4;

/// Roll-ups that are not written yet: each level with its file, whose path is not known.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) rollups: Rollups,
    /// The files of the levels, in their order.
    pub(crate) files: Vec<Vec<u8>>,
}

/// Sums up a sealed file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn of_file(file: Bytes, from_ms: i64, rule: &Rule) -> Result<Built, MergeError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.clone())?;
    let schema = Arc::clone(builder.schema());
    let rows = builder.metadata().file_metadata().num_rows();
    let is_number = |field: &&Arc<Field>| matches!(field.data_type(), DataType::Int64 | DataType::Float64);
    let numbers = schema.fields().iter().filter(is_number).map(|field| field.name().clone());
    let (metrics, left_out): (Vec<String>, Vec<String>) =
        numbers.filter(|name| name != EVENT).partition(|name| rule.metrics.contains(name));
    if metrics.is_empty() || rows > ROWS_MAX {
        return Ok(Built::default());
    }
    let Some(cells) = cells_of(file.clone(), from_ms, rule, metrics.len())? else { return Ok(Built::default()) };
    let first = cells.levels.first().map_or(0, |level| level.keys.len());
    let mut sums = Sums::new(first, &metrics, &schema);
    let mut spread = Spread::new(&cells, metrics.len());
    let mut from = 0;
    for batch in reader(file.clone(), &metrics)? {
        let batch = batch?;
        sums.push(&batch, &cells.of_row[from..from + batch.num_rows()], spread.as_mut())?;
        spread = spread.and_then(|spread| spread.within_limits(&cells));
        from += batch.num_rows();
    }
    let mut built = written(&cells, sums, spread.as_ref(), file.len() as u64)?;
    built.rollups.left_out = left_out;
    Ok(built)
}

fn reader(file: Bytes, columns: &[String]) -> Result<ParquetRecordBatchReader, MergeError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(PIECE_ROWS);
    let schema = builder.schema().clone();
    let roots = schema.fields().iter().enumerate().filter(|(_, field)| columns.contains(field.name()));
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots.map(|(at, _)| at));
    Ok(builder.with_projection(mask).build()?)
}

fn cells_of(file: Bytes, from_ms: i64, rule: &Rule, metrics: usize) -> Result<Option<Cells>, MergeError> {
    let mut columns = rule.dimensions.clone();
    columns.push(TIMESTAMP.to_owned());
    let mut rows = Rows::new(&rule.dimensions, from_ms);
    for batch in reader(file, &columns)? {
        let batch = batch?;
        let times = batch.column_by_name(TIMESTAMP).and_then(|it| it.as_primitive_opt::<TimestampMillisecondType>());
        let times = times.ok_or_else(|| MergeError::Column(TIMESTAMP.to_owned()))?;
        let texts = |name: &String| batch.column_by_name(name).and_then(|it| it.as_string_opt::<i32>());
        let texts: Vec<Option<&StringArray>> = rule.dimensions.iter().map(texts).collect();
        if !rows.push(times.values(), &texts) {
            return Ok(None);
        }
    }
    Ok(rows.cells(metrics))
}

/// The totals of a metric, by cell.
#[derive(Clone, Debug)]
pub(super) enum Totals {
    Integers(Vec<Integers>),
    Floats(Vec<Floats>),
}

impl Totals {
    /// Those of longer buckets.
    fn coarser(&self, cells: usize, of_finer: &[u32]) -> Self {
        match self {
            Self::Integers(finer) => {
                let mut totals = vec![Integers::default(); cells];
                finer.iter().zip(of_finer).for_each(|(total, cell)| totals[*cell as usize].merge(total));
                Self::Integers(totals)
            }
            Self::Floats(finer) => {
                let mut totals = vec![Floats::default(); cells];
                finer.iter().zip(of_finer).for_each(|(total, cell)| totals[*cell as usize].merge(total));
                Self::Floats(totals)
            }
        }
    }
}

/// What is known of the cells of a level.
#[derive(Debug)]
pub(super) struct Sums<'m> {
    pub(super) metrics: &'m [String],
    /// How many events each cell has.
    pub(super) events: Vec<u64>,
    /// The totals of each metric.
    pub(super) totals: Vec<Totals>,
}

impl<'m> Sums<'m> {
    fn new(cells: usize, metrics: &'m [String], schema: &Schema) -> Self {
        let of = |name: &String| match schema.field_with_name(name).map(|field| field.data_type()) {
            Ok(DataType::Int64) => Totals::Integers(vec![Integers::default(); cells]),
            _ => Totals::Floats(vec![Floats::default(); cells]),
        };
        Self { metrics, events: vec![0; cells], totals: metrics.iter().map(of).collect() }
    }

    fn push(&mut self, batch: &RecordBatch, cells: &[u32], mut spread: Option<&mut Spread>) -> Result<(), MergeError> {
        cells.iter().for_each(|cell| self.events[*cell as usize] += 1);
        for (at, (name, totals)) in self.metrics.iter().zip(&mut self.totals).enumerate() {
            let wrong = || MergeError::Column(name.clone());
            let column = batch.column_by_name(name).ok_or_else(wrong)?;
            let rows = || cells.iter().enumerate().filter(|(row, _)| column.is_valid(*row));
            match totals {
                Totals::Integers(totals) => {
                    let values = column.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
                    rows().for_each(|(row, cell)| totals[*cell as usize].add(values.value(row)));
                    if let Some(spread) = &mut spread {
                        spread.add(at, rows().map(|(row, cell)| (*cell, values.value(row) as f64)));
                    }
                }
                Totals::Floats(totals) => {
                    let values = column.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
                    rows().for_each(|(row, cell)| totals[*cell as usize].add(values.value(row)));
                    if let Some(spread) = &mut spread {
                        spread.add(at, rows().map(|(row, cell)| (*cell, values.value(row))));
                    }
                }
            }
        }
        Ok(())
    }

    /// Those of a level with longer buckets.
    fn coarser(&self, level: &LevelCells) -> Self {
        let cells = level.keys.len();
        let mut events = vec![0; cells];
        self.events.iter().zip(&level.of_finer).for_each(|(finer, cell)| events[*cell as usize] += finer);
        let totals = self.totals.iter().map(|totals| totals.coarser(cells, &level.of_finer)).collect();
        Self { metrics: self.metrics, events, totals }
    }
}

/// The levels as files, as far as they pay.
fn written(cells: &Cells, mut sums: Sums<'_>, spread: Option<&Spread>, file_bytes: u64) -> Result<Built, MergeError> {
    let mut built = Built::default();
    built.rollups.dimensions = cells.dimensions.iter().map(|(column, _)| column.clone()).collect();
    for (at, level) in cells.levels.iter().enumerate() {
        if at > 0 {
            sums = sums.coarser(level);
        }
        let sketches = spread.and_then(|spread| spread.sketches(cells, at));
        let mut file = write::level(cells, level, &sums, sketches.as_ref())?;
        let mut sketched = sketches.is_some();
        if sketched && file.bytes.len() as u64 > file_bytes / BYTES_PART {
            sketched = false;
            file = write::level(cells, level, &sums, None)?;
        }
        let bytes = file.bytes.len() as u64;
        if bytes > file_bytes / BYTES_PART {
            continue;
        }
        let starts = || level.keys.iter().map(|(_, start_ms)| *start_ms);
        let (from_ms, to_ms) = (starts().min().unwrap_or_default(), starts().max().unwrap_or_default());
        let of = File { path: String::new(), bytes, rows: file.rows, from_ms, to_ms };
        built.rollups.levels.insert(0, Level { width_ms: level.width_ms, file: of, sketches: sketched });
        built.files.insert(0, file.bytes);
    }
    Ok(built)
}
