//! Lines into logs: groups and streams are made when they are needed, and no line goes into a stream twice.

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
    /// The time of the newest line in each stream, by group and stream: what is not newer is there already.
    newest_ms: BTreeMap<(String, String), Option<i64>>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("streams", &self.newest_ms.len()).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender that makes groups which are kept for so many days.
    pub fn new(logs: Arc<dyn Logs>, retention_days: u32) -> Self {
        Self { logs, retention_days, groups: BTreeSet::new(), newest_ms: BTreeMap::new() }
    }

    /// Puts lines into their streams. What cannot be put is told to the log and not tried again: the next minute has its own.
    pub async fn send(&mut self, lines: Vec<Line>, now_ms: i64) {
        let mut batches: BTreeMap<(String, String), Vec<Event>> = BTreeMap::new();
        for Line { group, stream, event } in lines {
            batches.entry((group, stream)).or_default().push(event);
        }
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
        if !self.newest_ms.contains_key(&key) {
            match self.logs.create_stream(group, stream, now_ms).await {
                Ok(()) | Err(LogsError::Exists(_)) => {}
                Err(error) => return Err(error),
            }
            self.newest_ms.insert(key.clone(), None);
        }
        let newest_ms = self.newest_ms.get(&key).copied().flatten();
        events.retain(|event| newest_ms.is_none_or(|newest_ms| event.timestamp_ms > newest_ms));
        let Some(last_ms) = events.iter().map(|event| event.timestamp_ms).max() else { return Ok(()) };
        match self.logs.put(group, stream, events, now_ms).await {
            Ok(_) => {
                self.newest_ms.insert(key, Some(last_ms));
                Ok(())
            }
            Err(error) => {
                // Somebody may have removed the group or the stream: they are looked for again.
                self.groups.remove(group);
                self.newest_ms.retain(|(of, _), _| of != group);
                Err(error)
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
                    self.newest_ms.insert((group.to_owned(), stream.name), stream.last_event_ms);
                }
            }
            Err(error) => return Err(error),
        }
        self.groups.insert(group.to_owned());
        Ok(())
    }
}
