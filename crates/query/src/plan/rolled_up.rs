//! Queries that roll-ups answer: rows that sum up others, from files of roll-ups, beside rows of which each sums up itself.
//!
//! Both have the same columns, so what follows are filters, a union and one aggregate, as DataFusion has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::{
    common::{Result, ScalarValue, plan_err},
    functions::core::expr_fn::coalesce,
    functions_aggregate::expr_fn as aggregates,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, cast, lit, when},
};
use insights::{
    ast::{Call, Command, ExprKind},
    check::Reads,
};
use telemetry::{
    field,
    rollup::{COUNT, MAX, MAX_INTEGER, METRIC, MIN, MIN_INTEGER, SKETCH, SUM},
    snapshot::Group,
};

use super::{
    Operand, Pipeline, Planner, Window, column,
    source::{Wanted, operand_of, own, physical, read, reading, union},
    stats::{Collected, Finish},
};
use crate::{
    aggregate::Aggregation,
    kind::Kind,
    operation::Operation,
    rollup::{
        self,
        sources::{self, Source},
        wish::{self, Wish},
    },
    scan::{Part, Scan},
};

/// How rows that sum up others are aggregated: the columns that say how many they are, and what is known of metrics.
#[derive(Debug)]
pub(super) struct Parts {
    events: String,
    metrics: BTreeMap<String, Metric>,
}

/// What is known of a metric, as columns; those that are not wanted are not there.
#[derive(Debug)]
struct Metric {
    kind: Kind,
    wanted: wish::Parts,
    count: String,
    sum: String,
    least: String,
    greatest: String,
    sketch: String,
    value: String,
}

