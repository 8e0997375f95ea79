//! Taking events in.

use std::sync::{Arc, PoisonError, atomic::Ordering};

use super::{PutError, Store, StoreError};
use crate::{
    event::Event,
    limits::{self, Kept},
    wal::Body,
};

/// What became of a batch. Indexes are of the batch as it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// How many events were taken in.
    pub accepted: usize,
    /// The number of the first of them in the store; the others follow.
    pub first: Option<u64>,
    /// The first event that lies too far in the future; it and those after it are not kept.
    pub too_new_from: Option<usize>,
    /// The first event that is not too old; those before it are not kept.
    pub too_old_to: Option<usize>,
    /// The first event that the group's retention still keeps; those before it are not kept.
    pub expired_to: Option<usize>,
}

impl Store {
    /// Takes a batch in. Its events are durable when this returns, and seen by the next snapshot.
    ///
    /// Batches that are put at the same time share one flush of the log. Events that are too old, too new or expired are left
    /// out, as PutLogEvents does it.
    ///
    /// # Errors
    /// When the batch breaks a limit, group or stream are not there, the disk is full or fails, or too many rows wait in memory.
    /// Nothing of the batch was taken in then.
    pub async fn put(&self, group: &str, stream: &str, mut events: Vec<Event>, now_ms: i64) -> Result<Put, PutError> {
        limits::check(&events)?;
        let wal = self.wal()?;
        let group = self.group(group)?;
        let retention_days = {
            let live = group.live();
            if !live.streams.contains_key(stream) {
                let (group, stream) = (group.name.clone(), stream.to_owned());
                return Err(StoreError::NoStream { group, stream }.into());
            }
            live.manifest.retention_days
        };
        let Kept { events: kept, too_new_from, too_old_to, expired_to } = limits::kept(&events, now_ms, retention_days);
        let mut put = Put { accepted: kept.len(), first: None, too_new_from, too_old_to, expired_to };
        if kept.is_empty() {
            return Ok(put);
        }
        events.truncate(kept.end);
        events.drain(..kept.start);
        self.wait_for_room().await?;
        let body = Body::of_events(group.number, stream, now_ms, &events);
        let number = group.number;
        let applied = {
            let (inner, stream) = (Arc::clone(&self.inner), stream.to_owned());
            move |first| {
                let grown = group.apply_events(&stream, &events, now_ms, first);
                inner.count_memory(0, grown);
            }
        };
        put.first = Some(wal.append(number, body, Box::new(applied)).await.map_err(StoreError::from)?);
        if self.inner.memory.load(Ordering::Relaxed) >= self.inner.config.memory_bytes {
            self.relieve();
        }
        Ok(put)
    }

    /// Waits while too many rows are in memory.
    async fn wait_for_room(&self) -> Result<(), PutError> {
        let bytes_max = self.inner.config.memory_bytes_max;
        loop {
            let relieved = self.inner.relieved.notified();
            let bytes = self.inner.memory.load(Ordering::Relaxed);
            if bytes < bytes_max {
                return Ok(());
            }
            if let Some(cause) = self.inner.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                // The next attempt may go better; this batch does not wait for it.
                self.relieve();
                return Err(PutError::Behind { bytes, bytes_max, cause });
            }
            self.relieve();
            relieved.await;
        }
    }

    /// Begins to write the largest groups to files, if that is not being done.
    fn relieve(&self) {
        if self.inner.relieving.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            while store.inner.memory.load(Ordering::Relaxed) >= store.inner.config.memory_bytes {
                let largest = store.all().values().max_by_key(|group| group.live().bytes()).cloned();
                let Some(group) = largest else { break };
                let sealed = store.seal(&group).await;
                let trouble = sealed.as_ref().err().map(ToString::to_string);
                *store.inner.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
                if let Err(error) = sealed {
                    tracing::error!(%error, group = group.name, "rows could not be written to files");
                    break;
                }
            }
            store.inner.relieving.store(false, Ordering::Release);
            store.inner.relieved.notify_waiters();
        });
    }
}
