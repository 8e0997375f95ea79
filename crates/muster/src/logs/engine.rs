//! muster's own engine, as the API sees it.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use query::{Engine, QueryFailed, QueryResult, Request, pointer::Pointer};
use telemetry::store::Store;
use tokio::runtime::Handle;

use super::port::{LogsError, Order, Pointed, Queries, Results, Rows, Running, Stage, Statistics};
use super::rows::rows_together;

/// The engine over a store.
#[derive(Clone, Debug)]
pub struct StoreQueries {
    engine: Engine,
    store: Store,
}

impl StoreQueries {
    /// An engine that queries this store.
    pub fn new(engine: Engine, store: Store) -> Self {
        Self { engine, store }
    }
}

#[async_trait]
impl Queries for StoreQueries {
    async fn start(&self, order: Order) -> Result<Arc<dyn Running>, LogsError> {
        let groups = self.store.snapshot(&order.groups)?;
        // Queries inside of this one may name further groups; whoever names none pays for none.
        let inner = order.text.to_ascii_lowercase().matches("source").count()
            > usize::from(order.checked.query.source.is_some());
        let others = if inner {
            let names: Vec<String> = self.store.groups(None).into_iter().map(|group| group.name).collect();
            self.store.snapshot(&names)?
        } else {
            Vec::new()
        };
        let request = Request {
            text: order.text,
            groups,
            others,
            store: Some(self.store.object_store()),
            from_ms: order.from_ms,
            to_ms: order.to_ms,
            now_ms: order.now_ms,
            limit: order.limit,
            glimpsed: true,
            ..Request::default()
        };
        let running = self.engine.run_checked(request, order.checked).map_err(|error| match error {
            QueryFailed::Busy { .. } => LogsError::Limit(error.to_string()),
            QueryFailed::Malformed(_) | QueryFailed::Refused(_) => LogsError::Invalid(error.to_string()),
            other => LogsError::Unavailable(other.to_string()),
        })?;
        Ok(Arc::new(EngineQuery::new(running, self.engine.threads().as_ref())))
    }

    fn pointed(&self, pointer: &str) -> Option<Pointed> {
        let pointer: Pointer = pointer.parse().ok()?;
        let (_, group) = pointer.log.split_once(':')?;
        Some(Pointed { group: group.to_owned(), timestamp_ms: pointer.timestamp_ms, number: pointer.event })
    }
}

struct EngineQuery {
    running: Arc<query::Running>,
    /// Once it is over: how it ended, and what it has left.
    over: Arc<OnceLock<(Stage, Arc<Results>)>>,
}

impl EngineQuery {
    /// Its rows are written on the threads of queries as soon as it ends: whoever asks for them finds them.
    fn new(running: query::Running, threads: Option<&Handle>) -> Self {
        let (running, over) = (Arc::new(running), Arc::new(OnceLock::new()));
        let (end, of_task, left) = (running.end(), Arc::clone(&running), Arc::clone(&over));
        let write = async move {
            end.await;
            let ended = of_task.so_far();
            let stage = match &ended {
                // One that was stopped tells no end.
                Ok(_) if !of_task.has_ended() => Stage::Cancelled,
                Ok(_) => Stage::Complete,
                Err(QueryFailed::Stopped) => Stage::Cancelled,
                Err(QueryFailed::Time { .. }) => Stage::Timeout,
                Err(_) => Stage::Failed,
            };
            let _ = left.set((stage, Arc::new(results(ended, packed))));
        };
        if let Some(threads) = threads {
            threads.spawn(write);
        }
        Self { running, over }
    }
}

impl Drop for EngineQuery {
    fn drop(&mut self) {
        self.running.stop();
    }
}

impl Running for EngineQuery {
    fn stage(&self) -> Stage {
        self.over.get().map_or(Stage::Running, |(stage, _)| *stage)
    }

    fn results(&self) -> Arc<Results> {
        match self.over.get() {
            Some((_, results)) => Arc::clone(results),
            None => Arc::new(results(self.running.so_far(), shown)),
        }
    }

    fn statistics(&self) -> Statistics {
        figures(self.running.statistics())
    }

    fn stop(&self) {
        self.running.stop();
    }
}

/// Rows that are shown while the query runs: later ones may take their place, and there may be many, so these are no more than
/// are written together. Whoever looks every moment would otherwise fill the memory.
fn shown(result: &QueryResult) -> Result<Rows, QueryFailed> {
    Ok(result.rows_from(0, rows_together(result.columns().len()))?.into())
}

fn packed(result: &QueryResult) -> Result<Rows, QueryFailed> {
    Rows::packed(result.count(), result.columns().len(), |from, count| {
        result.rows_from(from, count).map_err(Packing::Rows)
    })
    .map_err(|error| match error {
        Packing::Rows(error) => error,
        Packing::Text(error) => QueryFailed::Internal(format!("its rows could not be packed: {error}")),
    })
}

/// Why rows could not be packed.
enum Packing {
    Rows(QueryFailed),
    Text(std::io::Error),
}

impl From<std::io::Error> for Packing {
    fn from(error: std::io::Error) -> Self {
        Self::Text(error)
    }
}

fn results(
    found: Result<QueryResult, QueryFailed>,
    write: impl FnOnce(&QueryResult) -> Result<Rows, QueryFailed>,
) -> Results {
    match found.and_then(|result| Ok((write(&result)?, figures(result.statistics)))) {
        Ok((rows, statistics)) => Results { rows, statistics, failure: None },
        Err(error) => Results { failure: Some(error.to_string()), ..Results::default() },
    }
}

fn figures(told: query::statistics::Statistics) -> Statistics {
    Statistics {
        records_matched: told.records_matched as f64,
        records_scanned: told.records_scanned as f64,
        bytes_scanned: told.bytes_scanned as f64,
        estimated_records_skipped: told.estimated_records_skipped as f64,
        estimated_bytes_skipped: told.estimated_bytes_skipped as f64,
        groups_scanned: told.log_groups_scanned as f64,
    }
}
