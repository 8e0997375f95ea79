//! Values out of columns, and columns of values; and how a column holds values of any sort.
//!
//! A value of any sort is a tag of one byte and what belongs to it: `b` and 0 or 1, `n` and a double, `t` and milliseconds
//! (both big-endian), `s` and a text, `l` and elements, `m` and names with elements. Elements have their length before them.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Float64Array, Int64Array, StringArray,
    StringViewArray, StringViewBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType};
use datafusion::common::{Result, exec_err};
use insights::value::Value;
use std::sync::Arc;

use crate::kind::Kind;

/// The largest whole number that the language sees as a number.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// How deep lists and maps may be inside of each other; deeper ones are read as null.
const DEPTH_MAX: u8 = 128;

/// A column, of which values are taken.
pub(crate) enum Cells<'a> {
    Integer(&'a Int64Array),
    Number(&'a Float64Array),
    Text(&'a StringViewArray),
    PlainText(&'a StringArray),
    Time(&'a TimestampMillisecondArray),
    Truth(&'a BooleanArray),
    Any(&'a BinaryArray),
    Null,
}

impl<'a> Cells<'a> {
    /// The cells of a column.
    ///
    /// # Errors
    /// If it is of a type that no plan of ours makes.
    pub(crate) fn of(array: &'a dyn Array) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Int64 => Self::Integer(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Number(array.as_primitive::<Float64Type>()),
            DataType::Utf8View => Self::Text(array.as_string_view()),
            DataType::Utf8 => Self::PlainText(array.as_string::<i32>()),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Self::Time(array.as_primitive::<TimestampMillisecondType>())
            }
            DataType::Boolean => Self::Truth(array.as_boolean()),
            DataType::Binary => Self::Any(array.as_binary::<i32>()),
            DataType::Null => Self::Null,
            other => return exec_err!("a column of {other} where a value of the language was expected"),
        })
    }

    /// The value in a row.
    pub(crate) fn value(&self, row: usize) -> Value {
        match self {
            Self::Integer(array) if array.is_valid(row) => value_of_integer(array.value(row)),
            Self::Number(array) if array.is_valid(row) => Value::of_number(array.value(row)),
            Self::Text(array) if array.is_valid(row) => Value::from(array.value(row)),
            Self::PlainText(array) if array.is_valid(row) => Value::from(array.value(row)),
            Self::Time(array) if array.is_valid(row) => Value::Time(array.value(row)),
            Self::Truth(array) if array.is_valid(row) => Value::Boolean(array.value(row)),
            Self::Any(array) if array.is_valid(row) => decoded(array.value(row)),
            _ => Value::Null,
        }
    }

    /// The text in a row, if the column is one of texts and there is one.
    pub(crate) fn text(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Text(array) => array.is_valid(row).then(|| array.value(row)),
            Self::PlainText(array) => array.is_valid(row).then(|| array.value(row)),
            _ => None,
        }
    }

    /// Whether it is a column of texts.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_) | Self::PlainText(_))
    }
}

/// What the language sees of a whole number: beyond 2^53 a text, which stays exact.
pub(crate) fn value_of_integer(integer: i64) -> Value {
    if integer.unsigned_abs() <= EXACT_MAX { Value::Number(integer as f64) } else { Value::Text(integer.to_string()) }
}

/// A column of this type; values of another one become null.
pub(crate) fn column(kind: Kind, values: impl ExactSizeIterator<Item = Value>) -> ArrayRef {
    match kind {
        Kind::Integer => Arc::new(values.map(|value| value.integer()).collect::<Int64Array>()),
        Kind::Number => Arc::new(
            values
                .map(|value| match value {
                    // Minus zero is another number for the engine.
                    Value::Number(number) => Some(number + 0.0),
                    _ => None,
                })
                .collect::<Float64Array>(),
        ),
        Kind::Text => {
            let mut texts = StringViewBuilder::with_capacity(values.len());
            for value in values {
                match value {
                    Value::Text(text) => texts.append_value(text),
                    _ => texts.append_null(),
                }
            }
            Arc::new(texts.finish())
        }
        Kind::Time => Arc::new(
            values
                .map(|value| match value {
                    Value::Time(millis) => Some(millis),
                    _ => None,
                })
                .collect::<TimestampMillisecondArray>(),
        ),
        Kind::Truth => Arc::new(
            values
                .map(|value| match value {
                    Value::Boolean(truth) => Some(truth),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
        Kind::Any => {
            let mut column = BinaryBuilder::with_capacity(values.len(), values.len() * 16);
            let mut buffer = Vec::new();
            for value in values {
                if value.is_null() {
                    column.append_null();
                } else {
                    buffer.clear();
                    encode(&value, &mut buffer);
                    column.append_value(&buffer);
                }
            }
            Arc::new(column.finish())
        }
    }
}

/// A value as a column of any sort holds it; null is nothing.
pub(crate) fn encoded(value: &Value) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode(value, &mut buffer);
    buffer
}

fn encode(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Boolean(truth) => to.extend([b'b', u8::from(*truth)]),
        Value::Number(number) => {
            to.push(b'n');
            to.extend(number.to_be_bytes());
        }
        Value::Time(millis) => {
            to.push(b't');
            to.extend(millis.to_be_bytes());
        }
        Value::Text(text) => {
            to.push(b's');
            to.extend(text.as_bytes());
        }
        Value::List(list) => {
            to.push(b'l');
            list.iter().for_each(|element| with_length(to, |to| encode(element, to)));
        }
        Value::Map(map) => {
            to.push(b'm');
            for (name, element) in map {
                with_length(to, |to| to.extend(name.as_bytes()));
                with_length(to, |to| encode(element, to));
            }
        }
    }
}

fn with_length(to: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = to.len();
    to.extend([0; 4]);
    write(to);
    // A value is far below 4 GiB: texts that functions make have a bound, messages are at most one megabyte.
    let length = u32::try_from(to.len() - at - 4).unwrap_or(u32::MAX);
    to[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// The value that was encoded; null where the bytes are none.
pub(crate) fn decoded(bytes: &[u8]) -> Value {
    decode(bytes, 0).unwrap_or(Value::Null)
}

fn decode(bytes: &[u8], depth: u8) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let (tag, rest) = bytes.split_first()?;
    Some(match tag {
        b'b' => Value::Boolean(*rest.first()? == 1),
        b'n' => Value::of_number(f64::from_be_bytes(rest.try_into().ok()?)),
        b't' => Value::Time(i64::from_be_bytes(rest.try_into().ok()?)),
        b's' => Value::from(std::str::from_utf8(rest).ok()?),
        b'l' => {
            let mut list = Vec::new();
            let mut rest = rest;
            while !rest.is_empty() {
                list.push(decode(piece(&mut rest)?, depth + 1).unwrap_or(Value::Null));
            }
            Value::List(list)
        }
        b'm' => {
            let mut map = Vec::new();
            let mut rest = rest;
            while !rest.is_empty() {
                let name = std::str::from_utf8(piece(&mut rest)?).ok()?.to_owned();
                map.push((name, decode(piece(&mut rest)?, depth + 1).unwrap_or(Value::Null)));
            }
            Value::Map(map)
        }
        _ => return None,
    })
}

fn piece<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = bytes.split_at_checked(4)?;
    let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let (piece, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd() -> Vec<Value> {
        vec![
            Value::Null,
            Value::Boolean(true),
            Value::Number(-1.5),
            Value::Time(i64::MAX),
            Value::from("é🙂"),
            Value::from(""),
            Value::List(vec![Value::Null, Value::List(vec![]), Value::from("x")]),
            Value::Map(vec![("a.b".into(), Value::Null), (String::new(), Value::Map(vec![]))]),
        ]
    }

    #[test]
    fn a_column_of_any_sort_gives_its_values_back() {
        let array = column(Kind::Any, odd().into_iter());
        let cells = Cells::of(array.as_ref()).unwrap();
        for (row, value) in odd().into_iter().enumerate() {
            assert_eq!(cells.value(row), value);
        }
    }

    #[test]
    fn bytes_that_are_no_value_are_null() {
        for bytes in [&b""[..], b"x", b"n12", b"l\0\0\0\x09a", b"m\0\0\0\x01a", b"s\xff"] {
            assert_eq!(decoded(bytes), Value::Null, "{bytes:?}");
        }
        let deep = (0..200).fold(Vec::new(), |inner: Vec<u8>, _| {
            let mut outer = vec![b'l'];
            with_length(&mut outer, |to| to.extend(&inner));
            outer
        });
        decoded(&deep);
    }

    #[test]
    fn whole_numbers_beyond_doubles_are_texts() {
        assert_eq!(value_of_integer(9_007_199_254_740_991), Value::Number(9_007_199_254_740_991.0));
        assert_eq!(value_of_integer(-9_007_199_254_740_993), Value::from("-9007199254740993"));
    }
}
