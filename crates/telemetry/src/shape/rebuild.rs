//! The texts of messages, from their shapes and columns.

use std::{fmt::Write, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, StringBuilder},
    compute::cast,
    datatypes::{DataType, Float64Type, Int32Type, Int64Type},
    error::ArrowError,
    record_batch::RecordBatch,
};

use super::{NumberForm, Shape, TextForm};
use crate::field::{FieldIndex, Kind, MESSAGE, SHAPE};

/// Why messages could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// A row has a shape that the group does not know.
    #[error(
        "row {row} has shape {shape}, which the catalog of its log group does not hold: the catalog is older than the file"
    )]
    Shape {
        /// The row of the batch.
        row: usize,
        /// The number of the shape.
        shape: i32,
    },
    /// A column is not what its name says.
    #[error("column {column} does not hold what the catalog of its log group says")]
    Column {
        /// Its name.
        column: String,
        /// What Arrow says.
        source: ArrowError,
    },
}

/// The messages of a batch: `@message` where it is there, else what `@shape` and the fields' columns give.
///
/// The batch needs the columns of all fields of its shapes ([`Shape::of_text`] says which); one that is missing counts as null
/// in each row. A row without text and without shape is null.
///
/// # Errors
/// When a row has a shape that is not in `shapes`, or a column holds another kind of value than `fields` says.
pub fn message_column(
    batch: &RecordBatch,
    fields: &FieldIndex,
    shapes: &[Arc<str>],
) -> Result<StringArray, RebuildError> {
    let messages: Option<StringArray> = column(batch, MESSAGE, &DataType::Utf8)?.map(|it| it.as_string().clone());
    let numbers: Option<Int32Array> =
        column(batch, SHAPE, &DataType::Int32)?.map(|it| it.as_primitive::<Int32Type>().clone());
    let mut plans: Vec<Option<Plan<'_>>> = Vec::new();
    plans.resize_with(shapes.len(), || None);
    let mut out = StringBuilder::with_capacity(batch.num_rows(), batch.num_rows() * 256);
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        if let Some(messages) = messages.as_ref().filter(|it| it.is_valid(row)) {
            out.append_value(messages.value(row));
            continue;
        }
        let Some(shape) = numbers.as_ref().filter(|it| it.is_valid(row)).map(|it| it.value(row)) else {
            out.append_null();
            continue;
        };
        let unknown = || RebuildError::Shape { row, shape };
        let at = usize::try_from(shape).map_err(|_| unknown())?;
        let plan = match plans.get_mut(at).ok_or_else(unknown)? {
            Some(plan) => plan,
            empty => empty.insert(Plan::new(&shapes[at], batch, fields)?.ok_or_else(unknown)?),
        };
        text.clear();
        plan.print(row, &mut text);
        out.append_value(&text);
    }
    Ok(out.finish())
}

fn column(batch: &RecordBatch, name: &str, of: &DataType) -> Result<Option<ArrayRef>, RebuildError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    if column.data_type() == of {
        return Ok(Some(Arc::clone(column)));
    }
    cast(column, of).map(Some).map_err(|source| RebuildError::Column { column: name.to_owned(), source })
}

enum Values {
    Integers(Int64Array),
    Floats(Float64Array),
    Texts(StringArray),
    Booleans(BooleanArray),
}

struct Step<'a> {
    before: &'a str,
    columns: Vec<Values>,
    number: NumberForm,
    text: TextForm,
}

struct Plan<'a> {
    steps: Vec<Step<'a>>,
    after: &'a str,
}

impl<'a> Plan<'a> {
    fn new(shape: &'a str, batch: &RecordBatch, fields: &FieldIndex) -> Result<Option<Self>, RebuildError> {
        let Some(shape) = Shape::of_text(shape) else { return Ok(None) };
        let mut steps = Vec::with_capacity(shape.holes.len());
        for hole in shape.holes {
            let mut columns = Vec::new();
            for of_kind in fields.columns_of(hole.field) {
                let values = match of_kind.kind {
                    Kind::Integer => column(batch, &of_kind.name, &DataType::Int64)?
                        .map(|it| Values::Integers(it.as_primitive::<Int64Type>().clone())),
                    Kind::Float => column(batch, &of_kind.name, &DataType::Float64)?
                        .map(|it| Values::Floats(it.as_primitive::<Float64Type>().clone())),
                    Kind::Text => {
                        column(batch, &of_kind.name, &DataType::Utf8)?.map(|it| Values::Texts(it.as_string().clone()))
                    }
                    Kind::Boolean => column(batch, &of_kind.name, &DataType::Boolean)?
                        .map(|it| Values::Booleans(it.as_boolean().clone())),
                };
                columns.extend(values);
            }
            steps.push(Step { before: hole.before, columns, number: hole.number, text: hole.text });
        }
        Ok(Some(Self { steps, after: shape.after }))
    }

    fn print(&self, row: usize, out: &mut String) {
        for step in &self.steps {
            out.push_str(step.before);
            if !step.columns.iter().any(|values| values.print(row, step, out)) {
                out.push_str("null");
            }
        }
        out.push_str(self.after);
    }
}

impl Values {
    /// Writes the value of a row; false if there is none.
    fn print(&self, row: usize, step: &Step<'_>, out: &mut String) -> bool {
        match self {
            Self::Integers(it) if it.is_valid(row) => {
                // Writing into a String cannot fail.
                let _ = write!(out, "{}", it.value(row));
            }
            Self::Floats(it) if it.is_valid(row) => step.number.print(it.value(row), out),
            Self::Texts(it) if it.is_valid(row) => step.text.print(it.value(row), out),
            Self::Booleans(it) if it.is_valid(row) => out.push_str(if it.value(row) { "true" } else { "false" }),
            _ => return false,
        }
        true
    }
}
