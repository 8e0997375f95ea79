//! Coming back: the newest snapshot that can be read, then the inputs after it, in order. The same inputs give the same
//! fleet, so this is as if muster had never stopped.

use fleet::{
    Fleet,
    effect::{Effect, Look, Notice},
    journal::{Body, Entry},
    notice::page::Page,
    policy::Policy,
    remedy::act::Intent,
    snapshot::Unreadable,
    step,
};
use jiff::Timestamp;

use crate::{
    kept,
    ports::{Journal, JournalError},
    turn::Turn,
};

/// The engine is ready to go on.
#[derive(Debug)]
pub struct Recovered {
    /// The fleet and its journal.
    pub turn: Turn,
    /// What may or may not have been performed before the stop. Perform it: saying something twice is better than not
    /// at all, and an act that was begun is resolved before anything new on its target.
    pub owed: Owed,
    /// The entry that the snapshot used stands for; `None` when the journal was replayed from its beginning.
    pub from_snapshot: Option<i64>,
    /// Entries read after that.
    pub replayed: u64,
    /// The journal ended with a stop in good order, or was empty.
    pub stopped_in_order: bool,
}

/// What was asked for and may not have been done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owed {
    /// Notices of the last turn; none after a stop in good order.
    pub notices: Vec<Notice>,
    /// Looks of the last turn; none after a stop in good order.
    pub looks: Vec<Look>,
    /// Every intent whose outcome is not known, oldest first, after a stop in good order too: its call may have been
    /// made.
    pub acts: Vec<Intent>,
    /// Every page of which it is not known whether it arrived, oldest first, after a stop in good order too.
    pub pages: Vec<Page>,
}

/// Why the engine cannot go on from this journal.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// It cannot be read, or not be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its beginning was removed by retention and no snapshot can be read.
    #[error(
        "the journal begins at entry {first} and none of its snapshots can be read, so what muster believed is lost; \
         move the data directory aside and start with an empty one: the first sweep will see every host again"
    )]
    NoGround {
        /// Number of its first entry.
        first: i64,
    },
    /// The beliefs could not be put under another policy.
    #[error("what muster believes could not be put under another policy")]
    Policy(#[source] Unreadable),
}

/// Brings the fleet of a journal back and puts it under `policy`, says in the journal that muster (of version `muster`)
/// started, and hands out a [`Turn`] to go on with. An empty journal gives an empty fleet.
pub fn recover(
    mut journal: Box<dyn Journal>,
    policy: Policy,
    muster: &str,
    now: Timestamp,
) -> Result<Recovered, RecoverError> {
    let CameBack { replay, from_snapshot, last_at, replayed, .. } = come_back(&*journal, &policy)?;
    let fleet = kept::under(replay.fleet, policy.clone()).map_err(RecoverError::Policy)?;
    let started = Body::Started { muster: muster.to_owned(), policy };
    let started_at = last_at.map_or(now, |last_at: Timestamp| last_at.max(now));
    let last_seq = journal.append(started_at, &[started], &[])?;
    // Time goes on from the last entry, unless the clock was set back far; the first turn decides that.
    let turn = Turn::new(fleet, journal, started_at, last_seq, from_snapshot.unwrap_or(0));
    let owed = Owed { acts: turn.fleet().open_intents(), pages: turn.fleet().owed_pages(), ..replay.owed };
    Ok(Recovered { turn, owed, from_snapshot, replayed, stopped_in_order: replay.in_order })
}

/// What the muster of this journal believed when it last wrote, and when that was (the epoch for an empty journal). Only
/// reads, so it works beside a running muster.
pub fn beliefs(journal: &dyn Journal) -> Result<(Fleet, Timestamp), RecoverError> {
    let came = come_back(journal, &Policy::default())?;
    let mut last_at = came.last_at;
    if last_at.is_none() {
        // The snapshot stands for the very last entry; only that entry knows its time.
        journal.read((came.last_seq - 1).max(0), &mut |entry| {
            last_at = Some(entry.at);
            false
        })?;
    }
    Ok((came.replay.fleet, last_at.unwrap_or_default()))
}

