//! Scalar functions of plans: whatever DataFusion has not itself, or means otherwise than the language.
//!
//! Each is a value that says all that it does; it can be written down and read back, so that plans can travel.

mod account;
mod evaluate;
mod extract;
mod key;
mod list;
mod message;
mod number;
mod time;

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use insights::{ast::Operator, function::Context, rules::Rules};
use serde::{Deserialize, Serialize};

use crate::{
    cells::{self, Cells},
    kind::Kind,
};

pub(crate) use account::Account;
pub(crate) use evaluate::{Evaluation, Subquery};
pub(crate) use extract::{Extraction, NUMBER as MATCH_NUMBER};
pub(crate) use key::natural_key;
pub(crate) use list::{ELEMENT, Step};
pub(crate) use message::Shapes;
pub(crate) use time::Bins;

/// What a query knows besides its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Setting {
    /// The beginning of its time, in milliseconds since 1970.
    pub(crate) start_ms: i64,
    /// Its end.
    pub(crate) end_ms: i64,
    /// When it began to run, in seconds since 1970.
    pub(crate) now_s: i64,
    /// What the uncertain rules say.
    pub(crate) rules: Rules,
    /// The memory that it may compute in.
    #[serde(skip)]
    pub(crate) account: Account,
}

impl Setting {
    /// As functions of the language take it.
    pub(crate) fn context(&self) -> Context {
        Context { start_ms: self.start_ms, end_ms: self.end_ms, now_s: self.now_s, rules: self.rules.clone() }
    }
}

/// What a function does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// An expression of the language, row by row.
    Evaluate(Evaluation),
    /// Any value as a number, where it is one or looks like one.
    Number,
    /// Arithmetic of two columns of numbers; null where the result is not finite.
    Arithmetic(Sign),
    /// Numbers as they are, null where they are not finite.
    Finite,
    /// Any value as a condition.
    Truth,
    /// The beginning of the bin in which a time lies.
    Floor(Bins),
    /// Bytes whose order is the natural order of the values.
    NaturalKey,
    /// The one of all values that print alike, so that they are one group.
    Canonical(Kind),
    /// The text that a value prints as.
    Printed,
    /// A value with its tag, in a column of values of any sort.
    Tagged,
    /// The first of several columns that is not null, in a column of values of any sort.
    FirstTagged,
    /// Null, where the value is a list or a map.
    Plain,
    /// All values of a row as one piece of bytes; null where one is null.
    RowKey,
    /// What is inside of a list or a map.
    Inside(Vec<Step>),
    /// The value of a flat map at this key.
    Pick(String),
    /// The field of this name in a JSON object from names to values.
    RestField(String),
    /// The elements of a list with their numbers; a value that is none is one element.
    Elements,
    /// Fields out of a text.
    Extract(Extraction),
    /// The value at a path in a JSON text.
    Json(String),
    /// Whether a value equals one of these; they are kept as columns of any sort hold them.
    IsAmong(Vec<Vec<u8>>),
    /// What the line of a table says whose first column equals the value.
    LookUp(crate::lookup::LookUp),
    /// The text of a message out of its shape and its columns.
    Rebuild(Shapes),
    /// The pointer to a record: group, time and number.
    Pointer,
    /// The beginning of each bin in a span of time.
    BinsBetween(Bins),
    /// The argument; no optimizer moves or repeats it.
    Once,
}

/// An operator, as it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Sign(char);

impl Sign {
    pub(crate) fn of(operator: Operator) -> Self {
        Self(match operator {
            Operator::Add => '+',
            Operator::Subtract => '-',
            Operator::Multiply => '*',
            Operator::Divide => '/',
            Operator::Remainder => '%',
            Operator::Power => '^',
        })
    }
}

