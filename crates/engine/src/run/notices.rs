//! Notices, said in the log beside the loop, in order.

use std::sync::Arc;

use fleet::effect::Notice;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{queue::after, status::Status};
use crate::{
    once::panic_text,
    ports::{Clock, Notifier},
};

/// Notices that may wait.
const WAITING: usize = 8_192;
/// How long one notice may take before the next one is said.
const LIMIT: SignedDuration = SignedDuration::from_secs(5);

/// Takes notices in and has them said.
#[derive(Debug)]
pub(super) struct Notices {
    waiting: mpsc::Sender<(Timestamp, Notice)>,
    status: watch::Sender<Status>,
    task: JoinHandle<()>,
}

impl Notices {
    pub(super) fn spawn(notifier: Arc<dyn Notifier>, clock: Arc<dyn Clock>, status: watch::Sender<Status>) -> Self {
        let (waiting, notices) = mpsc::channel(WAITING);
        Self { waiting, status: status.clone(), task: tokio::spawn(say(notifier, clock, status, notices)) }
    }

    /// Has this said some time soon. The journal has it already.
    pub(super) fn give(&self, at: Timestamp, notice: Notice) {
        let case = notice.case;
        if self.waiting.try_send((at, notice)).is_err() {
            lost(&self.status, case, "too many notices wait already");
        }
    }

    /// Waits until everything given is said, but not longer than `until`.
    pub(super) async fn finish(self, clock: &Arc<dyn Clock>, until: Timestamp) {
        let Self { waiting, mut task, .. } = self;
        drop(waiting);
        tokio::select! {
            biased;
            ended = &mut task => if let Err(error) = ended {
                tracing::error!(panic = panic_text(error), "saying notices ended in a panic");
            },
            () = clock.sleep_until(until) => task.abort(),
        }
    }
}

fn lost(status: &watch::Sender<Status>, case: fleet::id::CaseId, why: &str) {
    tracing::error!(%case, why, "a notice may not have reached anybody");
    status.send_modify(|status| status.notice_failures += 1);
}

/// Each in a task of its own, so that a notifier that hangs or panics costs seconds and not this task's life.
async fn say(
    notifier: Arc<dyn Notifier>,
    clock: Arc<dyn Clock>,
    status: watch::Sender<Status>,
    mut waiting: mpsc::Receiver<(Timestamp, Notice)>,
) {
    while let Some((at, notice)) = waiting.recv().await {
        let (notifier, case) = (notifier.clone(), notice.case);
        let task = tokio::spawn(async move { notifier.notify(at, &notice).await });
        let failed = tokio::select! {
            biased;
            ended = task => ended.err().map(panic_text),
            () = clock.sleep_until(after(clock.now(), LIMIT)) => Some("it takes too long; the next one is said".into()),
        };
        if let Some(why) = failed {
            lost(&status, case, &why);
        }
    }
}
