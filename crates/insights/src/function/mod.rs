//! The functions of the language: what they are called, what they take, what they give, and where they may stand.

mod address;
mod aggregate;
mod date_pattern;
mod encoding;
mod general;
mod numeric;
mod replace;
mod structure;
mod text;
mod time;

pub use address::in_network;

use std::fmt;

use crate::{limits::TEXT_BYTES_MAX, rules::Rules, value::Value};

/// A function.
pub struct Function {
    /// Its name as the documentation writes it; letters' case does not count.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// Where it may stand.
    pub class: Class,
    /// What it takes; the last one may be repeated.
    pub arguments: &'static [Argument],
    /// The fewest arguments.
    pub least: usize,
    /// The most arguments.
    pub most: usize,
    /// What it gives.
    pub result: Kind,
    /// How its result is computed.
    pub compute: Compute,
}

/// Where a function may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Anywhere.
    Scalar,
    /// Over the rows of a group, in `stats`.
    Aggregate,
    /// After `by` only.
    Group,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Anything.
    Any,
    /// A number, or a text that looks like one.
    Number,
    /// A text; numbers are taken as they print.
    Text,
    /// A time, or milliseconds since 1970.
    Time,
    /// A period such as `5m`, written as such.
    Period,
    /// A condition.
    Condition,
    /// A whole number, written as such.
    Count,
}

/// What sort of value an expression gives, as far as that is known without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any.
    Any,
    /// A number.
    Number,
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// A time.
    Time,
    /// A list.
    List,
    /// A list, a map, or nothing.
    Structure,
}

/// How a result is computed.
#[derive(Clone, Copy)]
pub enum Compute {
    /// From the arguments alone, of which there must be as many as the function takes.
    Pure(fn(&[Value], &Context) -> Value),
    /// From the period in the argument and the record's `@timestamp`.
    Bin,
    /// By an engine, over many rows.
    Rows,
}

/// What functions know besides their arguments.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The beginning of the query's time, in milliseconds since 1970.
    pub start_ms: i64,
    /// Its end.
    pub end_ms: i64,
    /// When the query began to run, in seconds since 1970.
    pub now_s: i64,
    /// What the uncertain rules say.
    pub rules: Rules,
}

impl Function {
    /// Whether it stands over the rows of a group.
    pub fn is_aggregate(&self) -> bool {
        self.class == Class::Aggregate
    }

    /// Whether it reads `@timestamp` without naming it.
    pub fn reads_time(&self) -> bool {
        matches!(self.compute, Compute::Bin)
            || matches!(self.name, "earliest" | "latest" | "rate" | "countOverTime" | "sumOverTime")
    }

    /// What the argument at a position must be.
    pub fn argument(&self, position: usize) -> Argument {
        self.arguments.get(position).or(self.arguments.last()).copied().unwrap_or(Argument::Any)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The function of this name, in any case.
pub fn named(name: &str) -> Option<&'static Function> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    all().find(|function| is(function.name) || function.aliases.iter().any(|alias| is(alias)))
}

/// Every function.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        numeric::FUNCTIONS,
        general::FUNCTIONS,
        structure::FUNCTIONS,
        time::FUNCTIONS,
        text::FUNCTIONS,
        encoding::FUNCTIONS,
        address::FUNCTIONS,
        aggregate::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// Every name of every function.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().flat_map(|function| std::iter::once(function.name).chain(function.aliases.iter().copied()))
}

/// No bound on the number of arguments.
const MANY: usize = usize::MAX;

/// A function of its arguments alone.
const fn scalar(
    name: &'static str,
    arguments: &'static [Argument],
    least: usize,
    most: usize,
    result: Kind,
    compute: fn(&[Value], &Context) -> Value,
) -> Function {
    Function {
        name,
        aliases: &[],
        class: Class::Scalar,
        arguments,
        least,
        most,
        result,
        compute: Compute::Pure(compute),
    }
}

impl Function {
    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// The text of an argument; functions of texts are null where it is null, a list or a map.
fn text_of(arguments: &[Value], position: usize, context: &Context) -> Option<String> {
    arguments.get(position)?.text(&context.rules)
}

/// A text that is computed from the first argument, if that is one.
fn of_text(arguments: &[Value], context: &Context, compute: impl Fn(&str) -> Option<String>) -> Value {
    text_of(arguments, 0, context).and_then(|text| compute(&text)).map_or(Value::Null, made)
}

/// A text that a function has made; null, if it is too long. Functions inside of each other could double a text 60 times.
fn made(text: String) -> Value {
    if text.len() > TEXT_BYTES_MAX { Value::Null } else { Value::Text(text) }
}

fn number_of(arguments: &[Value], position: usize) -> Option<f64> {
    arguments.get(position)?.number()
}

/// `1` or `0`, as functions that ask answer.
fn answer(truth: bool) -> Value {
    Value::Boolean(truth)
}

#[cfg(test)]
mod tests;
