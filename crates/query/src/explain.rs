//! How a query is run, in words: what is read and what is passed over, then one step after another.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use datafusion::{
    common::{
        Column, ScalarValue,
        tree_node::{Transformed, TreeNode},
    },
    datasource::source::DataSourceExec,
    logical_expr::{Expr, JoinType, LogicalPlan, SortExpr},
    physical_plan::{ExecutionPlan, metrics::MetricValue},
};
use futures::StreamExt;

use crate::{
    engine::Engine,
    error::QueryFailed,
    newest::Newest,
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
        let checked = insights::compile(&request.text, &self.shared.config.rules)?;
        let setting = self.setting(request);
        let (request, newest) = self.narrowed(request.clone(), &checked, &setting).await?;
        let setting = self.setting(&request);
        let planned = self.planned(&request, &checked, &setting).await?;
        let ready = self.physical(&planned.plan).await?;
        let mut stream = ready.stream().map_err(|error| self.failed(&error))?;
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            rows += batch.map_err(|error| self.failed(&error))?.num_rows();
        }
        Ok(text(&request, newest, &planned, &ready.plan, rows))
    }
}

fn text(
    request: &Request,
    newest: Option<Newest>,
    planned: &Planned,
    plan: &Arc<dyn ExecutionPlan>,
    rows: usize,
) -> String {
    let mut text = String::new();
    let mut line = |indent: usize, words: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{:indent$}{words}", "");
    };
    line(0, "Reads".to_owned());
    if let Some(Newest { records, from_ms, bytes }) = newest {
        let since = time(from_ms);
        line(
            2,
            format!("the times of all records first ({bytes} bytes): the newest {records} are those since {since}"),
        );
    }
    for group in &request.groups {
        let from_ms = request.from_ms.max(group.created_ms);
        let answered: Vec<_> = planned.rolled_up.iter().filter(|it| it.group == group.name).collect();
        let spared = |path: &String| answered.iter().any(|it| it.spared.contains(path));
        let within = |file: &&telemetry::snapshot::File| file.meets(from_ms, request.to_ms) && !spared(&file.path);
        let read: Vec<_> = group.files.iter().filter(within).collect();
        let bytes: u64 = read.iter().map(|file| file.bytes).sum();
        let in_memory: usize = group.batches.iter().map(|batch| batch.num_rows()).sum();
        let mut parts = Vec::new();
        if !group.files.is_empty() {
            let others = match (read.len() == group.files.len(), answered.is_empty()) {
                (true, _) => "",
                (false, true) => "; the others lie outside of the time",
                (false, false) => "; the others lie outside of the time, or are answered by roll-ups",
            };
            parts.push(format!("{} of {} files ({bytes} bytes{others})", read.len(), group.files.len()));
        }
        if in_memory > 0 {
            parts.push(format!("{in_memory} records in memory"));
        }
        let parts = if parts.is_empty() { "nothing is there".to_owned() } else { parts.join(", ") };
        line(2, format!("{}: {parts}", group.name));
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
    let mut steps = Steps::default();
    steps.describe(&planned.plan);
    for (number, step) in steps.steps.iter().enumerate() {
        line(2, format!("{}. {step}", number + 1));
    }
    let columns: Vec<&str> = planned.outputs.iter().map(|it| it.name.as_str()).collect();
    line(2, format!("{}. shows {}: {rows} rows", steps.steps.len() + 1, columns.join(", ")));
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
#[derive(Debug, Default)]
struct Steps {
    steps: Vec<String>,
    /// What the columns are that only the plan has names for, `$0` and so on.
    made: BTreeMap<String, String>,
}

/// Of what is computed so many characters are shown.
const SHOWN_MAX: usize = 200;

impl Steps {
    fn describe(&mut self, plan: &LogicalPlan) {
        for input in plan.inputs() {
            self.describe(input);
        }
        let step = match plan {
            LogicalPlan::Projection(projection) => {
                self.note(&projection.expr);
                return;
            }
            LogicalPlan::Filter(filter) => format!("keeps rows where {}", self.words(&filter.predicate)),
            LogicalPlan::Aggregate(aggregate) => {
                let computed = self.all(&aggregate.aggr_expr);
                let step = match aggregate.group_expr.as_slice() {
                    [] => format!("computes {computed}"),
                    keys if computed.is_empty() => format!("keeps one of each {}", self.all(keys)),
                    keys => format!("groups by {} and computes {computed}", self.all(keys)),
                };
                self.note(&aggregate.group_expr);
                self.note(&aggregate.aggr_expr);
                step
            }
            LogicalPlan::Sort(sort) => match sort.fetch {
                Some(rows) => format!("takes the first {rows} rows by {}", self.ordered(&sort.expr)),
                None => format!("sorts by {}", self.ordered(&sort.expr)),
            },
            LogicalPlan::Limit(limit) => match limit.fetch.as_deref() {
                Some(rows) => format!("takes any {} rows and stops", self.words(rows)),
                None => return,
            },
            LogicalPlan::Window(window) => format!("looks at rows before: {}", self.all(&window.window_expr)),
            LogicalPlan::Unnest(_) => "makes a row of each element".to_owned(),
            LogicalPlan::Join(join) => {
                let pairs = join.on.iter().map(|(one, other)| format!("{} = {}", self.words(one), self.words(other)));
                let pairs: Vec<String> = pairs.collect();
                let left = join.join_type == JoinType::Left;
                let kind = if left { "beside each row, where there is one, puts" } else { "joins" };
                let by = if pairs.is_empty() { "all".to_owned() } else { pairs.join(" and ") };
                format!("{kind} the rows with {by}")
            }
            LogicalPlan::Union(union) => format!("puts {} sources together", union.inputs.len()),
            LogicalPlan::Distinct(_) => "keeps one of equal rows".to_owned(),
            _ => return,
        };
        self.steps.push(step);
    }

    /// Remembers what the columns are to which the plan has given names.
    fn note(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            if let Expr::Alias(alias) = expr
                && alias.name.starts_with('$')
            {
                let words = self.words(&alias.expr);
                self.made.insert(alias.name.clone(), words);
            }
        }
    }

    fn all(&self, exprs: &[Expr]) -> String {
        exprs.iter().map(|expr| self.words(expr)).collect::<Vec<_>>().join(", ")
    }

    fn ordered(&self, keys: &[SortExpr]) -> String {
        let way = |key: &SortExpr| if key.asc { "ascending" } else { "descending" };
        let key = |key: &SortExpr| format!("{} {}", self.words(&key.expr), way(key));
        keys.iter().map(key).collect::<Vec<_>>().join(", ")
    }

    /// An expression, without what only the plan needs: names that it gave, and the points before fields.
    fn words(&self, expr: &Expr) -> String {
        let bare = match expr {
            Expr::Alias(alias) => &alias.expr,
            other => other,
        };
        let text = said_plainly(bare).to_string().replace("records.", "");
        let mut words = String::with_capacity(text.len());
        let (mut before, mut rest) = (' ', text.as_str());
        while let Some(char) = rest.chars().next() {
            let digits = rest[char.len_utf8()..].bytes().take_while(u8::is_ascii_digit).count();
            let name = &rest[..char.len_utf8() + digits];
            match self.made.get(name) {
                Some(made) if char == '$' => {
                    words.push_str(made);
                    rest = &rest[name.len()..];
                }
                _ => {
                    if char != '.' || before.is_alphanumeric() {
                        words.push(char);
                    }
                    rest = &rest[char.len_utf8()..];
                }
            }
            before = char;
        }
        match words.char_indices().nth(SHOWN_MAX) {
            Some((at, _)) => format!("{}…", &words[..at]),
            None => words,
        }
    }
}

/// The same expression with constants as people write them.
fn said_plainly(expr: &Expr) -> Expr {
    let plain = |expr: Expr| {
        let Expr::Literal(value, _) = &expr else { return Ok(Transformed::no(expr)) };
        let words = match value {
            ScalarValue::TimestampMillisecond(Some(millis), _) => time(*millis),
            ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => format!("{text:?}"),
            other => other.to_string(),
        };
        Ok(Transformed::yes(Expr::Column(Column::new_unqualified(words))))
    };
    expr.clone().transform(plain).map_or_else(|_| expr.clone(), |told| told.data)
}

fn time(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |it| it.to_string())
}
