//! The loop: gather, turn, acknowledge, perform, sleep until something happens.

use std::sync::Arc;

use fleet::{charge::Charge, notice::page::Delivery as PageDelivery};
use jiff::Timestamp;
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Options, Ports,
    acknowledge::Acknowledger,
    handle::{Handle, Request},
    leading::{self, Held},
    looking::{Looks, SweepEnd},
    notices::Notices,
    performing::{Performed, Performing},
    queue::{self, QueueTrouble},
    status::Status,
    telling::Telling,
    wheel::Wheel,
};
use crate::{
    once::panic_text,
    ports::{Answer, Clock, Delivery},
    recover::{Owed, Recovered},
    turn::{Turn, TurnError},
};

/// Inbox places besides the one that each receiver holds.
const INBOX: usize = 32;
/// Questions that may wait.
const REQUESTS: usize = 64;
/// Outcomes of acts and of pages that may wait, each.
const OUTCOMES: usize = 64;
/// Records kept for slow readers of [`Handle::records`].
const RECORDS: usize = 1_024;

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
    /// Something happened to an intent.
    Performed(Performed),
    /// What became of a page.
    Told(PageDelivery<'static>),
    /// Who is in charge of acting, said by the one who keeps the lease.
    Leading(Charge),
}

/// What acts and pages bring back.
pub(super) struct Outcomes {
    pub(super) performed: mpsc::Receiver<Performed>,
    pub(super) told: mpsc::Receiver<PageDelivery<'static>>,
}

impl Outcomes {
    /// The next one; waits for ever when there is nothing to wait for.
    pub(super) async fn next(&mut self) -> Arrived {
        tokio::select! {
            Some(performed) = self.performed.recv() => Arrived::Performed(performed),
            Some(told) = self.told.recv() => Arrived::Told(told),
            else => std::future::pending().await,
        }
    }

    /// The next one, if there is one already.
    pub(super) fn try_next(&mut self) -> Option<Arrived> {
        let performed = self.performed.try_recv().ok().map(Arrived::Performed);
        performed.or_else(|| self.told.try_recv().ok().map(Arrived::Told))
    }
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
            status.leading = ports.lease.is_none();
        });
        let (performed_sender, performed) = mpsc::channel(OUTCOMES);
        let (told_sender, told) = mpsc::channel(OUTCOMES);
        let mut outcomes = Outcomes { performed, told };
        let held = ports.lease.is_some().then(Arc::<Held>::default);
        let (changes_sender, mut changes) = mpsc::channel(1);
        let keeper = ports.lease.clone().zip(held.clone()).map(|(lease, held)| {
            leading::spawn(lease, ports.clock.clone(), held, options.act_api_limit_secs, changes_sender)
        });
        let performing = Performing::new(
            ports.cloud.clone(),
            ports.clock.clone(),
            held.clone(),
            options.performing(),
            performed_sender,
        );
        let telling = Telling::new(ports.notifier.clone(), ports.clock.clone(), options.telling(), told_sender);
        let mut wheel = Wheel {
            turn,
            looks: Looks::new(options.looks_at_once),
            performing,
            telling,
            notices: Notices::spawn(ports.notifier.clone(), ports.clock.clone(), status.clone()),
            keeper,
            held,
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
        wheel.begin(now, owed)?;
        let mut requests_open = true;
        let mut gathered = Vec::new();
        while !stop.is_cancelled() {
            let due = wheel.meet_what_is_due()?;
            let (cloud, clock) = (wheel.ports.cloud.clone(), wheel.ports.clock.clone());
            tokio::select! {
                () = stop.cancelled() => break,
                request = requests.recv(), if requests_open => match request {
                    Some(Request::Ask(question)) => question(&wheel.turn, clock.now()),
                    Some(Request::Sweep) => wheel.sweep_due = clock.now(),
                    Some(Request::Operator(asked, answer)) => wheel.operator(*asked, answer)?,
                    None => requests_open = false,
                },
                Some(arrived) = inbox.recv() => {
                    gathered.push(arrived);
                    wheel.gather(&mut inbox, &mut gathered);
                    wheel.take(gathered.drain(..))?;
                }
                (answer, panicked) = wheel.looks.next(&cloud) => {
                    if panicked {
                        wheel.panicked("a look");
                    }
                    wheel.take([Arrived::Answer(answer)].into_iter())?;
                }
                arrived = outcomes.next() => {
                    gathered.push(arrived);
                    wheel.gather_outcomes(&mut outcomes, &mut gathered);
                    wheel.gather(&mut inbox, &mut gathered);
                    wheel.take(gathered.drain(..))?;
                }
                Some(charge) = changes.recv() => wheel.take([Arrived::Leading(charge)].into_iter())?,
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
        wheel.finish(outcomes).await
    }
}

async fn sleep_until(clock: &Arc<dyn Clock>, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
