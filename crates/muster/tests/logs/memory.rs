//! Logs in memory and queries from a script, for tests.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use muster::logs::port::{
    Class, GroupInfo, Logs, LogsError, Order, Place, Pointed, Put, Queries, Results, Running, Stage, Statistics,
    StoredEvent, StreamInfo, Wanted,
};
use telemetry::event::Event;

struct Group {
    info: GroupInfo,
    streams: BTreeMap<String, i64>,
    events: Vec<StoredEvent>,
}

#[derive(Default)]
pub(crate) struct MemoryLogs(Mutex<BTreeMap<String, Group>>);

impl MemoryLogs {
    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Group) -> Result<T, LogsError>) -> Result<T, LogsError> {
        let mut groups = self.0.lock().unwrap();
        act(groups.get_mut(name).ok_or_else(|| LogsError::NoGroup(name.to_owned()))?)
    }
}

#[async_trait]
impl Logs for MemoryLogs {
    async fn create_group(&self, name: &str, class: Class, now_ms: i64) -> Result<(), LogsError> {
        let mut groups = self.0.lock().unwrap();
        if groups.contains_key(name) {
            return Err(LogsError::Exists("log group".to_owned()));
        }
        let info =
            GroupInfo { name: name.to_owned(), created_ms: now_ms, retention_days: None, stored_bytes: 7, class };
        groups.insert(name.to_owned(), Group { info, streams: BTreeMap::new(), events: Vec::new() });
        Ok(())
    }

    async fn delete_group(&self, name: &str) -> Result<(), LogsError> {
        let gone = self.0.lock().unwrap().remove(name);
        gone.map(drop).ok_or_else(|| LogsError::NoGroup(name.to_owned()))
    }

    async fn groups(&self, prefix: Option<&str>) -> Result<Vec<GroupInfo>, LogsError> {
        let groups = self.0.lock().unwrap();
        let fits = |group: &&Group| prefix.is_none_or(|prefix| group.info.name.starts_with(prefix));
        Ok(groups.values().filter(fits).map(|group| group.info.clone()).collect())
    }

    async fn set_retention(&self, name: &str, days: Option<u32>) -> Result<(), LogsError> {
        self.with(name, |group| {
            group.info.retention_days = days;
            Ok(())
        })
    }

    async fn create_stream(&self, group: &str, stream: &str, now_ms: i64) -> Result<(), LogsError> {
        self.with(group, |group| match group.streams.insert(stream.to_owned(), now_ms) {
            Some(_) => Err(LogsError::Exists("log stream".to_owned())),
            None => Ok(()),
        })
    }

    async fn delete_stream(&self, group: &str, stream: &str) -> Result<(), LogsError> {
        self.with(group, |group| {
            group.events.retain(|event| event.stream != stream);
            group.streams.remove(stream).map(drop).ok_or_else(|| LogsError::NoStream(stream.to_owned()))
        })
    }

    async fn streams(&self, group: &str, prefix: Option<&str>) -> Result<Vec<StreamInfo>, LogsError> {
        self.with(group, |group| {
            let names = group.streams.iter().filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix)));
            let info = |(name, created): (&String, &i64)| {
                let own = || group.events.iter().filter(|event| event.stream == *name);
                StreamInfo {
                    name: name.clone(),
                    created_ms: *created,
                    first_event_ms: own().map(|event| event.place.timestamp_ms).min(),
                    last_event_ms: own().map(|event| event.place.timestamp_ms).max(),
                    last_ingestion_ms: own().map(|event| event.place.ingestion_ms).max(),
                }
            };
            Ok(names.map(info).collect())
        })
    }

    async fn put(&self, group: &str, stream: &str, events: Vec<Event>, now_ms: i64) -> Result<Put, LogsError> {
        self.with(group, |group| {
            if !group.streams.contains_key(stream) {
                return Err(LogsError::NoStream(stream.to_owned()));
            }
            let mut put = Put::default();
            for (index, event) in events.into_iter().enumerate() {
                if event.timestamp_ms > now_ms + 2 * 3_600_000 {
                    put.too_new_from.get_or_insert(index);
                    continue;
                }
                if event.timestamp_ms < now_ms - 14 * 24 * 3_600_000 {
                    put.too_old_to = Some(index + 1);
                    continue;
                }
                let number = group.events.len() as u64 + 1;
                let place = Place { timestamp_ms: event.timestamp_ms, ingestion_ms: now_ms, number };
                group.events.push(StoredEvent { place, stream: stream.to_owned(), message: event.message });
            }
            group.events.sort_by_key(|event| event.place);
            Ok(put)
        })
    }

    async fn events(&self, group: &str, wanted: &Wanted) -> Result<Vec<StoredEvent>, LogsError> {
        self.with(group, |group| {
            let fits = |event: &&StoredEvent| {
                let at = event.place.timestamp_ms;
                let beyond = wanted.beyond.is_none_or(|place| match wanted.newest_first {
                    true => event.place < place,
                    false => event.place > place,
                });
                beyond && (wanted.from_ms..=wanted.to_ms).contains(&at) && wanted.streams.contains(&event.stream)
            };
            let mut found: Vec<StoredEvent> = group.events.iter().filter(fits).cloned().collect();
            if wanted.newest_first {
                found.reverse();
            }
            found.truncate(wanted.count);
            Ok(found)
        })
    }
}

/// An engine that runs nothing: tests say how far its queries are.
#[derive(Default)]
pub(crate) struct Scripted {
    /// What was asked of it.
    pub orders: Mutex<Vec<Order>>,
    /// What its queries are.
    pub state: Arc<Mutex<(Option<Stage>, Results)>>,
    /// A query was stopped.
    pub stopped: Arc<AtomicBool>,
}

struct ScriptedQuery {
    state: Arc<Mutex<(Option<Stage>, Results)>>,
    stopped: Arc<AtomicBool>,
}

impl Running for ScriptedQuery {
    fn stage(&self) -> Stage {
        self.state.lock().unwrap().0.unwrap_or(Stage::Running)
    }

    fn results(&self) -> Arc<Results> {
        Arc::new(self.state.lock().unwrap().1.clone())
    }

    fn statistics(&self) -> Statistics {
        self.state.lock().unwrap().1.statistics
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Queries for Scripted {
    async fn start(&self, order: Order) -> Result<Arc<dyn Running>, LogsError> {
        self.orders.lock().unwrap().push(order);
        Ok(Arc::new(ScriptedQuery { state: self.state.clone(), stopped: self.stopped.clone() }))
    }

    fn pointed(&self, pointer: &str) -> Option<Pointed> {
        let mut parts = pointer.splitn(3, ' ');
        let (timestamp_ms, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Pointed { group: parts.next()?.to_owned(), timestamp_ms, number })
    }
}
