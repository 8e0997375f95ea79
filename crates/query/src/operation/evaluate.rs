//! Expressions of the language, computed row by row by the language's own evaluator.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
};

use arrow::array::ArrayRef;
use datafusion::common::Result;
use insights::{
    ast::{Expr, Path, Query, Verb},
    evaluate::{Row, evaluate},
    function::Context,
    rules::Rules,
    value::{Value, equal},
};
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::{
    cells::{self, Cells},
    kind::Kind,
};

/// How many different texts of a batch are remembered with their results.
const REMEMBERED_MAX: usize = 4_096;

/// Longer results are computed again.
const REMEMBERED_BYTES_MAX: usize = 1 << 10;

/// An expression whose fields are called `$0`, `$1` and so on, after the arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct Evaluation {
    expr: Expr,
    pub(crate) result: Kind,
    subqueries: Vec<Subquery>,
}

/// What a subquery gave.
#[derive(Clone, Debug)]
pub(crate) struct Subquery {
    /// The query.
    pub(crate) query: Query,
    /// Its values.
    pub(crate) values: Vec<Value>,
}

impl Evaluation {
    pub(crate) fn new(expr: Expr, result: Kind, subqueries: Vec<Subquery>) -> Self {
        Self { expr, result, subqueries }
    }

    /// The name of an argument.
    pub(crate) fn argument(position: usize) -> Path {
        Path::named(format!("${position}"))
    }

    /// The value of an expression without arguments.
    pub(crate) fn constant(&self, context: &Context) -> Value {
        evaluate(&self.expr, &At { cells: &[], row: 0, evaluation: self, rules: &context.rules }, context)
    }

    pub(super) fn compute(&self, arguments: &[ArrayRef], rows: usize, setting: &Setting) -> Result<ArrayRef> {
        let context = setting.context();
        let cells = arguments.iter().map(|array| Cells::of(array.as_ref())).collect::<Result<Vec<_>>>()?;
        let at =
            |row| evaluate(&self.expr, &At { cells: &cells, row, evaluation: self, rules: &context.rules }, &context);
        let mut computed = setting.account.open(|| {
            let shown: String = self.expr.to_string().chars().take(80).collect();
            format!("what `{shown}` makes")
        });
        let mut counted = |make: &dyn Fn() -> Value| {
            // What is refused already need not be made.
            let value = if computed.has_room(0) { make() } else { Value::Null };
            if computed.has_room(bytes_of(&value)) { value } else { Value::Null }
        };
        // Texts of logs repeat: what was computed for one need not be computed again.
        let column = if let [one] = cells.as_slice()
            && one.is_text()
        {
            let mut remembered: HashMap<Option<&str>, Value, foldhash::fast::RandomState> = HashMap::default();
            let each = (0..rows).map(|row| {
                let text = one.text(row);
                if let Some(value) = remembered.get(&text) {
                    return counted(&|| value.clone());
                }
                let value = counted(&|| at(row));
                if remembered.len() < REMEMBERED_MAX && bytes_of(&value) <= REMEMBERED_BYTES_MAX {
                    remembered.insert(text, value.clone());
                }
                value
            });
            cells::column(self.result, each)
        } else {
            cells::column(self.result, (0..rows).map(|row| counted(&|| at(row))))
        };
        computed.kept_by(column)
    }
}

/// How many bytes a value has beside itself.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.iter().map(|it| 16 + bytes_of(it)).sum(),
        Value::Map(map) => map.iter().map(|(name, it)| 16 + name.len() + bytes_of(it)).sum(),
        _ => 0,
    }
}

/// A row of the arguments.
struct At<'a> {
    cells: &'a [Cells<'a>],
    row: usize,
    evaluation: &'a Evaluation,
    rules: &'a Rules,
}

impl Row for At<'_> {
    fn value(&self, path: &Path) -> Value {
        let position = path.root().strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        position.and_then(|it| self.cells.get(it)).map_or(Value::Null, |cells| cells.value(self.row))
    }

    fn in_subquery(&self, query: &Query, value: &Value) -> bool {
        let found = self.evaluation.subqueries.iter().find(|it| it.query == *query);
        found.is_some_and(|it| it.values.iter().any(|known| equal(known, value, self.rules) == Some(true)))
    }
}

impl PartialEq for Evaluation {
    fn eq(&self, other: &Self) -> bool {
        let alike = |one: &Subquery, other: &Subquery| one.query == other.query && one.values == other.values;
        self.result == other.result
            && self.expr == other.expr
            && self.subqueries.len() == other.subqueries.len()
            && self.subqueries.iter().zip(&other.subqueries).all(|(one, other)| alike(one, other))
    }
}

impl Eq for Evaluation {}

impl Hash for Evaluation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.to_string().hash(state);
        self.result.hash(state);
    }
}

/// What is written down of an evaluation: expressions as texts of the language.
#[derive(Serialize, Deserialize)]
struct Written {
    expr: String,
    result: Kind,
    subqueries: Vec<(String, Vec<Vec<u8>>)>,
}

impl From<Evaluation> for Written {
    fn from(evaluation: Evaluation) -> Self {
        let subqueries = evaluation.subqueries.iter();
        Self {
            expr: evaluation.expr.to_string(),
            result: evaluation.result,
            subqueries: subqueries
                .map(|it| (it.query.to_string(), it.values.iter().map(cells::encoded).collect()))
                .collect(),
        }
    }
}

impl TryFrom<Written> for Evaluation {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let query = insights::parse(&format!("display {}", written.expr)).map_err(|error| error.to_string())?;
        let Some(Verb::Display(items)) = query.commands.into_iter().next().map(|command| command.verb) else {
            return Err(format!("`{}` is no expression", written.expr));
        };
        let expr = items.into_iter().next().map(|item| item.expr).ok_or("an expression without words")?;
        let mut subqueries = Vec::new();
        for (text, values) in written.subqueries {
            let query = insights::parse(&text).map_err(|error| error.to_string())?;
            subqueries.push(Subquery { query, values: values.iter().map(|bytes| cells::decoded(bytes)).collect() });
        }
        Ok(Self { expr, result: written.result, subqueries })
    }
}
