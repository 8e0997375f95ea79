//! Lines into logs: groups and streams are made when they are needed, no line goes into a stream twice, and what hosts tell by
//! themselves is not told for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use telemetry::{event::Event, record::Line};

use crate::logs::port::{Class, Logs, LogsError};

/// Puts lines into logs.
pub struct Sender {
    logs: Arc<dyn Logs>,
    retention_days: u32,
    /// Groups whose streams are known.
    groups: BTreeSet<String>,
    /// How far each stream has come, by group and stream.
    reached: BTreeMap<(String, String), Reached>,
    /// Streams that somebody else writes to, and when that was last seen.
    others: BTreeMap<(String, String), i64>,
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    /// The time of its newest line: what is not newer is there already.
    newest_ms: Option<i64>,
    /// When a line last came in.
    put_ms: Option<i64>,
}

/// A stream that somebody else writes to is left to them until they have been silent for so long.
const SILENCE_MS: i64 = 150_000;

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("streams", &self.reached.len()).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender that makes groups which are kept for so many days.
    pub fn new(logs: Arc<dyn Logs>, retention_days: u32) -> Self {
        Self { logs, retention_days, groups: BTreeSet::new(), reached: BTreeMap::new(), others: BTreeMap::new() }
    }

    /// Puts lines into their streams. What cannot be put is told to the log and not tried again: the next minute has its own.
    pub async fn send(&mut self, lines: Vec<Line>, now_ms: i64) {
        let mut batches: BTreeMap<(String, String), Vec<Event>> = BTreeMap::new();
        for Line { group, stream, event } in lines {
            batches.entry((group, stream)).or_default().push(event);
        }
        let groups = batches.keys().map(|(group, _)| group.clone()).collect();
        self.look_for_others(&groups).await;
        let mut failed = 0;
        let mut why = None;
        for ((group, stream), events) in batches {
            let count = events.len();
            if let Err(error) = self.put(&group, &stream, events, now_ms).await {
                failed += count;
                why = Some(error.to_string());
            }
        }
        if let Some(why) = why {
            tracing::warn!(failed, why, "records could not be kept");
        }
    }

    async fn put(&mut self, group: &str, stream: &str, mut events: Vec<Event>, now_ms: i64) -> Result<(), LogsError> {
        self.know_group(group, now_ms).await?;
        let key = (group.to_owned(), stream.to_owned());
        if self.others.get(&key).is_some_and(|seen_ms| now_ms - seen_ms < SILENCE_MS) {
            return Ok(());
        }
        if !self.reached.contains_key(&key) {
            match self.logs.create_stream(group, stream, now_ms).await {
                Ok(()) | Err(LogsError::Exists(_)) => {}
                Err(error) => return Err(error),
            }
            self.reached.insert(key.clone(), Reached::default());
        }
        let newest_ms = self.reached.get(&key).and_then(|reached| reached.newest_ms);
        events.retain(|event| newest_ms.is_none_or(|newest_ms| event.timestamp_ms > newest_ms));
        let Some(last_ms) = events.iter().map(|event| event.timestamp_ms).max() else { return Ok(()) };
        match self.logs.put(group, stream, events, now_ms).await {
            Ok(_) => {
                self.reached.insert(key, Reached { newest_ms: Some(last_ms), put_ms: Some(now_ms) });
                Ok(())
            }
            Err(error) => {
                // Somebody may have removed the group or the stream: they are looked for again.
                self.groups.remove(group);
                self.reached.retain(|(of, _), _| of != group);
                Err(error)
            }
        }
    }

    /// Looks who else writes to the streams of tasks: hosts that tell what their containers use tell of their tasks as well, and
    /// one task has one record a minute.
    async fn look_for_others(&mut self, groups: &BTreeSet<String>) {
        for group in groups {
            let Ok(streams) = self.logs.streams(group, Some("AgentTelemetry-")).await else { continue };
            for stream in streams {
                let key = (group.clone(), stream.name);
                let own = self.reached.get(&key).and_then(|reached| reached.put_ms);
                if let Some(put_ms) = stream
                    .last_ingestion_ms
                    .filter(|put_ms| self.groups.contains(group) && own.is_none_or(|own| *put_ms > own))
                {
                    self.others.insert(key, put_ms);
                }
            }
        }
    }

    /// Makes a group that is not there, or learns how far the streams of one that is there have come.
    async fn know_group(&mut self, group: &str, now_ms: i64) -> Result<(), LogsError> {
        if self.groups.contains(group) {
            return Ok(());
        }
        match self.logs.create_group(group, Class::Standard, now_ms).await {
            Ok(()) => self.logs.set_retention(group, Some(self.retention_days)).await?,
            Err(LogsError::Exists(_)) => {
                for stream in self.logs.streams(group, None).await? {
                    let reached = Reached { newest_ms: stream.last_event_ms, put_ms: stream.last_ingestion_ms };
                    self.reached.insert((group.to_owned(), stream.name), reached);
                }
            }
            Err(error) => return Err(error),
        }
        self.groups.insert(group.to_owned());
        Ok(())
    }
}
