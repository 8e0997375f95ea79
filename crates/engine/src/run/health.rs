//! How the loop's ports are doing: noted in the status, said in the log.

use fleet::{
    notice::page::{Delivery, DeliveryResult},
    remedy::act::Outcome,
};
use jiff::Timestamp;

use super::{looking::SweepEnd, queue::QueueTrouble, wheel::Wheel};
use crate::ports::Answer;

impl Wheel {
    pub(super) fn count_act(&self, outcome: &Outcome<'_>) {
        let Some(act) = self.performing.act(outcome.intent) else { return };
        let (act, result) = (act.word(), outcome.result.word());
        tracing::info!(intent = %outcome.intent, act, result, says = outcome.result.says(), "an act ended");
        self.status.send_modify(|status| *status.acts.entry((act, result)).or_default() += 1);
    }

    pub(super) fn count_page(&self, delivery: &Delivery<'_>) {
        let Some(receiver) = self.telling.receiver(delivery.page) else { return };
        let result = match delivery.result {
            DeliveryResult::Delivered => "delivered",
            DeliveryResult::GivenUp { .. } => "given-up",
        };
        self.status.send_modify(|status| *status.pages.entry((receiver.to_owned(), result)).or_default() += 1);
    }

    pub(super) fn note_open(&self) {
        let open = (self.looks.open(), self.performing.open(), self.telling.open());
        self.status.send_if_modified(|status| {
            let before = (status.looks_open, status.intents_open, status.pages_open);
            (status.looks_open, status.intents_open, status.pages_open) = open;
            before != open
        });
    }

    pub(super) fn received(&self, now: Timestamp) {
        self.status.send_modify(|status| {
            status.last_receive_at = Some(now);
            if status.queue_trouble.take().is_some() {
                tracing::info!("the event queue can be read again");
            }
        });
    }

    pub(super) fn queue_trouble(&self, trouble: QueueTrouble) {
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

    pub(super) fn answered(&self, answer: &Answer) {
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
        self.note_open();
    }

    pub(super) fn sweep_ended(&self, now: Timestamp, end: SweepEnd) {
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

    pub(super) fn panicked(&self, what: &str) {
        tracing::error!(what, "a call to the cloud panicked");
        self.status.send_modify(|status| status.panics += 1);
    }
}
