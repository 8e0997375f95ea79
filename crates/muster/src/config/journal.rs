//! `[journal]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// Where the record is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JournalSection {
    /// Folder of the journal; made if it is not there. One muster at a time may use it.
    #[schemars(with = "String")]
    pub data_dir: PathBuf,
    /// Journal entries from one snapshot to the next. A restart replays at most so many.
    pub snapshot_every: u32,
    /// Journal entries to keep, about; whenever a snapshot is kept, older ones are removed and the hash chain goes on from
    /// the last one removed. 0 keeps everything.
    pub keep_entries: u64,
}

impl Default for JournalSection {
    fn default() -> Self {
        Self { data_dir: PathBuf::from("muster-data"), snapshot_every: 50_000, keep_entries: 0 }
    }
}

impl JournalSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if self.data_dir.as_os_str().is_empty() {
            wrong.push(Wrong::at("journal.data_dir", "the folder's name is empty"));
        }
        if self.snapshot_every == 0 {
            wrong.push(Wrong::at("journal.snapshot_every", "at least 1 entry must lie between two snapshots"));
        }
    }
}