/// A journal replayed from its newest usable snapshot to its end.
struct CameBack {
    replay: Replay,
    from_snapshot: Option<i64>,
    last_seq: i64,
    last_at: Option<Timestamp>,
    replayed: u64,
}

fn come_back(journal: &dyn Journal, policy: &Policy) -> Result<CameBack, RecoverError> {
    let ground = ground(journal, policy)?;
    let from_snapshot = ground.snapshot;
    let mut replay =
        Replay { fleet: ground.fleet, owed: Owed::default(), owed_at: None, in_order: from_snapshot.is_none() };
    let mut last_seq = from_snapshot.unwrap_or(0);
    let mut last_at = None;
    let mut replayed = 0;
    let mut trouble = None;
    // One entry further back: whether the stop was in order is written in the last one, which may be the snapshot's.
    journal.read(last_seq.saturating_sub(1), &mut |entry| {
        if from_snapshot == Some(entry.seq) {
            replay.in_order = matches!(entry.body, Body::Stopped);
            last_at = Some(entry.at);
            return true;
        }
        if from_snapshot.is_none() && replayed == 0 && entry.seq != 1 {
            trouble = Some(RecoverError::NoGround { first: entry.seq });
            return false;
        }
        replayed += 1;
        last_seq = entry.seq;
        last_at = Some(entry.at);
        match replay.apply(entry) {
            Ok(()) => true,
            Err(error) => {
                trouble = Some(RecoverError::Policy(error));
                false
            }
        }
    })?;
    match trouble {
        Some(trouble) => Err(trouble),
        None => Ok(CameBack { replay, from_snapshot, last_seq, last_at, replayed }),
    }
}

/// Where a replay begins.
pub(crate) struct Ground {
    pub(crate) fleet: Fleet,
    pub(crate) snapshot: Option<i64>,
}

/// The newest snapshot that can be read, or the empty fleet.
fn ground(journal: &dyn Journal, policy: &Policy) -> Result<Ground, JournalError> {
    let mut candidate = journal.newest_snapshot()?;
    while let Some((seq, bytes)) = candidate {
        match kept::unpack(&bytes) {
            Ok(fleet) => return Ok(Ground { fleet, snapshot: Some(seq) }),
            Err(error) => {
                tracing::warn!(seq, %error, "a snapshot cannot be used; an older one is tried, or the journal is replayed");
            }
        }
        candidate = journal.snapshot_before(seq)?;
    }
    Ok(Ground { fleet: Fleet::new(policy.clone()), snapshot: None })
}

struct Replay {
    fleet: Fleet,
    owed: Owed,
    owed_at: Option<Timestamp>,
    in_order: bool,
}

impl Replay {
    fn apply(&mut self, entry: Entry<'_>) -> Result<(), Unreadable> {
        self.in_order = matches!(entry.body, Body::Stopped);
        match entry.body {
            Body::Input(input) => {
                // All entries of a turn have the same time.
                if self.owed_at != Some(entry.at) {
                    self.owed_at = Some(entry.at);
                    self.owed = Owed::default();
                }
                for effect in step(&mut self.fleet, entry.at, &input) {
                    match effect {
                        Effect::Notify(notice) => self.owed.notices.push(notice),
                        Effect::Look(look) => self.owed.looks.push(look),
                        _ => {}
                    }
                }
            }
            Body::Started { policy, .. } => {
                let fleet = std::mem::take(&mut self.fleet);
                self.fleet = kept::under(fleet, policy)?;
            }
            Body::Stopped => self.owed = Owed::default(),
            Body::Record(_) | Body::SetAside { .. } | Body::Pruned { .. } => {}
        }
        Ok(())
    }
}
