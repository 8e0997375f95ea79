//! Numbers: what looks like one, and arithmetic that gives null where a result is not finite.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, PrimitiveArray};
use arrow::compute::{binary, cast};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err};
use insights::value::number_of_text;

use crate::cells::Cells;

/// Any column as one of numbers.
pub(super) fn numbers(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Float64 => Arc::clone(column),
        DataType::Int64 => Arc::new(column.as_primitive::<Int64Type>().unary::<_, Float64Type>(|it| it as f64)),
        DataType::Timestamp(..) => cast(&cast(column, &DataType::Int64)?, &DataType::Float64)?,
        DataType::Boolean => cast(column, &DataType::Float64)?,
        _ => {
            let cells = Cells::of(column.as_ref())?;
            let one = |row| match cells.text(row) {
                Some(text) => number_of_text(text).map(|number| number + 0.0),
                None => cells.value(row).number(),
            };
            Arc::new((0..column.len()).map(one).collect::<Float64Array>())
        }
    })
}

/// Null, where a number is not finite.
pub(super) fn finite(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(Arc::new(finite_of(column.as_primitive::<Float64Type>())))
}

/// Minus zero becomes zero: for the engine it is another number, and less.
fn finite_of(numbers: &Float64Array) -> Float64Array {
    if numbers.values().iter().all(|number| number.is_finite()) {
        return numbers.unary(|number| number + 0.0);
    }
    numbers.iter().map(|number| number.filter(|number| number.is_finite()).map(|number| number + 0.0)).collect()
}

pub(super) fn arithmetic(sign: char, left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    let operation: fn(f64, f64) -> f64 = match sign {
        '+' => |left, right| left + right,
        '-' => |left, right| left - right,
        '*' => |left, right| left * right,
        '/' => |left, right| left / right,
        '%' => |left, right| left % right,
        '^' => f64::powf,
        other => return exec_err!("`{other}` is no operator"),
    };
    let left: &PrimitiveArray<Float64Type> = left.as_primitive();
    let computed: Float64Array = binary(left, right.as_primitive::<Float64Type>(), operation)?;
    Ok(Arc::new(finite_of(&computed)))
}