impl Metric {
    /// The columns that are wanted, each with what gives it.
    fn columns(&self, of: impl Fn(Column) -> Result<Expr>) -> Result<Vec<Expr>> {
        let all = [
            (self.wanted.count, Column::Count, &self.count),
            (self.wanted.sum, Column::Sum, &self.sum),
            (self.wanted.extremes, Column::Least, &self.least),
            (self.wanted.extremes, Column::Greatest, &self.greatest),
            (self.wanted.sketch, Column::Sketch, &self.sketch),
            (self.wanted.sketch, Column::Value, &self.value),
        ];
        let wanted = all.into_iter().filter(|(wanted, ..)| *wanted);
        wanted.map(|(_, what, name)| Ok(of(what)?.alias(name))).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Column {
    Count,
    Sum,
    Least,
    Greatest,
    Sketch,
    Value,
}

impl<'p> Pipeline<'p> {
    /// The records of groups as far as these commands ask for them, if roll-ups answer a part of it.
    pub(super) fn rolled_up(
        planner: &'p Planner<'_>,
        groups: &[&Group],
        commands: &[Command],
        window: Window,
    ) -> Result<Option<Self>> {
        let approximate = match planner.rollups {
            rollup::Use::Never => return Ok(None),
            used => used == rollup::Use::Approximate,
        };
        if groups.iter().all(|group| group.rollups.is_empty()) {
            return Ok(None);
        }
        let (Some(root), Some(wish)) = (&planner.root, Wish::of(commands, approximate)) else { return Ok(None) };
        let fields: BTreeSet<String> = wish.dimensions.iter().chain(wish.metrics.keys()).cloned().collect();
        let reads = Reads { fields, everything: false };
        let wanted = Wanted::of(&reads, groups);
        if !wanted.rest.is_empty() || !sources::fits(&wish, &wanted.fields) {
            return Ok(None);
        }
        let mut answered = Vec::new();
        let mut found = Vec::new();
        for group in groups {
            let (sources, by) = sources::of(&wish, group, window.from_ms.max(group.created_ms), window.to_ms);
            answered.extend(by);
            found.push(sources);
        }
        if answered.is_empty() {
            return Ok(None);
        }
        planner.answered_by_rollups.borrow_mut().extend(answered);
        let parts = Parts::new(planner, &wish, &wanted);
        let mut plans = Vec::new();
        for (group, sources) in groups.iter().zip(found) {
            let reader = Reader { planner, root, group, wish: &wish, wanted: &wanted, parts: &parts };
            for source in sources {
                plans.push(match source.width_ms {
                    Some(_) => reader.rollups(source)?,
                    None => reader.rows(Part::Files(root.clone(), source.files), &inclusive(&source.spans))?,
                });
            }
            if !group.batches.is_empty() {
                let span = (window.from_ms.max(group.created_ms), window.to_ms);
                plans.push(reader.rows(Part::Memory(group.batches.clone()), &[span])?);
            }
        }
        let mut scope = BTreeMap::new();
        scope.insert(field::TIMESTAMP.to_owned(), Operand::column(&own(field::TIMESTAMP), Kind::Time));
        for name in &wish.dimensions {
            scope.insert(name.clone(), Operand::column(&own(name), Kind::Text));
        }
        Ok(Some(Self {
            planner,
            plan: union(plans)?,
            scope,
            order: Vec::new(),
            sides: None,
            window,
            groups: Vec::new(),
            more: Vec::new(),
            parts: Some(parts),
        }))
    }

    /// An aggregate over rows that sum up others.
    pub(super) fn aggregate_of_parts(
        &self,
        parts: &Parts,
        call: &Call,
        collected: &mut Collected,
    ) -> Result<(Expr, Finish)> {
        let metric = call.arguments.first().and_then(|argument| match &argument.kind {
            ExprKind::Field(path) => parts.metrics.get(&path.flat()),
            _ => None,
        });
        Ok(match (call.function.name, metric) {
            ("count", None) => (aggregates::sum(column(&parts.events)), Finish::Counts),
            ("count", Some(metric)) => (aggregates::sum(column(&metric.count)), Finish::Counts),
            ("sum", Some(metric)) => (aggregates::sum(column(&metric.sum)), Finish::Finite),
            ("avg", Some(metric)) => {
                let counts = aggregates::sum(column(&metric.count));
                let position = collected.add(counts, Finish::Counts, || self.planner.name());
                (aggregates::sum(column(&metric.sum)), Finish::Over(collected.name(position).to_owned()))
            }
            ("min", Some(metric)) => (aggregates::min(column(&metric.least)), Finish::As(metric.kind)),
            ("max", Some(metric)) => (aggregates::max(column(&metric.greatest)), Finish::As(metric.kind)),
            ("pct", Some(metric)) => match call.arguments.get(1).map(|rank| self.constant_number(rank)).transpose()? {
                Some(Some(rank)) if (0.0..=100.0).contains(&rank) => {
                    let interpolated = self.rules().percentiles_interpolated;
                    let sketched = Aggregation::Sketched { billionths: (rank * 1e9).round() as u64, interpolated };
                    let arguments = vec![column(&metric.sketch), column(&metric.value)];
                    (self.gathered(sketched, arguments), Finish::As(Kind::Number))
                }
                _ => (aggregates::min(lit(ScalarValue::Float64(None))), Finish::As(Kind::Number)),
            },
            (other, _) => return plan_err!("the aggregate `{other}` is not computed from roll-ups"),
        })
    }

    /// A sum of counts.
    pub(super) fn counted(&self, made: &str) -> Operand {
        Operand::new(coalesce(vec![column(made), lit(0_i64)]), Kind::Integer, 2)
    }

    /// A sum over a count.
    pub(super) fn divided(&self, sum: &str, counts: &str) -> Operand {
        let mean = binary_expr(column(sum), Operator::Divide, cast(column(counts), Kind::Number.arrow()));
        Operand::new(self.operation(Operation::Finite, vec![mean]), Kind::Number, 4)
    }
}

/// Spans both of whose ends belong to them.
fn inclusive(spans: &[rollup::cover::Span]) -> Vec<(i64, i64)> {
    spans.iter().map(|(from, to)| (*from, to - 1)).collect()
}

impl Parts {
    fn new(planner: &Planner<'_>, wish: &Wish, wanted: &Wanted<'_>) -> Self {
        let metric = |(name, parts): (&String, &wish::Parts)| {
            let whole = wanted.fields.columns_of(name).iter().all(|it| it.kind == field::Kind::Integer);
            let metric = Metric {
                kind: if whole { Kind::Integer } else { Kind::Number },
                wanted: *parts,
                count: planner.name(),
                sum: planner.name(),
                least: planner.name(),
                greatest: planner.name(),
                sketch: planner.name(),
                value: planner.name(),
            };
            (name.clone(), metric)
        };
        Self { events: planner.name(), metrics: wish.metrics.iter().map(metric).collect() }
    }
}

/// Reads files of one group.
struct Reader<'a> {
    planner: &'a Planner<'a>,
    root: &'a url::Url,
    group: &'a Group,
    wish: &'a Wish,
    wanted: &'a Wanted<'a>,
    parts: &'a Parts,
}

impl Reader<'_> {
    /// The columns that are there for every row: its time, its dimensions, and how many events it stands for.
    fn time_and_dimensions(&self, of: impl Fn(&str) -> Expr, events: Expr) -> Vec<Expr> {
        let dimensions = self.wish.dimensions.iter().map(|name| of(name).alias(own(name)));
        let time = std::iter::once(of(field::TIMESTAMP).alias(own(field::TIMESTAMP)));
        time.chain(dimensions).chain(std::iter::once(events.alias(&self.parts.events))).collect()
    }

