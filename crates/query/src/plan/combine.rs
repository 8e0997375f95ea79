//! Commands that put something beside the rows: tables, other queries.

use datafusion::{
    common::{Column, JoinType, Result, plan_err},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder},
};
use insights::{
    Checked,
    ast::{AppendColumns, Join, JoinKind, Lookup, Path, Query},
};

use super::{Operand, Pipeline, column};
use crate::{kind::Kind, lookup::LookUp, operation::Operation};

impl<'p> Pipeline<'p> {
    pub(super) fn look_up(&mut self, lookup: &Lookup) -> Result<()> {
        let name = &lookup.table.it;
        let Some(table) = self.planner.tables.get(name) else {
            let known: Vec<&str> = self.planner.tables.keys().map(String::as_str).collect();
            return plan_err!("there is no table `{name}`; there are: {}", listed(&known));
        };
        let place = |column: &str| match table.column(column) {
            Some(place) => Ok(place),
            None => plan_err!("the table `{name}` has no column `{column}`; it has: {}", listed(&table.head)),
        };
        let mut keys = Vec::with_capacity(lookup.keys.len());
        let mut arguments = Vec::with_capacity(lookup.keys.len());
        for pair in &lookup.keys {
            // In `lookup` the field comes after `as`, in `cidrlookup` before; alone it is both.
            let second = pair.second.as_ref().unwrap_or(&pair.first);
            let (column, field) = if lookup.network { (second, &pair.first) } else { (&pair.first, second) };
            keys.push(place(&column.it.flat())?);
            arguments.push(self.field(&field.it).value_of_condition());
        }
        let mut outputs = Vec::with_capacity(lookup.outputs.len());
        for output in &lookup.outputs {
            let output_place = place(&output.column.it.flat())?;
            let look_up = LookUp::new(std::sync::Arc::clone(table), keys.clone(), output_place, lookup.network);
            let found = self.operation(Operation::LookUp(look_up), arguments.clone());
            let found = Operand::new(found, Kind::Text, 2 + arguments.len());
            let name = output.name.as_ref().map_or_else(|| output.column.it.flat(), |name| name.it.clone());
            let operand = if lookup.overwrite { found } else { self.kept(&self.shown_field(&name), found)? };
            outputs.push((name, operand));
        }
        for (name, operand) in outputs {
            self.set(name, operand)?;
        }
        Ok(())
    }

    /// The value that a row has, or else another one.
    fn kept(&self, own: &Operand, other: Operand) -> Result<Operand> {
        if own.is_null() {
            return Ok(other);
        }
        let kind = super::function::kind_of_all(&[own.clone(), other.clone()]).unwrap_or(Kind::Any);
        let both = vec![own.to(kind, self.setting()), other.to(kind, self.setting())];
        let size = own.size + other.size + 1;
        Ok(Operand::new(datafusion::functions::core::expr_fn::coalesce(both), kind, size))
    }

    /// The rows of a query inside of this one, with the names of the columns that it shows.
    fn inner(&self, query: &Query) -> Result<(Pipeline<'p>, Checked)> {
        let checked = match insights::check(self.planner.text, query.clone(), self.rules()) {
            Ok(checked) => checked,
            Err(error) => return plan_err!("{error}"),
        };
        Ok((self.planner.pipeline(&checked)?, checked))
    }

    /// Turns the shown columns of another pipeline into columns of its plan, besides others; what they are called.
    fn only(&mut self, checked: &Checked, mut besides: Vec<Expr>) -> Result<Vec<(String, Operand)>> {
        let mut shown = Vec::new();
        for name in self.shown(checked) {
            let operand = self.shown_field(&name);
            let made = self.planner.name();
            besides.push(operand.value_of_condition().alias(&made));
            let is_flat = operand.is_flat;
            shown.push((name, Operand { is_flat, ..Operand::column(&made, operand.kind) }));
        }
        self.build(|plan| plan.project(besides))?;
        Ok(shown)
    }

    pub(super) fn join(&mut self, join: &Join) -> Result<()> {
        let (left_name, right_name) = (&join.left.it, &join.right.it);
        let (mut right, checked) = self.inner(&join.query)?;
        let mut left_keys = Vec::new();
        let mut right_keys = Vec::new();
        let mut besides = Vec::new();
        for (one, other) in &join.on {
            // The sides may be written either way round.
            let (of_left, of_right) = if one.it.root() == right_name { (other, one) } else { (one, other) };
            let of_left = self.field(&stripped(&of_left.it, left_name));
            let of_right = right.field(&stripped(&of_right.it, right_name));
            let (left_key, right_key) = if of_left.kind == of_right.kind && of_left.kind != Kind::Any {
                (of_left.value_of_condition(), of_right.value_of_condition())
            } else {
                // Values of different kinds are the same if they print alike.
                (of_left.to(Kind::Text, self.setting()), of_right.to(Kind::Text, self.setting()))
            };
            let made = self.planner.name();
            besides.push(right_key.alias(&made));
            right_keys.push(Column::new_unqualified(made));
            left_keys.push(Column::new_unqualified(self.add(left_key)?));
        }
        let shown = right.only(&checked, besides)?;
        let kind = match join.kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
        };
        self.joined_with(right.plan, kind, (left_keys, right_keys))?;
        for (name, operand) in shown {
            let name = format!("{right_name}.{name}");
            self.more.push(name.clone());
            self.set(name, operand)?;
        }
        self.sides = Some((left_name.clone(), right_name.clone()));
        Ok(())
    }

    fn joined_with(&mut self, right: LogicalPlan, kind: JoinType, keys: (Vec<Column>, Vec<Column>)) -> Result<()> {
        self.build(|plan| plan.join(right, kind, keys, None))
    }

    pub(super) fn append_columns(&mut self, append: &AppendColumns) -> Result<()> {
        let (mut right, checked) = self.inner(&append.query)?;
        let order = right.order.clone();
        right.first(order, usize::try_from(append.rows_max).unwrap_or(usize::MAX))?;
        let right_number = right.row_numbers()?;
        let shown = right.only(&checked, vec![column(&right_number)])?;
        let left_number = self.row_numbers()?;
        let one = Column::new_unqualified(&left_number);
        let other = Column::new_unqualified(&right_number);
        self.joined_with(right.plan, JoinType::Left, (vec![one], vec![other]))?;
        if self.order.is_empty() {
            // Rows that were in no order are from now on in the one in which they were counted.
            self.order = vec![column(&left_number).sort(true, false)];
        }
        for (name, operand) in shown {
            let operand = match self.scope.get(&name) {
                None => operand,
                Some(own) if append.replace => self.kept(&operand, own.clone())?,
                Some(own) => self.kept(&own.clone(), operand)?,
            };
            self.set(name, operand)?;
        }
        Ok(())
    }

    /// Puts the rows of another plan beside each of these, all with all.
    pub(super) fn beside(&mut self, other: LogicalPlan) -> Result<()> {
        self.build(|plan: LogicalPlanBuilder| plan.cross_join(other))
    }
}

/// A path without the name of a join's side in front.
fn stripped(path: &Path, side: &str) -> Path {
    if path.parts.len() > 1 && path.root() == side { Path { parts: path.parts[1..].to_vec() } } else { path.clone() }
}

fn listed<T: AsRef<str>>(names: &[T]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}
