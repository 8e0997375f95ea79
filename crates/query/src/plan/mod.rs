//! From a checked query to a plan: commands in their order, each of which changes the rows, their fields or their order.
//!
//! Fields are expressions over the columns of the plan so far, and become columns only where a node needs them as such. The
//! order of rows is known and not made: it becomes a sort where something depends on it (a limit, a running sum, the end).

mod combine;
mod condition;
mod expression;
mod extract;
mod fill;
mod function;
mod operand;
mod order;
mod output;
mod pattern;
mod rolled_up;
mod source;
mod stats;
mod total;
mod window;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::Arc,
};

use datafusion::{
    common::{Result, plan_err},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Partitioning, SortExpr},
};
use insights::{
    Checked,
    ast::{self, Command, ExprKind, Place, Query, Source, SourceKind, Verb},
    rules::Rules,
    value::Value,
};
use telemetry::snapshot::Group;

pub(crate) use operand::{Operand, column, joined};
pub(crate) use output::{Output, Planned};

use crate::{
    error::QueryFailed,
    lookup::Table,
    operation::{Bins, Operation, Setting, Subquery},
    rollup,
};

/// Of how many expressions a field may consist before it becomes a column: else fields of fields of fields grow without bound.
const SIZE_MAX: usize = 40;

/// Everything that a plan is made of, besides the query.
pub(crate) struct Planner<'q> {
    /// The text of the query, which names columns.
    pub(crate) text: &'q str,
    pub(crate) setting: Arc<Setting>,
    /// The groups that are queried.
    pub(crate) groups: &'q [Group],
    /// Other groups, which subqueries may name.
    pub(crate) others: &'q [Group],
    /// Where files are.
    pub(crate) root: Option<url::Url>,
    pub(crate) tables: &'q BTreeMap<String, Arc<Table>>,
    /// Subqueries that were answered.
    pub(crate) answered: Vec<Subquery>,
    /// How many names were given to columns.
    pub(crate) named: Cell<usize>,
    /// Whether roll-ups may answer.
    pub(crate) rollups: rollup::Use,
    /// What they answer.
    pub(crate) answered_by_rollups: RefCell<Vec<rollup::Answered>>,
}

