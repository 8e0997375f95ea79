//! Keys: bytes that sort as the natural order does, and one value for all that print alike.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, Float64Array, StringViewBuilder};
use arrow::datatypes::Float64Type;
use datafusion::common::Result;
use insights::{
    rules::Rules,
    value::{Value, number_of_text},
};

use crate::{
    cells::{self, Cells},
    kind::Kind,
};

/// Comes before the key of whatever is no number.
const WORDS: u8 = 0;
/// Comes before the key of a number.
const NUMBER: u8 = 1;

/// Bytes whose order is the natural order of plain values, ascending. Null, lists and maps have none.
pub(crate) fn natural_key(value: &Value, to: &mut Vec<u8>) -> bool {
    match value {
        Value::Text(text) => match number_of_text(text) {
            Some(number) => number_key(number, text, to),
            None => {
                to.push(WORDS);
                pieces(text, to);
            }
        },
        plain => match plain.number() {
            // Minus zero is zero, and would be written with its sign.
            Some(number) => number_key(number, &(number + 0.0).to_string(), to),
            None => return false,
        },
    }
    true
}

/// Numbers by value, equal ones by their texts.
fn number_key(number: f64, text: &str, to: &mut Vec<u8>) {
    to.push(NUMBER);
    // Minus zero equals zero.
    let bits = (number + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    to.extend(ordered.to_be_bytes());
    to.extend(text.as_bytes());
}

/// Digits by their length and then by value; between them other characters by code point, the shorter piece first.
fn pieces(text: &str, to: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes[at].is_ascii_digit();
        let length = bytes[at..].iter().position(|byte| byte.is_ascii_digit() != digits).unwrap_or(bytes.len() - at);
        let piece = &bytes[at..at + length];
        if digits {
            // Any digit stands where digits stand among characters; only then come their number and themselves.
            to.push(b'0');
            to.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
            to.extend(piece);
        } else {
            for byte in piece {
                to.push(*byte);
                if *byte == 0 {
                    to.push(0xff);
                }
            }
            to.extend([0, 1]);
        }
        at += length;
    }
}

pub(super) fn natural_keys(cells: &Cells<'_>, rows: usize) -> ArrayRef {
    let mut keys = BinaryBuilder::with_capacity(rows, rows * 16);
    let mut key = Vec::new();
    for row in 0..rows {
        key.clear();
        if natural_key(&cells.value(row), &mut key) {
            keys.append_value(&key);
        } else {
            keys.append_null();
        }
    }
    Arc::new(keys.finish())
}

/// The value that stands for all that print alike: the number where the print is one, the text otherwise.
pub(super) fn canonical(value: Value, rules: &Rules) -> Value {
    match value {
        Value::Null | Value::Time(_) | Value::List(_) | Value::Map(_) => value,
        plain => match plain.text(rules) {
            Some(text) => match number_of_text(&text).map(Value::Number) {
                Some(number) if number.text(rules).as_deref() == Some(text.as_str()) => number,
                _ => Value::Text(text),
            },
            None => Value::Null,
        },
    }
}

pub(super) fn canonicals(kind: Kind, column: &ArrayRef, rules: &Rules) -> Result<ArrayRef> {
    if kind == Kind::Number {
        let one = |number: f64| {
            if number.fract() == 0.0 {
                return number + 0.0;
            }
            let printed = Value::Number(number).text(rules);
            printed.and_then(|text| number_of_text(&text)).unwrap_or(number) + 0.0
        };
        let numbers = column.as_primitive::<Float64Type>();
        return Ok(Arc::new(numbers.iter().map(|number| number.map(one)).collect::<Float64Array>()));
    }
    let cells = Cells::of(column.as_ref())?;
    Ok(cells::column(kind, (0..column.len()).map(|row| canonical(cells.value(row), rules))))
}

pub(super) fn printed(cells: &Cells<'_>, rows: usize, rules: &Rules) -> ArrayRef {
    let mut texts = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        match cells.text(row) {
            Some(text) => texts.append_value(text),
            None => texts.append_option(cells.value(row).print(rules)),
        }
    }
    Arc::new(texts.finish())
}

/// Prints of all values with their lengths before them.
pub(super) fn row_keys(columns: &[ArrayRef], rows: usize, rules: &Rules) -> Result<ArrayRef> {
    let all = columns.iter().map(|column| Cells::of(column.as_ref())).collect::<Result<Vec<_>>>()?;
    let mut keys = BinaryBuilder::with_capacity(rows, rows * 16);
    let mut key = Vec::new();
    for row in 0..rows {
        key.clear();
        let mut whole = true;
        for cells in &all {
            match cells.value(row).print(rules) {
                Some(text) => {
                    key.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                    key.extend(text.as_bytes());
                }
                None => whole = false,
            }
        }
        if whole {
            keys.append_value(&key);
        } else {
            keys.append_null();
        }
    }
    Ok(Arc::new(keys.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use insights::value::sort_order;

    #[test]
    fn keys_are_ordered_as_the_language_orders_values() {
        let mut values: Vec<Value> = [
            "", "a", "a1", "a10", "a2", "ab", "a\0", "a\0b", "a\u{1}", "0", "00", "1", "-1", "1.0", "-0", "1e3", "x9y",
            "x10y", "x09y", "9x", "10x", "é", "~", "/", ":", "!", "a/1", "a:1", "B7c", "B12c", "12B", "-", ".5",
            "1.2.3",
        ]
        .iter()
        .map(|text| Value::from(*text))
        .collect();
        values.extend([
            Value::Number(1.0),
            Value::Number(-2.5),
            Value::Boolean(true),
            Value::Time(5),
            Value::Number(1e300),
        ]);
        let rules = Rules::default();
        for one in &values {
            for other in &values {
                let (mut left, mut right) = (Vec::new(), Vec::new());
                assert!(natural_key(one, &mut left) && natural_key(other, &mut right));
                assert_eq!(left.cmp(&right), sort_order(one, other, false, &rules), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn values_that_print_alike_have_one_canonical_value() {
        let rules = Rules::default();
        let one = |value: Value| canonical(value, &rules);
        assert_eq!(one(Value::from("200")), one(Value::Number(200.0)));
        assert_eq!(one(Value::Number(1.000_01)), one(Value::Number(1.0)));
        assert_eq!(one(Value::Boolean(true)), one(Value::Number(1.0)));
        assert_ne!(one(Value::from("0200")), one(Value::Number(200.0)));
        assert_eq!(one(Value::Null), Value::Null);
    }
}
