//! What an expression of the language has become in a plan.

use std::sync::Arc;

use datafusion::{
    common::{Column, ScalarValue},
    logical_expr::{Expr, binary_expr, cast, lit},
};
use insights::value::Value;

use crate::{
    kind::Kind,
    operation::{Operation, Setting},
};

/// An expression over the columns of a plan, and what it gives.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    /// The expression. A condition that is null is false.
    pub(crate) expr: Expr,
    /// What it gives.
    pub(crate) kind: Kind,
    /// The same value as several expressions of different kinds, of which at most one is not null; empty, if it is of one
    /// kind. What compares with a constant compares each, so that no value needs a tag.
    pub(crate) variants: Vec<(Kind, Expr)>,
    /// Whether it is a map whose keys may have points in them.
    pub(crate) is_flat: bool,
    /// Of how many expressions it consists.
    pub(crate) size: usize,
}

impl Operand {
    /// An expression of one kind.
    pub(crate) fn new(expr: Expr, kind: Kind, size: usize) -> Self {
        Self { expr, kind, variants: Vec::new(), is_flat: false, size }
    }

    /// A column of the plan.
    pub(crate) fn column(name: &str, kind: Kind) -> Self {
        Self::new(column(name), kind, 1)
    }

    /// A constant.
    pub(crate) fn constant(kind: Kind, value: &Value) -> Self {
        Self::new(Expr::Literal(kind.constant(value), None), kind, 1)
    }

    /// What is always absent.
    pub(crate) fn null() -> Self {
        Self::new(Expr::Literal(ScalarValue::Utf8View(None), None), Kind::Text, 1)
    }

    /// Whether it is the constant null.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.expr, Expr::Literal(value, _) if value.is_null())
    }

    /// As one of a kind, where that loses nothing but tags: numbers for whole numbers, and anything as [`Kind::Any`].
    pub(crate) fn to(&self, kind: Kind, setting: &Arc<Setting>) -> Expr {
        if self.kind == kind {
            return self.value_of_condition();
        }
        if self.is_null() {
            return Expr::Literal(kind.constant(&Value::Null), None);
        }
        match kind {
            Kind::Number => self.number(setting),
            Kind::Any => Operation::Tagged.call(vec![self.expr.clone()], setting),
            Kind::Text => Operation::Printed.call(vec![self.expr.clone()], setting),
            _ => self.expr.clone(),
        }
    }

    /// As a number, null where it looks like none.
    pub(crate) fn number(&self, setting: &Arc<Setting>) -> Expr {
        match (&self.expr, self.kind) {
            (_, Kind::Number) => self.expr.clone(),
            (Expr::Literal(..), _) if self.is_null() => lit(ScalarValue::Float64(None)),
            (_, Kind::Integer) => cast(self.expr.clone(), Kind::Number.arrow()),
            _ => Operation::Number.call(vec![self.expr.clone()], setting),
        }
    }

    /// As a condition that is null or false where it does not hold.
    pub(crate) fn condition(&self, setting: &Arc<Setting>) -> Expr {
        match self.kind {
            Kind::Truth => self.expr.clone(),
            Kind::Integer | Kind::Number => {
                let zero = Expr::Literal(self.kind.constant(&Value::Number(0.0)), None);
                binary_expr(self.expr.clone(), datafusion::logical_expr::Operator::NotEq, zero)
            }
            _ if self.is_null() => lit(false),
            _ => Operation::Truth.call(vec![self.expr.clone()], setting),
        }
    }

    /// As something that sorts in natural order.
    pub(crate) fn order_key(&self, setting: &Arc<Setting>) -> Expr {
        match self.kind {
            Kind::Integer | Kind::Number | Kind::Time | Kind::Truth => self.value_of_condition(),
            Kind::Text | Kind::Any => Operation::NaturalKey.call(vec![self.expr.clone()], setting),
        }
    }

    /// The one of all values that print alike.
    pub(crate) fn group_key(&self, setting: &Arc<Setting>) -> Expr {
        match self.kind {
            Kind::Integer | Kind::Text | Kind::Time | Kind::Truth => self.value_of_condition(),
            kind @ (Kind::Number | Kind::Any) => Operation::Canonical(kind).call(vec![self.expr.clone()], setting),
        }
    }

    /// The value itself: of a condition whether it is true, which is never null.
    pub(crate) fn value_of_condition(&self) -> Expr {
        match (&self.expr, self.kind) {
            (Expr::Column(_) | Expr::Literal(..), _) => self.expr.clone(),
            (_, Kind::Truth) if !is_two_valued(&self.expr) => definite(self.expr.clone()),
            _ => self.expr.clone(),
        }
    }
}

/// Whether a condition holds: true or false. Not `is true`, of which the engine's two sorts of plans disagree whether it may be
/// null.
pub(crate) fn definite(condition: Expr) -> Expr {
    Operation::Truth.call(vec![condition], &Arc::default())
}

/// Whether a condition is never null but where the language has null itself, so that nothing must be done to make it so.
fn is_two_valued(expr: &Expr) -> bool {
    match expr {
        Expr::IsNull(_) | Expr::IsNotNull(_) => true,
        Expr::Not(of) => is_two_valued(of),
        // Functions of the language answer with true or false, or with null where the rules say so; and `coalesce` with what
        // its arguments are.
        Expr::ScalarFunction(function) => {
            function.func.inner().is::<crate::operation::Function>() || function.name() == "coalesce"
        }
        Expr::Case(_) => true,
        _ => false,
    }
}

/// A column of the plan by its name, whatever characters it has.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// Conditions that all must hold, or of which one must, in a tree that is as low as it can be.
pub(crate) fn joined(mut all: Vec<Expr>, any: bool) -> Expr {
    let operator = if any { datafusion::logical_expr::Operator::Or } else { datafusion::logical_expr::Operator::And };
    match all.len() {
        0 => lit(!any),
        1 => all.remove(0),
        many => {
            let rest = all.split_off(many / 2);
            binary_expr(joined(all, any), operator, joined(rest, any))
        }
    }
}