impl Operation {
    fn name(&self) -> &'static str {
        match self {
            Self::Evaluate(_) => "evaluate",
            Self::Number => "number",
            Self::Arithmetic(_) => "arithmetic",
            Self::Finite => "finite",
            Self::Truth => "truth",
            Self::Floor(_) => "bin",
            Self::NaturalKey => "natural_key",
            Self::Canonical(_) => "group_key",
            Self::Printed => "printed",
            Self::Tagged => "any",
            Self::FirstTagged => "first_any",
            Self::Plain => "plain",
            Self::RowKey => "row_key",
            Self::Inside(_) => "inside",
            Self::Pick(_) => "pick",
            Self::RestField(_) => "rest_field",
            Self::Elements => "elements",
            Self::Extract(_) => "extract",
            Self::Json(_) => "json",
            Self::IsAmong(_) => "is_among",
            Self::LookUp(_) => "look_up",
            Self::Rebuild(_) => "message",
            Self::Pointer => "pointer",
            Self::BinsBetween(_) => "bins_between",
            Self::Once => "once",
        }
    }

    fn result(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match self {
            Self::Evaluate(evaluation) => evaluation.result.arrow(),
            Self::Number | Self::Arithmetic(_) | Self::Finite => Kind::Number.arrow(),
            Self::Truth | Self::IsAmong(_) => Kind::Truth.arrow(),
            Self::Floor(_) => Kind::Time.arrow(),
            Self::Canonical(kind) => kind.arrow(),
            Self::NaturalKey
            | Self::Tagged
            | Self::FirstTagged
            | Self::RowKey
            | Self::Inside(_)
            | Self::Pick(_)
            | Self::RestField(_)
            | Self::Json(_) => Kind::Any.arrow(),
            Self::Printed | Self::LookUp(_) | Self::Rebuild(_) | Self::Pointer => Kind::Text.arrow(),
            Self::Elements => list::elements_type(),
            Self::Extract(extraction) => extraction.result(),
            Self::BinsBetween(_) => time::list_type(),
            Self::Plain | Self::Once => match arguments.first() {
                Some(first) => first.clone(),
                None => return exec_err!("`{}` takes one argument", self.name()),
            },
        })
    }

    fn compute(&self, arguments: &[ArrayRef], rows: usize, setting: &Setting) -> Result<ArrayRef> {
        let column = |position: usize| match arguments.get(position) {
            Some(array) => Ok(array),
            None => exec_err!("`{}` takes more arguments", self.name()),
        };
        let cells = |position: usize| column(position).and_then(|array| Cells::of(array.as_ref()));
        Ok(match self {
            Self::Evaluate(evaluation) => evaluation.compute(arguments, rows, setting)?,
            Self::Number => number::numbers(column(0)?)?,
            Self::Arithmetic(sign) => number::arithmetic(sign.0, column(0)?, column(1)?)?,
            Self::Finite => number::finite(column(0)?)?,
            Self::Truth if column(0)?.data_type() == &DataType::Boolean => {
                let conditions = column(0)?.as_boolean();
                match conditions.nulls() {
                    None => Arc::clone(column(0)?),
                    Some(present) => Arc::new(BooleanArray::new(conditions.values() & present.inner(), None)),
                }
            }
            Self::Truth => {
                let cells = cells(0)?;
                Arc::new((0..rows).map(|row| Some(cells.value(row).truth())).collect::<BooleanArray>())
            }
            Self::Floor(bins) => bins.compute(column(0)?)?,
            Self::NaturalKey => key::natural_keys(&cells(0)?, rows),
            Self::Canonical(kind) => key::canonicals(*kind, column(0)?, &setting.rules)?,
            Self::Printed => key::printed(&cells(0)?, rows, &setting.rules),
            Self::Tagged | Self::FirstTagged => {
                let all = arguments.iter().map(|array| Cells::of(array.as_ref())).collect::<Result<Vec<_>>>()?;
                let first = |row| {
                    all.iter()
                        .map(|cells| cells.value(row))
                        .find(|it| !it.is_null())
                        .unwrap_or(insights::value::Value::Null)
                };
                cells::column(Kind::Any, (0..rows).map(first))
            }
            Self::Plain => list::plain(column(0)?)?,
            Self::RowKey => key::row_keys(arguments, rows, &setting.rules)?,
            Self::Inside(steps) => list::inside(&cells(0)?, steps, rows, &setting.rules),
            Self::Pick(name) => list::pick(&cells(0)?, name, rows),
            Self::RestField(name) => list::rest_field(&cells(0)?, name, rows),
            Self::Elements => list::elements(&cells(0)?, rows),
            Self::Extract(extraction) => extraction.compute(&cells(0)?, rows, &setting.rules)?,
            Self::Json(path) => list::json(&cells(0)?, path, rows, &setting.rules),
            Self::IsAmong(values) => list::is_among(&cells(0)?, values, rows, &setting.rules),
            Self::LookUp(look_up) => look_up.compute(arguments, rows, &setting.rules)?,
            Self::Rebuild(shapes) => shapes.compute(arguments)?,
            Self::Pointer => message::pointers(&cells(0)?, &cells(1)?, &cells(2)?, rows),
            Self::BinsBetween(bins) => time::bins_between(bins, column(0)?, column(1)?)?,
            Self::Once => Arc::clone(column(0)?),
        })
    }

    /// A call of the function.
    pub(crate) fn call(self, arguments: Vec<Expr>, setting: &Arc<Setting>) -> Expr {
        Arc::new(Function::new(self, Arc::clone(setting)).into_udf()).call(arguments)
    }
}

/// An operation as DataFusion knows it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Function {
    operation: Operation,
    setting: Arc<Setting>,
    signature: Signature,
}

/// What is written down of a function.
#[derive(Serialize, Deserialize)]
struct Written {
    operation: Operation,
    setting: Setting,
}

impl From<Written> for Function {
    fn from(written: Written) -> Self {
        Self::new(written.operation, Arc::new(written.setting))
    }
}

impl From<Function> for Written {
    fn from(function: Function) -> Self {
        Self { operation: function.operation, setting: Setting::clone(&function.setting) }
    }
}

impl Function {
    pub(crate) fn new(operation: Operation, setting: Arc<Setting>) -> Self {
        let volatility = if operation == Operation::Once { Volatility::Volatile } else { Volatility::Immutable };
        let any = TypeSignature::OneOf(vec![TypeSignature::VariadicAny, TypeSignature::Nullary]);
        Self { operation, setting, signature: Signature::new(any, volatility) }
    }

    pub(crate) fn into_udf(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(self)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.operation == other.operation && self.setting == other.setting
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operation.hash(state);
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operation.fmt(formatter)
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.operation.name()
    }

    /// Two functions of one name must not be taken for the same column: the name says all that they do.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let mut hasher = std::hash::DefaultHasher::new();
        self.operation.hash(&mut hasher);
        let arguments: Vec<String> = arguments.iter().map(|it| it.schema_name().to_string()).collect();
        Ok(format!("{}:{:x}({})", self.name(), hasher.finish(), arguments.join(",")))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.operation.result(arguments)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = call.args.iter().all(|it| matches!(it, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { call.number_rows };
        let arguments: Vec<ArrayRef> =
            call.args.into_iter().map(|it| it.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let result = self.operation.compute(&arguments, rows, &self.setting)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}
