//! What is kept beside the store: saved queries, and the tags of groups. One small file, replaced as a whole.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::error::ApiError;

/// Name of the file in the folder of telemetry.
const FILE: &str = "saved.json";

/// A saved query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Its id.
    pub query_definition_id: String,
    /// Its name; `/` makes folders.
    pub name: String,
    /// Its text.
    pub query_string: String,
    /// The groups that it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_group_names: Vec<String>,
    /// When it was last changed, in milliseconds since 1970.
    pub last_modified: i64,
    /// The parameters of its text, as they were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Value>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Held {
    /// Saved queries by their ids.
    pub definitions: BTreeMap<String, Definition>,
    /// Tags of groups by their names.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// The file, and what is in it.
#[derive(Debug)]
pub struct Kept {
    file: PathBuf,
    held: Mutex<Held>,
}

/// The file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{file} could not be read: {why}; mend it, or move it away to begin without saved queries and tags")]
pub struct NotRead {
    file: String,
    why: String,
}

impl Kept {
    /// Reads the file of this folder; nothing is held where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn open(folder: &Path) -> Result<Self, NotRead> {
        let file = folder.join(FILE);
        let failed = |why: String| NotRead { file: file.display().to_string(), why };
        let held = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Held::default(),
            Err(error) => return Err(failed(error.to_string())),
        };
        Ok(Self { file, held: Mutex::new(held) })
    }

    /// Looks at what is held.
    pub fn look<T>(&self, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.open_held())
    }

    /// Changes what is held, and is done when the disk has it. What could not be written is not held either.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Held) -> T) -> Result<T, ApiError> {
        let mut held = self.open_held();
        let mut new = held.clone();
        let said = change(&mut new);
        if new != *held {
            write(&self.file, &new).map_err(|error| {
                tracing::error!(%error, file = %self.file.display(), "saved queries and tags could not be written");
                ApiError::unavailable(format!("{} could not be written: {error}", self.file.display()))
            })?;
            *held = new;
        }
        Ok(said)
    }

    fn open_held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(file: &Path, held: &Held) -> io::Result<()> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let beside = file.with_extension("json.new");
    let mut target = fs::File::create(&beside)?;
    target.write_all(&serde_json::to_vec_pretty(held)?)?;
    target.sync_all()?;
    fs::rename(&beside, file)?;
    // The name, too, has to be on the disk.
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path()).unwrap();
        kept.change(|held| held.tags.entry("g".to_owned()).or_default().insert("team".to_owned(), "a".to_owned()))
            .unwrap();
        let again = Kept::open(folder.path()).unwrap();
        assert_eq!(again.look(|held| held.tags["g"]["team"].clone()), "a");
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Kept::open(folder.path()).unwrap_err().to_string().contains("saved.json"));
    }

    #[test]
    fn what_cannot_be_written_is_refused_and_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path()).unwrap();
        fs::create_dir(folder.path().join("saved.json.new")).unwrap();
        let refused = kept.change(|held| held.tags.insert("g".to_owned(), BTreeMap::new())).unwrap_err();
        assert_eq!(refused.kind(), "ServiceUnavailableException");
        assert!(kept.look(|held| held.tags.is_empty()));
    }
}
