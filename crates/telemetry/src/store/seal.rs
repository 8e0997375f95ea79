//! Rows in memory become files.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Store, StoreError,
    group::{Frozen, Group},
};
use crate::{
    file::{self, MergeError, Sealed},
    manifest::{Entry, Manifest},
    place::Version,
    snapshot::File,
    wal::free_bytes,
};

/// A group of so many rows knows its columns well enough for choosing an order that stays.
const SETTLED_ROWS: usize = 10_000;

impl Store {
    /// Writes all rows of a group that are in memory into files.
    pub(super) async fn seal(&self, group: &Arc<Group>) -> Result<(), StoreError> {
        let mut version = group.work.lock().await;
        loop {
            let (frozen, last) = {
                let mut live = group.live();
                (live.freeze(), live.last)
            };
            let Some(frozen) = frozen else { return self.note_sealed(group, &mut version, last).await };
            self.write_frozen(group, &mut version, &frozen).await?;
            // What came in while an earlier attempt's rows were written comes next.
            if frozen.to >= last {
                return Ok(());
            }
        }
    }

    /// Without rows there may be streams that only the log knows.
    async fn note_sealed(&self, group: &Group, version: &mut Version, last: u64) -> Result<(), StoreError> {
        let (sealed_to, deleted) = {
            let live = group.live();
            (live.manifest.sealed_to, live.deleted)
        };
        if last > sealed_to && !deleted {
            self.change(group, version, |manifest| manifest.sealed_to = last).await?;
        }
        Ok(())
    }

    async fn write_frozen(
        &self,
        group: &Arc<Group>,
        version: &mut Version,
        frozen: &Arc<Frozen>,
    ) -> Result<(), StoreError> {
        let sealed_by = group.live().manifest.sorted_by.clone();
        let rows = Arc::clone(frozen);
        let (sorted_by, sealed) = self
            .work(group, move || {
                let sorted_by = sealed_by.unwrap_or_else(|| file::choose(&rows.rows));
                let sealed = file::seal(&rows.rows, &sorted_by)?;
                Ok((sorted_by, sealed))
            })
            .await?;
        let entries = self.write_files(group, "s", sealed, &sorted_by).await?;
        let settled = frozen.rows.len >= SETTLED_ROWS;
        self.change(group, version, |manifest| {
            manifest.sealed_to = frozen.to;
            manifest.files.extend(entries);
            if settled {
                manifest.sorted_by.get_or_insert(sorted_by);
            }
        })
        .await?;
        let freed = frozen.rows.bytes();
        self.inner.count_memory(freed, 0);
        Ok(())
    }

    /// Runs work that takes long and does no I/O.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        group: &Group,
        run: impl FnOnce() -> Result<T, MergeError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = tokio::task::spawn_blocking(run).await.map_err(|error| StoreError::Stopped(error.to_string()))?;
        done.map_err(|source| StoreError::File { group: group.name.clone(), source })
    }

    /// Keeps files; gives their entries for the manifest.
    pub(super) async fn write_files(
        &self,
        group: &Group,
        what: &str,
        sealed: Vec<Sealed>,
        sorted_by: &[String],
    ) -> Result<Vec<Entry>, StoreError> {
        let (folder, generation) = {
            let live = group.live();
            (live.manifest.folder(), live.manifest.generation + 1)
        };
        let mut entries = Vec::with_capacity(sealed.len());
        for (number, sealed) in sealed.into_iter().enumerate() {
            self.check_room(sealed.bytes.len() as u64)?;
            let (date, writer) = (date_of(sealed.day), self.inner.writer);
            let path = format!("{folder}/{date}/{generation:010}-{what}{number:03}-{writer:016x}.parquet");
            let bytes = sealed.bytes.len() as u64;
            self.inner.place.put(&path, Bytes::from(sealed.bytes)).await?;
            entries.push(Entry {
                file: File { path, bytes, rows: sealed.rows, from_ms: sealed.from_ms, to_ms: sealed.to_ms },
                day: sealed.day,
                sorted_by: sorted_by.to_vec(),
                ingested_to_ms: sealed.ingested_to_ms,
                rollups: None,
            });
        }
        Ok(entries)
    }

    /// Files on the disk of the log leave as much of it to the journal as the log does.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), StoreError> {
        let config = &self.inner.config;
        if config.url.is_some() {
            return Ok(());
        }
        match free_bytes(&config.dir) {
            Some(free_bytes) if free_bytes < config.reserve_bytes.saturating_add(bytes) => {
                let (dir, reserve_bytes) = (config.dir.clone(), config.reserve_bytes);
                Err(crate::wal::WalError::Full { dir, free_bytes, reserve_bytes }.into())
            }
            _ => Ok(()),
        }
    }

    /// Replaces the manifest of a group. Streams, fields and shapes go into it as they are now.
    pub(super) async fn change(
        &self,
        group: &Group,
        version: &mut Version,
        edit: impl FnOnce(&mut Manifest),
    ) -> Result<(), StoreError> {
        let manifest = {
            let mut live = group.live();
            live.refresh_catalog();
            let mut manifest = (*live.manifest).clone();
            manifest.streams = live.streams.clone();
            manifest.fields = live.fields();
            manifest.shapes = live.shapes();
            manifest
        };
        let mut manifest = manifest;
        manifest.generation += 1;
        edit(&mut manifest);
        let path = manifest.path();
        let text = serde_json::to_vec(&manifest)
            .map_err(|error| StoreError::Manifest { path: path.clone(), what: error.to_string() })?;
        // What cannot be replaced now is replaced later: the version that was seen stays known.
        *version = self.inner.place.replace(&path, text.into(), version.clone()).await?;
        let sealed_to = manifest.sealed_to;
        {
            let mut live = group.live();
            if live.frozen.as_ref().is_some_and(|frozen| frozen.to <= sealed_to) {
                live.frozen = None;
            }
            live.manifest = Arc::new(manifest);
        }
        self.wal()?.sealed(group.number, sealed_to);
        Ok(())
    }
}

/// A day as a date of UTC.
fn date_of(day: i64) -> String {
    let seconds = day.saturating_mul(86_400);
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => format!("day{day}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_named_by_their_dates() {
        assert_eq!(
            (date_of(0), date_of(-1), date_of(20_000)),
            ("1970-01-01".into(), "1969-12-31".into(), "2024-10-04".into())
        );
        assert_eq!(date_of(i64::MAX / 86_400), "day106751991167300");
    }
}
