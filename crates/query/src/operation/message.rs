//! Messages out of their shapes, and pointers to records.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, StringViewBuilder},
    compute::cast,
    record_batch::RecordBatch,
};
use datafusion::common::{Result, exec_err};
use serde::{Deserialize, Serialize};
use telemetry::{field::FieldIndex, shape::message_column};

use crate::{cells::Cells, kind::Kind, pointer::Pointer};

/// The shapes of a group, with the columns that stand in their holes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shapes {
    /// The names of the arguments: `@message`, `@shape`, and those of the fields' columns.
    columns: Vec<String>,
    fields: Arc<FieldIndex>,
    shapes: Arc<Vec<Arc<str>>>,
}

impl Shapes {
    pub(crate) fn new(columns: Vec<String>, fields: Arc<FieldIndex>, shapes: Arc<Vec<Arc<str>>>) -> Self {
        Self { columns, fields, shapes }
    }

    pub(super) fn compute(&self, arguments: &[ArrayRef]) -> Result<ArrayRef> {
        let columns = self.columns.iter().zip(arguments);
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, it)| (name, Arc::clone(it), true)))?;
        match message_column(&batch, &self.fields, &self.shapes) {
            Ok(messages) => Ok(cast(&messages, &Kind::Text.arrow())?),
            Err(error) => exec_err!("messages cannot be rebuilt: {error}"),
        }
    }
}

impl PartialEq for Shapes {
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns && self.fields == other.fields && self.shapes == other.shapes
    }
}

impl Eq for Shapes {}

impl Hash for Shapes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.columns.hash(state);
        self.shapes.len().hash(state);
    }
}

pub(super) fn pointers(logs: &Cells<'_>, times: &Cells<'_>, numbers: &Cells<'_>, rows: usize) -> ArrayRef {
    let mut texts = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        let (time, number) = (times.value(row), numbers.value(row));
        texts.append_option(logs.text(row).map(|log| {
            let event = number.number().unwrap_or(0.0);
            Pointer {
                log: log.to_owned(),
                timestamp_ms: time.integer().unwrap_or(0),
                // Numbers of events are counted from 0.
                event: event as u64,
            }
            .to_string()
        }));
    }
    Arc::new(texts.finish())
}
