//! Queries under way and their results. Results are kept for a week, and for less where they take too much memory: the oldest go
//! first. They are not on the disk: after a restart a query is asked again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::logs::{
    error::ApiError,
    port::{Order, Pointed, Queries, Results, Running, Stage},
};

/// Queries at once (spec §7).
const AT_ONCE: usize = 100;
/// A query that takes longer is stopped.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Results are kept for so long after the query began.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Queries that are remembered.
const REMEMBERED: usize = 1_000;
/// What the results of queries that are over may take, about.
const RESULT_BYTES_MAX: usize = 64 << 20;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Started {
    /// The query.
    pub text: String,
    /// The groups it reads.
    pub groups: Vec<String>,
    /// The earliest time, in milliseconds since 1970.
    pub from_ms: i64,
    /// The latest.
    pub to_ms: i64,
    /// When it was asked.
    pub created_ms: i64,
}

/// A query that is remembered.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub started: Started,
    /// How far it is.
    pub stage: Stage,
    /// How long it ran, in milliseconds.
    pub lasted_ms: i64,
    /// Bytes that were looked at.
    pub bytes_scanned: f64,
}

/// Where a query stands, and its rows.
#[derive(Clone, Debug)]
pub struct Found {
    /// How far it is.
    pub stage: Stage,
    /// What there is.
    pub results: Arc<Results>,
}

/// A query under way, or what it has left.
#[derive(Clone)]
enum Work {
    Going(Arc<dyn Running>),
    Over(Stage, Arc<Results>),
}

struct Entry {
    id: String,
    started: Started,
    began: Instant,
    lasted: Duration,
    bytes: usize,
    work: Work,
    /// It was stopped, and why; it may take a moment until it is over.
    stopped_as: Option<Stage>,
}

/// Queries, and what runs them.
#[derive(Default)]
pub struct Registry {
    engine: Option<Arc<dyn Queries>>,
    /// Oldest first.
    entries: Mutex<VecDeque<Entry>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("engine", &self.engine.is_some()).finish_non_exhaustive()
    }
}

impl Registry {
    /// With what runs queries.
    pub fn new(engine: Arc<dyn Queries>) -> Self {
        Self { engine: Some(engine), entries: Mutex::default() }
    }

    /// Reads a pointer of a query's results.
    pub fn pointed(&self, pointer: &str) -> Option<Pointed> {
        self.engine.as_ref()?.pointed(pointer)
    }

    /// Begins a query.
    pub(super) async fn start(&self, id: &str, started: Started, order: Order) -> Result<(), ApiError> {
        let Some(engine) = &self.engine else {
            return Err(ApiError::unavailable("this muster was built without what runs queries"));
        };
        let going =
            self.settled(started.created_ms).iter().filter(|entry| matches!(entry.work, Work::Going(_))).count();
        if going >= AT_ONCE {
            let why = format!("{AT_ONCE} queries run already: wait for one to end, or stop one");
            return Err(ApiError::limit(why));
        }
        let running = engine.start(order).await?;
        let entry = Entry {
            id: id.to_owned(),
            started,
            began: Instant::now(),
            lasted: Duration::ZERO,
            bytes: 0,
            work: Work::Going(running),
            stopped_as: None,
        };
        self.open().push_back(entry);
        Ok(())
    }

    /// Where a query stands; `None` for one that is not remembered.
    pub(super) async fn results(&self, id: &str, now_ms: i64) -> Option<Found> {
        // The stage is looked at before the rows: those of an earlier one are never told to be those of the last.
        let (work, stage) = {
            let entries = self.settled(now_ms);
            let entry = entries.iter().find(|entry| entry.id == id)?;
            (entry.work.clone(), entry.stage())
        };
        let results = match work {
            Work::Over(_, results) => results,
            // Rows are written away from the threads that watch the fleet, and nobody else waits for them.
            Work::Going(running) => tokio::task::spawn_blocking(move || running.results()).await.ok()?,
        };
        Some(Found { stage, results })
    }

    /// Stops a query, and tells where it stood before that.
    pub(super) fn stop(&self, id: &str, now_ms: i64) -> Option<Stage> {
        let mut entries = self.settled(now_ms);
        let entry = entries.iter_mut().find(|entry| entry.id == id)?;
        let stage = entry.stage();
        if let Work::Going(running) = &entry.work {
            running.stop();
            entry.stopped_as.get_or_insert(Stage::Cancelled);
        }
        Some(stage)
    }

    /// What is remembered, newest first.
    pub(super) fn list(&self, now_ms: i64) -> Vec<Known> {
        let entries = self.settled(now_ms);
        entries.iter().rev().map(Entry::known).collect()
    }

    fn open(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entries, with those closed that have ended, and those forgotten that are too old or take too much.
    fn settled(&self, now_ms: i64) -> MutexGuard<'_, VecDeque<Entry>> {
        let mut entries = self.open();
        for entry in entries.iter_mut() {
            entry.settle();
        }
        entries.retain(|entry| now_ms.saturating_sub(entry.started.created_ms) <= KEPT_MS);
        let mut bytes: usize = entries.iter().map(|entry| entry.bytes).sum();
        while entries.len() > 1 && (entries.len() > REMEMBERED || bytes > RESULT_BYTES_MAX) {
            let over =
                |entry: &Entry| matches!(entry.work, Work::Over(..)) && (entry.bytes > 0 || bytes <= RESULT_BYTES_MAX);
            let Some(at) = entries.iter().position(over) else { break };
            // The one that ended last is kept, however large: somebody waits for it.
            if at + 1 == entries.len() {
                break;
            }
            if let Some(gone) = entries.remove(at) {
                bytes -= gone.bytes;
            }
        }
        entries
    }
}

impl Entry {
    /// How far it is, as whoever asked is told: one that was stopped is over, though it may take a moment.
    fn stage(&self) -> Stage {
        match &self.work {
            Work::Over(stage, _) => *stage,
            Work::Going(running) => self.stopped_as.unwrap_or_else(|| running.stage()),
        }
    }

    fn settle(&mut self) {
        let Work::Going(running) = &self.work else { return };
        let stage = running.stage();
        if stage.is_over() {
            let results = running.results();
            self.end(self.stopped_as.unwrap_or(stage), results);
        } else if self.stopped_as.is_none() && self.began.elapsed() > LONGEST {
            running.stop();
            self.stopped_as.get_or_insert(Stage::Timeout);
        }
    }

    fn end(&mut self, stage: Stage, results: Arc<Results>) {
        self.lasted = self.began.elapsed();
        self.bytes = results.rows.bytes();
        self.work = Work::Over(stage, results);
    }

    fn known(&self) -> Known {
        let (statistics, lasted) = match &self.work {
            Work::Going(running) => (running.statistics(), self.began.elapsed()),
            Work::Over(_, results) => (results.statistics, self.lasted),
        };
        Known {
            id: self.id.clone(),
            started: self.started.clone(),
            stage: self.stage(),
            lasted_ms: i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX),
            bytes_scanned: statistics.bytes_scanned,
        }
    }
}
