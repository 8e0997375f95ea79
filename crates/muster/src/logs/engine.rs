//! muster's own engine, as the API sees it.

use async_trait::async_trait;
use query::{Engine, QueryFailed, Request, pointer::Pointer};
use telemetry::store::Store;

use super::port::{LogsError, Order, Pointed, Queries, Results, Running, Stage, Statistics};

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
    async fn start(&self, order: Order) -> Result<Box<dyn Running>, LogsError> {
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
            ..Request::default()
        };
        let running = self.engine.run(request).map_err(|error| match error {
            QueryFailed::Busy { .. } => LogsError::Limit(error.to_string()),
            QueryFailed::Malformed(_) | QueryFailed::Refused(_) => LogsError::Invalid(error.to_string()),
            other => LogsError::Unavailable(other.to_string()),
        })?;
        Ok(Box::new(EngineQuery { running }))
    }

    fn pointed(&self, pointer: &str) -> Option<Pointed> {
        let pointer: Pointer = pointer.parse().ok()?;
        let (_, group) = pointer.log.split_once(':')?;
        Some(Pointed { group: group.to_owned(), timestamp_ms: pointer.timestamp_ms, number: pointer.event })
    }
}

struct EngineQuery {
    running: query::Running,
}

impl Running for EngineQuery {
    fn stage(&self) -> Stage {
        if !self.running.has_ended() {
            return Stage::Running;
        }
        match self.running.so_far() {
            Ok(_) => Stage::Complete,
            Err(QueryFailed::Stopped) => Stage::Cancelled,
            Err(QueryFailed::Time { .. }) => Stage::Timeout,
            Err(_) => Stage::Failed,
        }
    }

    fn results(&self) -> Results {
        let failed = |error: QueryFailed| Results { failure: Some(error.to_string()), ..Results::default() };
        let result = match self.running.so_far() {
            Ok(result) => result,
            Err(error) => return failed(error),
        };
        let told = result.statistics;
        let statistics = Statistics {
            records_matched: told.records_matched as f64,
            records_scanned: told.records_scanned as f64,
            bytes_scanned: told.bytes_scanned as f64,
            estimated_records_skipped: told.estimated_records_skipped as f64,
            estimated_bytes_skipped: told.estimated_bytes_skipped as f64,
            groups_scanned: told.log_groups_scanned as f64,
        };
        match result.rows() {
            Ok(rows) => Results { rows, statistics, failure: None },
            Err(error) => failed(error),
        }
    }

    fn stop(&self) {
        self.running.stop();
    }
}
