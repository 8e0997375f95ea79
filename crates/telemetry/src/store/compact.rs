//! What is done from time to time: sealing, merging, rolling up, retention, removal.

use std::{collections::BTreeMap, sync::Arc};

use super::{Store, StoreError, group::Group};
use crate::{
    file,
    limits::oldest_ms,
    manifest::{Entry, Manifest, Removed},
};

/// No merge takes more files than this at once.
const MERGE_FILES_MAX: usize = 64;
/// A day that is over for so long is merged whatever the number of its files, in milliseconds: late events have come.
const SETTLED_DAY_MS: i64 = 3 * 3_600_000;

impl Store {
    /// Seals what has been in memory for long, merges small files, rolls up what is large enough, removes what retention and size do not keep, and files that
    /// nobody reads any more. Does what it can; call it every few seconds.
    ///
    /// # Errors
    /// The first failure. The other groups were seen to all the same.
    pub async fn maintain(&self, now_ms: i64) -> Result<(), StoreError> {
        let wal = self.wal()?;
        let config = &self.inner.config;
        let holding = wal.holding(config.wal_bytes);
        let groups: Vec<Arc<Group>> = self.all().values().cloned().collect();
        let mut failure = None;
        let mut note = |done: Result<(), StoreError>| {
            if let Err(error) = done {
                tracing::error!(%error, "telemetry could not be kept in order");
                failure.get_or_insert(error);
            }
        };
        for group in &groups {
            let due = {
                let live = group.live();
                let waited_ms = live.oldest_ms().map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
                waited_ms >= config.seal_after_ms
                    || live.builder.len() >= config.seal_rows
                    || live.frozen.is_some()
                    || holding.contains(&group.number)
            };
            if due {
                note(self.seal(group).await);
            }
            note(self.expire(group, now_ms).await);
            note(self.compact(group, now_ms).await);
            note(self.roll_up(group, now_ms).await);
        }
        note(self.shrink(&groups, now_ms).await);
        for group in &groups {
            note(self.sweep(group, now_ms).await);
        }
        failure.map_or(Ok(()), Err)
    }

    /// Writes all rows of all groups into files, so that the next start has nothing to read from the log.
    ///
    /// # Errors
    /// When files or manifests cannot be written.
    pub async fn seal_all(&self) -> Result<(), StoreError> {
        self.wal()?;
        let groups: Vec<Arc<Group>> = self.all().values().cloned().collect();
        for group in groups {
            self.seal(&group).await?;
        }
        Ok(())
    }

    /// Takes files out whose events are all older than the group keeps.
    async fn expire(&self, group: &Group, now_ms: i64) -> Result<(), StoreError> {
        let expired = |manifest: &Manifest| -> Vec<String> {
            let Some(days) = manifest.retention_days else { return Vec::new() };
            let oldest_ms = oldest_ms(now_ms, days);
            let old = manifest.files.iter().filter(|entry| entry.file.to_ms < oldest_ms);
            old.map(|entry| entry.file.path.clone()).collect()
        };
        if expired(&group.live().manifest).is_empty() {
            return Ok(());
        }
        let mut version = group.work.lock().await;
        let paths = expired(&group.live().manifest);
        tracing::info!(group = group.name, files = paths.len(), "events are older than the log group keeps them");
        self.change(group, &mut version, |manifest| manifest.retire(&paths, now_ms)).await
    }

    /// Takes the oldest files out until all together are as small as they must be.
    async fn shrink(&self, groups: &[Arc<Group>], now_ms: i64) -> Result<(), StoreError> {
        let Some(bytes_max) = self.inner.config.files_bytes else { return Ok(()) };
        let mut files: Vec<(i64, Arc<Group>, Entry)> = Vec::new();
        for group in groups {
            let manifest = Arc::clone(&group.live().manifest);
            files.extend(manifest.files.iter().map(|entry| (entry.file.to_ms, Arc::clone(group), entry.clone())));
        }
        let mut bytes: u64 = files.iter().map(|(.., entry)| entry.bytes()).sum();
        files.sort_by_key(|(to_ms, ..)| *to_ms);
        for (_, group, entry) in files {
            if bytes <= bytes_max {
                break;
            }
            bytes -= entry.bytes();
            tracing::warn!(
                group = group.name,
                file = entry.file.path,
                "telemetry is larger than it may be: its oldest file goes"
            );
            let mut version = group.work.lock().await;
            self.change(&group, &mut version, |manifest| manifest.retire(&[entry.file.path], now_ms)).await?;
        }
        Ok(())
    }

    /// Merges small files of a day, as long as there are enough of them.
    async fn compact(&self, group: &Arc<Group>, now_ms: i64) -> Result<(), StoreError> {
        let config = &self.inner.config;
        loop {
            let manifest = Arc::clone(&group.live().manifest);
            if candidates(&manifest, config.merge_files, config.file_bytes, now_ms).is_none() {
                return Ok(());
            }
            let mut version = group.work.lock().await;
            let manifest = Arc::clone(&group.live().manifest);
            let Some(entries) = candidates(&manifest, config.merge_files, config.file_bytes, now_ms) else { continue };
            let (day, sorted_by) = (entries[0].day, entries[0].sorted_by.clone());
            let mut files = Vec::with_capacity(entries.len());
            for entry in &entries {
                let found = self.inner.place.get(&entry.file.path).await?;
                let missing = || StoreError::Manifest {
                    path: manifest.path(),
                    what: format!("the file {} that it names is not there", entry.file.path),
                };
                files.push(found.ok_or_else(missing)?.0);
            }
            let order = sorted_by.clone();
            let merged = self.work(group, move || file::merge(files, &order, day)).await?;
            let rows: u64 = entries.iter().map(|entry| entry.file.rows).sum();
            if merged.rows != rows {
                let what = format!("merging {rows} rows gave {}; nothing was changed", merged.rows);
                return Err(StoreError::Manifest { path: manifest.path(), what });
            }
            let new = self.write_files(group, "m", vec![merged], &sorted_by).await?;
            let old: Vec<String> = entries.into_iter().map(|entry| entry.file.path).collect();
            self.change(group, &mut version, |manifest| {
                manifest.retire(&old, now_ms);
                manifest.files.extend(new);
            })
            .await?;
        }
    }

