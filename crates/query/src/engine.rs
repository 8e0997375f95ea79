//! The engine: how much memory, time and how many threads all queries have together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use datafusion::{
    execution::{
        SessionState, SessionStateBuilder, TaskContext,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::FairSpillPool,
        runtime_env::{RuntimeEnv, RuntimeEnvBuilder},
    },
    optimizer::Optimizer,
    prelude::SessionConfig,
};
use insights::rules::Rules;
use tokio::{runtime::Runtime, sync::Semaphore};

use crate::{
    error::QueryFailed,
    operation::{Account, Setting},
    run::Request,
    slices::SlicedLists,
};

/// What queries may use, all together.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// How much memory, in bytes.
    pub memory_bytes: usize,
    /// How much room on disk for what does not fit into memory, in bytes.
    pub spill_bytes: u64,
    /// Where that is; the system's own place, if not said.
    pub temp_dir: Option<PathBuf>,
    /// How many threads.
    pub threads: usize,
    /// How many queries at a time.
    pub queries_max: usize,
    /// How long a query may take.
    pub time_max: Duration,
    /// What the uncertain rules of the language say.
    pub rules: Rules,
}

/// So many rows go through a plan together, where there is memory for it.
const BATCH_ROWS: usize = 8_192;

/// What a column of a row takes, about, while it is under way.
const CELL_BYTES: usize = 16;

impl EngineConfig {
    /// How many rows of so many columns go through a plan together: a small part of the memory, since batches that are under way
    /// are in no account.
    pub(crate) fn batch_rows(&self, columns: usize) -> usize {
        (self.memory_bytes / 64 / (CELL_BYTES * columns.max(1))).clamp(64, BATCH_ROWS)
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            spill_bytes: 20 << 30,
            temp_dir: None,
            threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            queries_max: 10,
            time_max: Duration::from_secs(3_600),
            rules: Rules::default(),
        }
    }
}

/// Runs queries. Cheap to clone; all clones share what they may use.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: EngineConfig,
    pub(crate) state: SessionState,
    pub(crate) places: Arc<Semaphore>,
    /// The threads of queries, so that they take none from those that take events in.
    threads: Option<Runtime>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// How much stack a thread has: conditions of a thousand parts are planned recursively.
const STACK_BYTES: usize = 8 << 20;

impl Engine {
    /// An engine with threads of its own.
    ///
    /// # Errors
    /// If the system gives no threads, or no place for temporary files.
    pub fn new(config: EngineConfig) -> Result<Self, QueryFailed> {
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads.max(1))
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| QueryFailed::Internal(format!("no threads for queries: {error}")))?;
        let state = state(&config)?;
        let places = Arc::new(Semaphore::new(config.queries_max.max(1)));
        Ok(Self { shared: Arc::new(Shared { config, state, places, threads: Some(threads) }) })
    }

    /// What plans that were read from bytes are executed with.
    pub fn task_context(&self) -> Arc<TaskContext> {
        self.shared.state.task_ctx()
    }

    /// What a query knows besides its rows.
    pub(crate) fn setting(&self, request: &Request) -> Arc<Setting> {
        Arc::new(Setting {
            start_ms: request.from_ms,
            end_ms: request.to_ms,
            now_s: request.now_ms.div_euclid(1_000),
            rules: self.shared.config.rules.clone(),
            account: Account::of(&self.runtime_env().memory_pool),
        })
    }

    pub(crate) fn runtime_env(&self) -> &Arc<RuntimeEnv> {
        self.shared.state.runtime_env()
    }

    /// The threads of queries: also for what takes as long as they do, such as writing their rows.
    pub fn threads(&self) -> Option<tokio::runtime::Handle> {
        self.shared.threads.as_ref().map(|threads| threads.handle().clone())
    }
}

/// Rules for subqueries inside of plans, where ours have none: each walks through every expression of a plan, again and again.
const NEEDLESS_RULES: [&str; 4] =
    ["rewrite_set_comparison", "decorrelate_predicate_subquery", "scalar_subquery_to_join", "decorrelate_lateral_join"];

fn state(config: &EngineConfig) -> Result<SessionState, QueryFailed> {
    let mode = match &config.temp_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(config.spill_bytes);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(config.memory_bytes)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    let mut session = SessionConfig::new()
        .with_target_partitions(config.threads.max(1))
        .with_information_schema(false)
        .with_collect_statistics(false);
    let options = session.options_mut();
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    options.execution.parquet.metadata_size_hint = Some(64 << 10);
    // What cannot be sorted in memory goes to disk, of which each sort needs a part of the memory to merge.
    options.execution.sort_spill_reservation_bytes = (config.memory_bytes / 32).clamp(64 << 10, 10 << 20);
    let rules = Optimizer::new().rules.into_iter().filter(|rule| !NEEDLESS_RULES.contains(&rule.name())).collect();
    Ok(SessionStateBuilder::new()
        .with_config(session)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rule(Arc::new(SlicedLists))
        .build())
}
