//! Orders, limits, and the first of each.

use std::sync::Arc;

use datafusion::{
    common::Result,
    logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, Sort, SortExpr, lit},
};
use insights::ast::{FieldRef, Limit, LimitForm, SortKey};

use super::{Operand, Pipeline, column, joined};

impl Pipeline<'_> {
    /// The order of a value.
    pub(super) fn sort_expr(&self, operand: &Operand, descending: bool) -> SortExpr {
        // Null is last, or else the least of all.
        let nulls_first = !self.rules().nulls_last && !descending;
        operand.order_key(self.setting()).sort(!descending, nulls_first)
    }

    pub(super) fn sort(&mut self, keys: &[SortKey]) -> Result<()> {
        let mut order = Vec::with_capacity(keys.len() + self.order.len());
        for key in keys {
            let operand = self.lower(&key.expr)?;
            let descending = key.descending.unwrap_or(self.rules().sort_descending);
            if !matches!(operand.expr, Expr::Literal(..)) {
                order.push(self.sort_expr(&operand, descending));
            }
        }
        // Rows that are equal stay in the order in which they were.
        for before in std::mem::take(&mut self.order) {
            if !order.iter().any(|key| key.expr == before.expr) {
                order.push(before);
            }
        }
        self.order = order;
        Ok(())
    }

    pub(super) fn limit(&mut self, limit: Limit) -> Result<()> {
        let rows = usize::try_from(limit.rows).unwrap_or(usize::MAX);
        let order = match limit.form {
            LimitForm::Any => Vec::new(),
            LimitForm::First | LimitForm::Head => self.order.clone(),
            LimitForm::Tail => self.order.iter().map(reversed).collect(),
        };
        self.first(order, rows)
    }

    /// Keeps the first rows of an order; of no order any.
    pub(super) fn first(&mut self, mut order: Vec<SortExpr>, rows: usize) -> Result<()> {
        if order.is_empty() {
            return self.build(|plan| plan.limit(0, Some(rows)));
        }
        // Keys become columns, which are not computed again.
        for key in &mut order {
            if !matches!(key.expr, Expr::Column(_)) {
                let made = column(&self.add(key.expr.clone())?);
                for known in self.order.iter_mut().filter(|known| known.expr == key.expr) {
                    known.expr = made.clone();
                }
                key.expr = made;
            }
        }
        // The builder would look the keys up below the projection that has just made them.
        self.build(|plan| {
            let input = Arc::new(plan.build()?);
            Ok(LogicalPlanBuilder::new(LogicalPlan::Sort(Sort { expr: order, input, fetch: Some(rows) })))
        })
    }

    pub(super) fn dedup(&mut self, fields: &[FieldRef]) -> Result<()> {
        let mut keys = Vec::with_capacity(fields.len());
        let mut absent = Vec::with_capacity(fields.len());
        for field in fields {
            let operand = self.field(&field.it);
            if operand.is_null() {
                // Rows without the key are all kept, and none has it.
                return Ok(());
            }
            // A column, since the engine cannot tell that rows are in the order of an expression.
            let key = match operand.group_key(self.setting()) {
                key @ Expr::Column(_) => key,
                computed => column(&self.add(computed)?),
            };
            absent.push(key.clone().is_null());
            keys.push(key);
        }
        let number = datafusion::functions_window::expr_fn::row_number()
            .partition_by(keys)
            .order_by(self.present_order())
            .build()?;
        let number = self.window(number)?;
        absent.push(column(&number).eq(lit(1_u64)));
        self.build(|plan| plan.filter(joined(absent, true)))
    }

    /// Adds a column that is computed over other rows; its name.
    pub(super) fn window(&mut self, expr: Expr) -> Result<String> {
        let name = self.planner.name();
        let made = expr.schema_name().to_string();
        let mut all = self.columns();
        self.build(|plan| plan.window([expr]))?;
        all.push(column(&made).alias(&name));
        self.build(|plan| plan.project(all))?;
        Ok(name)
    }

    /// The order in which rows are looked at one after another: DataFusion wants one also where they are in none.
    pub(super) fn present_order(&self) -> Vec<SortExpr> {
        if self.order.is_empty() { vec![lit(true).sort(true, false)] } else { self.order.clone() }
    }

    /// The number of each row in the present order, from 1.
    pub(super) fn row_numbers(&mut self) -> Result<String> {
        let order = self.present_order();
        self.window(datafusion::functions_window::expr_fn::row_number().order_by(order).build()?)
    }
}

/// The same key, the other way round.
pub(super) fn reversed(key: &SortExpr) -> SortExpr {
    SortExpr { expr: key.expr.clone(), asc: !key.asc, nulls_first: !key.nulls_first }
}
