//! Deleting messages that are in the journal. Never holds up the loop: a message that is not deleted comes again, is
//! found to be a duplicate, and is deleted then.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinHandle, JoinSet},
};

use super::queue::after;
use crate::{
    once::panic_text,
    ports::{Clock, Cloud, Receipt},
};

/// Batches that may wait.
const WAITING: usize = 256;
/// Calls at the same time.
const AT_ONCE: usize = 8;
/// How often one batch is tried.
const TRIES: u32 = 3;
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Takes receipts in and deletes their messages.
#[derive(Debug)]
pub(super) struct Acknowledger {
    waiting: mpsc::Sender<Vec<Receipt>>,
    task: JoinHandle<()>,
}

impl Acknowledger {
    /// `failures` is told how many messages could not be deleted.
    pub(super) fn spawn(cloud: Arc<dyn Cloud>, clock: Arc<dyn Clock>, failures: mpsc::UnboundedSender<u64>) -> Self {
        let (waiting, receipts) = mpsc::channel(WAITING);
        Self { waiting, task: tokio::spawn(acknowledge(cloud, clock, receipts, failures)) }
    }

    /// Has these deleted some time soon. Returns how many could not be taken because too many wait already.
    pub(super) fn give(&self, receipts: Vec<Receipt>) -> usize {
        match self.waiting.try_send(receipts) {
            Ok(()) => 0,
            Err(mpsc::error::TrySendError::Full(receipts) | mpsc::error::TrySendError::Closed(receipts)) => {
                receipts.len()
            }
        }
    }

    /// Waits until everything given is deleted or has failed.
    pub(super) async fn finish(self) {
        drop(self.waiting);
        if let Err(error) = self.task.await {
            tracing::error!(panic = panic_text(error), "acknowledging messages ended in a panic");
        }
    }

    pub(super) fn abort_handle(&self) -> AbortHandle {
        self.task.abort_handle()
    }
}

async fn acknowledge(
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    mut waiting: mpsc::Receiver<Vec<Receipt>>,
    failures: mpsc::UnboundedSender<u64>,
) {
    let mut calls: JoinSet<()> = JoinSet::new();
    let mut batches = Vec::new();
    loop {
        while calls.len() >= AT_ONCE {
            ended(calls.join_next().await, &failures);
        }
        batches.clear();
        tokio::select! {
            count = waiting.recv_many(&mut batches, AT_ONCE) => {
                if count == 0 {
                    break;
                }
                let receipts: Vec<Receipt> = batches.drain(..).flatten().collect();
                calls.spawn(try_delete(cloud.clone(), clock.clone(), receipts, failures.clone()));
            }
            call = calls.join_next(), if !calls.is_empty() => ended(call, &failures),
        }
    }
    while !calls.is_empty() {
        ended(calls.join_next().await, &failures);
    }
}

fn ended(call: Option<Result<(), tokio::task::JoinError>>, failures: &mpsc::UnboundedSender<u64>) {
    if let Some(Err(error)) = call {
        tracing::error!(panic = panic_text(error), "acknowledging messages ended in a panic; they will come again");
        // Only the loop's own end closes the other side.
        let _ = failures.send(1);
    }
}

async fn try_delete(
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    receipts: Vec<Receipt>,
    failures: mpsc::UnboundedSender<u64>,
) {
    let mut pause = PAUSE;
    for left in (0..TRIES).rev() {
        let Err(failure) = cloud.acknowledge(receipts.clone()).await else { return };
        tracing::warn!(messages = receipts.len(), tries_left = left, reason = %failure.message,
            "messages that are journaled could not be deleted from the queue");
        if left > 0 {
            clock.sleep_until(after(clock.now(), pause)).await;
            pause = pause.saturating_mul(2);
        }
    }
    // Only the loop's own end closes the other side.
    let _ = failures.send(receipts.len() as u64);
}
