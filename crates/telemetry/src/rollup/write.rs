//! A level as a Parquet file: a row for each metric, combination of dimensions and bucket that has values, in this order.
//!
//! Metrics are rows and not columns, so that the foot of a file stays small however many a group has; what a query does not ask
//! for is skipped by its pages. Sketches stand last, where reading the columns before them reads nothing of them.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryBuilder, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
        TimestampMillisecondArray,
    },
    datatypes::{DataType, Field, Int32Type, Schema, TimeUnit},
    record_batch::RecordBatch,
};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowWriterOptions},
    basic::{Compression, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
};

use super::{
    COUNT, MAX, MAX_INTEGER, METRIC, MIN, MIN_INTEGER, SKETCH, SUM,
    build::{Sums, Totals},
    cells::{Cells, LevelCells},
    spread::Sketches,
};
use crate::{field::TIMESTAMP, file::MergeError};

const ZSTD_LEVEL: i32 = 3;
/// How many rows a row group has at most.
const GROUP_ROWS_MAX: usize = 1 << 17;
/// How many rows a page has at most: the least that is read of a metric.
const PAGE_ROWS_MAX: usize = 2_048;

/// A level that is not written yet.
pub(super) struct LevelFile {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: u64,
}

fn schema(cells: &Cells) -> Schema {
    let text = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let mut fields = vec![
        Field::new(TIMESTAMP, DataType::Timestamp(TimeUnit::Millisecond, None), false),
        Field::new(METRIC, text(), false),
    ];
    fields.extend(cells.dimensions.iter().map(|(column, _)| Field::new(column, text(), true)));
    fields.push(Field::new(COUNT, DataType::Int64, false));
    fields.extend([SUM, MIN, MAX].map(|name| Field::new(name, DataType::Float64, true)));
    fields.extend([MIN_INTEGER, MAX_INTEGER].map(|name| Field::new(name, DataType::Int64, true)));
    fields.push(Field::new(SKETCH, DataType::Binary, true));
    Schema::new(fields)
}

/// The file of a level.
pub(super) fn level(
    cells: &Cells,
    level: &LevelCells,
    sums: &Sums<'_>,
    sketches: Option<&Sketches>,
) -> Result<LevelFile, MergeError> {
    let schema = Arc::new(schema(cells));
    let properties = WriterProperties::builder()
        .set_created_by("muster".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_write_batch_size(PAGE_ROWS_MAX)
        .build();
    // Without Arrow's own schema: another kilobyte that says nothing more.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
    let order = order(cells, level);
    let mut rows = 0;
    let mut part = |name: &str, of: Of<'_>| -> Result<(), MergeError> {
        let present: Vec<u32> = order.iter().copied().filter(|cell| of.count(*cell) > 0).collect();
        if !present.is_empty() {
            rows += present.len() as u64;
            writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns(cells, level, name, &present, &of))?)?;
        }
        Ok(())
    };
    part("", Of { events: Some(&sums.events), totals: None, sketches: None, metric: 0 })?;
    let mut metrics: Vec<usize> = (0..sums.metrics.len()).collect();
    metrics.sort_by_key(|at| &sums.metrics[*at]);
    for metric in metrics {
        part(&sums.metrics[metric], Of { events: None, totals: Some(&sums.totals[metric]), sketches, metric })?;
    }
    Ok(LevelFile { bytes: writer.into_inner()?, rows })
}

/// Cells by the texts of their dimensions, then by time.
fn order(cells: &Cells, level: &LevelCells) -> Vec<u32> {
    let texts = |tuple: u32| -> Vec<Option<&String>> {
        let numbers = cells.tuples[tuple as usize].iter().zip(&cells.dimensions);
        numbers.map(|(number, (_, texts))| number.checked_sub(1).map(|at| &texts[at as usize])).collect()
    };
    let mut tuples: Vec<u32> = (0..cells.tuples.len() as u32).collect();
    tuples.sort_by_cached_key(|tuple| texts(*tuple));
    let mut rank = vec![0_u32; tuples.len()];
    (0..).zip(&tuples).for_each(|(at, tuple)| rank[*tuple as usize] = at);
    let mut order: Vec<u32> = (0..level.keys.len() as u32).collect();
    order.sort_by_key(|cell| {
        let (tuple, start_ms) = level.keys[*cell as usize];
        (rank[tuple as usize], start_ms)
    });
    order
}

/// Of what rows are: of a metric, or of the events themselves.
struct Of<'a> {
    events: Option<&'a [u64]>,
    totals: Option<&'a Totals>,
    sketches: Option<&'a Sketches>,
    metric: usize,
}

impl Of<'_> {
    fn count(&self, cell: u32) -> u64 {
        match (self.events, self.totals) {
            (Some(events), _) => events[cell as usize],
            (None, Some(Totals::Integers(totals))) => totals[cell as usize].count,
            (None, Some(Totals::Floats(totals))) => totals[cell as usize].count,
            (None, None) => 0,
        }
    }
}

fn columns(cells: &Cells, level: &LevelCells, name: &str, present: &[u32], of: &Of<'_>) -> Vec<ArrayRef> {
    let rows = present.len();
    let starts = present.iter().map(|cell| level.keys[*cell as usize].1);
    let metric = DictionaryArray::<Int32Type>::new(
        Int32Array::from(vec![0; rows]),
        Arc::new(StringArray::from_iter_values([name])),
    );
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(TimestampMillisecondArray::from_iter_values(starts)), Arc::new(metric)];
    for (at, (_, texts)) in cells.dimensions.iter().enumerate() {
        let numbers = present.iter().map(|cell| cells.tuples[level.keys[*cell as usize].0 as usize][at]);
        // There are fewer texts than fit into any integer.
        let keys: Int32Array = numbers.map(|number| number.checked_sub(1).map(|it| it as i32)).collect();
        columns.push(Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from_iter_values(texts)))));
    }
    columns.push(Arc::new(Int64Array::from_iter_values(present.iter().map(|cell| of.count(*cell) as i64))));
    let floats = |value: &dyn Fn(u32) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(present.iter().map(|cell| value(*cell))))
    };
    let integers = |value: &dyn Fn(u32) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(present.iter().map(|cell| value(*cell))))
    };
    let (no_floats, no_integers) = (
        || -> ArrayRef { Arc::new(Float64Array::new_null(rows)) },
        || -> ArrayRef { Arc::new(Int64Array::new_null(rows)) },
    );
    match of.totals {
        None => columns.extend([no_floats(), no_floats(), no_floats(), no_integers(), no_integers()]),
        Some(Totals::Integers(totals)) => columns.extend([
            floats(&|cell| totals[cell as usize].sum()),
            no_floats(),
            no_floats(),
            integers(&|cell| totals[cell as usize].least),
            integers(&|cell| totals[cell as usize].greatest),
        ]),
        Some(Totals::Floats(totals)) => columns.extend([
            floats(&|cell| totals[cell as usize].sum()),
            floats(&|cell| totals[cell as usize].least),
            floats(&|cell| totals[cell as usize].greatest),
            no_integers(),
            no_integers(),
        ]),
    }
    let mut sketches = BinaryBuilder::new();
    for cell in present {
        match of.sketches.and_then(|sketches| sketches.get(&(*cell, of.metric))) {
            Some(sketch) => sketches.append_value(sketch.to_bytes()),
            None => sketches.append_null(),
        }
    }
    columns.push(Arc::new(sketches.finish()));
    columns
}
