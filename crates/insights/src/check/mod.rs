//! Whether a query that can be read also means something: fields, functions, order; and what it reads and gives.

mod expression;
mod pipeline;
mod reshape;
mod scope;
mod stats;

use std::collections::BTreeSet;

use crate::{
    ast::Query,
    error::{ErrorKind, Fault, Outcome, QueryError},
    function::Kind,
    limits::HINTS_MAX,
    parser::read,
    rules::Rules,
    span::Span,
};

use pipeline::Shown;
use scope::Scope;

/// A query that can be run, and what is known of it before it runs.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The query.
    pub query: Query,
    /// The columns of its result, in their order; rows of records have `@ptr` behind them.
    pub columns: Vec<Column>,
    /// Whether there may be more columns, which only the data tell (`logfmt`, `diff`).
    pub more_columns: bool,
    /// What its rows are.
    pub rows: Rows,
    /// What it reads.
    pub reads: Reads,
    /// The rows that it asks for, if it says a number.
    pub limit: Option<u64>,
    /// What can be run, but is perhaps not what was meant.
    pub hints: Vec<QueryError>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name: the alias, or the expression as it was typed.
    pub name: String,
    /// What sort of value it has, as far as that is known without data.
    pub kind: Kind,
}

impl Column {
    fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// What the rows of a result are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Records, newest first unless sorted; each has a pointer, `@ptr`.
    Records,
    /// Groups, clusters, counts: in no order unless sorted.
    Groups,
}

/// The fields of records that a query reads. What its subqueries read is known when they are checked by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Their flat names. A field whose name is the beginning of a path is meant with all that is inside.
    pub fields: BTreeSet<String>,
    /// Whether it reads every field that there is.
    pub everything: bool,
}

/// Reads and checks a query.
///
/// # Errors
/// What is wrong with it first, and where.
pub fn compile(text: &str, rules: &Rules) -> Result<Checked, QueryError> {
    read(text).and_then(|query| checked(text, query, rules)).map_err(|fault| fault.in_text(text))
}

/// Checks a query that was read from this text, which gives columns without an alias their names.
///
/// # Errors
/// What is wrong with it first, and where.
pub fn check(text: &str, query: Query, rules: &Rules) -> Result<Checked, QueryError> {
    checked(text, query, rules).map_err(|fault| fault.in_text(text))
}

fn checked(text: &str, query: Query, rules: &Rules) -> Outcome<Checked> {
    let mut checker = Checker::new(text, rules);
    checker.query(&query)?;
    let (columns, more_columns) = checker.columns();
    let rows = if checker.scope.is_open() { Rows::Records } else { Rows::Groups };
    if rows == Rows::Records {
        // The order by default, and the pointer, which consists of it.
        checker.scope.reads.fields.insert("@timestamp".to_owned());
    }
    if checker.shown.shows_messages() && rows == Rows::Records {
        checker.scope.reads.fields.insert("@message".to_owned());
    }
    let Checker { scope, limit, hints, .. } = checker;
    Ok(Checked { query, columns, more_columns, rows, reads: scope.reads, limit, hints })
}

/// What is known after the commands so far.
struct Checker<'t> {
    text: &'t str,
    rules: &'t Rules,
    scope: Scope,
    shown: Shown,
    limit: Option<u64>,
    hints: Vec<QueryError>,
    /// The number of the command that is being checked.
    command: usize,
}

impl<'t> Checker<'t> {
    fn new(text: &'t str, rules: &'t Rules) -> Self {
        Self {
            text,
            rules,
            scope: Scope::records(),
            shown: Shown::default(),
            limit: None,
            hints: Vec::new(),
            command: 0,
        }
    }

    fn hint(&mut self, span: Span, message: impl Into<String>, instead: Option<String>) {
        let mut fault = Fault::new(ErrorKind::Hint, span, message);
        fault.suggestion = instead;
        self.hinted([fault.in_text(self.text)]);
    }

    /// Hints, as long as there are not too many.
    fn hinted(&mut self, hints: impl IntoIterator<Item = QueryError>) {
        self.hints.extend(hints.into_iter().take(HINTS_MAX - self.hints.len()));
    }

    /// A query inside of this one, checked by itself; what it hints at is said here.
    fn subquery(&mut self, query: &Query) -> Outcome<Checked> {
        let mut inner = checked(self.text, query.clone(), self.rules)?;
        self.hinted(std::mem::take(&mut inner.hints));
        Ok(inner)
    }
}

#[cfg(test)]
mod tests;
