//! How a query is run, in words: what is read and what is passed over, then one step after another.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use datafusion::{
    datasource::source::DataSourceExec,
    logical_expr::{Expr, JoinType, LogicalPlan, SortExpr},
    physical_plan::{ExecutionPlan, execute_stream, metrics::MetricValue},
};
use futures::StreamExt;

use crate::{
    engine::Engine,
    error::QueryFailed,
    plan::Planned,
    rollup::{Answered, RELATIVE_ERROR, said},
    run::Request,
    statistics,
};

impl Engine {
    /// Runs a query and tells how: files that were read and skipped and why, bytes, and the steps of the plan. The rows that it
    /// finds are dropped.
    ///
    /// # Errors
    /// If it cannot be run.
    pub async fn explain(&self, request: &Request) -> Result<String, QueryFailed> {
        let rules = &self.shared.config.rules;
        let checked = insights::compile(&request.text, rules)?;
        let setting = Arc::new(request.setting(rules));
        let planned = self.planned(request, &checked, &setting).await?;
        let plan = self.physical(&planned.plan).await?;
        let mut stream = execute_stream(Arc::clone(&plan), self.task_context()).map_err(|error| self.failed(&error))?;
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            rows += batch.map_err(|error| self.failed(&error))?.num_rows();
        }
        Ok(text(request, &planned, &plan, rows))
    }
}

fn text(request: &Request, planned: &Planned, plan: &Arc<dyn ExecutionPlan>, rows: usize) -> String {
    let mut text = String::new();
    let mut line = |indent: usize, words: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{:indent$}{words}", "");
    };
    line(0, "Reads".to_owned());
    for group in &request.groups {
        let from_ms = request.from_ms.max(group.created_ms);
        let answered: Vec<_> = planned.rolled_up.iter().filter(|it| it.group == group.name).collect();
        let spared = |path: &String| answered.iter().any(|it| it.spared.contains(path));
        let within = |file: &&telemetry::snapshot::File| {
            file.to_ms >= from_ms && file.from_ms <= request.to_ms && !spared(&file.path)
        };
        let read: Vec<_> = group.files.iter().filter(within).collect();
        let bytes: u64 = read.iter().map(|file| file.bytes).sum();
        let in_memory: usize = group.batches.iter().map(|batch| batch.num_rows()).sum();
        line(
            2,
            format!(
                "{}: {} of {} files ({bytes} bytes; the others lie outside of the time{}), {in_memory} records in memory",
                group.name,
                read.len(),
                group.files.len(),
                if answered.is_empty() { "" } else { ", or are answered by roll-ups" },
            ),
        );
        answered.iter().for_each(|answered| line(2, rolled_up(answered)));
    }
    for (name, count) in pruned(plan) {
        line(2, format!("{}: {count}", name.replace('_', " ")));
    }
    let found = statistics::of_plan(plan, crate::run::held(&request.groups));
    line(
        2,
        format!(
            "{} bytes read, {} records looked at, {} matched, about {} skipped",
            found.bytes_scanned, found.records_scanned, found.records_matched, found.estimated_records_skipped
        ),
    );
    line(0, "Then".to_owned());
    let mut steps = Vec::new();
    describe(&planned.plan, &mut steps);
    for (number, step) in steps.iter().enumerate() {
        line(2, format!("{}. {step}", number + 1));
    }
    let columns: Vec<&str> = planned.outputs.iter().map(|it| it.name.as_str()).collect();
    line(2, format!("{}. shows {}: {rows} rows", steps.len() + 1, columns.join(", ")));
    text
}

