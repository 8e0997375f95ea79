//! Results for other programs: values of JSON, and Parquet.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, StringBuilder},
    datatypes::{DataType, Field, Schema},
    record_batch::RecordBatch,
};
use datafusion::parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use insights::value::Value;

use crate::{cells::Cells, error::QueryFailed, pointer::POINTER, result::QueryResult};

/// A row of values; what is null is left out. Times are as they print; truths are numbers, as the language has them.
pub type ValueRow = Vec<(String, serde_json::Value)>;

impl QueryResult {
    /// The rows as values of JSON: numbers stay numbers, with all their digits. The pointers to records are left out.
    ///
    /// # Errors
    /// If a column is of a type that no query of ours gives, which is a fault of muster.
    pub fn value_rows(&self) -> Result<Vec<ValueRow>, QueryFailed> {
        let mut rows = Vec::with_capacity(self.count());
        for batch in &self.batches {
            let cells = cells_of(batch)?;
            for number in 0..batch.num_rows() {
                let mut row = ValueRow::with_capacity(cells.len());
                for (output, cells) in self.outputs.iter().zip(&cells).filter(|(output, _)| output.name != POINTER) {
                    match cells.value(number) {
                        Value::Map(map) if output.is_map => row.extend(map.into_iter().filter_map(|(key, value)| {
                            Some((format!("{}.{key}", output.name), self.exported(&value)?))
                        })),
                        value => row.extend(self.exported(&value).map(|value| (output.name.clone(), value))),
                    }
                }
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn exported(&self, value: &Value) -> Option<serde_json::Value> {
        Some(match value {
            Value::Null => return None,
            Value::Boolean(truth) if self.rules.booleans_as_numbers => u8::from(*truth).into(),
            Value::Boolean(truth) => (*truth).into(),
            // Beyond 2^53 a double has no whole numbers of its own.
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => (*number as i64).into(),
            Value::Number(number) => serde_json::Number::from_f64(*number)?.into(),
            Value::Text(text) => text.clone().into(),
            Value::List(_) | Value::Map(_) => serde_json::from_str(&value.to_json()).ok()?,
            Value::Time(_) => value.print(&self.rules)?.into(),
        })
    }

    /// The result as a Parquet file: numbers, times and truths as such, everything else as texts.
    ///
    /// # Errors
    /// As [`value_rows`](Self::value_rows).
    pub fn parquet(&self) -> Result<Vec<u8>, QueryFailed> {
        let kept: Vec<usize> = (0..self.outputs.len()).filter(|at| self.outputs[*at].name != POINTER).collect();
        let types: Vec<DataType> = kept
            .iter()
            .map(|at| match self.batches.first().map(|batch| batch.column(*at).data_type()) {
                Some(kind) if !matches!(kind, DataType::Binary | DataType::Null | DataType::Utf8View) => kind.clone(),
                _ => DataType::Utf8,
            })
            .collect();
        let fields = kept.iter().zip(&types).map(|(at, kind)| Field::new(&self.outputs[*at].name, kind.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        let failed =
            |error: &dyn std::fmt::Display| QueryFailed::Internal(format!("no Parquet could be written: {error}"));
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), Some(properties)).map_err(|error| failed(&error))?;
        for batch in &self.batches {
            let columns = kept
                .iter()
                .zip(&types)
                .map(|(at, kind)| match batch.column(*at) {
                    column if column.data_type() == kind => Ok(Arc::clone(column)),
                    column => self.printed(column),
                })
                .collect::<Result<Vec<_>, _>>()?;
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| failed(&error))?;
            writer.write(&batch).map_err(|error| failed(&error))?;
        }
        writer.close().map_err(|error| failed(&error))?;
        Ok(bytes)
    }

    fn printed(&self, column: &ArrayRef) -> Result<ArrayRef, QueryFailed> {
        let cells = Cells::of(column.as_ref())?;
        let mut texts = StringBuilder::new();
        (0..column.len()).for_each(|row| texts.append_option(cells.value(row).print(&self.rules)));
        Ok(Arc::new(texts.finish()))
    }
}

fn cells_of(batch: &RecordBatch) -> Result<Vec<Cells<'_>>, QueryFailed> {
    Ok(batch.columns().iter().map(|it| Cells::of(it.as_ref())).collect::<datafusion::common::Result<Vec<_>>>()?)
}
