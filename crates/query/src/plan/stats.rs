//! `stats` and `countFrequent`: groups and their aggregates.

use std::{collections::BTreeMap, sync::Arc};

use datafusion::{
    common::{Result, ScalarValue, plan_err},
    functions_aggregate::expr_fn as aggregates,
    logical_expr::{AggregateUDF, Expr, cast, lit},
};
use insights::{
    ast::{self, Call, ExprKind, FieldRef, Path, Stats},
    period::Period,
};

use super::{Operand, Pipeline, column, expression::constant_of, function::period_of};
use crate::{
    aggregate::{Aggregation, Function},
    kind::Kind,
    operation::{Bins, Operation},
};

/// What becomes of the column that an aggregate gives.
#[derive(Clone, Debug)]
pub(super) enum Finish {
    /// It is a column of this kind.
    As(Kind),
    /// A number, null if it is not finite.
    Finite,
    /// A count or a sum, as many times.
    Times(f64),
    /// A sum of counts, which is nothing where there are none.
    Counts,
    /// A sum that is divided by the counts in another column.
    Over(String),
}

/// The aggregates of one `stats`, each once.
#[derive(Default)]
pub(super) struct Collected {
    exprs: Vec<(Expr, String, Finish)>,
}

impl Collected {
    /// The name of the column of an aggregate.
    pub(super) fn add(&mut self, expr: Expr, finish: Finish, name: impl FnOnce() -> String) -> usize {
        let same = |(known, _, known_finish): &(Expr, String, Finish)| {
            *known == expr && format!("{known_finish:?}") == format!("{finish:?}")
        };
        self.exprs.iter().position(same).unwrap_or_else(|| {
            self.exprs.push((expr, name(), finish));
            self.exprs.len() - 1
        })
    }

    /// The name of the column of one of them.
    pub(super) fn name(&self, position: usize) -> &str {
        &self.exprs[position].1
    }
}

