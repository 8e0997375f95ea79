//! Commands that look at rows before: running sums, values of rows before, sessions.

use datafusion::common::ScalarValue;
use datafusion::{
    common::Result,
    functions_aggregate::{expr_fn as aggregates, first_last::last_value_udaf},
    functions_window::expr_fn::lag,
    logical_expr::{
        Expr, ExprFunctionExt, Operator, SortExpr, WindowFrame, WindowFrameBound, WindowFrameUnits,
        WindowFunctionDefinition, binary_expr, cast, expr::WindowFunction, lit,
    },
};
use insights::ast::{Autoregress, FieldRef, Name, Path, Sessionize, Wild};

use super::{Operand, Pipeline, column};
use crate::{kind::Kind, operation::Operation};

/// All rows from the first to the present one.
fn until_now() -> WindowFrame {
    WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow,
    )
}

/// An aggregate over all rows up to the present one.
fn running(aggregate: &Expr, partition: Vec<Expr>, order: Vec<SortExpr>) -> Result<Expr> {
    let Expr::AggregateFunction(function) = aggregate else {
        return datafusion::common::plan_err!("only an aggregate runs over rows");
    };
    let definition = WindowFunctionDefinition::AggregateUDF(std::sync::Arc::clone(&function.func));
    Expr::from(WindowFunction::new(definition, function.params.args.clone()))
        .partition_by(partition)
        .order_by(order)
        .window_frame(until_now())
        .null_treatment(function.params.null_treatment)
        .build()
}

impl Pipeline<'_> {
    pub(super) fn accumulate(&mut self, field: &FieldRef, name: Option<&Name>) -> Result<()> {
        let of = self.field(&field.it);
        // What is no number adds nothing.
        let zero = datafusion::functions::core::expr_fn::coalesce(vec![of.number(self.setting()), lit(0.0)]);
        let sum = running(&aggregates::sum(zero), Vec::new(), self.present_order())?;
        let made = self.window(sum)?;
        let sum = self.operation(Operation::Finite, vec![column(&made)]);
        let name = name.map_or_else(|| field.it.flat(), |name| name.it.clone());
        self.set(name, Operand::new(sum, Kind::Number, 2))
    }

    pub(super) fn autoregress(&mut self, it: &Autoregress) -> Result<()> {
        let of = self.field(&it.field.it);
        let stem = it.name.as_ref().map_or_else(|| it.field.it.flat(), |name| name.it.clone());
        for distance in it.lags.0..=it.lags.1 {
            let name = match (&it.name, it.lags.0 == it.lags.1) {
                (Some(name), true) => name.it.clone(),
                _ => format!("{stem}_p{distance}"),
            };
            if of.is_null() {
                self.set(name, Operand::null())?;
                continue;
            }
            let before =
                lag(of.value_of_condition(), Some(i64::from(distance)), None).order_by(self.present_order()).build()?;
            let made = self.window(before)?;
            self.set(name, Operand::column(&made, of.kind))?;
        }
        Ok(())
    }

    pub(super) fn fill_down(&mut self, wilds: &[Wild]) -> Result<()> {
        let mut names: Vec<String> = Vec::new();
        for name in self.scope.keys() {
            let own = !name.starts_with('@');
            if wilds.is_empty() && own || wilds.iter().any(|Wild(wild)| matches(wild, name)) {
                names.push(name.clone());
            }
        }
        for name in names {
            let of = self.shown_field(&name);
            if of.is_null() {
                continue;
            }
            let last = last_value_udaf().call(vec![of.value_of_condition()]);
            let Expr::AggregateFunction(mut function) = last else {
                return datafusion::common::plan_err!("`filldown` runs over rows");
            };
            function.params.null_treatment = Some(datafusion::logical_expr::expr::NullTreatment::IgnoreNulls);
            let last = running(&Expr::AggregateFunction(function), Vec::new(), self.present_order())?;
            let made = self.window(last)?;
            self.set(name, Operand::column(&made, of.kind))?;
        }
        Ok(())
    }

    /// Numbers sessions: a row belongs to the session of the row before with the same values, unless that is too long ago.
    pub(super) fn sessionize(&mut self, it: &Sessionize) -> Result<()> {
        let keys: Vec<Expr> = it.fields.iter().map(|field| self.field(&field.it).group_key(self.setting())).collect();
        let time = self.field(&Path::named("@timestamp")).number(self.setting());
        let mut order = vec![time.clone().sort(true, false)];
        if let Some(event) = self.scope.get("@event") {
            order.push(event.expr.clone().sort(true, false));
        }
        let before = lag(time.clone(), Some(1), None).partition_by(keys.clone()).order_by(order.clone()).build()?;
        let before = self.window(before)?;
        let gap = binary_expr(time, Operator::Minus, column(&before));
        // Half an hour, as the documentation's example has it.
        let gap_max = it.gap_max.and_then(insights::period::Period::millis).unwrap_or(1_800_000);
        let begins = column(&before).is_null().or(gap.gt(lit(gap_max as f64)));
        let begins = cast(begins, Kind::Integer.arrow());
        let number = self.window(running(&aggregates::sum(begins), keys, order)?)?;
        let name = it.name.as_ref().map_or("session_id", |name| name.it.as_str());
        self.set(name, Operand::column(&number, Kind::Integer))
    }
}

/// Whether a name is that of a pattern, in which `*` stands for any characters.
fn matches(wild: &str, name: &str) -> bool {
    let mut pieces = wild.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_any_characters() {
        for (wild, name, is) in [
            ("a*", "abc", true),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("abc", "abc", true),
            ("ab", "abc", false),
            ("*é*", "xéy", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(wild, name), is, "{wild} {name}");
        }
    }
}
