//! One muster in a drive: its turn, and what it has under way.

use std::{cell::Cell, collections::VecDeque, time::Duration};

use engine::{
    clock::Steady,
    performing,
    ports::{
        ActResult, Charge, DeliveryResult, Intent, Look, Outcome, Page, PageDelivery, PageKind, Sweep,
        operator::{Answered as Reply, Asked},
    },
    turn::{Arrival, Taken, Turn, TurnError},
};

use super::{
    acts::{self, Caller},
    answers::{self, Answered},
    drive::{Drive, Driver, Mode, Seat},
    facts::{self, Page as FactPage, Spans},
    lease,
    shared::SharedJournal,
};
use crate::{
    clock::{Moment, SECOND},
    courier::Parcel,
};

/// A receiver is tried again after so long.
const SEND_AGAIN_MS: i64 = 20 * SECOND;
/// Tries of a page.
const MOST_SENDS: u32 = 12;

/// One muster.
pub(super) struct Muster<'a> {
    pub(super) turn: &'a mut Turn,
    journal: Option<SharedJournal>,
    by: u8,
    next_sweep: Moment,
    looks: VecDeque<(Moment, Look)>,
    jobs: Vec<Job>,
    sends: VecDeque<Send>,
    steps: Vec<(Moment, i64)>,
    skew: i64,
    /// The clock of its engine, drawn towards the time of day.
    clock: Cell<Steady>,
    /// When its process began: monotonic time counts from there.
    began: Moment,
    /// The wake that was last answered with a tick: a core that asks for the past is not called without end.
    ticked_for: Option<i64>,
    operator: VecDeque<(Moment, Asked<'static>)>,
    pauses: Vec<(Moment, i64)>,
    /// It is down, or stands still, until then.
    away_until: Option<(Moment, bool)>,
    missed: Vec<Parcel>,
    crashes: Vec<u32>,
    crashable: u32,
    leased: bool,
    grant: Option<(u64, Moment)>,
    renew_at: Moment,
    told: Option<Charge>,
    page: FactPage,
    spans: Vec<Spans>,
}

/// An intent under way.
struct Job {
    intent: Intent,
    again: bool,
    stage: JobStage,
}

enum JobStage {
    /// Its target is read again then.
    Reads(Moment),
    /// Its end is seen then.
    Ends(Moment, ActResult<'static>),
}

struct Send {
    at: Moment,
    page: Page,
    tries: u32,
    /// The receiver has taken it, and muster does not know.
    taken: bool,
    /// The receiver has let this try wait already.
    slowed: bool,
}

impl Send {
    fn new(at: Moment, page: Page) -> Self {
        Self { at, page, tries: 0, taken: false, slowed: false }
    }

    /// Another try.
    fn again(self, at: Moment) -> Self {
        Self { at, slowed: false, ..self }
    }
}

impl<'a> Muster<'a> {
    pub(super) fn new(seat: Seat<'a>, by: u8, now: Moment, how: &Drive, leased: bool) -> Self {
        let mine = by == 0;
        if let Some(journal) = seat.journal.as_ref().filter(|_| mine) {
            journal.fail_at(&how.journal_failures);
            journal.fail_from(how.journal_fails_from);
        }
        let mut operator: Vec<_> =
            how.operator.iter().filter(|(_, of, _)| *of == by).map(|(at, _, asked)| (*at, asked.clone())).collect();
        operator.sort_by_key(|(at, _)| *at);
        let clock = Cell::new(Steady::new(now.timestamp()).not_before(seat.turn.last_at()));
        Self {
            turn: seat.turn,
            journal: seat.journal,
            by,
            next_sweep: if how.sweep_every_ms > 0 { now.plus(i64::from(by) * 7 * SECOND) } else { Moment(i64::MAX) },
            looks: VecDeque::new(),
            jobs: Vec::new(),
            sends: VecDeque::new(),
            steps: if mine { how.clock_steps.clone() } else { Vec::new() },
            skew: 0,
            clock,
            began: now,
            ticked_for: None,
            operator: operator.into(),
            pauses: how.pauses.iter().filter(|(_, of, _)| *of == by).map(|(at, _, ms)| (*at, *ms)).collect(),
            away_until: None,
            missed: Vec::new(),
            crashes: if mine { how.crashes.clone() } else { Vec::new() },
            crashable: 0,
            leased,
            grant: None,
            renew_at: now,
            told: None,
            page: FactPage::default(),
            spans: Vec::new(),
        }
    }

