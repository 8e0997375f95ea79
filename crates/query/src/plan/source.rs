//! Records: the rows of log groups in memory and in files, with the fields that a query reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::{
    catalog::default_table_source::provider_as_source,
    common::{Column, Result, ScalarValue},
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Sort, lit},
};
use insights::check::Reads;
use telemetry::{
    columns::{COLUMNS_MAX, NAME_BYTES_MAX},
    field::{self, FieldIndex},
    shape::Shape,
    snapshot::Group,
};

use super::{Operand, Pipeline, Planner, Window, column, joined};
use crate::{
    kind::Kind,
    operation::{Operation, Shapes},
    scan::Scan,
};

/// The name of the table in plans.
const TABLE: &str = "records";

/// What a query wants of the groups it reads: one set of columns for all.
pub(super) struct Wanted<'r> {
    /// Fields by name, and of which kinds they are in any group.
    pub(super) fields: FieldIndex,
    /// Fields that may be in `@rest`.
    pub(super) rest: Vec<&'r str>,
    messages: bool,
    streams: bool,
    ingestion_times: bool,
}

impl<'r> Wanted<'r> {
    pub(super) fn of(reads: &'r Reads, groups: &'r [&Group]) -> Self {
        let system = |name: &str| insights::record::SYSTEM_FIELDS.contains(&name);
        let mut fields = FieldIndex::default();
        let everything = groups.iter().flat_map(|group| group.fields.iter().map(|(name, _)| name));
        let all = reads.fields.iter().map(String::as_str).filter(|name| !system(name));
        let all: Vec<&str> = all.chain(everything.filter(|_| reads.everything)).collect();
        for name in &all {
            for group in groups {
                for known in group.fields.columns_of(name) {
                    fields.column(name, known.kind);
                }
            }
        }
        // A group that is full keeps further fields, and further kinds of known ones, in `@rest`.
        let full = groups.iter().any(|group| group.fields.len() >= COLUMNS_MAX);
        let mut rest: Vec<&str> = all.into_iter().filter(|name| full || name.len() > NAME_BYTES_MAX).collect();
        rest.sort_unstable();
        rest.dedup();
        let reads_it = |name: &str| reads.fields.contains(name);
        Self {
            fields,
            rest,
            messages: reads_it(field::MESSAGE),
            streams: reads_it(field::LOG_STREAM),
            ingestion_times: reads_it(field::INGESTION_TIME),
        }
    }

    /// The names and kinds of all field columns.
    fn columns(&self) -> impl Iterator<Item = (&str, &field::Column)> {
        self.fields.iter().flat_map(|(name, columns)| columns.iter().map(move |column| (name, column)))
    }
}

/// The column of a record's own field or system field.
pub(super) fn own(name: &str) -> String {
    format!(".{name}")
}

fn of_rest(name: &str) -> String {
    format!(".{name}#rest")
}

impl<'p> Pipeline<'p> {
    /// The records of groups in a span of time, newest first.
    pub(super) fn records(planner: &'p Planner<'_>, groups: &[&Group], reads: &Reads, window: Window) -> Result<Self> {
        let wanted = Wanted::of(reads, groups);
        // Of one group messages are rebuilt at the end, of those rows that are left.
        let late = groups.len() == 1;
        let mut plans = Vec::new();
        for group in groups {
            plans.push(group_plan(planner, group, &wanted, window, late)?);
        }
        let plan = match plans.len() {
            0 => group_plan(planner, &nothing(), &wanted, window, false)?,
            _ => union(plans)?,
        };
        let mut scope = BTreeMap::new();
        let mut set = |name: &str, kind: Kind| scope.insert(name.to_owned(), Operand::column(&own(name), kind));
        set(field::TIMESTAMP, Kind::Time);
        set(field::EVENT, Kind::Integer);
        set("@log", Kind::Text);
        if wanted.streams {
            set(field::LOG_STREAM, Kind::Text);
        }
        if wanted.ingestion_times {
            set(field::INGESTION_TIME, Kind::Time);
        }
        if wanted.messages {
            set(field::MESSAGE, Kind::Text);
        }
        for (name, columns) in wanted.fields.iter() {
            let with_rest = wanted.rest.contains(&name);
            scope.insert(name.to_owned(), operand_of(planner, name, columns, with_rest));
        }
        for name in wanted.rest.iter().filter(|name| wanted.fields.columns_of(name).is_empty()) {
            scope.insert((*name).to_owned(), Operand::column(&of_rest(name), Kind::Any));
        }
        if let (true, true, [group]) = (late, wanted.messages, groups)
            && let Some(expr) = message(planner, group, |name| column(&own(name)))
        {
            scope.insert(field::MESSAGE.to_owned(), Operand::new(expr, Kind::Text, 2));
        }
        let log = column(&own("@log"));
        let pointer = vec![log, column(&own(field::TIMESTAMP)), column(&own(field::EVENT))];
        let pointer = Operation::Pointer.call(pointer, &planner.setting);
        scope.insert("@ptr".to_owned(), Operand::new(pointer, Kind::Text, 4));
        let newest = |name: &str| column(&own(name)).sort(false, false);
        Ok(Self {
            planner,
            plan,
            scope,
            order: vec![newest(field::TIMESTAMP), newest(field::EVENT)],
            sides: None,
            window,
            groups: Vec::new(),
            more: Vec::new(),
            parts: None,
        })
    }
}

