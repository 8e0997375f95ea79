//! One turn: inputs go through the core, inputs and records go to the journal in one flushed append, and only then are
//! the effects handed out. Synchronous and deterministic; the loop, a single pass, a replay and a simulation in virtual
//! time all turn the same wheel.

use fleet::{
    Fleet,
    admission::{Admission, admit, digest},
    charge::Charge,
    effect::{Effect, Look, Notice},
    input::{Input, LookFailure, Sweep},
    journal::{Body, Record},
    notice::page::{Delivery, Page},
    observation::{Fact, Observation, decode::decode_event},
    operator::Asked,
    remedy::act::{Intent, Outcome},
    step,
};
use jiff::Timestamp;

use crate::{
    counters::Counters,
    kept,
    ports::{Answer, Journal, JournalError, SetAside},
};

/// Something that came in.
#[derive(Clone, Debug)]
pub enum Arrival<'a> {
    /// The JSON of an event, not read yet.
    Event(&'a [u8]),
    /// A fact already read: a host report, or a test's.
    Observed(Observation<'a>),
    /// The answer of a sweep or a look.
    Swept(Sweep<'a>),
    /// A sweep or a look that brought nothing.
    LookFailed(LookFailure<'a>),
    /// Time has passed.
    Tick,
    /// What came of an intent.
    Acted(Outcome<'a>),
    /// An operator asks for something; the answer is in the turn's [`Record::OperatorAsked`].
    Asked(Asked<'a>),
    /// What became of a page.
    Told(Delivery<'a>),
    /// This muster has come to be in charge of acting, or has ceased to be.
    Leading(Charge),
}

impl Arrival<'static> {
    /// An answer of the cloud; `None` for mere progress.
    pub fn from_answer(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Swept(sweep) => Some(Self::Swept(sweep)),
            Answer::Failed(failure) => Some(Self::LookFailed(failure)),
            Answer::Progress { .. } => None,
        }
    }
}

/// What is left to do when a turn is journaled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// Number of the newest journal entry.
    pub last_seq: i64,
    /// What was written down, for live views; it is in the journal already.
    pub records: Vec<Record>,
    /// Tell people.
    pub notices: Vec<Notice>,
    /// Send these to their receivers, and come back with [`Arrival::Told`].
    pub pages: Vec<Page>,
    /// Read these again.
    pub looks: Vec<Look>,
    /// Do these, each after its target was read again, and come back with [`Arrival::Acted`].
    pub acts: Vec<Intent>,
    /// Come back with [`Arrival::Tick`] at this time or soon after.
    pub wake_at: Option<Timestamp>,
}

/// A turn could not be completed. Nothing of it is on the record and none of its effects may be performed: stop, and
/// come back by [`recover`](crate::recover::recover()).
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The journal refused.
    #[error("muster stops, because nothing may happen that is not in the journal")]
    Journal(#[from] JournalError),
    /// An earlier turn had failed already.
    #[error("the journal failed earlier and what muster believes is ahead of what it wrote down; start it again")]
    Ahead,
}

/// A clock may go back this far without a word: the turns of that time bear the time of the last one. Beyond it the
/// journal says what the clock says, and a person is warned, since the core's time never goes back.
const STEP_BACK_SECS: i64 = 60;

/// The fleet and its journal, moved together or not at all.
pub struct Turn {
    fleet: Fleet,
    journal: Box<dyn Journal>,
    counters: Counters,
    last_at: Timestamp,
    last_seq: i64,
    snapshot_seq: i64,
    snapshot_every: i64,
    keep_entries: Option<u64>,
    ahead: bool,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn")
            .field("last_at", &self.last_at)
            .field("last_seq", &self.last_seq)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Turn {
    /// A fleet as of entry `last_seq` of its journal, whose newest snapshot stands for `snapshot_seq`.
    pub(crate) fn new(
        fleet: Fleet,
        journal: Box<dyn Journal>,
        last_at: Timestamp,
        last_seq: i64,
        snapshot_seq: i64,
    ) -> Self {
        Self {
            fleet,
            journal,
            counters: Counters::default(),
            last_at,
            last_seq,
            snapshot_seq,
            snapshot_every: 50_000,
            keep_entries: None,
            ahead: false,
        }
    }

    /// Keeps a snapshot every so many entries; 50,000 unless told.
    pub fn snapshot_every(&mut self, entries: u32) {
        self.snapshot_every = i64::from(entries.max(1));
    }

    /// Removes entries beyond about so many whenever a snapshot was kept; all are kept unless told.
    pub fn keep_entries(&mut self, entries: Option<u64>) {
        self.keep_entries = entries;
    }

    /// What muster believes.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The journal.
    pub fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Number of the newest journal entry.
    pub fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// The `now` of the last turn.
    pub fn last_at(&self) -> Timestamp {
        self.last_at
    }

    /// When to come back with [`Arrival::Tick`].
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.fleet.wake_at()
    }

    /// Gives the journal back.
    pub fn into_journal(self) -> Box<dyn Journal> {
        self.journal
    }

    /// Takes everything that has arrived: reads it, drops what is no news, steps the core, and journals inputs and
    /// records in one flushed append. When this returns, messages may be acknowledged and effects performed.
    pub fn take<'a>(
        &mut self,
        now: Timestamp,
        arrivals: impl IntoIterator<Item = Arrival<'a>>,
    ) -> Result<Taken, TurnError> {
        if self.ahead {
            return Err(TurnError::Ahead);
        }
        let now = self.advance(now);
        self.snapshot_if_due(now);
        let mut batch = Batch::new(now);
        let mut lag_secs: Option<f64> = None;
        for arrival in arrivals {
            match arrival {
                Arrival::Event(bytes) => {
                    self.counters.received += 1;
                    match decode_event(bytes) {
                        Ok(observation) => {
                            let lag = now.duration_since(observation.at).as_secs_f64().max(0.0);
                            lag_secs = Some(lag_secs.map_or(lag, |oldest| oldest.max(lag)));
                            self.observed(&mut batch, observation);
                        }
                        Err(reason) => {
                            let reason = reason.to_string();
                            self.counters.set_aside += 1;
                            tracing::warn!(
                                reason,
                                bytes = bytes.len(),
                                "a message could not be understood; it is kept aside"
                            );
                            batch.set_aside.push(SetAside { reason, body: bytes.to_vec() });
                        }
                    }
                }
                Arrival::Observed(observation) => self.observed(&mut batch, observation),
                Arrival::Swept(sweep) => {
                    self.counters.answers += 1;
                    let sweep = digest(&self.fleet, sweep);
                    self.counters.unchanged += u64::from(sweep.unchanged);
                    self.step(&mut batch, Input::Swept(sweep));
                }
                Arrival::LookFailed(failure) => {
                    self.counters.look_failures += 1;
                    self.step(&mut batch, Input::LookFailed(failure));
                }
                Arrival::Tick => {
                    self.counters.ticks += 1;
                    self.step(&mut batch, Input::Ticked);
                }
                Arrival::Acted(outcome) => {
                    self.counters.outcomes += 1;
                    self.step(&mut batch, Input::Acted(outcome));
                }
                Arrival::Asked(asked) => {
                    self.counters.requests += 1;
                    self.step(&mut batch, Input::Asked(asked));
                }
                Arrival::Told(delivery) => {
                    self.counters.deliveries += 1;
                    self.step(&mut batch, Input::Told(delivery));
                }
                Arrival::Leading(charge) => self.step(&mut batch, Input::Leading(charge)),
            }
        }
        self.counters.turns += 1;
        if let Some(lag_secs) = lag_secs {
            self.counters.event_lag_secs = lag_secs;
        }
        self.append(now, &batch.bodies, &batch.set_aside)?;
        let records = batch.bodies.into_iter().filter_map(|body| match body {
            Body::Record(record) => Some(record),
            _ => None,
        });
        Ok(Taken {
            last_seq: self.last_seq,
            records: records.collect(),
            notices: batch.notices,
            pages: batch.pages,
            looks: batch.looks,
            acts: batch.acts,
            wake_at: self.fleet.wake_at(),
        })
    }

    /// Stops in good order: says so in the journal and keeps a snapshot, so that the next start is quick.
    pub fn stop(&mut self, now: Timestamp) -> Result<(), TurnError> {
        if self.ahead {
            return Err(TurnError::Ahead);
        }
        let now = self.advance(now);
        self.append(now, &[Body::Stopped], &[])?;
        self.snapshot(now);
        Ok(())
    }

    /// Keeps a snapshot now; the effects of the last turn must have been performed, because after a crash none are owed
    /// from before a snapshot. A snapshot that cannot be kept costs time at the next start and nothing else, so it is
    /// logged and counted and tried again later.
    pub fn snapshot(&mut self, now: Timestamp) {
        let seq = self.last_seq;
        let kept = kept::pack(&self.fleet)
            .map_err(|error| error.to_string())
            .and_then(|bytes| self.journal.keep_snapshot(seq, now, &bytes).map_err(|error| error.to_string()));
        self.snapshot_seq = seq;
        if let Err(error) = kept {
            self.counters.snapshot_failures += 1;
            tracing::error!(seq, error, "no snapshot could be kept; the next start will replay more of the journal");
            return;
        }
        self.counters.snapshots += 1;
        let Some(keep) = self.keep_entries else { return };
        match self.journal.prune(now, keep) {
            Ok(0) => {}
            Ok(removed) => {
                // `prune` appended one entry of its own.
                self.last_seq += 1;
                self.counters.entries += 1;
                tracing::info!(removed, "old journal entries were removed");
            }
            Err(error) => tracing::error!(%error, "old journal entries could not be removed"),
        }
    }

    fn snapshot_if_due(&mut self, now: Timestamp) {
        if self.last_seq - self.snapshot_seq >= self.snapshot_every {
            self.snapshot(now);
        }
    }

    /// The core's time: never back by a small step.
    fn advance(&mut self, now: Timestamp) -> Timestamp {
        let back_secs = self.last_at.duration_since(now).as_secs();
        if now < self.last_at {
            self.counters.clock_steps_back += 1;
            if back_secs <= STEP_BACK_SECS {
                return self.last_at;
            }
            tracing::warn!(
                from = %self.last_at, to = %now,
                "the clock was set back; until it has caught up, no deadline is met"
            );
        }
        self.last_at = now;
        now
    }

    fn observed<'a>(&mut self, batch: &mut Batch<'a>, observation: Observation<'a>) {
        match admit(&self.fleet, &observation) {
            Admission::News => {
                if matches!(observation.fact, Fact::Unknown { .. }) {
                    self.counters.unknown += 1;
                }
                self.step(batch, Input::Observed(observation));
            }
            Admission::Duplicate => self.counters.duplicates += 1,
            Admission::Stale => self.counters.stale += 1,
            Admission::Foreign => self.counters.foreign += 1,
        }
    }

    fn step<'a>(&mut self, batch: &mut Batch<'a>, input: Input<'a>) {
        self.counters.inputs += 1;
        let effects = step(&mut self.fleet, batch.now, &input);
        batch.bodies.push(Body::Input(input));
        for effect in effects {
            match effect {
                Effect::Record(record) => {
                    self.counters.records += 1;
                    batch.bodies.push(Body::Record(record));
                }
                Effect::Notify(notice) => {
                    self.counters.notices += 1;
                    batch.notices.push(notice);
                }
                Effect::Look(look) => {
                    self.counters.looks += 1;
                    batch.looks.push(look);
                }
                Effect::Act(intent) => {
                    self.counters.acts += 1;
                    batch.acts.push(intent);
                }
                Effect::Page(page) => {
                    self.counters.pages += 1;
                    batch.pages.push(page);
                }
                // `Fleet::wake_at` says the same and survives a restart.
                Effect::WakeAt(_) => {}
                other => tracing::error!(effect = ?other, "the core asked for something this engine cannot do"),
            }
        }
    }

    fn append(&mut self, now: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<(), TurnError> {
        if bodies.is_empty() && set_aside.is_empty() {
            return Ok(());
        }
        match self.journal.append(now, bodies, set_aside) {
            Ok(last_seq) => {
                self.last_seq = last_seq;
                self.counters.entries += (bodies.len() + set_aside.len()) as u64;
                Ok(())
            }
            Err(error) => {
                self.ahead = true;
                Err(error.into())
            }
        }
    }
}

/// What one turn has gathered so far.
struct Batch<'a> {
    now: Timestamp,
    bodies: Vec<Body<'a>>,
    set_aside: Vec<SetAside>,
    notices: Vec<Notice>,
    pages: Vec<Page>,
    looks: Vec<Look>,
    acts: Vec<Intent>,
}

impl Batch<'_> {
    fn new(now: Timestamp) -> Self {
        Self {
            now,
            bodies: Vec::new(),
            set_aside: Vec::new(),
            notices: Vec::new(),
            pages: Vec::new(),
            looks: Vec::new(),
            acts: Vec::new(),
        }
    }
}