    /// Rows as they came in; each sums up itself.
    fn rows(&self, part: Part, spans: &[(i64, i64)]) -> Result<LogicalPlan> {
        let (schema, exprs) = reading(self.planner, self.group, self.wanted, false);
        let plan = read(Scan { schema, part, is_within: false }, spans, None, &exprs)?;
        let setting = &self.planner.setting;
        let of = |name: &str| match (name, self.wanted.fields.columns_of(name).first()) {
            (field::TIMESTAMP, _) => column(&own(field::TIMESTAMP)),
            (_, Some(known)) => column(&own(&known.name)),
            (_, None) => lit(ScalarValue::Utf8View(None)),
        };
        let mut parts = self.time_and_dimensions(of, lit(1_i64));
        for (name, metric) in &self.parts.metrics {
            let value = operand_of(self.planner, name, self.wanted.fields.columns_of(name), false);
            parts.extend(metric.columns(|what| {
                Ok(match what {
                    Column::Count => when(value.expr.clone().is_not_null(), lit(1_i64)).end()?,
                    Column::Sum | Column::Value => value.number(setting),
                    Column::Least | Column::Greatest => value.expr.clone(),
                    Column::Sketch => lit(ScalarValue::Binary(None)),
                })
            })?);
        }
        LogicalPlanBuilder::new(plan).project(parts)?.build()
    }

    /// Rows of roll-ups.
    fn rollups(&self, source: Source) -> Result<LogicalPlan> {
        let Source { spans, files, .. } = source;
        let column_of = |name: &str| self.group.fields.columns_of(name).first().map(|column| column.name.clone());
        let dimension = |name: &str| match (name, column_of(name)) {
            (field::TIMESTAMP, _) => physical(field::TIMESTAMP),
            (_, Some(column)) => physical(&column),
            (_, None) => lit(ScalarValue::Utf8View(None)),
        };
        let is_of = |names: Vec<String>| {
            let names = names.into_iter().map(|name| lit(ScalarValue::Utf8View(Some(name)))).collect();
            physical(METRIC).in_list(names, false)
        };
        let columns = |name: &String| -> Vec<String> {
            self.group.fields.columns_of(name).iter().map(|column| column.name.clone()).collect()
        };
        let counts = when(is_of(vec![String::new()]), physical(COUNT)).end()?;
        let mut exprs = self.time_and_dimensions(dimension, counts);
        for (name, metric) in &self.parts.metrics {
            let names = columns(name);
            let of_metric = |value: Expr| {
                if names.is_empty() { when(lit(false), value).end() } else { when(is_of(names.clone()), value).end() }
            };
            let extreme = |float: &str, integer: &str| match metric.kind {
                Kind::Integer => physical(integer),
                _ => coalesce(vec![physical(float), cast(physical(integer), Kind::Number.arrow())]),
            };
            exprs.extend(metric.columns(|what| {
                of_metric(match what {
                    Column::Count => physical(COUNT),
                    Column::Sum => physical(SUM),
                    Column::Least => extreme(MIN, MIN_INTEGER),
                    Column::Greatest => extreme(MAX, MAX_INTEGER),
                    Column::Sketch => physical(SKETCH),
                    Column::Value => lit(ScalarValue::Float64(None)),
                })
            })?);
        }
        let mut wanted = vec![String::new()];
        wanted.extend(self.parts.metrics.keys().flat_map(columns));
        let scan = Scan { schema: self.schema(), part: Part::Files(self.root.clone(), files), is_within: false };
        read(scan, &inclusive(&spans), Some(is_of(wanted)), &exprs)
    }

    /// The columns of a file of roll-ups.
    fn schema(&self) -> Arc<Schema> {
        let mut fields =
            vec![Field::new(field::TIMESTAMP, Kind::Time.arrow(), true), Field::new(METRIC, Kind::Text.arrow(), true)];
        let dimensions = self.wish.dimensions.iter().flat_map(|name| self.group.fields.columns_of(name));
        fields.extend(dimensions.map(|column| Field::new(&column.name, Kind::Text.arrow(), true)));
        fields.push(Field::new(COUNT, DataType::Int64, true));
        fields.extend([SUM, MIN, MAX].map(|name| Field::new(name, DataType::Float64, true)));
        fields.extend([MIN_INTEGER, MAX_INTEGER].map(|name| Field::new(name, DataType::Int64, true)));
        fields.push(Field::new(SKETCH, DataType::Binary, true));
        Arc::new(Schema::new(fields))
    }
}
