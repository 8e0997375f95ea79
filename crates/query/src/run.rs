//! Running a query: plan, execute, watch, stop.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::record_batch::RecordBatch;
use datafusion::{
    execution::{
        SendableRecordBatchStream, TaskContext,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    logical_expr::LogicalPlan,
    physical_plan::{ExecutionPlan, execute_stream},
};
use futures::StreamExt;
use insights::{
    Checked,
    ast::{Expr, ExprKind, Place, Query, Verb},
    value::Value,
};
use object_store::ObjectStore;
use telemetry::snapshot::Group;
use tokio::sync::watch;
use url::Url;

use crate::{
    cells::Cells,
    compact::compacted,
    engine::Engine,
    error::QueryFailed,
    glimpse,
    lookup::Table,
    newest::Newest,
    operation::{Setting, Subquery},
    plan::{Output, Planned, Planner},
    result::QueryResult,
    rollup,
    scan::object_store_url,
    statistics::{self, Held, Statistics},
};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The query.
    pub text: String,
    /// The groups that are queried.
    pub groups: Vec<Group>,
    /// Other groups, which `SOURCE` inside of the query may name.
    pub others: Vec<Group>,
    /// Tables that `lookup` may name.
    pub tables: BTreeMap<String, Arc<Table>>,
    /// Where the files of groups are.
    pub store: Option<(Arc<dyn ObjectStore>, Url)>,
    /// The beginning of the time, in milliseconds since 1970.
    pub from_ms: i64,
    /// Its end, which belongs to it.
    pub to_ms: i64,
    /// What time it is now.
    pub now_ms: i64,
    /// How many rows are asked for, besides what the query says itself.
    pub limit: Option<u64>,
    /// When roll-ups answer.
    pub rollups: rollup::Use,
    /// Whoever asks looks at rows before the query has ended: a long one shows what its newest records give.
    pub glimpsed: bool,
}

/// A query that runs. When it is dropped, the query is stopped.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Seen>,
    ended: watch::Receiver<Option<Result<(), QueryFailed>>>,
    task: tokio::task::JoinHandle<()>,
    setting: Arc<Setting>,
}

/// What can be seen of a query while it runs.
#[derive(Debug, Default)]
struct Seen {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    outputs: Vec<Output>,
    batches: Vec<RecordBatch>,
    /// What the newest records alone give; shown until there are rows of all of them.
    glimpse: Vec<RecordBatch>,
    /// The memory that the batches take.
    kept: Option<MemoryReservation>,
    plan: Option<Arc<dyn ExecutionPlan>>,
    held: Held,
    /// How many bytes were read before there was a plan.
    bytes_before: u64,
    approximate_within: Option<f64>,
}

impl Rows {
    /// Keeps rows, if there is memory for them.
    fn keep(&mut self, batch: RecordBatch) -> datafusion::common::Result<()> {
        if let Some(kept) = &self.kept {
            kept.try_grow(batch.get_array_memory_size())?;
        }
        self.batches.push(batch);
        Ok(())
    }

    fn statistics(&self) -> Statistics {
        let mut statistics =
            self.plan.as_ref().map_or_else(Statistics::default, |it| statistics::of_plan(it, self.held));
        statistics.bytes_scanned += self.bytes_before;
        statistics
    }
}

impl Seen {
    fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// The rows that were found so far: all of them when it has ended. Until then those that are certain to stay, or, as long
    /// as there are none, what the newest records alone give: rows that sum up or come in another order than time may change.
    ///
    /// # Errors
    /// If it ended with an error.
    pub fn so_far(&self) -> Result<QueryResult, QueryFailed> {
        if let Some(Err(error)) = &*self.ended.borrow() {
            return Err(error.clone());
        }
        Ok(self.result())
    }

    /// What it has read so far.
    pub fn statistics(&self) -> Statistics {
        self.shared.rows().statistics()
    }

