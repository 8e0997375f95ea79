//! Lists and maps: what is inside of them, and rows of their elements.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryBuilder, BooleanArray, Int64Builder, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use insights::{
    ast::Part,
    extract,
    rules::Rules,
    value::{Value, equal, json_of_text},
};
use serde::{Deserialize, Serialize};

use crate::{
    cells::{self, Cells},
    kind::Kind,
};

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Step {
    Name(String),
    Index(u32),
}

impl From<&Part> for Step {
    fn from(part: &Part) -> Self {
        match part {
            Part::Name(name) => Self::Name(name.clone()),
            Part::Index(index) => Self::Index(*index),
        }
    }
}

/// The names of a row of an element: its number, and itself.
pub(crate) const ELEMENT: [&str; 2] = ["number", "element"];

fn element_fields() -> Fields {
    Fields::from(vec![Field::new(ELEMENT[0], DataType::Int64, false), Field::new(ELEMENT[1], Kind::Any.arrow(), true)])
}

pub(super) fn elements_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(element_fields()), true)))
}

pub(super) fn elements(cells: &Cells<'_>, rows: usize) -> ArrayRef {
    let mut numbers = Int64Builder::new();
    let mut values = BinaryBuilder::new();
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let list = match cells.value(row) {
            Value::List(list) => list,
            one => vec![one],
        };
        lengths.push(list.len());
        for (number, element) in (0..).zip(&list) {
            numbers.append_value(number);
            match element {
                Value::Null => values.append_null(),
                value => values.append_value(cells::encoded(value)),
            }
        }
    }
    let all = StructArray::new(element_fields(), vec![Arc::new(numbers.finish()), Arc::new(values.finish())], None);
    let item = Arc::new(Field::new_list_field(all.data_type().clone(), true));
    Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths), Arc::new(all), None))
}

pub(super) fn inside(cells: &Cells<'_>, steps: &[Step], rows: usize, rules: &Rules) -> ArrayRef {
    let parts: Vec<Part> = steps
        .iter()
        .map(|step| match step {
            Step::Name(name) => Part::Name(name.clone()),
            Step::Index(index) => Part::Index(*index),
        })
        .collect();
    let one = |row| {
        let value = cells.value(row);
        parts.iter().fold(&value, |value, part| value.inside(part, rules.first_index)).clone()
    };
    cells::column(Kind::Any, (0..rows).map(one))
}

pub(super) fn pick(cells: &Cells<'_>, name: &str, rows: usize) -> ArrayRef {
    let one = |row| match cells.value(row) {
        Value::Map(map) => map.into_iter().rfind(|(key, _)| key == name).map_or(Value::Null, |(_, value)| value),
        _ => Value::Null,
    };
    cells::column(Kind::Any, (0..rows).map(one))
}

pub(super) fn rest_field(cells: &Cells<'_>, name: &str, rows: usize) -> ArrayRef {
    let one = |row| match cells.text(row).and_then(json_of_text) {
        Some(Value::Map(map)) => map.into_iter().rfind(|(key, _)| key == name).map_or(Value::Null, |(_, value)| value),
        _ => Value::Null,
    };
    cells::column(Kind::Any, (0..rows).map(one))
}

/// Null, where a value is a list or a map.
pub(super) fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type() != &Kind::Any.arrow() {
        return Ok(Arc::clone(column));
    }
    let cells = Cells::of(column.as_ref())?;
    let one = |row| Some(cells.value(row)).filter(Value::is_plain).unwrap_or(Value::Null);
    Ok(cells::column(Kind::Any, (0..column.len()).map(one)))
}

pub(super) fn json(cells: &Cells<'_>, path: &str, rows: usize, rules: &Rules) -> ArrayRef {
    let one = |row| match cells.text(row) {
        Some(text) => extract::json(path, text),
        None => cells.value(row).text(rules).map_or(Value::Null, |text| extract::json(path, &text)),
    };
    cells::column(Kind::Any, (0..rows).map(one))
}

/// Whether a value equals one of several; null where it cannot be compared.
pub(super) fn is_among(cells: &Cells<'_>, values: &[Vec<u8>], rows: usize, rules: &Rules) -> ArrayRef {
    let known: Vec<Value> = values.iter().map(|bytes| cells::decoded(bytes)).collect();
    let texts: std::collections::HashSet<&str, foldhash::fast::RandomState> = known
        .iter()
        .filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let only_texts = texts.len() == known.len() && !rules.numeric_texts_equal;
    let one = |row| {
        if let (true, Some(text)) = (only_texts, cells.text(row)) {
            return Some(texts.contains(text));
        }
        let value = cells.value(row);
        value.is_plain().then(|| known.iter().any(|known| equal(known, &value, rules) == Some(true)))
    };
    Arc::new((0..rows).map(one).collect::<BooleanArray>())
}