impl Planner<'_> {
    /// A name that no other column has.
    fn name(&self) -> String {
        let number = self.named.get();
        self.named.set(number + 1);
        format!("${number}")
    }

    /// What a subquery gave.
    fn values_of(&self, query: &Query) -> &[Value] {
        self.answered.iter().find(|it| it.query == *query).map_or(&[], |it| it.values.as_slice())
    }

    /// The subqueries inside of an expression, with what they gave.
    fn subqueries_in(&self, expr: &ast::Expr) -> Vec<Subquery> {
        let mut found = Vec::new();
        expr.walk(&mut |part| {
            if let ExprKind::In(within) = &part.kind
                && let Place::Subquery(query) = &within.place
            {
                found.push(Subquery { query: query.clone(), values: self.values_of(query).to_vec() });
            }
        });
        found
    }

    /// The groups that a source names, and the time; without a source those of the query itself.
    fn sources(&self, source: Option<&Source>) -> Result<(Vec<&Group>, Window)> {
        let mut window = Window { from_ms: self.setting.start_ms, to_ms: self.setting.end_ms };
        let Some(source) = source else {
            return Ok((self.groups.iter().collect(), window));
        };
        let all = || self.groups.iter().chain(self.others);
        let mut groups: Vec<&Group> = Vec::new();
        match &source.kind {
            SourceKind::Groups(names) => {
                for name in names {
                    match all().find(|group| group.name == *name) {
                        Some(group) => groups.push(group),
                        None => return plan_err!("the log group `{name}`, which `SOURCE` names, does not exist"),
                    }
                }
            }
            SourceKind::Matching { name_prefixes, accounts, .. } => groups.extend(all().filter(|group| {
                (name_prefixes.is_empty() || name_prefixes.iter().any(|prefix| group.name.starts_with(prefix.as_str())))
                    && (accounts.is_empty() || accounts.contains(&group.account))
            })),
            SourceKind::DataSources(_) => {
                return plan_err!("`SOURCE dataSource(…)`: muster keeps no data sources, only log groups");
            }
            SourceKind::Tagged(_) => return plan_err!("`SOURCE logGroupTags(…)`: log groups of muster have no tags"),
        }
        let instant = |instant: ast::Instant| match instant {
            ast::Instant::Now => self.setting.now_s.saturating_mul(1_000),
            ast::Instant::Ago(period) => {
                self.setting.now_s.saturating_mul(1_000).saturating_sub(period.millis().unwrap_or(i64::MAX))
            }
            ast::Instant::At(millis) => i64::try_from(millis).unwrap_or(i64::MAX),
        };
        if let Some(start) = source.start {
            window.from_ms = instant(start);
        }
        if let Some(end) = source.end {
            window.to_ms = instant(end);
        }
        Ok((groups, window))
    }

    /// The plan of a query, with as many rows as it asks for, or the request does, or holds by default.
    ///
    /// # Errors
    /// If it needs what does not exist, such as a table.
    pub(crate) fn plan(
        &self,
        checked: &Checked,
        request_limit: Option<u64>,
    ) -> std::result::Result<Planned, QueryFailed> {
        let rows = self.setting.rules.rows(checked.limit, request_limit);
        Ok(self.pipeline(checked)?.output(checked, rows)?)
    }

    fn pipeline(&self, checked: &Checked) -> Result<Pipeline<'_>> {
        let (groups, window) = self.sources(checked.query.source.as_ref())?;
        let mut commands = checked.query.commands.as_slice();
        let mut pipeline = match pattern::of_diff(commands) {
            Some((before, pattern, shift, rest)) => {
                commands = rest;
                pattern::compared(self, &groups, window, checked, before, pattern, shift)?
            }
            None => match Pipeline::rolled_up(self, &groups, commands, window)? {
                Some(pipeline) => pipeline,
                None => Pipeline::records(self, &groups, &checked.reads, window)?,
            },
        };
        for command in commands {
            pipeline.command(command)?;
        }
        Ok(pipeline)
    }
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

/// Rows in the making.
pub(crate) struct Pipeline<'p> {
    planner: &'p Planner<'p>,
    plan: LogicalPlan,
    /// Fields by name, as expressions over the columns of the plan.
    scope: BTreeMap<String, Operand>,
    /// By what the rows are ordered, in expressions over the columns of the plan; empty, if they are in no order.
    order: Vec<SortExpr>,
    /// How a join calls its two sides.
    sides: Option<(String, String)>,
    window: Window,
    /// The last `stats`: its group keys, and which of them are bins.
    groups: Vec<(String, Option<Bins>)>,
    /// Columns that are shown although the query does not name them.
    more: Vec<String>,
    /// How rows that sum up others are aggregated, until they are.
    parts: Option<rolled_up::Parts>,
}