    fn result(&self) -> QueryResult {
        let rows = self.shared.rows();
        let glimpsed = rows.batches.is_empty() && !self.has_ended();
        QueryResult {
            outputs: rows.outputs.clone(),
            batches: if glimpsed { rows.glimpse.clone() } else { rows.batches.clone() },
            statistics: rows.statistics(),
            approximate_within: rows.approximate_within,
            rules: self.setting.rules.clone(),
        }
    }

    /// Whether it has ended, well or not.
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Comes when it has ended, well or not. Waiting keeps nothing running.
    pub fn end(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            // Whoever should tell of the end is gone: it was stopped.
            let _ = ended.wait_for(Option::is_some).await;
        }
    }

    /// Stops it; its result is [`QueryFailed::Stopped`], unless it had ended before.
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it ended with an error.
    pub async fn finished(mut self) -> Result<QueryResult, QueryFailed> {
        let ended = match self.ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            // Whoever should have told of the end is gone: it was stopped.
            Err(_) => None,
        };
        match ended {
            Some(Ok(())) => Ok(self.result()),
            Some(Err(error)) => Err(error),
            None => Err(QueryFailed::Stopped),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Engine {
    /// Begins to run a query.
    ///
    /// # Errors
    /// If the text is no query, or too many others are running. What is found out later is told by [`Running`].
    pub fn run(&self, request: Request) -> Result<Running, QueryFailed> {
        let checked = insights::compile(&request.text, &self.shared.config.rules)?;
        self.run_checked(request, checked)
    }

    /// Begins to run a query whose text was read and checked already.
    ///
    /// # Errors
    /// If too many others are running.
    pub fn run_checked(&self, request: Request, checked: Checked) -> Result<Running, QueryFailed> {
        let Ok(place) = Arc::clone(&self.shared.places).try_acquire_owned() else {
            return Err(QueryFailed::Busy { running: self.shared.config.queries_max });
        };
        let Some(threads) = self.threads() else {
            return Err(QueryFailed::Stopped);
        };
        let setting = self.setting(&request);
        let seen = Arc::new(Seen::default());
        let (ends, ended) = watch::channel(None);
        let (engine, of_task, shared) = (self.clone(), Arc::clone(&setting), Arc::clone(&seen));
        let task = threads.spawn(async move {
            let time_max = engine.shared.config.time_max;
            let outcome = tokio::time::timeout(time_max, engine.execute(request, &checked, &of_task, &shared)).await;
            drop(place);
            let outcome = outcome.unwrap_or(Err(QueryFailed::Time { secs: time_max.as_secs() }));
            ends.send_replace(Some(outcome));
        });
        Ok(Running { shared: seen, ended, task, setting })
    }

    async fn execute(
        &self,
        request: Request,
        checked: &Checked,
        setting: &Arc<Setting>,
        seen: &Seen,
    ) -> Result<(), QueryFailed> {
        let (request, newest) = self.narrowed(request, checked, setting).await?;
        let setting = self.setting(&request);
        let planned = self.planned(&request, checked, &setting).await?;
        let ready = self.physical(&planned.plan).await?;
        {
            let mut rows = seen.rows();
            rows.outputs.clone_from(&planned.outputs);
            rows.plan = Some(Arc::clone(&ready.plan));
            rows.held = held(&request.groups);
            rows.bytes_before = newest.map_or(0, |newest| newest.bytes);
            rows.kept = Some(MemoryConsumer::new("the rows that it gives").register(&self.runtime_env().memory_pool));
            rows.approximate_within = planned.approximate_within();
        }
        if request.glimpsed
            && newest.is_none()
            && let Some(newest) = glimpse::of(&request, checked)
        {
            match self.at_once(&newest, checked).await {
                Ok(batches) => seen.rows().glimpse = batches,
                Err(error) => tracing::debug!(%error, "the newest records alone gave nothing; all of them are read"),
            }
        }
        let mut stream = ready.stream().map_err(|error| self.failed(&error))?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.failed(&error))?;
            if batch.num_rows() > 0 {
                let batch = compacted(&batch).map_err(|error| self.failed(&error))?;
                seen.rows().keep(batch).map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    /// The same request for no other time than that of the newest records, if it wants those alone.
    pub(crate) async fn narrowed(
        &self,
        request: Request,
        checked: &Checked,
        setting: &Arc<Setting>,
    ) -> Result<(Request, Option<Newest>), QueryFailed> {
        let newest = self.newest(&request, checked, setting).await?;
        let from_ms = newest.map_or(request.from_ms, |newest| newest.from_ms);
        Ok((Request { from_ms, ..request }, newest))
    }

    /// All rows of a request.
    async fn at_once(&self, request: &Request, checked: &Checked) -> Result<Vec<RecordBatch>, QueryFailed> {
        let setting = self.setting(request);
        self.run_plan(&self.planned(request, checked, &setting).await?.plan).await
    }

    pub(crate) fn failed(&self, error: &datafusion::error::DataFusionError) -> QueryFailed {
        QueryFailed::of(error, self.shared.config.memory_bytes)
    }

    /// Lets plans find the files of a request.
    pub(crate) fn register_store(&self, request: &Request) -> Result<(), QueryFailed> {
        if let Some((store, root)) = &request.store {
            let url = object_store_url(root)?;
            self.runtime_env().register_object_store(url.as_ref(), Arc::clone(store));
        }
        Ok(())
    }

    /// The plan of a query. Its subqueries are run on the way.
    pub(crate) async fn planned(
        &self,
        request: &Request,
        checked: &Checked,
        setting: &Arc<Setting>,
    ) -> Result<Planned, QueryFailed> {
        self.register_store(request)?;
        let mut answered: Vec<Subquery> = Vec::new();
        for query in subqueries(&checked.query) {
            if answered.iter().any(|it| it.query == *query) {
                continue;
            }
            let inner = insights::check(&request.text, query.clone(), &setting.rules)?;
            let planned = request.planner(setting, Vec::new()).plan(&inner, None)?;
            let values = self.values(&planned).await?;
            answered.push(Subquery { query: query.clone(), values });
        }
        request.planner(setting, answered).plan(checked, request.limit)
    }

    pub(crate) async fn physical(&self, plan: &LogicalPlan) -> Result<Ready, QueryFailed> {
        let mut state = Cow::Borrowed(&self.shared.state);
        let batch_rows = self.shared.config.batch_rows(most_columns(plan));
        if batch_rows < state.config().batch_size() {
            let config = state.config().clone().with_batch_size(batch_rows);
            *state.to_mut().config_mut() = config;
        }
        let plan = state.create_physical_plan(plan).await.map_err(|error| self.failed(&error))?;
        Ok(Ready { plan, context: state.task_ctx() })
    }

    /// The values of the first column of a subquery.
    async fn values(&self, planned: &Planned) -> Result<Vec<Value>, QueryFailed> {
        let ready = self.physical(&planned.plan).await?;
        let mut stream = ready.stream().map_err(|error| self.failed(&error))?;
        let mut values = Vec::new();
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.failed(&error))?;
            let cells = Cells::of(batch.column(0).as_ref())?;
            values.extend((0..batch.num_rows()).map(|row| cells.value(row)).filter(Value::is_plain));
        }
        Ok(values)
    }

    /// The plan of a query before it is optimised, for whoever wants to send it elsewhere.
    ///
    /// # Errors
    /// If the text is no query, or needs what does not exist.
    pub async fn logical_plan(&self, request: &Request) -> Result<LogicalPlan, QueryFailed> {
        let checked = insights::compile(&request.text, &self.shared.config.rules)?;
        Ok(self.planned(request, &checked, &self.setting(request)).await?.plan)
    }

    /// The plan of a query as it is executed.
    ///
    /// # Errors
    /// As [`logical_plan`](Self::logical_plan).
    pub async fn prepared(&self, request: &Request) -> Result<Arc<dyn ExecutionPlan>, QueryFailed> {
        Ok(self.physical(&self.logical_plan(request).await?).await?.plan)
    }

    /// Runs a plan that was made for a query, perhaps elsewhere; its rows.
    ///
    /// # Errors
    /// If it fails.
    pub async fn run_plan(&self, plan: &LogicalPlan) -> Result<Vec<RecordBatch>, QueryFailed> {
        let ready = self.physical(plan).await?;
        let mut stream = ready.stream().map_err(|error| self.failed(&error))?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch.map_err(|error| self.failed(&error))?);
        }
        Ok(batches)
    }
}

