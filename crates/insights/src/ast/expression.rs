//! Expressions.

use std::fmt;

use crate::{
    function::Function,
    period::Period,
    regex::Regex,
    span::Span,
    value::{Value, number_of_text},
};

use super::Query;

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
    height: u16,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `10`
    Number(NumberLiteral),
    /// `"text"`
    Text(String),
    /// `true`
    Boolean(bool),
    /// `5m`, where a function wants one.
    Period(Period),
    /// A field.
    Field(Path),
    /// `f(a, b)`
    Call(Call),
    /// `- x`
    Negative(Box<Expr>),
    /// `not x`
    Not(Box<Expr>),
    /// `x + y`
    Arithmetic(Box<Expr>, Operator, Box<Expr>),
    /// `x >= y`
    Compare(Box<Expr>, Comparison, Box<Expr>),
    /// `x and y and z`, at least two.
    Logic(Logic, Vec<Expr>),
    /// `x like "y"`
    Like(Box<Like>),
    /// `x in [y, z]`
    In(Box<In>),
}

impl Expr {
    /// An expression of its parts; it is one higher than the highest of them.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        let mut height = 0;
        kind.each_part(&mut |part| height = height.max(part.height));
        Self { kind, span, height: height.saturating_add(1) }
    }

    /// How many expressions are inside of each other at most, itself counted.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// Visits this expression and everything inside of it, outer ones first, but no subquery.
    pub fn walk<'e>(&'e self, visit: &mut dyn FnMut(&'e Self)) {
        visit(self);
        self.kind.each_part(&mut |part| part.walk(visit));
    }
}

impl Expr {
    /// The same expression with some of its parts replaced, outer ones first; what is inside of a replaced one goes with it.
    #[must_use]
    pub fn rewritten(&self, replace: &mut dyn FnMut(&Self) -> Option<ExprKind>) -> Self {
        if let Some(kind) = replace(self) {
            return Self::new(kind, self.span);
        }
        let mut one = |part: &Self| part.rewritten(replace);
        let kind = match &self.kind {
            ExprKind::Call(call) => {
                let arguments = call.arguments.iter().map(one).collect();
                ExprKind::Call(Call { arguments, ..call.clone() })
            }
            ExprKind::Negative(of) => ExprKind::Negative(Box::new(one(of))),
            ExprKind::Not(of) => ExprKind::Not(Box::new(one(of))),
            ExprKind::Arithmetic(left, operator, right) => {
                ExprKind::Arithmetic(Box::new(one(left)), *operator, Box::new(one(right)))
            }
            ExprKind::Compare(left, comparison, right) => {
                ExprKind::Compare(Box::new(one(left)), *comparison, Box::new(one(right)))
            }
            ExprKind::Logic(logic, all) => ExprKind::Logic(*logic, all.iter().map(one).collect()),
            ExprKind::Like(like) => ExprKind::Like(Box::new(Like { of: one(&like.of), ..(**like).clone() })),
            ExprKind::In(within) => {
                let of = one(&within.of);
                let place = match &within.place {
                    Place::List(list) => Place::List(list.iter().map(one).collect()),
                    subquery @ Place::Subquery(_) => subquery.clone(),
                };
                ExprKind::In(Box::new(In { of, place, negated: within.negated }))
            }
            leaf => leaf.clone(),
        };
        Self::new(kind, self.span)
    }
}

impl ExprKind {
    /// Visits the expressions of which it consists.
    pub fn each_part<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        match self {
            Self::Number(_) | Self::Text(_) | Self::Boolean(_) | Self::Period(_) | Self::Field(_) => {}
            Self::Call(call) => call.arguments.iter().for_each(visit),
            Self::Negative(of) | Self::Not(of) => visit(of),
            Self::Arithmetic(left, _, right) | Self::Compare(left, _, right) => {
                visit(left);
                visit(right);
            }
            Self::Logic(_, all) => all.iter().for_each(visit),
            Self::Like(like) => visit(&like.of),
            Self::In(within) => {
                visit(&within.of);
                if let Place::List(list) = &within.place {
                    list.iter().for_each(visit);
                }
            }
        }
    }
}

/// A number as it was typed, without a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberLiteral(pub String);

impl NumberLiteral {
    /// Its value. An integer that a double cannot hold exactly stays text, which compares exactly.
    pub fn value(&self) -> Value {
        let exact = self.0.bytes().all(|byte| byte.is_ascii_digit()) && self.0.trim_start_matches('0').len() > 15;
        match number_of_text(&self.0) {
            Some(number) if !exact || number <= 9_007_199_254_740_991.0 => Value::Number(number),
            _ => Value::Text(self.0.clone()),
        }
    }

    /// Its value as a count, if it is one.
    pub fn count(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

/// The way to a value: a field's name, or names and indexes inside of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// Its parts, at least one, of which the first is a name.
    pub parts: Vec<Part>,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A name, backticks taken off.
    Name(String),
    /// `[2]`, counted from 0 (uncertain).
    Index(u32),
}

impl Path {
    /// A path of one name.
    pub fn named(name: impl Into<String>) -> Self {
        Self { parts: vec![Part::Name(name.into())] }
    }

    /// The name, if it is a single one.
    pub fn single(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The name of its first part.
    pub fn root(&self) -> &str {
        match self.parts.first() {
            Some(Part::Name(name)) => name,
            _ => "",
        }
    }

    /// The flat name of the field as records have it: parts and indexes joined by points.
    pub fn flat(&self) -> String {
        if let Some(name) = self.single() {
            return name.to_owned();
        }
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Name(name) => name.clone(),
                Part::Index(index) => index.to_string(),
            })
            .collect();
        parts.join(".")
    }
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which.
    pub function: &'static Function,
    /// Its name as typed, and where.
    pub name_span: Span,
    /// Whether its argument is `*`.
    pub star: bool,
    /// Its arguments.
    pub arguments: Vec<Expr>,
}

/// Arithmetic of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `^`
    Power,
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "^",
        })
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        })
    }
}

/// How conditions are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    /// `and`
    All,
    /// `or`
    Any,
}

/// A search inside of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Like {
    /// The text.
    pub of: Expr,
    /// What is searched for.
    pub pattern: LikePattern,
    /// Whether it must not be found.
    pub negated: bool,
    /// Whether it was typed `=~`.
    pub sign: bool,
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq)]
pub enum LikePattern {
    /// A part of the text, letters' case counts.
    Text(String),
    /// A regular expression.
    Regex(Regex),
}

impl LikePattern {
    /// Whether it is found anywhere.
    pub fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Text(part) => text.contains(part.as_str()),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// A question whether a value is one of several.
#[derive(Clone, Debug, PartialEq)]
pub struct In {
    /// The value.
    pub of: Expr,
    /// Of which.
    pub place: Place,
    /// Whether it must be none of them.
    pub negated: bool,
}

/// Where a value is looked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// `[a, b]`
    List(Vec<Expr>),
    /// `(SOURCE "group" | … | fields f)`
    Subquery(Query),
}
