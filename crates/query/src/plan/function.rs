//! Calls of functions. Those that are computed often have a form of their own, the others are evaluated row by row.

use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{Expr, lit, when},
};
use insights::{
    ast::{self, Call, ExprKind},
    period::Period,
};

use super::{Operand, Pipeline, operand::definite};
use crate::{
    kind::Kind,
    operation::{Bins, Operation},
};

/// Whether a text is found in another.
pub(super) fn contains(of: Expr, part: &str) -> Expr {
    datafusion::functions::string::expr_fn::contains(of, lit(ScalarValue::Utf8View(Some(part.to_owned()))))
}

impl Pipeline<'_> {
    pub(super) fn call(&self, call: &Call, whole: &ast::Expr) -> Result<Operand> {
        match (call.function.name, call.arguments.as_slice()) {
            ("ispresent", [of]) => {
                let of = self.lower(of)?;
                let size = of.size + 1;
                // A condition has a value in every row, if only that it does not hold.
                Ok(Operand::new(of.value_of_condition().is_not_null(), Kind::Truth, size))
            }
            ("bin", [period]) => match period_of(period) {
                Some(period) => Ok(self.bin(period, None)),
                None => self.evaluated(whole),
            },
            ("datefloor", [of, period]) => {
                let of = self.lower(of)?;
                match period_of(period) {
                    Some(period) if of.kind == Kind::Time => Ok(self.floor(&of, Bins::new(period, None))),
                    _ => self.evaluated(whole),
                }
            }
            ("toNumber" | "toDouble", [of]) => {
                let of = self.lower(of)?;
                Ok(Operand::new(of.number(self.setting()), Kind::Number, of.size + 1))
            }
            ("strcontains", [of, part]) => {
                let of = self.lower(of)?;
                match &part.kind {
                    ExprKind::Text(part) if of.kind == Kind::Text => {
                        Ok(Operand::new(definite(contains(of.expr, part)), Kind::Truth, of.size + 2))
                    }
                    _ => self.evaluated(whole),
                }
            }
            ("if", [condition, yes, no]) => self.branches(whole, &[(condition, yes)], Some(no)),
            ("case", arguments) => {
                let pairs: Vec<(&ast::Expr, &ast::Expr)> =
                    arguments.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect();
                let otherwise = arguments.chunks_exact(2).remainder().first();
                self.branches(whole, &pairs, otherwise)
            }
            ("coalesce", arguments) => {
                let mut operands = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    operands.push(self.lower(argument)?);
                }
                let Some(kind) = kind_of_all(&operands) else {
                    return self.evaluated(whole);
                };
                let size = operands.iter().map(|it| it.size).sum::<usize>() + 1;
                let all = operands.iter().map(|it| it.to(kind, self.setting())).collect();
                Ok(Operand::new(datafusion::functions::core::expr_fn::coalesce(all), kind, size))
            }
            _ => self.evaluated(whole),
        }
    }

    /// The bin of the record's time.
    pub(super) fn bin(&self, period: Period, offset: Option<Period>) -> Operand {
        let time = self.field(&ast::Path::named("@timestamp"));
        let time = if time.kind == Kind::Time {
            time
        } else {
            // After `stats` a column of this name may hold the number of milliseconds, or a text of it.
            let millis = datafusion::logical_expr::cast(time.number(self.setting()), Kind::Integer.arrow());
            Operand::new(datafusion::logical_expr::cast(millis, Kind::Time.arrow()), Kind::Time, time.size + 2)
        };
        self.floor(&time, Bins::new(period, offset))
    }

    fn floor(&self, time: &Operand, bins: Bins) -> Operand {
        Operand::new(self.operation(Operation::Floor(bins), vec![time.expr.clone()]), Kind::Time, time.size + 1)
    }

    /// `if` and `case`, where all values are of one kind.
    fn branches(
        &self,
        whole: &ast::Expr,
        pairs: &[(&ast::Expr, &ast::Expr)],
        otherwise: Option<&ast::Expr>,
    ) -> Result<Operand> {
        let mut size = 1;
        let mut conditions = Vec::with_capacity(pairs.len());
        let mut values = Vec::with_capacity(pairs.len() + 1);
        for (condition, value) in pairs {
            let condition = self.lower(condition)?;
            size += condition.size;
            conditions.push(condition.condition(self.setting()));
            values.push(self.lower(value)?);
        }
        values.push(match otherwise {
            Some(otherwise) => self.lower(otherwise)?,
            None => Operand::null(),
        });
        size += values.iter().map(|it| it.size).sum::<usize>();
        let Some(kind) = kind_of_all(&values) else {
            return self.evaluated(whole);
        };
        let mut exprs: Vec<Expr> = values
            .iter()
            .map(|it| if it.kind == kind { it.value_of_condition() } else { it.to(kind, self.setting()) })
            .collect();
        let otherwise = exprs.pop().unwrap_or_else(|| lit(ScalarValue::Null));
        let mut branches = conditions.into_iter().zip(exprs);
        let Some((condition, value)) = branches.next() else {
            return self.evaluated(whole);
        };
        let mut case = when(condition, value);
        for (condition, value) in branches {
            case = case.when(condition, value);
        }
        Ok(Operand::new(case.otherwise(otherwise)?, kind, size))
    }
}

/// The period that is written as an argument.
pub(super) fn period_of(expr: &ast::Expr) -> Option<Period> {
    match &expr.kind {
        ExprKind::Period(period) => Some(*period),
        _ => None,
    }
}

/// The kind that all values have or can have without being changed, absent ones aside.
pub(super) fn kind_of_all(operands: &[Operand]) -> Option<Kind> {
    let mut common = None;
    for operand in operands.iter().filter(|it| !it.is_null()) {
        common = match (common, operand.kind) {
            (None, kind) => Some(kind),
            (Some(known), kind) if known == kind => Some(kind),
            (Some(Kind::Integer | Kind::Number), Kind::Integer | Kind::Number) => Some(Kind::Number),
            _ => return None,
        };
    }
    Some(common.unwrap_or(Kind::Text))
}
