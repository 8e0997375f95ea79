//! When nobody is told for a while. A silence keeps pages back, never cases, remedies or the word that something paged
//! before is over.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::Labels;
use crate::{
    case::duration_words,
    glob,
    host::Millis,
    journal::Trouble,
    operator::Asked,
    state::{Fleet, stamp},
    timer::Timer,
};

/// No silence is shorter; none is longer than four weeks.
const SHORTEST_SECS: u32 = 60;
const LONGEST_SECS: u32 = 28 * 86_400;
/// More silences at once than this are a mistake, and so are more globs or longer ones in one of them.
const MOST: usize = 1_000;
const MOST_GLOBS: usize = 100;
const LONGEST_GLOB: usize = 255;

/// One silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Silence {
    pub(crate) clusters: Vec<String>,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) hosts: Vec<String>,
    pub(crate) until: Millis,
    pub(crate) who: String,
    pub(crate) why: String,
}

/// A silence as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceView {
    /// Its number.
    pub silence: u32,
    /// Globs over cluster names; empty: all.
    pub clusters: Vec<String>,
    /// Troubles; empty: all.
    pub troubles: Vec<Trouble>,
    /// Globs over container instance ids and machine ids; empty: all.
    pub hosts: Vec<String>,
    /// Until when.
    pub until: Timestamp,
    /// Who asked for it.
    pub who: String,
    /// Why.
    pub why: String,
}

impl Silence {
    fn covers(&self, labels: &Labels, trouble: Trouble) -> bool {
        // What is about other clusters too is told.
        let cluster = self.clusters.is_empty()
            || !labels.clusters.is_empty() && labels.clusters.iter().all(|name| glob::fits_any(&self.clusters, name));
        let trouble = self.troubles.is_empty() || self.troubles.contains(&trouble);
        let host = self.hosts.is_empty() || labels.host.iter().any(|id| glob::fits_any(&self.hosts, id));
        cluster && trouble && host
    }
}

impl Fleet {
    /// Sends no pages about these for a while. Returns what was asked in words, and the answer.
    pub(crate) fn silence(
        &mut self,
        clusters: &[String],
        troubles: &[Trouble],
        hosts: &[String],
        secs: u32,
        asked: &Asked<'_>,
    ) -> (String, Result<String, String>) {
        let list = |what: &str, names: &[String]| match names {
            [] => String::new(),
            names => format!(" of {what} {}", names.join(", ")),
        };
        let troubles_named: Vec<String> = troubles.iter().map(|trouble| trouble.word().to_owned()).collect();
        let what = format!(
            "silence {}{}{}",
            if troubles.is_empty() { "everything".to_owned() } else { troubles_named.join(", ") },
            list("clusters", clusters),
            list("hosts", hosts),
        );
        if !(SHORTEST_SECS..=LONGEST_SECS).contains(&secs) {
            let why = format!("{secs} s is out of range: a silence lasts from a minute to four weeks");
            return (what, Err(why));
        }
        let long = clusters.iter().chain(hosts).any(|glob| glob.is_empty() || glob.len() > LONGEST_GLOB);
        if long || clusters.len().max(hosts.len()) > MOST_GLOBS {
            let why = format!(
                "a silence names at most {MOST_GLOBS} clusters and as many hosts, each with 1 to {LONGEST_GLOB} characters"
            );
            return (what, Err(why));
        }
        if self.notices.silences.len() >= MOST {
            return (what, Err(format!("there are {MOST} silences already; end some first")));
        }
        self.notices.last_silence += 1;
        let number = self.notices.last_silence;
        let until = self.now + i64::from(secs) * 1000;
        let silence = Silence {
            clusters: clusters.to_vec(),
            troubles: troubles.to_vec(),
            hosts: hosts.to_vec(),
            until,
            who: asked.who.to_string(),
            why: asked.why.to_string(),
        };
        self.notices.silences.insert(number, silence);
        self.timers.set(until, Timer::Silence(number));
        (what, Ok(format!("silence {number} holds for {}", duration_words(i64::from(secs)))))
    }

    /// Ends a silence.
    pub(crate) fn unsilence(&mut self, number: u32) -> Result<String, String> {
        match self.notices.silences.remove(&number) {
            Some(_) => {
                self.wake_groups();
                Ok(format!("silence {number} is over; what it kept back and still lasts is told now"))
            }
            None => Err(format!("there is no silence {number}; `muster silence list` shows those that hold")),
        }
    }

    /// A silence has come to its end.
    pub(crate) fn meet_silence(&mut self, number: u32) {
        if self.notices.silences.get(&number).is_some_and(|silence| silence.until <= self.now) {
            self.notices.silences.remove(&number);
            self.wake_groups();
        }
    }

    /// The number of a silence that covers these.
    pub(crate) fn silenced(&self, labels: &Labels, trouble: Trouble) -> Option<u32> {
        self.notices
            .silences
            .iter()
            .find(|(_, silence)| self.now < silence.until && silence.covers(labels, trouble))
            .map(|(number, _)| *number)
    }

    /// The silences that hold.
    pub fn silences(&self) -> Vec<SilenceView> {
        let view = |(number, silence): (&u32, &Silence)| SilenceView {
            silence: *number,
            clusters: silence.clusters.clone(),
            troubles: silence.troubles.clone(),
            hosts: silence.hosts.clone(),
            until: stamp(silence.until),
            who: silence.who.clone(),
            why: silence.why.clone(),
        };
        self.notices.silences.iter().map(view).collect()
    }
}