impl Planner<'_> {
    /// The times of the newest records, the newest first.
    pub(crate) fn newest_times(&self, records: usize) -> Result<LogicalPlan> {
        let schema = Arc::new(Schema::new(vec![Field::new(field::TIMESTAMP, Kind::Time.arrow(), true)]));
        let time = [physical(field::TIMESTAMP).alias(own(field::TIMESTAMP))];
        let (from_ms, to_ms) = (self.setting.start_ms, self.setting.end_ms);
        let mut parts = Vec::new();
        for group in self.groups {
            let from_ms = from_ms.max(group.created_ms);
            for scan in Scan::of_group(group, &schema, self.root.as_ref(), from_ms, to_ms)? {
                parts.push(read(scan, &[(from_ms, to_ms)], None, &time)?);
            }
        }
        let order = vec![column(&own(field::TIMESTAMP)).sort(false, false)];
        Ok(LogicalPlan::Sort(Sort { expr: order, input: Arc::new(union(parts)?), fetch: Some(records) }))
    }
}

/// A field's columns as one operand.
pub(super) fn operand_of(planner: &Planner<'_>, name: &str, columns: &[field::Column], with_rest: bool) -> Operand {
    let mut variants: Vec<(Kind, Expr)> =
        columns.iter().map(|it| (Kind::from(it.kind), column(&own(&it.name)))).collect();
    if with_rest {
        variants.push((Kind::Any, column(&of_rest(name))));
    }
    let size = variants.len();
    if let [(kind, expr)] = variants.as_slice() {
        return Operand::new(expr.clone(), *kind, 1);
    }
    if variants.iter().all(|(kind, _)| kind.is_number()) {
        let numbers = variants.iter().map(|(kind, expr)| match kind {
            Kind::Integer => datafusion::logical_expr::cast(expr.clone(), Kind::Number.arrow()),
            _ => expr.clone(),
        });
        let expr = datafusion::functions::core::expr_fn::coalesce(numbers.collect());
        return Operand { variants, ..Operand::new(expr, Kind::Number, size + 1) };
    }
    let all = variants.iter().map(|(_, expr)| expr.clone()).collect();
    let expr = Operation::FirstTagged.call(all, &planner.setting);
    Operand { variants, ..Operand::new(expr, Kind::Any, size + 1) }
}

/// The columns of what stands in the holes of a group's shapes.
fn columns_of_shapes(group: &Group) -> Vec<&field::Column> {
    let shapes = group.shapes.iter().filter_map(|text| Shape::of_text(text));
    let fields: BTreeSet<&str> = shapes.flat_map(|shape| shape.holes.into_iter().map(|hole| hole.field)).collect();
    fields.into_iter().flat_map(|name| group.fields.columns_of(name)).collect()
}

/// The text of a group's messages, where they may have to be rebuilt; the columns' names are turned into expressions.
fn message(planner: &Planner<'_>, group: &Group, of: impl Fn(&str) -> Expr) -> Option<Expr> {
    if group.shapes.is_empty() {
        return None;
    }
    let mut names = vec![field::MESSAGE.to_owned(), field::SHAPE.to_owned()];
    names.extend(columns_of_shapes(group).into_iter().map(|it| it.name.clone()));
    let arguments = names.iter().map(|name| of(name)).collect();
    let shapes = Shapes::new(names, Arc::clone(&group.fields), Arc::clone(&group.shapes));
    Some(Operation::Rebuild(shapes).call(arguments, &planner.setting))
}

/// The rows of one group, its columns under the names that all groups share; with `late`, also what messages are made of.
fn group_plan(
    planner: &Planner<'_>,
    group: &Group,
    wanted: &Wanted<'_>,
    window: Window,
    late: bool,
) -> Result<LogicalPlan> {
    let (schema, exprs) = reading(planner, group, wanted, late);
    let from_ms = window.from_ms.max(group.created_ms);
    let mut parts = Vec::new();
    for scan in Scan::of_group(group, &schema, planner.root.as_ref(), from_ms, window.to_ms)? {
        parts.push(read(scan, &[(from_ms, window.to_ms)], None, &exprs)?);
    }
    union(parts)
}

