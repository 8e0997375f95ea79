//! `addtotals`: sums beside rows and below columns.

use datafusion::{
    common::Result,
    functions::core::expr_fn::coalesce,
    functions_aggregate::expr_fn as aggregates,
    logical_expr::{Expr, LogicalPlanBuilder, lit},
};
use insights::ast::AddTotals;

use super::{Operand, Pipeline, column};
use crate::{
    kind::Kind,
    operation::{Operation, Sign},
};

impl Pipeline<'_> {
    pub(super) fn add_totals(&mut self, totals: &AddTotals) -> Result<()> {
        let name = totals.name.as_deref().unwrap_or("Total");
        let fields: Vec<(String, Operand)> = if totals.fields.is_empty() {
            // All that can be numbers; what parse extracted is a text and counts where it looks like one.
            self.scope
                .iter()
                .filter(|(name, operand)| {
                    !name.starts_with('@')
                        && matches!(operand.kind, Kind::Integer | Kind::Number | Kind::Text | Kind::Any)
                })
                .map(|(name, operand)| (name.clone(), operand.clone()))
                .collect()
        } else {
            totals.fields.iter().map(|field| (field.it.flat(), self.field(&field.it))).collect()
        };
        if totals.row {
            let add = Operation::Arithmetic(Sign::of(insights::ast::Operator::Add));
            let mut sum = lit(0.0);
            let mut size = 1;
            for (_, operand) in &fields {
                let number = coalesce(vec![operand.number(self.setting()), lit(0.0)]);
                sum = self.operation(add.clone(), vec![sum, number]);
                size += operand.size + 2;
            }
            self.set(name, Operand::new(sum, Kind::Number, size))?;
        }
        if totals.column {
            self.add_last_row(fields, name)?;
        }
        Ok(())
    }

    /// Adds a row below all others with the sums of columns.
    fn add_last_row(&mut self, mut fields: Vec<(String, Operand)>, total: &str) -> Result<()> {
        if let Some(operand) = self.scope.get(total) {
            fields.push((total.to_owned(), operand.clone()));
        }
        let names: Vec<String> = self.scope.keys().cloned().collect();
        let number = self.row_numbers()?;
        let mut rows = vec![column(&number)];
        let mut below = vec![lit(u64::MAX).alias(&number)];
        let mut sums: Vec<Expr> = Vec::new();
        let mut scope = Vec::new();
        for name in names {
            let operand = self.shown_field(&name);
            let made = self.planner.name();
            let summed = fields.iter().any(|(known, _)| *known == name);
            // A sum is a number, and stands in the same column as what it is a sum of.
            let kind = match operand.kind {
                _ if !summed => operand.kind,
                Kind::Integer | Kind::Number => Kind::Number,
                _ => Kind::Any,
            };
            rows.push(operand.to(kind, self.setting()).alias(&made));
            if summed {
                let sum = self.planner.name();
                sums.push(aggregates::sum(operand.number(self.setting())).alias(&sum));
                below.push(Operand::column(&sum, Kind::Number).to(kind, self.setting()).alias(&made));
            } else {
                below.push(Expr::Literal(kind.constant(&insights::value::Value::Null), None).alias(&made));
            }
            let is_flat = operand.is_flat;
            scope.push((name, Operand { is_flat, ..Operand::column(&made, kind) }));
        }
        let last =
            LogicalPlanBuilder::new(self.plan.clone()).aggregate(Vec::<Expr>::new(), sums)?.project(below)?.build()?;
        self.build(|plan| plan.project(rows)?.union(last))?;
        self.order = vec![column(&number).sort(true, false)];
        self.scope = scope.into_iter().collect();
        Ok(())
    }
}