    /// Removes files that no manifest names any more and nobody can be reading.
    async fn sweep(&self, group: &Group, now_ms: i64) -> Result<(), StoreError> {
        let after_ms = self.inner.config.removal_after_ms;
        let over: Vec<String> = {
            let live = group.live();
            let removed = live.manifest.removed.iter();
            let over = removed
                .filter(|it| now_ms.saturating_sub(it.since_ms) >= after_ms && !live.is_held_before(it.generation));
            over.map(|it| it.path.clone()).collect()
        };
        if over.is_empty() {
            return Ok(());
        }
        let mut version = group.work.lock().await;
        for path in &over {
            self.inner.place.remove(path).await?;
        }
        self.change(group, &mut version, |manifest| manifest.removed.retain(|it| !over.contains(&it.path))).await
    }
}

impl Manifest {
    /// Takes files out, and their roll-ups; they are removed later. `now_ms` is since when nobody opens them any more.
    pub(crate) fn retire(&mut self, paths: &[String], now_ms: i64) {
        let generation = self.generation;
        for entry in self.files.extract_if(.., |entry| paths.contains(&entry.file.path)) {
            let removed = |path: &String| Removed { path: path.clone(), since_ms: now_ms, generation };
            self.removed.extend(entry.paths().map(removed));
        }
    }
}

/// Whether a day is over for so long that hardly anything is added to it.
pub(super) fn is_over(day: i64, now_ms: i64) -> bool {
    (day + 1).saturating_mul(crate::limits::DAY_MS).saturating_add(SETTLED_DAY_MS) <= now_ms
}

/// Files of one day and order that are worth merging. A file is merged with others of its size, so that each row is written a few
/// times only.
fn candidates(manifest: &Manifest, merge_files: usize, file_bytes: u64, now_ms: i64) -> Option<Vec<Entry>> {
    let mut days: BTreeMap<(i64, &[String], u32), Vec<&Entry>> = BTreeMap::new();
    for entry in manifest.files.iter().filter(|entry| entry.file.bytes < file_bytes) {
        let over = is_over(entry.day, now_ms);
        // Sizes are told apart by factors of about eight; of a day that is over all are alike.
        let size = if over { u32::MAX } else { entry.file.bytes.max(1).ilog2() / 3 };
        days.entry((entry.day, &entry.sorted_by, size)).or_default().push(entry);
    }
    let found = days.into_iter().find(|((.., size), entries)| {
        let enough = if *size == u32::MAX { 2 } else { merge_files.max(2) };
        entries.len() >= enough
    });
    let mut bytes = 0;
    let taken: Vec<Entry> = found?
        .1
        .into_iter()
        .take(MERGE_FILES_MAX)
        .take_while(|entry| {
            bytes += entry.file.bytes;
            bytes <= file_bytes * 2 || bytes == entry.file.bytes
        })
        .cloned()
        .collect();
    (taken.len() >= 2).then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::DAY_MS, manifest::Class, snapshot::File};

    fn manifest(files: &[(i64, u64)]) -> Manifest {
        let mut manifest = Manifest::new(1, "g", Class::Standard, 0);
        manifest.files = (0..)
            .zip(files)
            .map(|(number, (day, bytes))| Entry {
                file: File { path: number.to_string(), bytes: *bytes, rows: 1, from_ms: 0, to_ms: 0 },
                day: *day,
                sorted_by: Vec::new(),
                ingested_to_ms: 0,
                rollups: None,
            })
            .collect();
        manifest
    }

    fn chosen(files: &[(i64, u64)], now_ms: i64) -> Vec<String> {
        let entries = candidates(&manifest(files), 3, 1_000_000, now_ms).unwrap_or_default();
        entries.into_iter().map(|entry| entry.file.path).collect()
    }

    #[test]
    fn files_of_one_day_and_size_are_merged() {
        let now_ms = DAY_MS + 5;
        assert!(chosen(&[(1, 100), (1, 100)], now_ms).is_empty());
        assert_eq!(chosen(&[(1, 100), (1, 100), (1, 100_000), (1, 110)], now_ms), ["0", "1", "3"]);
        assert!(chosen(&[(1, 2_000_000), (1, 2_000_000), (1, 2_000_000)], now_ms).is_empty());
    }

    #[test]
    fn a_day_that_is_over_is_merged_whatever_its_sizes() {
        let files = [(1, 100), (1, 100_000), (2, 100)];
        assert!(chosen(&files, 2 * DAY_MS).is_empty());
        assert_eq!(chosen(&files, 2 * DAY_MS + SETTLED_DAY_MS), ["0", "1"]);
    }
}
