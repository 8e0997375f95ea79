//! Receiving from the queue. Each receiver waits for room in the inbox before it polls again, so messages stay in the
//! queue, and with their owner, while the core is busy.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::mpsc, task::JoinSet};

use super::engine::Arrived;
use crate::{
    once::payload_text,
    ports::{Clock, Cloud, LookFailure},
};

/// First pause after a failure; doubled after each further one.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// Why a receive brought nothing.
#[derive(Debug)]
pub(super) enum QueueTrouble {
    /// The cloud said why.
    Failed(LookFailure<'static>),
    /// The code that talks to the cloud panicked.
    Panicked(String),
}

/// Keeps `receivers` long polls going until the set is dropped.
pub(super) fn spawn(
    cloud: &Arc<dyn Cloud>,
    clock: &Arc<dyn Clock>,
    inbox: &mpsc::Sender<Arrived>,
    receivers: usize,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..receivers.max(1) {
        tasks.spawn(receive(cloud.clone(), clock.clone(), inbox.clone()));
    }
    tasks
}

async fn receive(cloud: Arc<dyn Cloud>, clock: Arc<dyn Clock>, inbox: mpsc::Sender<Arrived>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Ok(room) = inbox.reserve().await else { return };
        // A panic ends this poll and not the receiver.
        let trouble = match AssertUnwindSafe(cloud.receive()).catch_unwind().await {
            Ok(Ok(deliveries)) => {
                pause = FIRST_PAUSE;
                room.send(Arrived::Messages(deliveries));
                continue;
            }
            Ok(Err(failure)) => QueueTrouble::Failed(failure),
            Err(panic) => QueueTrouble::Panicked(payload_text(&*panic)),
        };
        room.send(Arrived::QueueTrouble(trouble));
        clock.sleep_until(after(clock.now(), pause)).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// `at` plus `duration`, at the end of time if need be.
pub(super) fn after(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
