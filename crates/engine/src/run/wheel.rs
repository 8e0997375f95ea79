//! The loop's state between two arrivals, and what it does with them.

use std::sync::Arc;

use fleet::{
    charge::Charge,
    input::{LookFailure, Sweep},
    journal::Record,
    notice::page::PageId,
    operator::{Answered, Asked},
    remedy::act::IntentId,
};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    Options, Ports,
    acknowledge::Acknowledger,
    engine::{Arrived, Outcomes, RunError},
    handle::DatedRecord,
    leading::{self, Held},
    looking::{self, Looks},
    notices::Notices,
    performing::{Performed, Performing},
    queue::after,
    status::Status,
    telling::Telling,
};
use crate::{
    counters::fleet_samples,
    ports::{Delivery, Receipt},
    recover::Owed,
    turn::{Arrival, Taken, Turn, TurnError},
};

/// Figures are published at most this often.
const PUBLISH_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// The number of every heartbeat: nobody is owed one, since the next one says the same, so the journal does not hear what
/// became of it.
const HEARTBEAT: PageId = PageId(0);
/// Deadlines are met at most this often: those of one second share one tick.
const TICK_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// How long a graceful stop waits for messages to be deleted.
const LAST_ACKNOWLEDGEMENTS: SignedDuration = SignedDuration::from_secs(5);
/// How long it waits for notices to be said.
const LAST_NOTICES: SignedDuration = SignedDuration::from_secs(1);
/// How long a graceful stop waits for acts and pages under way; what has not ended by then is owed at the next start.
const LAST_OUTCOMES: SignedDuration = SignedDuration::from_secs(5);

/// A turn waits for the disk: other tasks of this thread are moved to another one for that long, where there is one.
fn aside<T>(turn: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(turn),
        _ => turn(),
    }
}

/// The loop's state between two arrivals.
pub(super) struct Wheel {
    pub(super) turn: Turn,
    pub(super) looks: Looks,
    pub(super) performing: Performing,
    pub(super) telling: Telling,
    pub(super) notices: Notices,
    pub(super) keeper: Option<JoinSet<()>>,
    pub(super) held: Option<Arc<Held>>,
    pub(super) acknowledger: Acknowledger,
    pub(super) inbox: mpsc::Sender<Arrived>,
    pub(super) sweeping: JoinSet<()>,
    pub(super) sweep_due: Timestamp,
    pub(super) first_sweep: bool,
    pub(super) last_tick_at: Option<Timestamp>,
    pub(super) publish_due: Option<Timestamp>,
    pub(super) published_at: Option<Timestamp>,
    pub(super) status: watch::Sender<Status>,
    pub(super) records: broadcast::Sender<DatedRecord>,
    pub(super) ports: Ports,
    pub(super) options: Options,
}

impl Wheel {
    /// The first things: who is in charge, and what is owed from before.
    pub(super) fn begin(&mut self, now: Timestamp, owed: Owed) -> Result<(), TurnError> {
        let charge = if self.ports.lease.is_none() { Charge::Alone } else { Charge::Anothers };
        if self.turn.fleet().charge() != charge {
            self.turned(now, [Arrival::Leading(charge)].into_iter())?;
        }
        self.telling.take_owed(owed.pages);
        for intent in owed.acts {
            self.performing.give(intent, true);
        }
        let taken = Taken { notices: owed.notices, looks: owed.looks, ..Taken::default() };
        self.perform(now, taken);
        Ok(())
    }

    /// Ticks, sweeps and publishes if it is time to. Returns when it next will be.
    pub(super) fn meet_what_is_due(&mut self) -> Result<Option<Timestamp>, TurnError> {
        let now = self.ports.clock.now();
        if self.tick_due().is_some_and(|due| due <= now) {
            self.last_tick_at = Some(now);
            self.turned(now, [Arrival::Tick].into_iter())?;
        }
        if self.sweep_due <= now && self.sweeping_idle() {
            self.sweep(now);
        }
        if self.publish_due.is_some_and(|due| due <= now) {
            self.publish(now);
        }
        let sweep_due = self.status.borrow().sweeping_since.is_none().then_some(self.sweep_due);
        Ok([self.tick_due(), sweep_due, self.publish_due].into_iter().flatten().min())
    }

    fn tick_due(&self) -> Option<Timestamp> {
        let wake_at = self.turn.wake_at()?;
        let now = self.ports.clock.now();
        // A tick that lies in the future is of a clock that was set back since.
        let last = self.last_tick_at.filter(|last| *last <= now);
        Some(last.map_or(wake_at, |last| wake_at.max(after(last, TICK_EVERY))))
    }

    fn sweeping_idle(&self) -> bool {
        self.status.borrow().sweeping_since.is_none()
    }

