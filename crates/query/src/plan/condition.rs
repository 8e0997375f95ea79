//! Comparisons. With a constant they become comparisons of a column as it lies in the files.

use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{self, Expr, binary_expr, lit},
};
use insights::{
    ast::{self, Comparison},
    value::{Value, number_of_text},
};

use super::{Operand, Pipeline, expression::constant_of, operand::joined};
use crate::kind::Kind;

fn operator(comparison: Comparison) -> logical_expr::Operator {
    match comparison {
        Comparison::Equal => logical_expr::Operator::Eq,
        Comparison::NotEqual => logical_expr::Operator::NotEq,
        Comparison::Less => logical_expr::Operator::Lt,
        Comparison::LessEqual => logical_expr::Operator::LtEq,
        Comparison::Greater => logical_expr::Operator::Gt,
        Comparison::GreaterEqual => logical_expr::Operator::GtEq,
    }
}

/// The comparison with sides changed.
fn turned(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessEqual => Comparison::GreaterEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterEqual => Comparison::LessEqual,
        same => same,
    }
}

impl Pipeline<'_> {
    pub(super) fn compare(
        &self,
        whole: &ast::Expr,
        left: &ast::Expr,
        comparison: Comparison,
        right: &ast::Expr,
    ) -> Result<Operand> {
        if !self.has_plain_conditions() {
            return self.evaluated(whole);
        }
        let (constant, other, comparison) = match (constant_of(left), constant_of(right)) {
            (None, Some(constant)) => (constant, left, comparison),
            (Some(constant), None) => (constant, right, turned(comparison)),
            (Some(_), Some(_)) => return self.evaluated(whole),
            (None, None) => return self.compare_columns(whole, left, comparison, right),
        };
        let operand = self.lower(other)?;
        let size = operand.size + 2;
        let variants = match operand.variants.as_slice() {
            [] => vec![operand],
            variants => variants.iter().map(|(kind, expr)| Operand::new(expr.clone(), *kind, 1)).collect(),
        };
        let conditions: Option<Vec<Expr>> =
            variants.into_iter().map(|operand| self.with_constant(operand, comparison, &constant)).collect();
        match conditions {
            // Of several kinds at most one is not null, so that any that is true is the one.
            Some(conditions) => Ok(Operand::new(joined(conditions, true), Kind::Truth, size)),
            None => self.evaluated(whole),
        }
    }

    fn compare_columns(
        &self,
        whole: &ast::Expr,
        left: &ast::Expr,
        comparison: Comparison,
        right: &ast::Expr,
    ) -> Result<Operand> {
        let (left, right) = (self.lower(left)?, self.lower(right)?);
        let size = left.size + right.size + 1;
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let texts = left.kind == Kind::Text && right.kind == Kind::Text;
        let (one, other) = if left.is_null() || right.is_null() {
            return Ok(Operand::new(lit(false), Kind::Truth, 1));
        } else if left.kind == Kind::Number && right.kind.is_number()
            || right.kind == Kind::Number && left.kind.is_number()
        {
            (left.number(self.setting()), right.number(self.setting()))
        } else if left.kind == right.kind && matches!(left.kind, Kind::Integer | Kind::Time)
            || (texts && equality && !self.rules().numeric_texts_equal)
        {
            (left.expr, right.expr)
        } else {
            return self.evaluated(whole);
        };
        Ok(Operand::new(binary_expr(one, operator(comparison), other), Kind::Truth, size))
    }

    /// A column of one kind compared with a constant, if DataFusion can do it with the same meaning.
    fn with_constant(&self, operand: Operand, comparison: Comparison, constant: &Value) -> Option<Expr> {
        let with =
            |expr: Expr, constant: ScalarValue| binary_expr(expr, operator(comparison), Expr::Literal(constant, None));
        // What cannot be compared is not equal, and neither less nor more.
        let unlike = |operand: Operand| match comparison {
            Comparison::NotEqual => operand.expr.is_not_null(),
            _ => lit(false),
        };
        match (operand.kind, constant) {
            (Kind::Integer, Value::Text(text)) if text.parse::<i64>().is_ok_and(|it| it.to_string() == *text) => {
                Some(with(operand.expr, ScalarValue::Int64(text.parse().ok())))
            }
            (Kind::Integer | Kind::Number, constant) => match (constant.number(), operand.kind) {
                (None, _) => Some(unlike(operand)),
                (Some(number), Kind::Integer) => Some(integer_with(operand.expr, comparison, number)),
                (Some(number), _) => Some(number_with(operand.expr, comparison, number)),
            },
            (Kind::Text, Value::Text(text)) => match comparison {
                Comparison::Equal | Comparison::NotEqual if !self.rules().numeric_texts_equal => {
                    Some(with(operand.expr, ScalarValue::Utf8View(Some(text.clone()))))
                }
                Comparison::Equal | Comparison::NotEqual => None,
                // Only where both look like numbers are two texts compared as such.
                _ if number_of_text(text).is_none() => {
                    Some(with(operand.expr, ScalarValue::Utf8View(Some(text.clone()))))
                }
                _ => None,
            },
            (Kind::Text, Value::Number(number)) => {
                let compared = |comparison| {
                    let number = Expr::Literal(ScalarValue::Float64(Some(*number)), None);
                    binary_expr(operand.number(self.setting()), operator(comparison), number)
                };
                Some(match comparison {
                    // A text that is no number is not equal to one.
                    Comparison::NotEqual => {
                        let differs = compared(Comparison::Equal).is_not_true();
                        joined(vec![operand.expr.clone().is_not_null(), differs], false)
                    }
                    other => compared(other),
                })
            }
            (Kind::Time, Value::Number(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(with(operand.expr, ScalarValue::TimestampMillisecond(Some(*number as i64), None)))
            }
            (Kind::Truth, Value::Boolean(truth)) if matches!(comparison, Comparison::Equal | Comparison::NotEqual) => {
                Some(with(operand.value_of_condition(), ScalarValue::Boolean(Some(*truth))))
            }
            _ => None,
        }
    }
}