impl Request {
    pub(crate) fn planner<'q>(&'q self, setting: &Arc<Setting>, answered: Vec<Subquery>) -> Planner<'q> {
        Planner {
            text: &self.text,
            setting: Arc::clone(setting),
            groups: &self.groups,
            others: &self.others,
            root: self.store.as_ref().map(|(_, root)| root.clone()),
            tables: &self.tables,
            answered,
            named: std::cell::Cell::new(0),
            rollups: self.rollups,
            answered_by_rollups: std::cell::RefCell::default(),
        }
    }
}

/// A plan, and what it is executed with.
pub(crate) struct Ready {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

impl Ready {
    /// Begins to execute it.
    pub(crate) fn stream(&self) -> datafusion::common::Result<SendableRecordBatchStream> {
        execute_stream(Arc::clone(&self.plan), Arc::clone(&self.context))
    }
}

/// The columns of the step that has most.
fn most_columns(plan: &LogicalPlan) -> usize {
    let inputs = plan.inputs().into_iter().map(most_columns).max().unwrap_or(0);
    inputs.max(plan.schema().fields().len())
}

/// How much the groups hold.
pub(crate) fn held(groups: &[Group]) -> Held {
    let in_files = |group: &Group| group.files.iter().map(|file| file.rows).sum::<u64>();
    let in_memory = |group: &Group| group.batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
    Held {
        records: groups.iter().map(|group| in_files(group) + in_memory(group)).sum(),
        bytes: groups.iter().flat_map(|group| &group.files).map(|file| file.bytes).sum(),
        groups: groups.len() as u64,
    }
}

/// The subqueries of a query, those of queries inside of it included.
pub(crate) fn subqueries(query: &Query) -> Vec<&Query> {
    let mut found = Vec::new();
    for command in &query.commands {
        let exprs: Vec<&Expr> = match &command.verb {
            Verb::Fields(items) | Verb::Display(items) => items.iter().map(|item| &item.expr).collect(),
            Verb::Filter(expr) | Verb::Pattern(expr) | Verb::Unnest { list: expr, .. } => vec![expr],
            Verb::Stats(stats) => stats.items.iter().chain(&stats.by).map(|item| &item.expr).collect(),
            Verb::Sort(keys) => keys.iter().map(|key| &key.expr).collect(),
            Verb::Parse(parse) => parse.of.iter().collect(),
            Verb::Json { of, .. } => of.iter().collect(),
            Verb::FillMissing(fills) => fills.iter().map(|fill| &fill.value).collect(),
            Verb::Join(join) => {
                found.extend(subqueries(&join.query));
                Vec::new()
            }
            Verb::AppendColumns(append) => {
                found.extend(subqueries(&append.query));
                Vec::new()
            }
            _ => Vec::new(),
        };
        for expr in exprs {
            expr.walk(&mut |part| {
                if let ExprKind::In(within) = &part.kind
                    && let Place::Subquery(query) = &within.place
                {
                    found.push(query);
                }
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringViewArray};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};

    use super::*;

    /// They are kept until somebody fetches them, which may be never.
    #[test]
    fn rows_that_are_kept_are_in_the_account_of_memory() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let long: ArrayRef = Arc::new(StringViewArray::from_iter_values(["x".repeat(400_000)]));
        let batch = RecordBatch::try_from_iter([("long", long)]).unwrap();
        let mut rows = Rows { kept: Some(MemoryConsumer::new("rows").register(&pool)), ..Rows::default() };
        assert!(rows.keep(batch.clone()).is_ok() && rows.keep(batch.clone()).is_ok());
        assert!(pool.reserved() > 800_000);
        assert!(rows.keep(batch).is_err() && rows.batches.len() == 2);
        drop(rows);
        assert_eq!(pool.reserved(), 0);
    }
}
