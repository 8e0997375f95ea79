//! What is kept of a log group besides its events: one object, replaced as a whole.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{field::FieldIndex, rollup::Rollups, snapshot::File};

/// The folder of all groups.
pub(crate) const GROUPS: &str = "groups";
/// The name of a group's manifest in its folder.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The format that is written here.
pub(crate) const VERSION: u32 = 1;

/// What sort of group it is, as CloudWatch has it. All are kept alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Class {
    /// The usual one.
    #[default]
    Standard,
    /// Cheaper at AWS, with less.
    InfrequentAccess,
    /// For delivery elsewhere.
    Delivery,
}

impl Class {
    /// As AWS writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "INFREQUENT_ACCESS",
            Self::Delivery => "DELIVERY",
        }
    }

    /// Reads AWS's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Standard, Self::InfrequentAccess, Self::Delivery].into_iter().find(|class| class.word() == word)
    }
}

/// A stream of a group. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) created_ms: i64,
    pub(crate) first_event_ms: Option<i64>,
    pub(crate) last_event_ms: Option<i64>,
    pub(crate) last_ingestion_ms: Option<i64>,
}

impl Stream {
    /// Notes that events came in.
    pub(crate) fn note(&mut self, from_ms: i64, to_ms: i64, ingested_ms: i64) {
        self.first_event_ms = Some(self.first_event_ms.map_or(from_ms, |it| it.min(from_ms)));
        self.last_event_ms = Some(self.last_event_ms.map_or(to_ms, |it| it.max(to_ms)));
        self.last_ingestion_ms = Some(self.last_ingestion_ms.map_or(ingested_ms, |it| it.max(ingested_ms)));
    }
}

/// A file of a group, and what compaction has to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    #[serde(flatten)]
    pub(crate) file: File,
    /// The day of its rows, counted from 1970.
    pub(crate) day: i64,
    /// The columns that its rows are ordered by before their time and number.
    pub(crate) sorted_by: Vec<String>,
    /// When the last of its events came in, in milliseconds.
    pub(crate) ingested_to_ms: i64,
    /// Its roll-ups; nothing, as long as it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rollups: Option<Arc<Rollups>>,
}

impl Entry {
    /// The paths of the file and of its roll-ups.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &String> {
        let levels = self.rollups.iter().flat_map(|rollups| &rollups.levels);
        std::iter::once(&self.file.path).chain(levels.map(|level| &level.file.path))
    }

    /// The bytes of the file and of its roll-ups.
    pub(crate) fn bytes(&self) -> u64 {
        let levels = self.rollups.iter().flat_map(|rollups| &rollups.levels);
        self.file.bytes + levels.map(|level| level.file.bytes).sum::<u64>()
    }
}

/// A file that is no longer used, and is removed when nobody can be reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Removed {
    pub(crate) path: String,
    /// Since when, in milliseconds.
    pub(crate) since_ms: i64,
    /// The first generation that does not name it any more.
    pub(crate) generation: u64,
}

/// The manifest of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The format.
    pub(crate) version: u32,
    /// How often it was replaced; the names of new files begin with it.
    pub(crate) generation: u64,
    /// The number of the group: the one event number that it took when it was made.
    pub(crate) group: u64,
    pub(crate) name: String,
    pub(crate) class: Class,
    pub(crate) created_ms: i64,
    pub(crate) retention_days: Option<u32>,
    /// All events with this number or a smaller one are in files, or were removed.
    pub(crate) sealed_to: u64,
    pub(crate) sorted_by: Option<Vec<String>>,
    pub(crate) files: Vec<Entry>,
    pub(crate) removed: Vec<Removed>,
    pub(crate) streams: BTreeMap<String, Stream>,
    pub(crate) fields: Arc<FieldIndex>,
    pub(crate) shapes: Arc<Vec<Arc<str>>>,
}

impl Manifest {
    /// The manifest of a new group.
    pub(crate) fn new(group: u64, name: &str, class: Class, created_ms: i64) -> Self {
        Self {
            version: VERSION,
            generation: 0,
            group,
            name: name.to_owned(),
            class,
            created_ms,
            retention_days: None,
            sealed_to: group,
            sorted_by: None,
            files: Vec::new(),
            removed: Vec::new(),
            streams: BTreeMap::new(),
            fields: Arc::default(),
            shapes: Arc::default(),
        }
    }

    /// The folder of the group: its name as far as every file system takes it, and its number.
    pub(crate) fn folder(&self) -> String {
        let plain = |it: char| if it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-') { it } else { '-' };
        let name: String = self.name.trim_start_matches('/').chars().map(plain).take(80).collect();
        format!("{GROUPS}/{name}-{:012}", self.group)
    }

    /// The path of the manifest.
    pub(crate) fn path(&self) -> String {
        format!("{}/{MANIFEST}", self.folder())
    }

    /// The bytes of its files.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.files.iter().map(Entry::bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        let mut manifest = Manifest::new(7, "/aws/ecs/lab#1", Class::InfrequentAccess, 5);
        manifest.streams.entry("a".to_owned()).or_default().note(3, 9, 10);
        manifest.streams.entry("a".to_owned()).or_default().note(1, 4, 8);
        manifest.files.push(Entry {
            file: File { path: "p".to_owned(), bytes: 1, rows: 2, from_ms: 3, to_ms: 4 },
            day: 0,
            sorted_by: vec!["Type".to_owned()],
            ingested_to_ms: 4,
            rollups: None,
        });
        let text = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
        let times = (manifest.streams["a"].first_event_ms, manifest.streams["a"].last_event_ms);
        assert_eq!((times, manifest.streams["a"].last_ingestion_ms), ((Some(1), Some(9)), Some(10)));
        assert_eq!(manifest.path(), "groups/aws-ecs-lab-1-000000000007/manifest.json");
    }
}
