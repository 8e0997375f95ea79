//! The static types of columns: what a plan knows of a value before it has seen one.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use insights::{function, value::Value};
use serde::{Deserialize, Serialize};
use telemetry::field;

use crate::cells;

/// What a column of a plan holds. Every type may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// Whole numbers of 64 bits; beyond 2^53 the language sees them as texts.
    Integer,
    /// Finite numbers.
    Number,
    /// Texts.
    Text,
    /// Instants, in milliseconds since 1970.
    Time,
    /// True and false.
    Truth,
    /// Values of any sort, each with its own tag ([`crate::cells`]).
    Any,
}

impl Kind {
    /// The type of its columns in Arrow.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Text => DataType::Utf8View,
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::Truth => DataType::Boolean,
            Self::Any => DataType::Binary,
        }
    }

    /// Whether it is a number already.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }

    /// What a function gives.
    pub fn of_function(kind: function::Kind) -> Self {
        match kind {
            function::Kind::Number => Self::Number,
            function::Kind::Text => Self::Text,
            function::Kind::Boolean => Self::Truth,
            function::Kind::Time => Self::Time,
            function::Kind::Any | function::Kind::List | function::Kind::Structure => Self::Any,
        }
    }

    /// The constant of this type; null, if the value is of another.
    pub fn constant(self, value: &Value) -> ScalarValue {
        match (self, value) {
            (Self::Integer, value) => ScalarValue::Int64(value.integer()),
            (Self::Number, Value::Number(number)) => ScalarValue::Float64(Some(*number)),
            (Self::Number, _) => ScalarValue::Float64(None),
            (Self::Text, Value::Text(text)) => ScalarValue::Utf8View(Some(text.clone())),
            (Self::Text, _) => ScalarValue::Utf8View(None),
            (Self::Time, Value::Time(millis)) => ScalarValue::TimestampMillisecond(Some(*millis), None),
            (Self::Time, _) => ScalarValue::TimestampMillisecond(None, None),
            (Self::Truth, Value::Boolean(truth)) => ScalarValue::Boolean(Some(*truth)),
            (Self::Truth, _) => ScalarValue::Boolean(None),
            (Self::Any, Value::Null) => ScalarValue::Binary(None),
            (Self::Any, value) => ScalarValue::Binary(Some(cells::encoded(value))),
        }
    }
}

impl From<field::Kind> for Kind {
    fn from(kind: field::Kind) -> Self {
        match kind {
            field::Kind::Integer => Self::Integer,
            field::Kind::Float => Self::Number,
            field::Kind::Text => Self::Text,
            field::Kind::Boolean => Self::Truth,
        }
    }
}
