//! Groups and streams.

use std::sync::{Arc, PoisonError};

use super::{Store, StoreError, group::Group};
use crate::{
    file,
    manifest::{Class, Entry, Manifest},
    wal::{Body, Note},
};

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// For how many days events are kept; `None`: for ever.
    pub retention_days: Option<u32>,
    /// Bytes of its files.
    pub stored_bytes: u64,
    /// What sort it is.
    pub class: Class,
}

/// A log stream. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_ms: i64,
    /// Time of its earliest event.
    pub first_event_ms: Option<i64>,
    /// Time of its latest event.
    pub last_event_ms: Option<i64>,
    /// When an event last came in.
    pub last_ingestion_ms: Option<i64>,
}

impl Store {
    /// Makes a group.
    ///
    /// # Errors
    /// When there is one of that name, or it cannot be kept.
    pub async fn create_group(&self, name: &str, class: Class, now_ms: i64) -> Result<(), StoreError> {
        let wal = self.wal()?;
        let _making = self.inner.making.lock().await;
        if self.all().contains_key(name) {
            return Err(StoreError::Exists(format!("log group {name}")));
        }
        // Its number is an event's number that no event will have.
        let number = wal.append(0, Body::of_note(&Note::Group { group: 0 }), Box::new(|_| {})).await?;
        wal.sealed(0, number);
        let manifest = Manifest::new(number, name, class, now_ms);
        let text = serde_json::to_vec(&manifest)
            .map_err(|error| StoreError::Manifest { path: manifest.path(), what: error.to_string() })?;
        let version = self.inner.place.replace(&manifest.path(), text.into(), None).await?;
        let group = Arc::new(Group::new(manifest, version));
        self.inner.groups.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), group);
        Ok(())
    }

    /// Removes a group with all that is in it.
    ///
    /// # Errors
    /// When it is not there, or its manifest cannot be removed. Files that could not be removed go when the store is opened again.
    pub async fn delete_group(&self, name: &str) -> Result<(), StoreError> {
        let wal = self.wal()?;
        let group = self.group(name)?;
        let _work = group.work.lock().await;
        let manifest = Arc::clone(&group.live().manifest);
        self.inner.place.remove(&manifest.path()).await?;
        self.inner.groups.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let freed = {
            let mut live = group.live();
            live.deleted = true;
            let freed = live.bytes();
            live.frozen = None;
            live.builder.finish();
            freed
        };
        self.inner.count_memory(freed, 0);
        wal.sealed(group.number, u64::MAX);
        for path in manifest.files.iter().flat_map(Entry::paths).chain(manifest.removed.iter().map(|it| &it.path)) {
            if let Err(error) = self.inner.place.remove(path).await {
                tracing::warn!(%error, group = name, "a file of a removed log group is left");
            }
        }
        Ok(())
    }

    /// Groups whose names begin with `prefix`, in the order of their names.
    pub fn groups(&self, prefix: Option<&str>) -> Vec<GroupInfo> {
        let prefix = prefix.unwrap_or_default();
        let groups = self.all();
        let named = groups.iter().filter(|(name, _)| name.starts_with(prefix));
        named
            .map(|(name, group)| {
                let manifest = Arc::clone(&group.live().manifest);
                GroupInfo {
                    name: name.clone(),
                    created_ms: manifest.created_ms,
                    retention_days: manifest.retention_days,
                    stored_bytes: manifest.stored_bytes(),
                    class: manifest.class,
                }
            })
            .collect()
    }

    /// Keeps a group's events for so many days, or for ever.
    ///
    /// # Errors
    /// When the group is not there, or its manifest cannot be replaced.
    pub async fn set_retention(&self, name: &str, days: Option<u32>) -> Result<(), StoreError> {
        self.wal()?;
        let group = self.group(name)?;
        let mut version = group.work.lock().await;
        self.change(&group, &mut version, |manifest| manifest.retention_days = days).await
    }

    /// Makes a stream. It is durable when this returns.
    ///
    /// # Errors
    /// When the group is not there or has such a stream, or the log cannot be written.
    pub async fn create_stream(&self, group: &str, stream: &str, now_ms: i64) -> Result<(), StoreError> {
        let wal = self.wal()?;
        let group = self.group(group)?;
        let _making = self.inner.making.lock().await;
        if group.live().streams.contains_key(stream) {
            return Err(StoreError::Exists(format!("log stream {stream} of {}", group.name)));
        }
        let note = Note::Stream { group: group.number, stream: stream.to_owned(), created_ms: now_ms };
        let stream = stream.to_owned();
        let number = group.number;
        let applied = move |number| {
            let mut live = group.live();
            live.last = number;
            live.streams.entry(stream).or_default().created_ms = now_ms;
        };
        wal.append(number, Body::of_note(&note), Box::new(applied)).await?;
        Ok(())
    }

    /// Removes a stream with all that is in it: its rows are taken out of the files of the group.
    ///
    /// # Errors
    /// When group or stream are not there, or files cannot be read or written; the stream is there again then after the store was
    /// opened anew.
    pub async fn delete_stream(&self, group: &str, stream: &str) -> Result<(), StoreError> {
        self.wal()?;
        let group = self.group(group)?;
        // Rows that are in memory are in files first.
        self.seal(&group).await?;
        let mut version = group.work.lock().await;
        let removed = group.live().streams.remove(stream);
        let Some(removed) = removed else {
            let (group, stream) = (group.name.clone(), stream.to_owned());
            return Err(StoreError::NoStream { group, stream });
        };
        let rewritten = self.rewrite_without(&group, &mut version, stream).await;
        if rewritten.is_err() {
            group.live().streams.insert(stream.to_owned(), removed);
        }
        rewritten
    }

    async fn rewrite_without(
        &self,
        group: &Arc<Group>,
        version: &mut crate::place::Version,
        stream: &str,
    ) -> Result<(), StoreError> {
        // Nothing joins the stream any more; what did since the rows were sealed is in these.
        let frozen = group.live().freeze();
        let mut old = Vec::new();
        let mut new = Vec::new();
        let mut sealed_to = group.live().last;
        if let Some(frozen) = &frozen {
            sealed_to = frozen.to;
            let sorted_by = group.live().manifest.sorted_by.clone().unwrap_or_default();
            let (rows, order, stream) = (Arc::clone(frozen), sorted_by.clone(), stream.to_owned());
            let sealed = self
                .work(group, move || {
                    let mut kept = Vec::new();
                    for sealed in file::seal(&rows.rows, &order)? {
                        kept.extend(file::without_stream(sealed.bytes.into(), &order, sealed.day, &stream)?);
                    }
                    Ok(kept)
                })
                .await?;
            new.extend(self.write_files(group, "d", sealed, &sorted_by).await?);
        }
        let manifest = Arc::clone(&group.live().manifest);
        for (number, entry) in manifest.files.iter().enumerate() {
            let Some((bytes, _)) = self.inner.place.get(&entry.file.path).await? else { continue };
            let (sorted_by, day, name) = (entry.sorted_by.clone(), entry.day, stream.to_owned());
            let sealed = self.work(group, move || file::without_stream(bytes, &sorted_by, day, &name)).await?;
            if sealed.as_ref().is_some_and(|sealed| sealed.rows == entry.file.rows) {
                continue;
            }
            old.push(entry.file.path.clone());
            let what = format!("d{number}-");
            new.extend(self.write_files(group, &what, sealed.into_iter().collect(), &entry.sorted_by).await?);
        }
        self.change(group, version, |manifest| {
            manifest.sealed_to = manifest.sealed_to.max(sealed_to);
            manifest.retire(&old, 0);
            manifest.files.extend(new);
        })
        .await?;
        if let Some(frozen) = frozen {
            self.inner.count_memory(frozen.rows.bytes(), 0);
        }
        Ok(())
    }

    /// Streams of a group whose names begin with `prefix`, in the order of their names.
    ///
    /// # Errors
    /// When the group is not there.
    pub fn streams(&self, group: &str, prefix: Option<&str>) -> Result<Vec<StreamInfo>, StoreError> {
        let prefix = prefix.unwrap_or_default();
        let group = self.group(group)?;
        let live = group.live();
        let named = live.streams.iter().filter(|(name, _)| name.starts_with(prefix));
        Ok(named
            .map(|(name, stream)| StreamInfo {
                name: name.clone(),
                created_ms: stream.created_ms,
                first_event_ms: stream.first_event_ms,
                last_event_ms: stream.last_event_ms,
                last_ingestion_ms: stream.last_ingestion_ms,
            })
            .collect())
    }
}