impl<'p> Pipeline<'p> {
    fn setting(&self) -> &'p Arc<Setting> {
        &self.planner.setting
    }

    fn rules(&self) -> &'p Rules {
        &self.planner.setting.rules
    }

    fn operation(&self, operation: Operation, arguments: Vec<Expr>) -> Expr {
        operation.call(arguments, self.setting())
    }

    /// Changes the plan.
    fn build(&mut self, change: impl FnOnce(LogicalPlanBuilder) -> Result<LogicalPlanBuilder>) -> Result<()> {
        let empty = LogicalPlan::EmptyRelation(datafusion::logical_expr::EmptyRelation {
            produce_one_row: false,
            schema: Arc::new(datafusion::common::DFSchema::empty()),
        });
        let plan = std::mem::replace(&mut self.plan, empty);
        self.plan = change(LogicalPlanBuilder::new(plan))?.build()?;
        Ok(())
    }

    /// All columns of the plan so far, as expressions.
    fn columns(&self) -> Vec<Expr> {
        self.plan.schema().columns().into_iter().map(Expr::Column).collect()
    }

    /// Adds a column to the plan; its name.
    fn add(&mut self, expr: Expr) -> Result<String> {
        let name = self.planner.name();
        let mut all = self.columns();
        all.push(expr.alias(&name));
        self.build(|plan| plan.project(all))?;
        Ok(name)
    }

    /// Makes a field, or replaces it.
    fn set(&mut self, name: impl Into<String>, operand: Operand) -> Result<()> {
        let operand = if operand.size > SIZE_MAX {
            let once = self.operation(Operation::Once, vec![operand.value_of_condition()]);
            let flat = operand.is_flat;
            let name = self.add(once)?;
            // A node that no optimizer puts two projections together across.
            self.build(|plan| plan.repartition(Partitioning::RoundRobinBatch(1)))?;
            Operand { is_flat: flat, ..Operand::column(&name, operand.kind) }
        } else {
            operand
        };
        self.scope.insert(name.into(), operand);
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<()> {
        match &command.verb {
            Verb::Fields(items) | Verb::Display(items) => {
                for item in items {
                    let operand = self.lower(&item.expr)?;
                    self.set(item.column_name(self.planner.text), operand)?;
                }
                Ok(())
            }
            Verb::Filter(condition) => {
                let condition = self.condition(condition)?;
                self.build(|plan| plan.filter(condition))
            }
            Verb::FilterIndex(tests) => self.filter_index(tests),
            Verb::Stats(stats) => self.stats(stats),
            Verb::Sort(keys) => self.sort(keys),
            Verb::Limit(limit) => self.limit(*limit),
            Verb::Parse(parse) => self.parse(parse),
            Verb::Json { of, path, name } => self.json(of.as_ref(), path, name),
            Verb::Dedup(fields) => self.dedup(fields),
            Verb::Pattern(of) => self.pattern(of),
            Verb::Diff(_) => plan_err!("`diff` comes directly after `pattern`"),
            Verb::Unmask(_) => Ok(()),
            Verb::Unnest { list, into } => {
                let list = self.lower(list)?;
                self.unnest(&list, &into.it)
            }
            Verb::Expand(field) => {
                let list = self.field(&field.it);
                self.unnest(&list, &field.it.flat())
            }
            Verb::Lookup(lookup) => self.look_up(lookup),
            Verb::Join(join) => self.join(join),
            Verb::AppendColumns(append) => self.append_columns(append),
            Verb::Autoregress(it) => self.autoregress(it),
            Verb::Accumulate { field, name } => self.accumulate(field, name.as_ref()),
            Verb::FillDown(wilds) => self.fill_down(wilds),
            Verb::FillMissing(fills) => self.fill_missing(fills),
            Verb::Outlier(outlier) => self.outlier(outlier),
            Verb::Sessionize(it) => self.sessionize(it),
            Verb::CountFrequent(fields) => self.count_frequent(fields),
            Verb::AddTotals(totals) => self.add_totals(totals),
        }
    }

    fn filter_index(&mut self, tests: &[ast::IndexTest]) -> Result<()> {
        for test in tests {
            let field = ast::Expr::new(ExprKind::Field(test.field.it.clone()), test.field.span);
            let kind = match &test.wanted {
                ast::IndexWanted::Equal(wanted) => {
                    ExprKind::Compare(Box::new(field), ast::Comparison::Equal, Box::new(wanted.clone()))
                }
                ast::IndexWanted::OneOf(wanted) => {
                    let place = Place::List(wanted.clone());
                    ExprKind::In(Box::new(ast::In { of: field, place, negated: false }))
                }
            };
            let condition = self.condition(&ast::Expr::new(kind, test.field.span))?;
            self.build(|plan| plan.filter(condition))?;
        }
        Ok(())
    }
}