    /// When something of its own is due next. Sets its clock if it is time to.
    pub(super) fn due(&mut self, now: Moment, _: &Drive) -> Option<Moment> {
        if let Some((until, _)) = self.away_until {
            return Some(until);
        }
        if let Some(at) = self.steps.iter().position(|(at, _)| *at <= now) {
            self.skew += self.steps.swap_remove(at).1;
        }
        let jobs = self.jobs.iter().map(|job| match &job.stage {
            JobStage::Reads(at) | JobStage::Ends(at, _) => *at,
        });
        let own = [
            self.wake(now),
            self.steps.iter().map(|(at, _)| *at).min(),
            self.looks.front().map(|(at, _)| *at),
            self.sends.iter().map(|send| send.at).min(),
            self.operator.front().map(|(at, _)| *at),
            self.pauses.iter().map(|(at, _)| *at).min(),
            self.leased.then_some(self.renew_at),
            Some(self.next_sweep),
        ];
        own.into_iter().flatten().chain(jobs).min()
    }

    fn wake(&self, now: Moment) -> Option<Moment> {
        let ahead = self.engine_now(now).as_millisecond() - now.0;
        let wake = self.turn.wake_at().map(|at| Moment(at.as_millisecond() - ahead))?;
        Some(if self.ticked_for == Some(wake.0) { wake.max(now.plus(SECOND)) } else { wake.max(now) })
    }

    fn engine_now(&self, now: Moment) -> jiff::Timestamp {
        let elapsed = Duration::from_millis(u64::try_from(now.since(self.began)).unwrap_or(0));
        let mut clock = self.clock.get();
        let at = clock.advance(elapsed, now.plus(self.skew).timestamp());
        self.clock.set(clock);
        at
    }

    /// Places so far where it could have crashed.
    pub(super) fn crashable(&self) -> u64 {
        u64::from(self.crashable)
    }

    /// Whether it crashes at this place.
    fn crashes_here(&mut self) -> bool {
        self.crashable += 1;
        self.journal.is_some() && self.crashes.contains(&self.crashable)
    }
}

impl Driver<'_> {
    /// What the muster owes from before: intents without an outcome, pages of which nobody has heard.
    pub(super) fn take_over(&mut self, at: usize) {
        let now = self.simulation.now();
        let muster = &mut self.musters[at];
        let again = now.plus(self.how.look_ms);
        for intent in muster.turn.fleet().open_intents() {
            // A reboot cannot be told from the one before: it is never done blindly.
            let why = || format!("muster stopped before it saw how this ended ({})", intent.act.word()).into();
            let stage = if intent.act.may_be_repeated() {
                JobStage::Reads(again)
            } else {
                JobStage::Ends(again, ActResult::Failed { why: why(), may_have_happened: true })
            };
            muster.jobs.push(Job { intent, again: true, stage });
        }
        for page in muster.turn.fleet().owed_pages() {
            muster.sends.push_back(Send::new(now.plus(self.how.send_ms), page));
        }
    }

    /// Hands events to a muster, or keeps them in its queue while it is away.
    pub(super) fn deliver(&mut self, at: usize, parcels: &[Parcel]) -> Result<(), TurnError> {
        if self.musters[at].away_until.is_some() {
            self.musters[at].missed.extend(parcels.iter().cloned());
            return Ok(());
        }
        if self.musters[at].crashes_here() {
            self.musters[at].missed.extend(parcels.iter().cloned());
            self.crash(at);
            return Ok(());
        }
        let world = &self.simulation.world;
        let muster = &mut self.musters[at];
        let now = muster.engine_now(self.simulation.now());
        let taken = match self.how.mode {
            Mode::Typed => {
                muster.page.clear();
                muster.spans.clear();
                for parcel in parcels {
                    muster.spans.push(match parcel {
                        Parcel::Change(change) => muster.page.write(world, change),
                        Parcel::Bytes(_) => Spans::default(),
                    });
                }
                let page = &muster.page;
                let arrivals = parcels.iter().zip(&muster.spans).map(|(parcel, spans)| match parcel {
                    Parcel::Change(change) => Arrival::Observed(facts::observation(world, page, spans, change)),
                    Parcel::Bytes(bytes) => Arrival::Event(bytes),
                });
                muster.turn.take(now, arrivals)
            }
            Mode::Wire => {
                let mut text = Vec::with_capacity(parcels.len() * 2_800);
                let mut ends = Vec::with_capacity(parcels.len());
                for parcel in parcels {
                    parcel.write(world, &mut text);
                    ends.push(text.len());
                }
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let arrivals =
                    starts.zip(&ends).map(|(start, end)| Arrival::Event(text.get(start..*end).unwrap_or_default()));
                muster.turn.take(now, arrivals)
            }
        };
        if taken.is_err() && muster.journal.is_some() {
            // Nothing of the turn counts; the messages were not deleted and come again.
            self.musters[at].missed.extend(parcels.iter().cloned());
        }
        self.took(at, taken)
    }

