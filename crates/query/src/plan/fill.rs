//! Commands that look at all rows at once: absent bins, outliers.

use datafusion::{
    common::{Column, JoinType, NullHandling, Result, ScalarValue, UnnestOptions, plan_err},
    functions::core::expr_fn::coalesce,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, lit, when},
};
use insights::ast::{Fill, Outlier, OutlierAction};

use super::{Operand, Pipeline, column, joined, operand::definite};
use crate::{
    aggregate::Aggregation,
    kind::Kind,
    operation::{Bins, Operation},
};

/// How many interquartile ranges away outliers begin, where nothing is said.
const FACTOR: f64 = 2.5;

impl Pipeline<'_> {
    /// Adds a row for each bin in which there is none; in groups, for each bin of each group.
    pub(super) fn fill_missing(&mut self, fills: &[Fill]) -> Result<()> {
        let Some((bin, bins)) = self.groups.iter().find_map(|(name, bins)| Some((name.clone(), bins.clone()?))) else {
            return plan_err!("`fillmissing` comes after a `stats … by bin(…)`, whose bins it fills");
        };
        // Expressions of the fields must be columns, for rows are put together out of two plans.
        let names: Vec<String> = self.scope.keys().cloned().collect();
        let mut exprs = Vec::new();
        let mut made = Vec::new();
        for name in &names {
            let operand = self.shown_field(name);
            let column = self.planner.name();
            exprs.push(operand.value_of_condition().alias(&column));
            made.push((name.clone(), column, operand.kind));
        }
        let order = self.order.clone();
        self.build(|plan| plan.project(exprs))?;
        let found = self.plan.clone();
        let is_key = |name: &String| self.groups.iter().any(|(key, _)| key == name);
        let others: Vec<&(String, String, Kind)> =
            made.iter().filter(|(name, ..)| is_key(name) && *name != bin).collect();
        let wanted = self.planner.name();
        let all = self.all_bins(bins, &wanted)?;
        // Each group that there is, beside each bin.
        let mut keys = vec![(column(&wanted), wanted.clone(), bin.clone())];
        let grid = if others.is_empty() {
            all
        } else {
            let groups = others.iter().map(|(name, made, _)| (name, made, self.planner.name()));
            let groups: Vec<(&String, &String, String)> = groups.collect();
            let distinct = LogicalPlanBuilder::new(found.clone())
                .project(groups.iter().map(|(_, made, alias)| column(made).alias(alias)))?
                .distinct()?
                .build()?;
            keys.extend(groups.iter().map(|(name, _, alias)| (column(alias), alias.clone(), (*name).clone())));
            LogicalPlanBuilder::new(all).cross_join(distinct)?.build()?
        };
        let of = |name: &str| made.iter().find(|(known, ..)| known == name).map(|(_, column, _)| column.clone());
        let pairs: Vec<(Column, Column)> = keys
            .iter()
            .filter_map(|(_, alias, name)| Some((Column::new_unqualified(alias), Column::new_unqualified(of(name)?))))
            .collect();
        let (left, right) = pairs.into_iter().unzip();
        // Groups of null find their own rows, too.
        self.plan = LogicalPlanBuilder::new(grid)
            .join_detailed(
                found,
                JoinType::Left,
                (left, right),
                None,
                datafusion::common::NullEquality::NullEqualsNull,
            )?
            .build()?;
        self.scope.clear();
        for (name, made, kind) in &made {
            let operand = match keys.iter().find(|(_, _, known)| known == name) {
                Some((expr, ..)) => Operand::new(expr.clone(), *kind, 1),
                None => Operand::column(made, *kind),
            };
            self.scope.insert(name.clone(), operand);
        }
        // What the order was computed from is gone; bins are in the order of time.
        self.order = if order.is_empty() { Vec::new() } else { vec![column(&wanted).sort(true, false)] };
        for fill in fills {
            let value = self.lower(&fill.value)?;
            for field in &fill.fields {
                let own = self.field(&field.it);
                let kind = super::function::kind_of_all(&[own.clone(), value.clone()]).unwrap_or(Kind::Any);
                let both = vec![own.to(kind, self.setting()), value.to(kind, self.setting())];
                self.set(field.it.flat(), Operand::new(coalesce(both), kind, own.size + value.size + 1))?;
            }
        }
        Ok(())
    }

    /// One row for each bin of the query's time.
    fn all_bins(&self, bins: Bins, name: &str) -> Result<LogicalPlan> {
        let time = |millis: i64| lit(ScalarValue::TimestampMillisecond(Some(millis), None));
        let arguments = vec![time(self.window.from_ms), time(self.window.to_ms)];
        let list = self.operation(Operation::BinsBetween(bins), arguments).alias(name);
        let options = UnnestOptions::default().with_null_handling(NullHandling::Drop);
        LogicalPlanBuilder::empty(true)
            .project([list])?
            .unnest_column_with_options(Column::new_unqualified(name), options)?
            .build()
    }

    /// Moves numbers that are far from the middle half to its borders, or drops their rows.
    pub(super) fn outlier(&mut self, outlier: &Outlier) -> Result<()> {
        let factor = outlier.factor.as_ref().and_then(|it| it.value().number()).unwrap_or(FACTOR);
        let fields: Vec<(String, Operand)> =
            outlier.fields.iter().map(|field| (field.it.flat(), self.field(&field.it))).collect();
        let mut quartiles = Vec::new();
        let mut borders = Vec::new();
        for (_, operand) in &fields {
            let names = [self.planner.name(), self.planner.name()];
            for (quarter, name) in [25_u64, 75].into_iter().zip(&names) {
                let percentile = Aggregation::Percentile { billionths: quarter * 1_000_000_000, interpolated: true };
                quartiles.push(self.gathered(percentile, vec![operand.number(self.setting())]).alias(name));
            }
            let [first, third] = names;
            let range = binary_expr(column(&third), Operator::Minus, column(&first));
            let far = binary_expr(range, Operator::Multiply, lit(factor));
            let low = binary_expr(column(&first), Operator::Minus, far.clone());
            borders.push((low, binary_expr(column(&third), Operator::Plus, far)));
        }
        let all = LogicalPlanBuilder::new(self.plan.clone()).aggregate(Vec::<Expr>::new(), quartiles)?.build()?;
        self.beside(all)?;
        let mut ordinary = Vec::new();
        for ((name, operand), (low, high)) in fields.into_iter().zip(borders) {
            let number = operand.number(self.setting());
            let too_low = number.clone().lt(low.clone());
            let too_high = number.clone().gt(high.clone());
            let far =
                if outlier.low { joined(vec![too_low.clone(), too_high.clone()], true) } else { too_high.clone() };
            ordinary.push(Expr::Not(Box::new(definite(far.clone()))));
            if outlier.mark {
                let name = format!("{name}_outlier");
                self.more.push(name.clone());
                self.set(name, Operand::new(definite(far), Kind::Truth, operand.size + 12))?;
            }
            if outlier.action == OutlierAction::Transform {
                let mut case = when(too_high.is_true(), high);
                if outlier.low {
                    case = case.when(too_low.is_true(), low);
                }
                self.set(name, Operand::new(case.otherwise(number)?, Kind::Number, operand.size + 20))?;
            }
        }
        if outlier.action == OutlierAction::Remove {
            self.build(|plan| plan.filter(joined(ordinary, false)))?;
        }
        Ok(())
    }
}