/// The rows of a scan in some spans of time, both of whose ends belong to them, perhaps with another condition.
pub(super) fn read(scan: Scan, spans: &[(i64, i64)], condition: Option<Expr>, exprs: &[Expr]) -> Result<LogicalPlan> {
    let time = |millis: i64| lit(ScalarValue::TimestampMillisecond(Some(millis), None));
    let within = |(from, to): &(i64, i64)| {
        joined(vec![physical(field::TIMESTAMP).gt_eq(time(*from)), physical(field::TIMESTAMP).lt_eq(time(*to))], false)
    };
    let within = (!scan.is_within).then(|| joined(spans.iter().map(within).collect(), true));
    let conditions: Vec<Expr> = within.into_iter().chain(condition).collect();
    let mut plan = LogicalPlanBuilder::scan(TABLE, provider_as_source(Arc::new(scan)), None)?;
    if !conditions.is_empty() {
        plan = plan.filter(joined(conditions, false))?;
    }
    plan.project(exprs.to_vec())?.build()
}

/// A column of a file.
pub(super) fn physical(name: &str) -> Expr {
    Expr::Column(Column::new(Some(TABLE), name))
}

/// The columns that are read of a group, and what becomes of them.
pub(super) fn reading(
    planner: &Planner<'_>,
    group: &Group,
    wanted: &Wanted<'_>,
    late: bool,
) -> (Arc<Schema>, Vec<Expr>) {
    let mut schema: Vec<Field> =
        vec![Field::new(field::TIMESTAMP, Kind::Time.arrow(), true), Field::new(field::EVENT, DataType::Int64, true)];
    let log = format!("{}:{}", group.account, group.name);
    let mut exprs = vec![
        physical(field::TIMESTAMP).alias(own(field::TIMESTAMP)),
        physical(field::EVENT).alias(own(field::EVENT)),
        lit(ScalarValue::Utf8View(Some(log))).alias(own("@log")),
    ];
    let read = |schema: &mut Vec<Field>, name: &str, kind: DataType| {
        if !schema.iter().any(|field| field.name() == name) {
            schema.push(Field::new(name, kind, true));
        }
    };
    if wanted.streams {
        read(&mut schema, field::LOG_STREAM, Kind::Text.arrow());
        exprs.push(physical(field::LOG_STREAM).alias(own(field::LOG_STREAM)));
    }
    if wanted.ingestion_times {
        read(&mut schema, field::INGESTION_TIME, Kind::Time.arrow());
        exprs.push(physical(field::INGESTION_TIME).alias(own(field::INGESTION_TIME)));
    }
    for (name, known) in wanted.columns() {
        let kind = Kind::from(known.kind);
        let expr = match group.fields.columns_of(name).iter().find(|it| it.kind == known.kind) {
            Some(column) => {
                read(&mut schema, &column.name, kind.arrow());
                physical(&column.name)
            }
            None => Expr::Literal(kind.constant(&insights::value::Value::Null), None),
        };
        exprs.push(expr.alias(own(&known.name)));
    }
    for name in &wanted.rest {
        read(&mut schema, field::REST, Kind::Text.arrow());
        let expr = Operation::RestField((*name).to_owned()).call(vec![physical(field::REST)], &planner.setting);
        exprs.push(expr.alias(of_rest(name)));
    }
    if wanted.messages {
        read(&mut schema, field::MESSAGE, Kind::Text.arrow());
        let rebuilt = !group.shapes.is_empty();
        if rebuilt {
            read(&mut schema, field::SHAPE, DataType::Int32);
            for column in columns_of_shapes(group) {
                read(&mut schema, &column.name, Kind::from(column.kind).arrow());
            }
        }
        if late && rebuilt {
            // What the message is made of goes along under its own names, until it is known which rows are left.
            let known: Vec<String> = exprs.iter().map(|expr| expr.schema_name().to_string()).collect();
            let all = schema.iter().map(|field| field.name().clone()).collect::<Vec<_>>();
            exprs.extend(
                all.iter().filter(|name| !known.contains(&own(name))).map(|name| physical(name).alias(own(name))),
            );
        } else {
            let expr = message(planner, group, physical).unwrap_or_else(|| physical(field::MESSAGE));
            exprs.push(expr.alias(own(field::MESSAGE)));
        }
    }
    (Arc::new(Schema::new(schema)), exprs)
}

pub(super) fn union(plans: Vec<LogicalPlan>) -> Result<LogicalPlan> {
    let mut plans = plans.into_iter();
    let Some(first) = plans.next() else {
        return datafusion::common::plan_err!("there is nothing to read");
    };
    let mut builder = LogicalPlanBuilder::new(first);
    for plan in plans {
        builder = builder.union(plan)?;
    }
    builder.build()
}

/// A group without records, for a query over no groups at all.
fn nothing() -> Group {
    Group {
        name: String::new(),
        account: String::new(),
        created_ms: 0,
        fields: Arc::default(),
        shapes: Arc::default(),
        batches: Vec::new(),
        files: Vec::new(),
        rollups: BTreeMap::new(),
        hold: Default::default(),
    }
}
