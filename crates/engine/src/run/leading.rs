//! Who is in charge of acting: keeps the lease, and tells the loop when that changes.

use std::sync::{Arc, Mutex, PoisonError};

use fleet::charge::Charge;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::mpsc, task::JoinSet};

use super::queue::after;
use crate::{
    once::panic_text,
    ports::{Clock, Grant, Lease},
};

/// How often the lease is asked for while its length is not known, and how long an answer may take.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);
const SHORTEST_PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// How long giving it back may take.
const RELEASE_LIMIT: SignedDuration = SignedDuration::from_secs(5);

/// The grant that is ours at present, seen by the one who keeps it and by those who act under it.
#[derive(Debug, Default)]
pub struct Held(Mutex<Option<Grant>>);

impl Held {
    /// The grant, whether or not it has run out since.
    pub fn grant(&self) -> Option<Grant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another grant, or none.
    pub fn set(&self, grant: Option<Grant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = grant;
    }
}

/// Keeps the lease until the set is dropped. `changes` is told, as soon as it is known and at every change, whose it
/// is.
pub(super) fn spawn(
    lease: Arc<dyn Lease>,
    clock: Arc<dyn Clock>,
    held: Arc<Held>,
    act_api_limit_secs: u32,
    changes: mpsc::Sender<Charge>,
) -> JoinSet<()> {
    let mut task = JoinSet::new();
    let keeper = Keeper { lease, clock, held, changes, told: None, pause: FIRST_PAUSE, warned: false };
    task.spawn(keeper.keep(SignedDuration::from_secs(2 * i64::from(act_api_limit_secs))));
    task
}

/// Gives the lease back, so that another muster need not wait for its end.
pub(super) async fn release(lease: Arc<dyn Lease>, clock: Arc<dyn Clock>, held: &Held) {
    held.set(None);
    let until = after(clock.now(), RELEASE_LIMIT);
    let mut task = JoinSet::new();
    task.spawn(async move { lease.release().await });
    tokio::select! {
        biased;
        ended = task.join_next() => if let Some(Err(error)) = ended {
            tracing::error!(panic = panic_text(error), "giving the lease back ended in a panic; it ends by itself");
        },
        () = clock.sleep_until(until) => tracing::warn!("the lease could not be given back in time; it ends by itself"),
    }
}

struct Keeper {
    lease: Arc<dyn Lease>,
    clock: Arc<dyn Clock>,
    held: Arc<Held>,
    changes: mpsc::Sender<Charge>,
    told: Option<Charge>,
    pause: SignedDuration,
    warned: bool,
}

impl Keeper {
    async fn keep(mut self, an_act_needs: SignedDuration) {
        loop {
            let asked_at = self.clock.now();
            let answer = self.ask(asked_at).await;
            let known = answer.is_ok();
            match answer {
                Ok(Some(grant)) => {
                    let length = grant.until.duration_since(asked_at);
                    self.pause = (length / 3).max(SHORTEST_PAUSE);
                    if length - self.pause <= an_act_needs && !self.warned {
                        self.warned = true;
                        tracing::error!(
                            lease_secs = length.as_secs(),
                            "the lease is too short for any remedy to begin under it; make it longer"
                        );
                    }
                    self.held.set(Some(grant));
                }
                Ok(None) => self.held.set(None),
                Err(why) => tracing::warn!(why, "it could not be said who is in charge of acting; muster asks again"),
            }
            // As long as nobody has said who is in charge there is nothing to tell: the loop began by not leading.
            if (known || self.told.is_some()) && self.tell().await.is_err() {
                return;
            }
            let next = after(asked_at, self.pause).max(after(self.clock.now(), SHORTEST_PAUSE));
            while let Some(ends_at) = self.held.grant().map(|grant| grant.until).filter(|until| *until < next) {
                self.clock.sleep_until(ends_at).await;
                if self.tell().await.is_err() {
                    return;
                }
            }
            self.clock.sleep_until(next).await;
        }
    }

    /// A task of its own and a limit: whoever keeps the lease must not be able to hang on to it.
    async fn ask(&self, asked_at: Timestamp) -> Result<Option<Grant>, String> {
        let lease = self.lease.clone();
        let mut task = JoinSet::new();
        task.spawn(async move { lease.hold().await });
        tokio::select! {
            biased;
            ended = task.join_next() => match ended {
                Some(Ok(answer)) => answer.map_err(|error| error.to_string()),
                Some(Err(error)) => Err(format!("asking ended in a panic, which is a fault of muster: {}", panic_text(error))),
                None => Err("nobody answered".into()),
            },
            () = self.clock.sleep_until(after(asked_at, self.pause)) => Err(format!("no answer within {} s", self.pause.as_secs())),
        }
    }

    /// Tells the loop if who is in charge has changed. A grant that has run out is none.
    async fn tell(&mut self) -> Result<(), mpsc::error::SendError<Charge>> {
        let grant = self.held.grant().filter(|grant| grant.until > self.clock.now());
        if grant.is_none() {
            self.held.set(None);
        }
        let charge = grant.map_or(Charge::Anothers, |grant| Charge::Ours { epoch: grant.epoch });
        if self.told != Some(charge) {
            self.told = Some(charge);
            self.changes.send(charge).await?;
        }
        Ok(())
    }
}