impl Pipeline<'_> {
    pub(super) fn stats(&mut self, stats: &Stats) -> Result<()> {
        let text = self.planner.text;
        let mut keys = Vec::with_capacity(stats.by.len());
        let mut scope = BTreeMap::new();
        let mut groups = Vec::with_capacity(stats.by.len());
        let mut width = None;
        for item in &stats.by {
            let (operand, bins) = self.group(&item.expr, stats.offset)?;
            if let Some((_, millis)) = &bins {
                width = *millis;
            }
            let name = self.planner.name();
            let known = item.column_name(text);
            keys.push(operand.group_key(self.setting()).alias(&name));
            scope.insert(known.clone(), Operand::column(&name, operand.kind));
            groups.push((known, bins.map(|(bins, _)| bins)));
        }
        let span = width.unwrap_or(self.window.to_ms.saturating_sub(self.window.from_ms)).max(1);
        let mut collected = Collected::default();
        let mut items = Vec::with_capacity(stats.items.len());
        for item in &stats.items {
            items.push(self.over_group(stats, &item.expr, span, &mut collected)?);
        }
        let alone = keys.is_empty() && !self.rules().empty_stats_row;
        let count = alone.then(|| {
            let name = || self.planner.name();
            collected.add(aggregates::count(lit(1_i64)), Finish::As(Kind::Integer), name)
        });
        let computed: Vec<Expr> = collected.exprs.iter().map(|(expr, name, _)| expr.clone().alias(name)).collect();
        self.build(|plan| plan.aggregate(keys, computed))?;
        if let Some(count) = count {
            // Without groups there is always a row, also of no rows.
            let some = column(&collected.exprs[count].1).gt(lit(0_i64));
            self.build(|plan| plan.filter(some))?;
        }
        self.order.clear();
        self.sides = None;
        self.more.clear();
        self.parts = None;
        self.groups = groups;
        let placeholders: Vec<String> = (0..collected.exprs.len()).map(placeholder).collect();
        for (name, (_, made, finish)) in placeholders.iter().zip(&collected.exprs) {
            let operand = match finish {
                Finish::As(kind) => Operand::column(made, *kind),
                Finish::Finite => Operand::new(self.operation(Operation::Finite, vec![column(made)]), Kind::Number, 2),
                Finish::Counts => self.counted(made),
                Finish::Over(counts) => self.divided(made, counts),
                Finish::Times(factor) => {
                    let number = cast(column(made), Kind::Number.arrow());
                    let product = datafusion::logical_expr::binary_expr(
                        number,
                        datafusion::logical_expr::Operator::Multiply,
                        lit(*factor),
                    );
                    Operand::new(self.operation(Operation::Finite, vec![product]), Kind::Number, 4)
                }
            };
            scope.insert(name.clone(), operand);
        }
        self.scope = scope;
        for (item, expr) in stats.items.iter().zip(items) {
            let operand = self.lower(&expr)?;
            self.set(item.column_name(text), operand)?;
        }
        for name in placeholders {
            self.scope.remove(&name);
        }
        Ok(())
    }

    /// What rows are grouped by; of a bin also its width, if all bins are equally wide.
    #[expect(clippy::type_complexity, reason = "a pair that is taken apart at once")]
    fn group(&self, expr: &ast::Expr, offset: Option<Period>) -> Result<(Operand, Option<(Bins, Option<i64>)>)> {
        let width = |period: Period| Period { amount: period.effective(), unit: period.unit }.millis();
        if let ExprKind::Call(call) = &expr.kind {
            match (call.function.name, call.arguments.as_slice()) {
                ("bin", [period]) => {
                    if let Some(period) = period_of(period) {
                        let bins = Bins::new(period, offset);
                        return Ok((self.bin(period, offset), Some((bins, width(period)))));
                    }
                }
                ("datefloor", [_, period]) => {
                    if let Some(period) = period_of(period) {
                        return Ok((self.lower(expr)?, Some((Bins::new(period, None), width(period)))));
                    }
                }
                ("histogram", [of, wide]) => {
                    let (of, wide) = (self.lower(of)?, self.lower(wide)?);
                    let (of, wide) = (of.number(self.setting()), wide.number(self.setting()));
                    let arithmetic = |sign, arguments| {
                        self.operation(Operation::Arithmetic(crate::operation::Sign::of(sign)), arguments)
                    };
                    // What is left of a division, brought above zero: the floor is the number without it.
                    let rest = arithmetic(ast::Operator::Remainder, vec![of.clone(), wide.clone()]);
                    let above = arithmetic(ast::Operator::Add, vec![rest, wide.clone()]);
                    let rest = arithmetic(ast::Operator::Remainder, vec![above, wide]);
                    let floor = arithmetic(ast::Operator::Subtract, vec![of, rest]);
                    return Ok((Operand::new(floor, Kind::Number, 10), None));
                }
                _ => {}
            }
        }
        Ok((self.lower(expr)?, None))
    }

    /// An expression over a group: aggregates become fields of the group's row, and so do the groups' own expressions.
    fn over_group(&self, stats: &Stats, expr: &ast::Expr, span: i64, collected: &mut Collected) -> Result<ast::Expr> {
        let mut failed = None;
        let text = self.planner.text;
        let rewritten = expr.rewritten(&mut |part| {
            if let ExprKind::Call(call) = &part.kind
                && call.function.is_aggregate()
            {
                let aggregate = match &self.parts {
                    Some(parts) => self.aggregate_of_parts(parts, call, collected),
                    None => self.aggregate(call, span),
                };
                return match aggregate {
                    Ok((expr, finish)) => {
                        let position = collected.add(expr, finish, || self.planner.name());
                        Some(ExprKind::Field(Path::named(placeholder(position))))
                    }
                    Err(error) => {
                        failed = failed.take().or(Some(error));
                        None
                    }
                };
            }
            let key = stats.by.iter().find(|key| key.expr == *part)?;
            Some(ExprKind::Field(Path::named(key.column_name(text))))
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(rewritten),
        }
    }

    fn aggregate(&self, call: &Call, span: i64) -> Result<(Expr, Finish)> {
        let first = match call.arguments.first() {
            Some(argument) if period_of(argument).is_none() && call.function.name != "topk" => {
                Some(self.lower(argument)?)
            }
            _ => None,
        };
        let of = || first.clone().unwrap_or_else(Operand::null);
        let number = || of().number(self.setting());
        let plain = || {
            let of = of();
            match of.kind {
                Kind::Any => self.operation(Operation::Plain, vec![of.expr]),
                _ => of.value_of_condition(),
            }
        };
        let count = Finish::As(Kind::Integer);
        Ok(match call.function.name {
            "count" if call.star || call.arguments.is_empty() => (aggregates::count(lit(1_i64)), count),
            "count" => (aggregates::count(plain()), count),
            "count_distinct" => (aggregates::count_distinct(self.distinct_key(call)?), count),
            "sum" => (aggregates::sum(number()), Finish::Finite),
            "avg" => (aggregates::avg(number()), Finish::Finite),
            name @ ("min" | "max") => {
                let of = of();
                let extreme = |expr| if name == "min" { aggregates::min(expr) } else { aggregates::max(expr) };
                match of.kind {
                    kind @ (Kind::Integer | Kind::Number) => (extreme(of.expr), Finish::As(kind)),
                    Kind::Time | Kind::Truth => (extreme(of.number(self.setting())), Finish::As(Kind::Number)),
                    Kind::Text | Kind::Any => (
                        self.gathered(Aggregation::Extreme { greatest: name == "max", as_number: true }, vec![of.expr]),
                        Finish::As(Kind::Any),
                    ),
                }
            }
            name @ ("sortsFirst" | "sortsLast") => {
                let of = of();
                let last = name == "sortsLast";
                match of.kind {
                    kind @ (Kind::Integer | Kind::Number | Kind::Time) => {
                        let extreme = if last { aggregates::max(of.expr) } else { aggregates::min(of.expr) };
                        (extreme, Finish::As(kind))
                    }
                    _ => {
                        let extreme = Aggregation::Extreme { greatest: last, as_number: false };
                        (self.gathered(extreme, vec![plain()]), Finish::As(Kind::Any))
                    }
                }
            }
            name @ ("earliest" | "latest") => {
                let time = self.field(&Path::named("@timestamp"));
                let time = match time.kind {
                    Kind::Time | Kind::Integer => time.expr,
                    _ => cast(time.number(self.setting()), Kind::Integer.arrow()),
                };
                let event = self.scope.get("@event").map_or_else(|| lit(0_i64), |it| it.expr.clone());
                let nearest = Aggregation::Nearest { latest: name == "latest" };
                (self.gathered(nearest, vec![of().value_of_condition(), time, event]), Finish::As(of().kind))
            }
            "pct" => {
                let rank = match call.arguments.get(1) {
                    Some(rank) => self.constant_number(rank)?,
                    None => None,
                };
                match rank {
                    Some(rank) if (0.0..=100.0).contains(&rank) => {
                        let interpolated = self.rules().percentiles_interpolated;
                        let billionths = (rank * 1e9).round() as u64;
                        let percentile = Aggregation::Percentile { billionths, interpolated };
                        (self.gathered(percentile, vec![number()]), Finish::As(Kind::Number))
                    }
                    _ => (aggregates::min(lit(ScalarValue::Float64(None))), Finish::As(Kind::Number)),
                }
            }
            "variance" => (aggregates::var_pop(number()), Finish::Finite),
            "stddev" if self.rules().stddev_of_sample => (aggregates::stddev(number()), Finish::Finite),
            "stddev" => (aggregates::stddev_pop(number()), Finish::Finite),
            "values" => (self.gathered(Aggregation::Values, vec![plain()]), Finish::As(Kind::Any)),
            "topk" => {
                let (wanted, of) = match call.arguments.as_slice() {
                    [wanted, of] => (constant_of(wanted).and_then(|it| it.integer()), self.lower(of)?),
                    _ => (None, Operand::null()),
                };
                let wanted = u32::try_from(wanted.unwrap_or(1)).unwrap_or(1);
                (self.gathered(Aggregation::TopK(wanted), vec![of.value_of_condition()]), Finish::As(Kind::Any))
            }
            name @ ("rate" | "countOverTime" | "sumOverTime") => {
                let period = call.arguments.last().and_then(period_of).and_then(Period::millis);
                let factor = period.map_or(1.0, |period| period as f64 / span as f64);
                let counted = match (name, &first) {
                    ("sumOverTime", _) => aggregates::sum(number()),
                    (_, Some(_)) => aggregates::count(plain()),
                    (_, None) => aggregates::count(lit(1_i64)),
                };
                (counted, Finish::Times(factor))
            }
            other => return plan_err!("the aggregate `{other}` is not computed"),
        })
    }

    /// What is counted once: values that print alike are the same.
    fn distinct_key(&self, call: &Call) -> Result<Expr> {
        let mut operands = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            operands.push(self.lower(argument)?);
        }
        if let [one] = operands.as_slice() {
            let key = one.group_key(self.setting());
            return Ok(match one.kind {
                Kind::Any => self.operation(Operation::Plain, vec![key]),
                _ => key,
            });
        }
        Ok(self.operation(Operation::RowKey, operands.iter().map(Operand::value_of_condition).collect()))
    }

    pub(super) fn constant_number(&self, expr: &ast::Expr) -> Result<Option<f64>> {
        if let Some(value) = constant_of(expr) {
            return Ok(value.number());
        }
        let computed = self.evaluated(expr)?;
        Ok(match computed.expr {
            Expr::Literal(ScalarValue::Float64(number), _) => number,
            _ => None,
        })
    }

    /// A call of an aggregate of ours.
    pub(super) fn gathered(&self, aggregation: Aggregation, arguments: Vec<Expr>) -> Expr {
        let function = Function::new(aggregation, Arc::clone(self.setting()));
        AggregateUDF::from(function).call(arguments)
    }

    pub(super) fn count_frequent(&mut self, fields: &[FieldRef]) -> Result<()> {
        let mut keys = Vec::with_capacity(fields.len());
        let mut scope = BTreeMap::new();
        let mut order = Vec::with_capacity(fields.len() + 1);
        let count = self.planner.name();
        order.push(column(&count).sort(false, false));
        for field in fields {
            let operand = self.field(&field.it);
            let name = self.planner.name();
            keys.push(operand.group_key(self.setting()).alias(&name));
            let operand = Operand::column(&name, operand.kind);
            order.push(self.sort_expr(&operand, false));
            scope.insert(field.it.flat(), operand);
        }
        self.build(|plan| plan.aggregate(keys, [aggregates::count(lit(1_i64)).alias(&count)]))?;
        scope.insert("_approxcount".to_owned(), Operand::column(&count, Kind::Integer));
        self.groups = fields.iter().map(|field| (field.it.flat(), None)).collect();
        self.scope = scope;
        self.order = order;
        self.sides = None;
        self.more.clear();
        Ok(())
    }
}

/// The name of an aggregate's column within its own `stats`; no query can name a field so.
fn placeholder(position: usize) -> String {
    format!("\u{0}{position}")
}
