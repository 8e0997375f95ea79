//! The loop: gather, turn, acknowledge, perform, sleep until something happens.

use std::sync::Arc;

use fleet::effect::{Look, Notice};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Options, Ports,
    acknowledge::Acknowledger,
    handle::{DatedRecord, Handle, Request},
    looking::{self, Looks, SweepEnd},
    queue::{self, QueueTrouble, after},
    status::Status,
};
use crate::{
    counters::fleet_samples,
    once::panic_text,
    ports::{Answer, Clock, Delivery, Receipt},
    recover::{Owed, Recovered},
    turn::{Arrival, Taken, Turn, TurnError},
};

/// Inbox places besides the one that each receiver holds.
const INBOX: usize = 32;
/// Questions that may wait.
const REQUESTS: usize = 64;
/// Records kept for slow readers of [`Handle::records`].
const RECORDS: usize = 1_024;
/// Figures are published at most this often.
const PUBLISH_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// Deadlines are met at most this often: those of one second share one tick.
const TICK_EVERY: SignedDuration = SignedDuration::from_secs(1);
/// How long the loop waits for the notifier to take a notice before it goes on without it.
const NOTICE_LIMIT: SignedDuration = SignedDuration::from_secs(5);
/// How long a graceful stop waits for messages to be deleted.
const LAST_ACKNOWLEDGEMENTS: SignedDuration = SignedDuration::from_secs(5);

/// Why the loop ended when nobody had asked it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A turn could not be journaled.
    #[error(transparent)]
    Turn(#[from] TurnError),
}

/// What comes to the loop from its own tasks.
#[derive(Debug)]
pub(super) enum Arrived {
    /// Messages; none is good news too.
    Messages(Vec<Delivery>),
    /// A receive failed.
    QueueTrouble(QueueTrouble),
    /// An answer of the sweep under way.
    Answer(Answer),
    /// The sweep under way has ended; all its answers came before this.
    SweepEnded(SweepEnd),
}

/// The loop, ready to run.
pub struct Engine {
    turn: Turn,
    owed: Owed,
    ports: Ports,
    options: Options,
    requests: mpsc::Receiver<Request>,
    status: watch::Sender<Status>,
    handle: Handle,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("turn", &self.turn).field("options", &self.options).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that goes on where `recovered` left off. It stops in good order when `stop` is cancelled.
    pub fn new(recovered: Recovered, ports: Ports, options: Options, stop: CancellationToken) -> Self {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let (status, status_reader) = watch::channel(Status::default());
        let handle = Handle { requests: sender, status: status_reader, records: broadcast::Sender::new(RECORDS), stop };
        Self { turn: recovered.turn, owed: recovered.owed, ports, options, requests, status, handle }
    }

    /// A way to ask the fleet something while the loop runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until stopped. After a graceful stop the journal says so and holds a snapshot, and the turn is given back.
    ///
    /// An error means that the journal refused: nothing after its last entry has been acknowledged or performed.
    pub async fn run(self) -> Result<Turn, RunError> {
        let Self { turn, owed, ports, options, mut requests, status, handle } = self;
        let (inbox_sender, mut inbox) = mpsc::channel(INBOX + options.receivers);
        let (failures, mut acknowledge_failures) = mpsc::unbounded_channel();
        let acknowledger = Acknowledger::spawn(ports.cloud.clone(), ports.clock.clone(), failures);
        let mut receivers = queue::spawn(&ports.cloud, &ports.clock, &inbox_sender, options.receivers);
        let now = ports.clock.now();
        status.send_modify(|status| {
            status.started_at = Some(now);
            status.last_seq = turn.last_seq();
        });
        let mut wheel = Wheel {
            turn,
            looks: Looks::new(options.looks_at_once),
            acknowledger,
            inbox: inbox_sender,
            sweeping: JoinSet::new(),
            sweep_due: now,
            first_sweep: true,
            last_tick_at: None,
            publish_due: Some(now),
            published_at: None,
            status,
            records: handle.records.clone(),
            ports,
            options,
        };
        // The engine's own handle would keep the request channel open for ever; the stop token is all it needs.
        let stop = handle.stop.clone();
        drop(handle);
        wheel.perform(now, Vec::new(), owed.notices, owed.looks).await;
        let mut requests_open = true;
        let mut gathered = Vec::new();
        while !stop.is_cancelled() {
            let due = wheel.meet_what_is_due().await?;
            let (cloud, clock) = (wheel.ports.cloud.clone(), wheel.ports.clock.clone());
            tokio::select! {
                () = stop.cancelled() => break,
                request = requests.recv(), if requests_open => match request {
                    Some(Request::Ask(question)) => question(&wheel.turn, clock.now()),
                    Some(Request::Sweep) => wheel.sweep_due = clock.now(),
                    None => requests_open = false,
                },
                Some(arrived) = inbox.recv() => {
                    gathered.push(arrived);
                    wheel.gather(&mut inbox, &mut gathered);
                    wheel.take(gathered.drain(..)).await?;
                }
                (answer, panicked) = wheel.looks.next(&cloud) => {
                    if panicked {
                        wheel.panicked("a look");
                    }
                    wheel.take([Arrived::Answer(answer)].into_iter()).await?;
                }
                Some(failed) = acknowledge_failures.recv() => {
                    wheel.status.send_modify(|status| status.acknowledge_failures += failed);
                }
                Some(ended) = receivers.join_next() => {
                    // Receivers end only with the loop; this one was lost. The others go on, and a new one is made.
                    let panic = ended.err().map_or_else(|| "it ended".into(), panic_text);
                    tracing::error!(panic, "a receiver of the event queue was lost; a new one takes its place");
                    wheel.panicked("a receiver");
                    receivers = queue::spawn(&wheel.ports.cloud, &wheel.ports.clock, &wheel.inbox, wheel.options.receivers);
                }
                () = sleep_until(&clock, due) => {}
            }
        }
        drop(receivers);
        wheel.finish().await
    }
}