    /// Does what is due for a muster.
    pub(super) fn meet(&mut self, at: usize) -> Result<(), TurnError> {
        let now = self.simulation.now();
        if let Some((until, crashed)) = self.musters[at].away_until {
            if until > now {
                return Ok(());
            }
            self.musters[at].away_until = None;
            if crashed {
                self.come_back(at)?;
            }
            let missed = std::mem::take(&mut self.musters[at].missed);
            if !missed.is_empty() {
                self.deliver(at, &missed)?;
            }
            return Ok(());
        }
        if let Some(pause) = self.musters[at].pauses.iter().position(|(from, _)| *from <= now) {
            let (_, ms) = self.musters[at].pauses.swap_remove(pause);
            self.musters[at].away_until = Some((now.plus(ms), false));
            return Ok(());
        }
        self.renew(at, now)?;
        while self.here(at) && self.musters[at].looks.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, look)) = self.musters[at].looks.pop_front() else { break };
            self.driven.looks += 1;
            let answer = answers::look(self.simulation, &look);
            self.answered(at, answer)?;
        }
        self.go_on_with_jobs(at, now)?;
        self.send_pages(at, now)?;
        while self.here(at) && self.musters[at].operator.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, asked)) = self.musters[at].operator.pop_front() else { break };
            self.ask(at, asked)?;
        }
        if self.here(at) && self.musters[at].next_sweep <= now {
            self.driven.sweeps += 1;
            self.watcher.sweeping(now);
            self.musters[at].next_sweep = now.plus(self.how.sweep_every_ms);
            let mut found = Vec::new();
            answers::sweep_and_audit(self.simulation, self.how.audit_tasks, &mut |answer| found.push(answer));
            for answer in found {
                if self.here(at) {
                    self.answered(at, answer)?;
                }
            }
        }
        let wake = self.musters[at].wake(now).filter(|wake| *wake <= now);
        if self.here(at)
            && let Some(wake) = wake
        {
            self.musters[at].ticked_for = Some(wake.0);
            self.turn(at, Arrival::Tick)?;
        }
        Ok(())
    }

    fn here(&self, at: usize) -> bool {
        self.musters[at].away_until.is_none()
    }

    fn turn(&mut self, at: usize, arrival: Arrival<'static>) -> Result<(), TurnError> {
        if self.musters[at].crashes_here() {
            self.crash(at);
            return Ok(());
        }
        let now = self.musters[at].engine_now(self.simulation.now());
        let taken = self.musters[at].turn.take(now, [arrival]);
        self.took(at, taken)
    }

    fn answered(&mut self, at: usize, answer: Answered) -> Result<(), TurnError> {
        let arrival = match answer {
            Ok(sweep) => {
                let sweep = self.dated(at, sweep);
                self.watcher.looked_by(self.simulation.now(), self.musters[at].by, &sweep);
                Arrival::Swept(sweep)
            }
            Err(failure) => Arrival::LookFailed(failure),
        };
        self.turn(at, arrival)
    }

    /// Who looks dates the answer by his own clock.
    fn dated(&self, at: usize, mut sweep: Sweep<'static>) -> Sweep<'static> {
        sweep.started_at = self.musters[at].engine_now(self.simulation.now());
        for observation in &mut sweep.found {
            observation.at = sweep.started_at;
        }
        sweep
    }

    fn took(&mut self, at: usize, taken: Result<Taken, TurnError>) -> Result<(), TurnError> {
        let taken = match taken {
            Ok(taken) => taken,
            Err(_) if self.musters[at].journal.is_some() => {
                self.crash(at);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.driven.turns += 1;
        let now = self.simulation.now();
        let muster = &mut self.musters[at];
        self.watcher.turned_by(now, muster.by, self.simulation, muster.turn, &taken);
        if muster.crashes_here() {
            // It is in the journal, and nothing of it was done.
            self.crash(at);
            return Ok(());
        }
        self.perform(at, taken);
        Ok(())
    }

    fn perform(&mut self, at: usize, taken: Taken) {
        let now = self.simulation.now();
        let due = now.plus(self.how.look_ms);
        let muster = &mut self.musters[at];
        muster.looks.extend(taken.looks.into_iter().map(|look| (due, look)));
        let jobs = taken.acts.into_iter().map(|intent| Job { intent, again: false, stage: JobStage::Reads(due) });
        muster.jobs.extend(jobs);
        let at = now.plus(self.how.send_ms);
        muster.sends.extend(taken.pages.into_iter().map(|page| Send::new(at, page)));
    }

    fn go_on_with_jobs(&mut self, at: usize, now: Moment) -> Result<(), TurnError> {
        let mut index = 0;
        while self.here(at) && index < self.musters[at].jobs.len() {
            let job = &self.musters[at].jobs[index];
            let due = match &job.stage {
                JobStage::Reads(due) | JobStage::Ends(due, _) => *due,
            };
            if due > now {
                index += 1;
                continue;
            }
            let job = self.musters[at].jobs.remove(index);
            match job.stage {
                JobStage::Reads(_) => self.read_and_call(at, job.intent, job.again)?,
                JobStage::Ends(_, result) => {
                    self.watcher.called(now, self.musters[at].by, &job.intent, &result);
                    self.turn(at, Arrival::Acted(Outcome { intent: job.intent.id, result }))?;
                }
            }
        }
        Ok(())
    }

    /// Reads the target again, lets muster hear it, asks whether everything is still as expected, and calls.
    fn read_and_call(&mut self, at: usize, intent: Intent, again: bool) -> Result<(), TurnError> {
        let now = self.simulation.now();
        let mut heard = Vec::new();
        for look in intent.rereads() {
            let answer = answers::look(self.simulation, &look).map(|sweep| self.dated(at, sweep));
            heard.push(answer.clone());
            self.answered(at, answer)?;
            if !self.here(at) {
                return Ok(());
            }
        }
        let muster = &mut self.musters[at];
        let judged = performing::holds(&intent, &heard).map_err(|result| performing::not_called(result, again));
        let withheld = |why: String| match again {
            true => ActResult::Failed { why: why.into(), may_have_happened: true },
            false => ActResult::Withheld { why: why.into() },
        };
        let judged = judged.and_then(|()| muster.turn.fleet().may_begin(&intent).map_err(withheld));
        let judged = judged.and_then(|()| match (muster.leased, muster.grant) {
            (true, None) => Err(withheld("another muster is in charge".to_owned())),
            (true, Some((_, until))) if until.since(now) <= lease::LEFT_MS => {
                Err(withheld("the lease ends too soon for a call".to_owned()))
            }
            _ => Ok(()),
        });
        if let Err(result) = judged {
            muster.jobs.push(Job { intent, again, stage: JobStage::Ends(now, result) });
            return Ok(());
        }
        if muster.crashes_here() {
            self.crash(at);
            return Ok(());
        }
        let by = muster.by;
        let epoch = muster.grant.map_or(0, |(epoch, _)| epoch);
        self.driven.acts += 1;
        self.watcher.calling(now, by, self.simulation, &intent, again);
        let begun = acts::act_as(self.simulation, &intent, again, Caller { by, epoch });
        let muster = &mut self.musters[at];
        if muster.crashes_here() {
            self.crash(at);
            return Ok(());
        }
        muster.jobs.push(Job { intent, again, stage: JobStage::Ends(begun.ends_at, begun.result) });
        Ok(())
    }

    fn send_pages(&mut self, at: usize, now: Moment) -> Result<(), TurnError> {
        while self.here(at)
            && let Some(index) = self.musters[at].sends.iter().position(|send| send.at <= now)
        {
            let Some(mut send) = self.musters[at].sends.remove(index) else { break };
            let by = self.musters[at].by;
            let sink = self.simulation.faults.sink.clone();
            let random = self.simulation.errors();
            if !send.slowed && random.chance(sink.slow) {
                let late = random.between(1, i64::from(sink.slow_secs.max(1)) * SECOND);
                self.musters[at].sends.push_back(Send { at: now.plus(late), slowed: true, ..send });
                continue;
            }
            send.tries += 1;
            let gives_up = send.tries == 1 && random.chance(sink.give_up);
            let refused = random.chance(sink.refuse);
            let silent = random.chance(sink.accept_then_silent);
            let id = send.page.id;
            if gives_up || (refused && send.tries >= MOST_SENDS) {
                let result = DeliveryResult::GivenUp { why: "the receiver refused it too often".into() };
                self.turn(at, Arrival::Told(PageDelivery { page: id, result }))?;
                continue;
            }
            if refused {
                self.musters[at].sends.push_back(send.again(now.plus(SEND_AGAIN_MS)));
                continue;
            }
            // A receiver that knows deduplication shows a page once, however often it is sent.
            if !send.taken {
                self.driven.pages += u64::from(send.page.kind != PageKind::Heartbeat);
                self.watcher.delivered(now, by, &send.page);
            }
            if silent && send.tries < MOST_SENDS {
                send.taken = true;
                self.musters[at].sends.push_back(send.again(now.plus(SEND_AGAIN_MS)));
                continue;
            }
            if self.musters[at].crashes_here() {
                self.crash(at);
                continue;
            }
            if send.page.kind != PageKind::Heartbeat {
                let result = DeliveryResult::Delivered;
                self.turn(at, Arrival::Told(PageDelivery { page: id, result }))?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, at: usize, asked: Asked<'static>) -> Result<(), TurnError> {
        let now = self.simulation.now();
        if self.musters[at].crashes_here() {
            // The operator sees an error and asks again.
            self.musters[at].operator.push_front((now, asked));
            self.crash(at);
            return Ok(());
        }
        let asked = self.watcher.asking(now, self.musters[at].by, asked);
        let engine_now = self.musters[at].engine_now(now);
        let taken = self.musters[at].turn.take(engine_now, [Arrival::Asked(asked.clone())]);
        if taken.is_err() && self.musters[at].journal.is_some() {
            self.musters[at].operator.push_front((now, asked));
            return self.took(at, taken);
        }
        let granted = taken.as_ref().is_ok_and(|taken| {
            taken.records.iter().any(|record| {
                matches!(record, engine::ports::Record::OperatorAsked { answer: Reply::Granted { .. }, .. })
            })
        });
        self.watcher.operated(now, self.musters[at].by, &asked, granted);
        self.took(at, taken)
    }

    /// Takes or renews the lease, and lets the muster know when that has changed anything.
    fn renew(&mut self, at: usize, now: Moment) -> Result<(), TurnError> {
        let muster = &mut self.musters[at];
        if !muster.leased || muster.renew_at > now {
            return Ok(());
        }
        muster.renew_at = now.plus(lease::RENEWED_MS);
        muster.grant = self.lease.as_mut().and_then(|lease| lease.hold(muster.by, now));
        let charge = muster.grant.map_or(Charge::Anothers, |(epoch, _)| Charge::Ours { epoch });
        if muster.told != Some(charge) {
            muster.told = Some(charge);
            self.turn(at, Arrival::Leading(charge))?;
        }
        Ok(())
    }

    /// The muster is gone with everything it had in hand.
    fn crash(&mut self, at: usize) {
        let now = self.simulation.now();
        self.driven.crashes += 1;
        let muster = &mut self.musters[at];
        muster.away_until = Some((now.plus(self.how.down_ms), true));
        muster.looks.clear();
        muster.jobs.clear();
        muster.sends.clear();
        muster.grant = None;
        muster.told = None;
        muster.renew_at = now;
        muster.ticked_for = None;
    }

    /// A new process comes back from the journal.
    fn come_back(&mut self, at: usize) -> Result<(), TurnError> {
        let now = self.simulation.now();
        let muster = &mut self.musters[at];
        let Some(journal) = muster.journal.clone() else { return Ok(()) };
        let policy = muster.turn.fleet().policy().clone();
        // A new process: it believes the time of day.
        (muster.began, muster.clock) = (now, Cell::new(Steady::new(now.plus(muster.skew).timestamp())));
        let engine_now = muster.engine_now(now);
        let recovered = engine::recover(Box::new(journal), policy, "simulated", engine_now);
        let recovered = match recovered {
            Ok(recovered) => recovered,
            // Its journal fails once more: the supervisor tries again.
            Err(error) => {
                tracing::debug!(%error, "a simulated muster could not start");
                muster.away_until = Some((now.plus(self.how.down_ms), true));
                return Ok(());
            }
        };
        *muster.turn = recovered.turn;
        muster.clock.set(muster.clock.get().not_before(muster.turn.last_at()));
        // A process that starts sweeps at once.
        if self.how.sweep_every_ms > 0 {
            muster.next_sweep = now;
        }
        self.watcher.crashed(now, muster.by, muster.turn);
        let due = now.plus(self.how.look_ms);
        muster.looks.extend(recovered.owed.looks.into_iter().map(|look| (due, look)));
        self.take_over(at);
        Ok(())
    }
}
