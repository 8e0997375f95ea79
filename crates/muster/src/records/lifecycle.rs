//! Lifecycle events: what the event queue tells of hosts, tasks and services, kept as a log of their cluster.
//!
//! The log is a copy for people and queries. What muster believes comes by its journal, which waits for nothing here: events
//! are put into the log beside the loop, and when the store cannot keep up, those that it did not take are counted and told.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use engine::ports::{ActResult, Answer, Cloud, Delivery, Intent, Look, LookFailure, Receipt};
use jiff::Timestamp;
use telemetry::{
    event::Event,
    record::{Line, lifecycle},
};
use tokio::sync::mpsc;

use super::{batch::batches, made::made};
use crate::logs::port::{Logs, LogsError};

/// Events that may wait for the store: some 10 MB.
const WAITING: usize = 4_096;
/// Events that are put at once.
const AT_ONCE: usize = 512;
/// The queue gives some events twice, within minutes; so many are known again.
const REMEMBERED: usize = 16_384;

/// A cloud whose queue somebody listens to.
pub struct Heard {
    cloud: Arc<dyn Cloud>,
    bodies: mpsc::Sender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Heard").field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl Heard {
    /// Listens to a cloud's queue. What is heard waits until somebody keeps it.
    pub fn new(cloud: Arc<dyn Cloud>) -> (Self, Bodies) {
        let (bodies, heard) = mpsc::channel(WAITING);
        let lost = Arc::<AtomicU64>::default();
        (Self { cloud, bodies, lost: lost.clone() }, Bodies { heard, lost })
    }
}

/// What was heard.
#[derive(Debug)]
pub struct Bodies {
    heard: mpsc::Receiver<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl Bodies {
    /// Puts events of ECS into logs that are kept for so many days. Ends with the cloud, when everything that was heard is in the
    /// logs.
    pub async fn keep(self, logs: Arc<dyn Logs>, retention_days: u32) {
        let keeper = Keeper { logs, retention_days, known: BTreeSet::new(), seen: Seen::default() };
        keeper.keep(self.heard, self.lost).await;
    }
}

#[async_trait]
impl Cloud for Heard {
    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        let deliveries = self.cloud.receive().await?;
        for delivery in &deliveries {
            if self.bodies.try_send(delivery.body.clone()).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(deliveries)
    }

    async fn sweep(&self, answers: mpsc::Sender<Answer>) {
        self.cloud.sweep(answers).await;
    }

    async fn look(&self, look: Look) -> Answer {
        self.cloud.look(look).await
    }

    async fn acknowledge(&self, receipts: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        self.cloud.acknowledge(receipts).await
    }

    async fn act(&self, intent: &Intent, again: bool) -> ActResult<'static> {
        self.cloud.act(intent, again).await
    }
}

/// Texts that were seen lately, by their hashes.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    order: VecDeque<u64>,
    hashes: HashSet<u64>,
}

impl Seen {
    /// Whether a text was not seen before.
    fn is_new(&mut self, text: &str) -> bool {
        let hash = self.hasher.hash_one(text);
        if !self.hashes.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        true
    }
}

/// Puts events into the logs of their clusters.
struct Keeper {
    logs: Arc<dyn Logs>,
    retention_days: u32,
    /// Groups that are there, with their stream.
    known: BTreeSet<String>,
    seen: Seen,
}

impl Keeper {
    async fn keep(mut self, mut heard: mpsc::Receiver<Vec<u8>>, lost: Arc<AtomicU64>) {
        let mut bodies = Vec::new();
        while heard.recv_many(&mut bodies, AT_ONCE).await > 0 {
            let mut events: BTreeMap<String, Vec<Event>> = BTreeMap::new();
            for body in bodies.drain(..) {
                // What is no event of ECS is none here; what is no JSON the journal keeps aside.
                let text = String::from_utf8_lossy(&body);
                if let Some(Line { group, event, .. }) = lifecycle::line(&text)
                    && self.seen.is_new(&event.message)
                {
                    events.entry(group).or_default().push(event);
                }
            }
            for (group, events) in events {
                let count = events.len() as u64;
                if let Err(error) = self.put(&group, events).await {
                    lost.fetch_add(count, Ordering::Relaxed);
                    tracing::debug!(group, %error, "lifecycle events could not be kept");
                }
            }
            let lost = lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "the log of lifecycle events has not taken these events: the store is too slow, full or away; the journal has \
                     them all"
                );
            }
        }
    }

    async fn put(&mut self, group: &str, mut events: Vec<Event>) -> Result<(), LogsError> {
        events.sort_by_key(|event| event.timestamp_ms);
        let (batches, too_large) = batches(events.into_iter().map(|event| ((), event)).collect());
        for batch in batches {
            let events: Vec<Event> = batch.into_iter().map(|((), event)| event).collect();
            if self.known.contains(group) {
                match self.put_once(group, events.clone()).await {
                    // Somebody has removed it.
                    Err(LogsError::NoGroup(_) | LogsError::NoStream(_)) => {}
                    other => {
                        other?;
                        continue;
                    }
                }
            }
            self.make(group).await?;
            self.put_once(group, events).await?;
        }
        if too_large.is_empty() {
            Ok(())
        } else {
            Err(LogsError::Limit(format!("{} events are larger than a log takes", too_large.len())))
        }
    }

    async fn put_once(&self, group: &str, events: Vec<Event>) -> Result<(), LogsError> {
        let now_ms = Timestamp::now().as_millisecond();
        self.logs.put(group, lifecycle::STREAM, events, now_ms).await.map(drop)
    }

    async fn make(&mut self, group: &str) -> Result<(), LogsError> {
        let now_ms = Timestamp::now().as_millisecond();
        made(&*self.logs, group, lifecycle::STREAM, self.retention_days, now_ms).await?;
        self.known.insert(group.to_owned());
        Ok(())
    }
}
