//! Asking the fleet something from outside the loop, between two turns.

use fleet::{
    Fleet,
    journal::Record,
    operator::{Answered, Asked},
};
use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::status::Status;
use crate::{counters::Counters, turn::Turn};

/// The loop has ended; nobody is there to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("muster is stopping; ask again when it runs")]
pub struct Stopped;

/// A record together with the time of its turn.
pub type DatedRecord = (Timestamp, Record);

/// What somebody wants to know; it answers by itself.
type Question = Box<dyn FnOnce(&Turn, Timestamp) + Send>;

pub(super) enum Request {
    /// Look at the fleet.
    Ask(Question),
    /// Sweep as soon as possible.
    Sweep,
    /// An operator asks for something.
    Operator(Box<Asked<'static>>, oneshot::Sender<Answered>),
}

/// A cheap, cloneable way to a running [`Engine`](super::Engine).
#[derive(Clone)]
pub struct Handle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) status: watch::Receiver<Status>,
    pub(super) records: broadcast::Sender<DatedRecord>,
    pub(super) stop: CancellationToken,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("stopped", &self.stop.is_cancelled()).finish_non_exhaustive()
    }
}

impl Handle {
    /// Runs `question` on the fleet between two turns and returns what it says. Keep it short: the loop waits for it.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Fleet, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.request(|turn, now| question(turn.fleet(), now)).await
    }

    /// What was counted since the start.
    pub async fn counters(&self) -> Result<Counters, Stopped> {
        self.request(|turn, _| *turn.counters()).await
    }

    /// How the loop is doing; after its end, how it did last.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Records as they are journaled, from now on. A reader that falls more than 1,024 behind is told how many it
    /// missed and finds them in the journal.
    pub fn records(&self) -> broadcast::Receiver<DatedRecord> {
        self.records.subscribe()
    }

    /// Asks for a sweep now, or right after the one under way.
    pub async fn sweep(&self) -> Result<(), Stopped> {
        self.requests.send(Request::Sweep).await.map_err(|_| Stopped)
    }

    /// Gives an operator's request to the fleet. When this returns, the request and its answer are in the journal and
    /// nothing begins any more that the request forbids.
    pub async fn operator(&self, asked: Asked<'static>) -> Result<Answered, Stopped> {
        let (sender, answer) = oneshot::channel();
        self.requests.send(Request::Operator(Box::new(asked), sender)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Asks the loop to stop in good order.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    async fn request<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Turn, Timestamp) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (sender, answer) = oneshot::channel();
        let asked = Request::Ask(Box::new(move |turn, now| {
            // A caller that has gone away needs no answer.
            let _ = sender.send(question(turn, now));
        }));
        self.requests.send(asked).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }
}
