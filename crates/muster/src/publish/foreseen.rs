//! What is foretold of room, kept beside the journal: samples of hours are not worth losing at a restart, and worth no more
//! than a file that may be missing or damaged.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fleet::capacity::{
    foresight::{Foreseen, Foresight},
    view::HeadroomView,
};
use jiff::Timestamp;

/// Name of the file in the data directory.
const FILE: &str = "foresight.json";
/// The largest file that is read.
const MOST_BYTES: u64 = 256 << 20;

/// The samples and where they are kept.
#[derive(Clone, Debug)]
pub struct Samples {
    held: Arc<Mutex<Held>>,
    file: Arc<PathBuf>,
}

/// Samples, and what they said when they were last asked: all pairs of each trend are looked at, which is not to be done
/// whenever somebody wants to know.
#[derive(Debug)]
struct Held {
    foresight: Foresight,
    said: Option<(Timestamp, Vec<Foreseen>)>,
}

/// What was said longer ago is asked for anew: trends without new samples fall silent.
const SAID_SECS: i64 = 600;

impl Samples {
    /// Those that the last muster of this data directory has left, if it has left any.
    pub fn open(data_dir: &Path) -> Self {
        let file = data_dir.join(FILE);
        let foresight = read(&file).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, file = %file.display(), "samples of room cannot be read: they begin anew");
            }
            Foresight::default()
        });
        Self { held: Arc::new(Mutex::new(Held { foresight, said: None })), file: Arc::new(file) }
    }

    /// Takes a sample when it is due, and writes all of them down. `slots_known`: the tasks are looked at.
    pub async fn note(&self, now: Timestamp, views: &[HeadroomView], slots_known: bool) {
        if !self.held().foresight.note(now, views, slots_known) {
            return;
        }
        let samples = self.clone();
        let ask_and_write = move || {
            samples.ask(now);
            samples.write()
        };
        let written = tokio::task::spawn_blocking(ask_and_write).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "samples of room cannot be written: a restart will lose them");
        }
    }

    /// What runs out, as far as the samples say.
    pub fn runs_out(&self, now: Timestamp) -> Vec<Foreseen> {
        let age = |at: Timestamp| now.as_second() - at.as_second();
        if let Some((at, said)) = &self.held().said
            && (0..SAID_SECS).contains(&age(*at))
        {
            return said.clone();
        }
        self.ask(now)
    }

    fn ask(&self, now: Timestamp) -> Vec<Foreseen> {
        // Nobody waits for the pairs of all trends: a copy is asked.
        let foresight = self.held().foresight.clone();
        let said = foresight.runs_out(now);
        self.held().said = Some((now, said.clone()));
        said
    }

    /// A file that is there is whole: the new one takes its place at once.
    fn write(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&self.held().foresight)?;
        let new = self.file.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, &*self.file)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // A sample is taken whole or not at all.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> io::Result<Foresight> {
    if fs::metadata(file)?.len() > MOST_BYTES {
        return Err(io::Error::other("it is larger than samples ever are"));
    }
    Ok(serde_json::from_slice(&fs::read(file)?)?)
}

#[cfg(test)]
mod tests {
    use fleet::capacity::headroom::{Gauge, Sums};
    use jiff::SignedDuration;

    use super::*;
    use crate::publish::figures::tests::view;

    fn after(mins: i64) -> Timestamp {
        Timestamp::constant(1_790_928_000, 0) + SignedDuration::from_mins(mins)
    }

    #[tokio::test]
    async fn samples_survive_a_restart_and_a_damaged_file_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let sums = |free| Sums { hosts: 3, cpu_units: Gauge { free, total: 9_000 }, ..Sums::default() };
        // Half of the samples by one muster, half by the next.
        for half in 0..2 {
            let samples = Samples::open(dir.path());
            for step in half * 6..half * 6 + 6 {
                samples.note(after(5 * step), &[view(sums(8_000 - 100 * step as u64))], true).await;
            }
        }
        let found = Samples::open(dir.path()).runs_out(after(55));
        assert!(found.iter().any(|out| out.zone.is_empty() && out.of.word() == "cpu"), "{found:?}");
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(Samples::open(dir.path()).runs_out(after(55)).is_empty());
    }
}