    fn sweep(&mut self, now: Timestamp) {
        let offset = if std::mem::take(&mut self.first_sweep) { self.options.sweep_offset_secs } else { 0 };
        let pause = i64::from(self.options.sweep_every_secs.max(1)) + i64::from(offset);
        self.sweep_due = after(now, SignedDuration::from_secs(pause));
        self.status.send_modify(|status| {
            status.sweeping_since = Some(now);
            status.sweep_failures.clear();
        });
        // The task before this one has said that it ended; what is left of it is taken out here.
        while self.sweeping.try_join_next().is_some() {}
        self.sweeping.spawn(looking::sweep(
            self.ports.cloud.clone(),
            self.ports.clock.clone(),
            self.inbox.clone(),
            SignedDuration::from_secs(i64::from(self.options.sweep_limit_secs.max(1))),
        ));
    }

    /// Adds what else has arrived, up to a batch.
    pub(super) fn gather(&self, inbox: &mut mpsc::Receiver<Arrived>, gathered: &mut Vec<Arrived>) {
        let count = |arrived: &Arrived| match arrived {
            Arrived::Messages(deliveries) => deliveries.len(),
            _ => 1,
        };
        let mut messages: usize = gathered.iter().map(count).sum();
        while messages < self.options.batch_messages
            && let Ok(arrived) = inbox.try_recv()
        {
            messages += count(&arrived);
            gathered.push(arrived);
        }
    }

    /// Adds what else acts and pages have brought back.
    pub(super) fn gather_outcomes(&self, outcomes: &mut Outcomes, gathered: &mut Vec<Arrived>) {
        while gathered.len() < self.options.batch_messages
            && let Some(arrived) = outcomes.try_next()
        {
            gathered.push(arrived);
        }
    }

    /// Makes one turn of all this, then acknowledges and performs.
    pub(super) fn take(&mut self, arrived: impl Iterator<Item = Arrived>) -> Result<(), TurnError> {
        let now = self.ports.clock.now();
        let mut bodies = Vec::new();
        let mut receipts = Vec::new();
        let mut plan = Vec::new();
        let mut then = Vec::new();
        for arrived in arrived {
            match arrived {
                Arrived::Messages(deliveries) => {
                    self.received(now);
                    for Delivery { body, receipt } in deliveries {
                        plan.push(Planned::Event(bodies.len()));
                        bodies.push(body);
                        receipts.push(receipt);
                    }
                }
                Arrived::QueueTrouble(trouble) => self.queue_trouble(trouble),
                Arrived::Answer(answer) => {
                    self.answered(&answer);
                    plan.extend(Arrival::from_answer(answer).map(|arrival| Planned::Answer(Box::new(arrival))));
                }
                Arrived::SweepEnded(end) => self.sweep_ended(now, end),
                Arrived::Performed(Performed::Reread { intent, answers }) => {
                    plan.extend(answers.iter().map(|answer| Planned::Answer(Box::new(reread(answer)))));
                    then.push(Then::GoOn(intent, answers));
                }
                Arrived::Performed(Performed::Ended(outcome)) => {
                    self.count_act(&outcome);
                    then.push(Then::Ended(outcome.intent));
                    plan.push(Planned::Answer(Box::new(Arrival::Acted(outcome))));
                }
                Arrived::Told(delivery) => {
                    self.count_page(&delivery);
                    then.push(Then::Told(delivery.page));
                    if delivery.page != HEARTBEAT {
                        plan.push(Planned::Answer(Box::new(Arrival::Told(delivery))));
                    }
                }
                Arrived::Leading(charge) => {
                    if self.turn.fleet().charge() != charge {
                        plan.push(Planned::Answer(Box::new(Arrival::Leading(charge))));
                    }
                    then.push(Then::Leading(charge.is_ours()));
                }
            }
        }
        self.publish_soon(now);
        let taken = if plan.is_empty() {
            None
        } else {
            let arrivals = plan.into_iter().map(|planned| match planned {
                Planned::Event(index) => Arrival::Event(&bodies[index]),
                Planned::Answer(arrival) => *arrival,
            });
            Some(aside(|| self.turn.take(now, arrivals))?)
        };
        self.acknowledge(receipts);
        for then in then {
            self.follow(then);
        }
        match taken {
            Some(taken) => self.taken(now, taken),
            None => self.note_open(),
        }
        Ok(())
    }

    /// Gives an operator's request to the fleet, and the answer back as soon as it is in the journal.
    pub(super) fn operator(
        &mut self,
        asked: Asked<'static>,
        answer: oneshot::Sender<Answered>,
    ) -> Result<(), TurnError> {
        let now = self.ports.clock.now();
        let taken = aside(|| self.turn.take(now, [Arrival::Asked(asked)]))?;
        let said = taken.records.iter().find_map(|record| match record {
            Record::OperatorAsked { answer, .. } => Some(answer.clone()),
            _ => None,
        });
        // A caller that has gone away finds the answer in the journal.
        let _ = answer.send(said.unwrap_or_else(|| Answered::Refused {
            why: "muster has nothing to say to this, which is a fault of muster; please report it".into(),
        }));
        self.taken(now, taken);
        Ok(())
    }

