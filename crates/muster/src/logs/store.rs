//! muster's own store, as the API sees it.

use async_trait::async_trait;
use telemetry::{
    event::Event,
    reader,
    store::{PutError, Store, StoreError},
};

use super::port::{Class, GroupInfo, Logs, LogsError, Put, StoredEvent, StreamInfo, Wanted};

/// The store.
#[derive(Clone, Debug)]
pub struct StoreLogs {
    store: Store,
}

impl StoreLogs {
    /// A store that is open for writing.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl From<StoreError> for LogsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoGroup(name) => Self::NoGroup(name),
            StoreError::NoStream { stream, .. } => Self::NoStream(stream),
            StoreError::Exists(what) => Self::Exists(what),
            other => Self::unavailable(&other),
        }
    }
}

impl From<PutError> for LogsError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Batch(error) => Self::Invalid(error.to_string()),
            PutError::Store(error) => error.into(),
            other @ PutError::Behind { .. } => Self::unavailable(&other),
        }
    }
}

impl LogsError {
    /// It is told whole: whoever runs muster is who asks.
    fn unavailable(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(%error, "the store of logs does not do what it is asked for");
        Self::Unavailable(error.to_string())
    }
}

#[async_trait]
impl Logs for StoreLogs {
    async fn create_group(&self, name: &str, class: Class, now_ms: i64) -> Result<(), LogsError> {
        let made = self.store.create_group(name, class, born_ms(name, now_ms)).await;
        made.map_err(|error| match error {
            StoreError::Exists(_) => LogsError::Exists("log group".to_owned()),
            other => other.into(),
        })
    }

    async fn delete_group(&self, name: &str) -> Result<(), LogsError> {
        Ok(self.store.delete_group(name).await?)
    }

    async fn groups(&self, prefix: Option<&str>) -> Result<Vec<GroupInfo>, LogsError> {
        Ok(self.store.groups(prefix))
    }

    async fn set_retention(&self, name: &str, days: Option<u32>) -> Result<(), LogsError> {
        Ok(self.store.set_retention(name, days).await?)
    }

    async fn create_stream(&self, group: &str, stream: &str, now_ms: i64) -> Result<(), LogsError> {
        let made = self.store.create_stream(group, stream, now_ms).await;
        made.map_err(|error| match error {
            StoreError::Exists(_) => LogsError::Exists("log stream".to_owned()),
            other => other.into(),
        })
    }

    async fn delete_stream(&self, group: &str, stream: &str) -> Result<(), LogsError> {
        Ok(self.store.delete_stream(group, stream).await?)
    }

    async fn streams(&self, group: &str, prefix: Option<&str>) -> Result<Vec<StreamInfo>, LogsError> {
        Ok(self.store.streams(group, prefix)?)
    }

    async fn put(&self, group: &str, stream: &str, events: Vec<Event>, now_ms: i64) -> Result<Put, LogsError> {
        Ok(self.store.put(group, stream, events, now_ms).await?)
    }

    async fn events(&self, group: &str, wanted: &Wanted) -> Result<Vec<StoredEvent>, LogsError> {
        let (store, name, wanted) = (self.store.clone(), group.to_owned(), wanted.clone());
        let threads = tokio::runtime::Handle::current();
        // Files are decoded away from the threads that answer requests and watch the fleet.
        let read = tokio::task::spawn_blocking(move || {
            let snapshot = store.snapshot(&[name])?;
            let (objects, _) = store.object_store();
            let mut found = Vec::new();
            for group in &snapshot {
                let wanted = reader::Wanted {
                    streams: &|stream| wanted.streams.contains(stream),
                    from_ms: wanted.from_ms,
                    to_ms: wanted.to_ms,
                    beyond: wanted.beyond,
                    newest_first: wanted.newest_first,
                    count: wanted.count,
                };
                let events = threads.block_on(reader::events(group, &objects, &wanted));
                found.extend(events.map_err(|error| LogsError::unavailable(&error))?);
            }
            Ok(found)
        });
        read.await.map_err(|error| LogsError::unavailable(&error))?
    }
}

/// When a group counts as made. Queries pass over what happened before that, and performance records stand at the beginning of
/// the minute that they tell of: the first ones would never be seen.
fn born_ms(name: &str, now_ms: i64) -> i64 {
    match name.starts_with("/aws/ecs/containerinsights/") {
        true => now_ms - now_ms.rem_euclid(MINUTE_MS) - MINUTE_MS,
        false => now_ms,
    }
}

const MINUTE_MS: i64 = 60_000;
