//! Files get their roll-ups, some time after they were sealed: ingestion never waits for one.

use std::sync::Arc;

use bytes::Bytes;

use super::{Store, StoreError, compact::is_over, group::Group};
use crate::{
    manifest::{Entry, Manifest},
    rollup::{self, Built, Rollups, Rule},
};

/// How many files of a group are looked at before other groups have their turn.
const FILES_MAX: usize = 8;

impl Store {
    /// Rolls files up that were not looked at yet and will hardly be merged any more.
    pub(super) async fn roll_up(&self, group: &Arc<Group>, now_ms: i64) -> Result<(), StoreError> {
        let Some(rows_min) = self.inner.config.rollup_rows else { return Ok(()) };
        for _ in 0..FILES_MAX {
            let manifest = Arc::clone(&group.live().manifest);
            let Some(entry) = due(&manifest, rows_min, now_ms) else { return Ok(()) };
            let rule = Rule::of(&manifest.fields, &manifest.shapes);
            if rule.is_empty() {
                return Ok(());
            }
            let Some((bytes, _)) = self.inner.place.get(&entry.file.path).await? else { return Ok(()) };
            let from_ms = entry.file.from_ms;
            let built = self.work(group, move || rollup::of_file(bytes, from_ms, &rule)).await.unwrap_or_else(|error| {
                tracing::warn!(%error, file = entry.file.path, "a file could not be rolled up; queries read it itself");
                Built::default()
            });
            self.keep_rollups(group, entry, built).await?;
        }
        Ok(())
    }

    /// Writes the roll-ups of a file, and then says in the manifest that they are there.
    async fn keep_rollups(&self, group: &Group, entry: &Entry, built: Built) -> Result<(), StoreError> {
        let mut version = group.work.lock().await;
        // It may have been merged or removed meanwhile.
        let is_there = group.live().manifest.files.iter().any(|it| it.file.path == entry.file.path);
        if !is_there {
            return Ok(());
        }
        let mut rollups = built.rollups;
        let stem = entry.file.path.trim_end_matches(".parquet");
        for (level, bytes) in rollups.levels.iter_mut().zip(built.files) {
            self.check_room(bytes.len() as u64)?;
            level.file.path = format!("{stem}-{}m.parquet", level.width_ms / 60_000);
            self.inner.place.put(&level.file.path, Bytes::from(bytes)).await?;
        }
        let rollups: Arc<Rollups> = Arc::new(rollups);
        self.change(group, &mut version, |manifest| {
            let found = manifest.files.iter_mut().find(|it| it.file.path == entry.file.path);
            if let Some(found) = found {
                found.rollups = Some(rollups);
            }
        })
        .await
    }
}

/// The next file that is to be looked at.
fn due(manifest: &Manifest, rows_min: u64, now_ms: i64) -> Option<&Entry> {
    let mut waiting = manifest.files.iter().filter(|entry| entry.rollups.is_none());
    waiting.find(|entry| entry.file.rows >= rows_min || is_over(entry.day, now_ms))
}