    /// One turn, and what it asks for.
    fn turned<'a>(&mut self, now: Timestamp, arrivals: impl Iterator<Item = Arrival<'a>>) -> Result<(), TurnError> {
        let taken = aside(|| self.turn.take(now, arrivals))?;
        self.taken(now, taken);
        Ok(())
    }

    /// What follows from an arrival that is in the journal now.
    fn follow(&mut self, then: Then) {
        match then {
            Then::GoOn(intent, answers) => self.performing.go_on(intent, &answers, self.turn.fleet()),
            Then::Ended(intent) => self.performing.ended(intent),
            Then::Told(page) => {
                if self.telling.told(page) {
                    self.telling.take_owed(self.turn.fleet().owed_pages());
                }
            }
            Then::Leading(leading) => {
                self.status.send_modify(|status| status.leading = leading);
                self.performing.release();
            }
        }
    }

    fn acknowledge(&self, receipts: Vec<Receipt>) {
        if receipts.is_empty() {
            return;
        }
        let refused = self.acknowledger.give(receipts);
        if refused > 0 {
            tracing::warn!(messages = refused, "too many messages wait to be deleted; these will come again");
            self.status.send_modify(|status| status.acknowledge_failures += refused as u64);
        }
    }

    fn taken(&mut self, now: Timestamp, taken: Taken) {
        self.status.send_modify(|status| {
            status.last_turn_at = Some(now);
            status.last_seq = taken.last_seq;
        });
        self.publish_soon(now);
        self.perform(now, taken);
    }

    /// Has all this done. Pages first: somebody may be asleep.
    fn perform(&mut self, now: Timestamp, taken: Taken) {
        for page in taken.pages {
            self.telling.give(page);
        }
        for intent in taken.acts {
            self.performing.give(intent, false);
        }
        for record in taken.records {
            tracing::debug!(?record, "journaled");
            // Nobody listening is no failure: the record is in the journal.
            let _ = self.records.send((now, record));
        }
        for look in taken.looks {
            self.looks.ask(look, &self.ports.cloud);
        }
        self.note_open();
        for notice in taken.notices {
            self.notices.give(now, notice);
        }
    }

    fn publish_soon(&mut self, now: Timestamp) {
        // A publication that lies in the future is of a clock that was set back since.
        let published_at = self.published_at.filter(|at| *at <= now);
        self.publish_due.get_or_insert(published_at.map_or(now, |at| after(at, PUBLISH_EVERY).max(now)));
    }

    fn publish(&mut self, now: Timestamp) {
        let mut samples = fleet_samples(self.turn.fleet(), now);
        samples.extend(self.turn.counters().samples());
        samples.extend(self.status.borrow().samples());
        self.ports.samples.publish(now, &samples);
        self.published_at = Some(now);
        self.publish_due = None;
    }

    /// A graceful stop: nothing begins any more, what is under way may end, what is journaled is acknowledged, the
    /// journal says that muster stopped, a snapshot is kept, and the lease is given back.
    pub(super) async fn finish(mut self, mut outcomes: Outcomes) -> Result<Turn, RunError> {
        let clock = self.ports.clock.clone();
        self.sweeping.abort_all();
        self.performing.hold_back();
        let until = after(clock.now(), LAST_OUTCOMES);
        while self.performing.calling() > 0 || self.telling.sending() > 0 {
            tokio::select! {
                biased;
                arrived = outcomes.next() => self.take([arrived].into_iter())?,
                () = clock.sleep_until(until) => {
                    tracing::warn!(
                        acts = self.performing.calling(), pages = self.telling.sending(),
                        "these had not ended when muster stopped; they are taken up again at the next start"
                    );
                    break;
                }
            }
        }
        let until = after(clock.now(), LAST_ACKNOWLEDGEMENTS);
        let abort = self.acknowledger.abort_handle();
        tokio::select! {
            biased;
            () = self.acknowledger.finish() => {}
            () = clock.sleep_until(until) => {
                abort.abort();
                tracing::warn!("some messages could not be deleted from the queue in time; they come again and are dropped");
            }
        }
        self.notices.finish(&clock, after(clock.now(), LAST_NOTICES)).await;
        let now = clock.now();
        aside(|| self.turn.stop(now))?;
        let last_seq = self.turn.last_seq();
        self.status.send_modify(|status| status.last_seq = last_seq);
        drop(self.keeper);
        drop(self.performing);
        if let (Some(lease), Some(held)) = (self.ports.lease, self.held) {
            leading::release(lease, clock, &held).await;
        }
        Ok(self.turn)
    }
}

enum Planned {
    Event(usize),
    Answer(Box<Arrival<'static>>),
}

/// What is to be done when a turn is journaled.
enum Then {
    GoOn(IntentId, Vec<Result<Sweep<'static>, LookFailure<'static>>>),
    Ended(IntentId),
    Told(PageId),
    Leading(bool),
}

fn reread(answer: &Result<Sweep<'static>, LookFailure<'static>>) -> Arrival<'static> {
    match answer {
        Ok(sweep) => Arrival::Swept(sweep.clone()),
        Err(failure) => Arrival::LookFailed(failure.clone()),
    }
}
