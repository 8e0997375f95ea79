//! Queries and expressions as text that is read as the same tree.

use std::fmt::{self, Display, Formatter};

use crate::lexer::is_name_char;

use super::{Expr, ExprKind, LikePattern, Logic, Operator, Part, Path, Place, Query};

/// Words that mean something where a field may stand, so that a field of this name is printed in backticks.
const RESERVED: [&str; 36] = [
    "and",
    "any",
    "as",
    "asc",
    "by",
    "col",
    "csv",
    "desc",
    "end",
    "false",
    "fieldname",
    "for",
    "in",
    "into",
    "join",
    "like",
    "logfmt",
    "mark",
    "max",
    "maxspan",
    "multi",
    "not",
    "now",
    "offset",
    "on",
    "or",
    "output",
    "outputnew",
    "override",
    "row",
    "start",
    "true",
    "where",
    "with",
    "xml",
    "source",
];

/// How tightly an expression holds together; what stands inside of a tighter one needs parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Any,
    All,
    Not,
    Compare,
    Add,
    Multiply,
    Power,
    Unary,
    Primary,
}

impl Display for Query {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(formatter, "{source} | ")?;
        }
        list(formatter, &self.commands, " | ", |formatter, command| command.verb.fmt(formatter))
    }
}

/// Things one after another.
pub(super) fn list<T>(
    formatter: &mut Formatter<'_>,
    all: &[T],
    between: &str,
    print: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, it) in all.iter().enumerate() {
        if index > 0 {
            formatter.write_str(between)?;
        }
        print(formatter, it)?;
    }
    Ok(())
}

/// Things with commas between them.
pub(super) fn commas<T: Display>(formatter: &mut Formatter<'_>, all: &[T]) -> fmt::Result {
    list(formatter, all, ", ", |formatter, it| it.fmt(formatter))
}

/// A text in quotes.
pub(super) struct Quoted<'t>(pub(super) &'t str);

impl Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

impl Display for Path {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Index(number) => write!(formatter, "[{number}]")?,
                Part::Name(name) => {
                    if index > 0 {
                        formatter.write_str(".")?;
                    }
                    let plain = name.chars().all(is_name_char)
                        && (index > 0 || !name.starts_with(|char: char| char.is_ascii_digit()))
                        && (self.parts.len() > 1 || !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)));
                    // `in[0]` would be read as the beginning of a list.
                    let plain = plain && !(index == 0 && name.eq_ignore_ascii_case("in"));
                    if plain { formatter.write_str(name)? } else { write!(formatter, "`{name}`")? }
                }
            }
        }
        Ok(())
    }
}

impl Expr {
    fn binding(&self) -> Binding {
        match &self.kind {
            ExprKind::Logic(Logic::Any, _) => Binding::Any,
            ExprKind::Logic(Logic::All, _) => Binding::All,
            ExprKind::Not(_) => Binding::Not,
            ExprKind::Compare(..) | ExprKind::Like(_) | ExprKind::In(_) => Binding::Compare,
            ExprKind::Arithmetic(_, Operator::Add | Operator::Subtract, _) => Binding::Add,
            ExprKind::Arithmetic(_, Operator::Power, _) => Binding::Power,
            ExprKind::Arithmetic(..) => Binding::Multiply,
            ExprKind::Negative(_) => Binding::Unary,
            _ => Binding::Primary,
        }
    }

    fn inside(&self, formatter: &mut Formatter<'_>, least: Binding) -> fmt::Result {
        if self.binding() < least { write!(formatter, "({self})") } else { self.fmt(formatter) }
    }
}

impl Display for Expr {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => formatter.write_str(&number.0),
            ExprKind::Text(text) => Quoted(text).fmt(formatter),
            ExprKind::Boolean(truth) => truth.fmt(formatter),
            ExprKind::Period(period) => period.fmt(formatter),
            ExprKind::Field(path) => path.fmt(formatter),
            ExprKind::Call(call) => {
                write!(formatter, "{}(", call.function.name)?;
                if call.star {
                    formatter.write_str("*")?;
                }
                commas(formatter, &call.arguments)?;
                formatter.write_str(")")
            }
            ExprKind::Negative(of) => {
                formatter.write_str("-")?;
                of.inside(formatter, Binding::Unary)
            }
            ExprKind::Not(of) => {
                formatter.write_str("not ")?;
                of.inside(formatter, Binding::Not)
            }
            ExprKind::Arithmetic(left, operator, right) => {
                let (before, after) = match operator {
                    Operator::Add | Operator::Subtract => (Binding::Add, Binding::Multiply),
                    Operator::Power => (Binding::Unary, Binding::Power),
                    _ => (Binding::Multiply, Binding::Power),
                };
                left.inside(formatter, before)?;
                write!(formatter, " {operator} ")?;
                right.inside(formatter, after)
            }
            ExprKind::Compare(left, comparison, right) => {
                left.inside(formatter, Binding::Add)?;
                write!(formatter, " {comparison} ")?;
                right.inside(formatter, Binding::Add)
            }
            ExprKind::Logic(logic, all) => {
                let (between, least) = match logic {
                    Logic::All => (" and ", Binding::Not),
                    Logic::Any => (" or ", Binding::All),
                };
                list(formatter, all, between, |formatter, expr| expr.inside(formatter, least))
            }
            ExprKind::Like(like) => {
                like.of.inside(formatter, Binding::Add)?;
                formatter.write_str(match (like.negated, like.sign) {
                    (true, _) => " not like ",
                    (false, true) => " =~ ",
                    (false, false) => " like ",
                })?;
                match &like.pattern {
                    LikePattern::Text(text) => Quoted(text).fmt(formatter),
                    LikePattern::Regex(regex) => write!(formatter, "/{}/", regex.source()),
                }
            }
            ExprKind::In(within) => {
                within.of.inside(formatter, Binding::Add)?;
                formatter.write_str(if within.negated { " not in " } else { " in " })?;
                match &within.place {
                    Place::List(list) => {
                        formatter.write_str("[")?;
                        commas(formatter, list)?;
                        formatter.write_str("]")
                    }
                    Place::Subquery(query) => write!(formatter, "({query})"),
                }
            }
        }
    }
}