async fn sleep_until(clock: &Arc<dyn Clock>, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A turn waits for the disk: other tasks of this thread are moved to another one for that long, where there is one.
fn aside<T>(turn: impl FnOnce() -> T) -> T {
    match tokio::runtime::Handle::current().runtime_flavor() {
        tokio::runtime::RuntimeFlavor::MultiThread => tokio::task::block_in_place(turn),
        _ => turn(),
    }
}

/// The loop's state between two arrivals.
struct Wheel {
    turn: Turn,
    looks: Looks,
    acknowledger: Acknowledger,
    inbox: mpsc::Sender<Arrived>,
    sweeping: JoinSet<()>,
    sweep_due: Timestamp,
    first_sweep: bool,
    last_tick_at: Option<Timestamp>,
    publish_due: Option<Timestamp>,
    published_at: Option<Timestamp>,
    status: watch::Sender<Status>,
    records: broadcast::Sender<DatedRecord>,
    ports: Ports,
    options: Options,
}

impl Wheel {
    /// Ticks, sweeps and publishes if it is time to. Returns when it next will be.
    async fn meet_what_is_due(&mut self) -> Result<Option<Timestamp>, TurnError> {
        let now = self.ports.clock.now();
        if self.tick_due().is_some_and(|due| due <= now) {
            self.last_tick_at = Some(now);
            let taken = aside(|| self.turn.take(now, [Arrival::Tick]))?;
            self.taken(now, taken).await;
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
    fn gather(&self, inbox: &mut mpsc::Receiver<Arrived>, gathered: &mut Vec<Arrived>) {
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

    /// Makes one turn of all this, then acknowledges and performs.
    async fn take(&mut self, arrived: impl Iterator<Item = Arrived>) -> Result<(), TurnError> {
        let now = self.ports.clock.now();
        let mut bodies = Vec::new();
        let mut receipts = Vec::new();
        let mut plan = Vec::new();
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
            }
        }
        self.publish_soon(now);
        if plan.is_empty() {
            return Ok(());
        }
        let arrivals = plan.into_iter().map(|planned| match planned {
            Planned::Event(index) => Arrival::Event(&bodies[index]),
            Planned::Answer(arrival) => *arrival,
        });
        let taken = aside(|| self.turn.take(now, arrivals))?;
        self.acknowledge(receipts);
        self.taken(now, taken).await;
        Ok(())
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

    async fn taken(&mut self, now: Timestamp, taken: Taken) {
        self.status.send_modify(|status| {
            status.last_turn_at = Some(now);
            status.last_seq = taken.last_seq;
        });
        self.publish_soon(now);
        self.perform(now, taken.records, taken.notices, taken.looks).await;
    }

    async fn perform(
        &mut self,
        now: Timestamp,
        records: Vec<fleet::journal::Record>,
        notices: Vec<Notice>,
        looks: Vec<Look>,
    ) {
        for record in records {
            tracing::debug!(?record, "journaled");
            // Nobody listening is no failure: the record is in the journal.
            let _ = self.records.send((now, record));
        }
        for look in looks {
            self.looks.ask(look, &self.ports.cloud);
        }
        let open = self.looks.open();
        self.status.send_if_modified(|status| std::mem::replace(&mut status.looks_open, open) != open);
        for notice in notices {
            self.notify(now, notice).await;
        }
    }

    /// In a task of its own, so that a notifier that hangs or panics costs the loop seconds and not its life.
    async fn notify(&mut self, now: Timestamp, notice: Notice) {
        let notifier = self.ports.notifier.clone();
        let case = notice.case;
        let task = tokio::spawn(async move { notifier.notify(now, &notice).await });
        let clock = &self.ports.clock;
        let failed = tokio::select! {
            biased;
            ended = task => ended.err().map(panic_text),
            () = clock.sleep_until(after(clock.now(), NOTICE_LIMIT)) => Some("it takes too long; it goes on beside the loop".into()),
        };
        if let Some(why) = failed {
            tracing::error!(%case, why, "a notice may not have reached anybody");
            self.status.send_modify(|status| status.notice_failures += 1);
        }
    }

    fn received(&self, now: Timestamp) {
        self.status.send_modify(|status| {
            status.last_receive_at = Some(now);
            if status.queue_trouble.take().is_some() {
                tracing::info!("the event queue can be read again");
            }
        });
    }

    fn queue_trouble(&self, trouble: QueueTrouble) {
        let message = match trouble {
            QueueTrouble::Failed(failure) => failure.message.into_owned(),
            QueueTrouble::Panicked(panic) => {
                self.panicked("a receive");
                format!(
                    "reading the event queue ended in a panic, which is a fault of muster; please report it: {panic}"
                )
            }
        };
        tracing::warn!(reason = message, "the event queue cannot be read; muster tries again and sweeps meanwhile");
        self.status.send_modify(|status| {
            status.queue_failures += 1;
            status.queue_trouble = Some(message);
        });
    }

    fn answered(&self, answer: &Answer) {
        match answer {
            Answer::Swept(_) => {}
            Answer::Failed(failure) => {
                tracing::warn!(scope = ?failure.scope, kind = ?failure.kind, reason = %failure.message, "a look failed");
                self.status.send_modify(|status| {
                    if status.sweeping_since.is_some() {
                        status.sweep_failures.push(failure.clone());
                    }
                });
            }
            Answer::Progress { what, done, total } => tracing::debug!(what, done, total, "looking"),
        }
        let open = self.looks.open();
        self.status.send_if_modified(|status| std::mem::replace(&mut status.looks_open, open) != open);
    }

    fn sweep_ended(&self, now: Timestamp, end: SweepEnd) {
        let trouble = match end {
            SweepEnd::Done => None,
            SweepEnd::TooLong => Some("it took too long".to_owned()),
            SweepEnd::Panicked(panic) => {
                self.panicked("a sweep");
                Some(format!("it ended in a panic, which is a fault of muster; please report it: {panic}"))
            }
        };
        self.status.send_modify(|status| {
            status.sweeping_since = None;
            if trouble.is_none() {
                status.sweeps += 1;
                status.last_sweep_at = Some(now);
            } else {
                status.sweeps_given_up += 1;
            }
        });
        if let Some(trouble) = trouble {
            tracing::error!(trouble, "a sweep was given up; what it had answered stands");
        }
    }

    fn panicked(&self, what: &str) {
        tracing::error!(what, "a call to the cloud panicked");
        self.status.send_modify(|status| status.panics += 1);
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

    /// A graceful stop: what is journaled is acknowledged, the journal says that muster stopped, a snapshot is kept.
    async fn finish(mut self) -> Result<Turn, RunError> {
        let clock = self.ports.clock.clone();
        self.sweeping.abort_all();
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
        let now = clock.now();
        aside(|| self.turn.stop(now))?;
        let last_seq = self.turn.last_seq();
        self.status.send_modify(|status| status.last_seq = last_seq);
        Ok(self.turn)
    }
}

enum Planned {
    Event(usize),
    Answer(Box<Arrival<'static>>),
}