/// A column of numbers compared with a number. For the engine minus zero is less than zero, for the language it is zero.
fn number_with(expr: Expr, comparison: Comparison, number: f64) -> Expr {
    let with = |comparison, number: f64| binary_expr(expr.clone(), operator(comparison), lit(number));
    if number != 0.0 {
        return with(comparison, number);
    }
    match comparison {
        Comparison::Equal => {
            joined(vec![with(Comparison::GreaterEqual, -0.0), with(Comparison::LessEqual, 0.0)], false)
        }
        Comparison::NotEqual => joined(vec![with(Comparison::Less, -0.0), with(Comparison::Greater, 0.0)], true),
        Comparison::Less | Comparison::GreaterEqual => with(comparison, -0.0),
        Comparison::LessEqual | Comparison::Greater => with(comparison, 0.0),
    }
}

/// A column of whole numbers compared with any number: without a conversion of the column, so that statistics count.
fn integer_with(expr: Expr, comparison: Comparison, number: f64) -> Expr {
    let with = |comparison, integer: f64| binary_expr(expr.clone(), operator(comparison), lit(integer as i64));
    if number.abs() >= 9.2e18 {
        let wide = logical_expr::cast(expr.clone(), Kind::Number.arrow());
        return binary_expr(wide, operator(comparison), lit(number));
    }
    if number.fract() == 0.0 {
        return with(comparison, number);
    }
    match comparison {
        Comparison::Equal => lit(false),
        Comparison::NotEqual => expr.is_not_null(),
        Comparison::Less | Comparison::LessEqual => with(Comparison::LessEqual, number.floor()),
        Comparison::Greater | Comparison::GreaterEqual => with(Comparison::GreaterEqual, number.ceil()),
    }
}
