//! The last of a plan: the columns that are shown, in their order, and the rows in theirs.

use datafusion::{common::Result, logical_expr::LogicalPlan};
use insights::{Checked, check::Rows};

use super::Pipeline;
use crate::kind::Kind;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) kind: Kind,
    /// Whether it is a map of which each key is a column.
    pub(crate) is_map: bool,
}

/// A plan, and what its columns are called.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) plan: LogicalPlan,
    pub(crate) outputs: Vec<Output>,
    /// What roll-ups answer.
    pub(crate) rolled_up: Vec<crate::rollup::Answered>,
}

impl Planned {
    /// By what part of themselves percentiles may be off.
    pub(crate) fn approximate_within(&self) -> Option<f64> {
        self.rolled_up.iter().any(|it| it.approximate).then_some(crate::rollup::RELATIVE_ERROR)
    }
}

/// The name of a column of a result in its plan: names of fields may be anything, also the same twice.
pub(crate) fn output_name(position: usize) -> String {
    format!("{position}")
}

impl Pipeline<'_> {
    /// The columns that a checked query shows, by name.
    pub(super) fn shown(&self, checked: &Checked) -> Vec<String> {
        let mut names: Vec<String> = checked.columns.iter().map(|column| column.name.clone()).collect();
        if checked.more_columns {
            for name in &self.more {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        names
    }

    pub(super) fn output(mut self, checked: &Checked, rows: u64) -> Result<Planned> {
        let order = self.order.clone();
        self.first(order, usize::try_from(rows).unwrap_or(usize::MAX))?;
        let mut names = self.shown(checked);
        if checked.rows == Rows::Records && !names.iter().any(|name| name == "@ptr") {
            names.push("@ptr".to_owned());
        }
        let mut outputs = Vec::with_capacity(names.len());
        let mut exprs = Vec::with_capacity(names.len());
        for name in names {
            let operand = self.shown_field(&name);
            exprs.push(operand.value_of_condition().alias(output_name(outputs.len())));
            outputs.push(Output { name, kind: operand.kind, is_map: operand.is_flat });
        }
        self.build(|plan| plan.project(exprs))?;
        let rolled_up = self.planner.answered_by_rollups.take();
        Ok(Planned { plan: self.plan, outputs, rolled_up })
    }

    /// A field by the name of its column, which may be a path into another one.
    pub(super) fn shown_field(&self, name: &str) -> super::Operand {
        if let Some(operand) = self.scope.get(name) {
            return operand.clone();
        }
        let parts = name.split('.').map(|part| insights::ast::Part::Name(part.to_owned())).collect();
        self.field(&insights::ast::Path { parts })
    }
}