/// What roll-ups answered.
fn rolled_up(answered: &Answered) -> String {
    let widths: Vec<String> = answered.widths_ms.iter().map(|width_ms| said(*width_ms)).collect();
    let within = if answered.approximate {
        format!("; percentiles are approximate, within {:.2} % of themselves", RELATIVE_ERROR * 100.0)
    } else {
        String::new()
    };
    format!(
        "{}: roll-ups of {} answer, {} files ({} bytes), so that {} files ({} bytes) are not read{within}",
        answered.group,
        widths.join(", "),
        answered.files,
        answered.bytes,
        answered.spared.len(),
        answered.spared_bytes,
    )
}

/// What scans passed over, by the reason.
fn pruned(plan: &Arc<dyn ExecutionPlan>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut nodes = vec![Arc::clone(plan)];
    while let Some(node) = nodes.pop() {
        nodes.extend(node.children().into_iter().cloned());
        if (node.as_ref() as &dyn std::any::Any).downcast_ref::<DataSourceExec>().is_none() {
            continue;
        }
        let Some(metrics) = node.metrics() else {
            continue;
        };
        for metric in metrics.aggregate_by_name().iter() {
            if let MetricValue::PruningMetrics { name, pruning_metrics } = metric.value()
                && pruning_metrics.pruned() + pruning_metrics.matched() > 0
            {
                let words = format!("{} skipped, {} kept", pruning_metrics.pruned(), pruning_metrics.matched());
                found.entry(name.to_string()).or_insert(words);
            }
        }
    }
    found
}

/// The steps of a plan, the first one first.
fn describe(plan: &LogicalPlan, steps: &mut Vec<String>) {
    for input in plan.inputs() {
        describe(input, steps);
    }
    let step = match plan {
        LogicalPlan::Filter(filter) => format!("keeps rows where {}", words(&filter.predicate)),
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
            format!("computes {}", all(&aggregate.aggr_expr))
        }
        LogicalPlan::Aggregate(aggregate) => {
            format!("groups by {} and computes {}", all(&aggregate.group_expr), all(&aggregate.aggr_expr))
        }
        LogicalPlan::Sort(sort) => match sort.fetch {
            Some(rows) => format!("takes the first {rows} rows by {}", ordered(&sort.expr)),
            None => format!("sorts by {}", ordered(&sort.expr)),
        },
        LogicalPlan::Limit(limit) => match limit.fetch.as_deref() {
            Some(rows) => format!("takes any {} rows and stops", words(rows)),
            None => return,
        },
        LogicalPlan::Window(window) => format!("looks at rows before: {}", all(&window.window_expr)),
        LogicalPlan::Unnest(_) => "makes a row of each element".to_owned(),
        LogicalPlan::Join(join) => {
            let pairs = join.on.iter().map(|(one, other)| format!("{} = {}", words(one), words(other)));
            let pairs: Vec<String> = pairs.collect();
            let kind =
                if join.join_type == JoinType::Left { "beside each row, where there is one, puts" } else { "joins" };
            format!("{kind} the rows with {}", if pairs.is_empty() { "all".to_owned() } else { pairs.join(" and ") })
        }
        LogicalPlan::Union(union) => format!("puts {} sources together", union.inputs.len()),
        LogicalPlan::Distinct(_) => "keeps one of equal rows".to_owned(),
        _ => return,
    };
    steps.push(step);
}

fn all(exprs: &[Expr]) -> String {
    exprs.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn ordered(keys: &[SortExpr]) -> String {
    let key = |key: &SortExpr| format!("{} {}", words(&key.expr), if key.asc { "ascending" } else { "descending" });
    keys.iter().map(key).collect::<Vec<_>>().join(", ")
}

/// An expression, without what only the plan needs: names that it gave, and the points before fields.
fn words(expr: &Expr) -> String {
    let bare = match expr {
        Expr::Alias(alias) => &alias.expr,
        other => other,
    };
    let text = bare.to_string().replace("records.", "");
    let mut words = String::with_capacity(text.len());
    let mut before = ' ';
    for char in text.chars() {
        if char != '.' || before.is_alphanumeric() {
            words.push(char);
        }
        before = char;
    }
    words
}
