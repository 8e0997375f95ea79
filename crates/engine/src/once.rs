//! A single pass: everything is looked at once, what the core wants to see again is looked at again, and that is all.
//!
//! A pass only observes. Acts and pages that the core asks for are handed back and not performed: an act needs its target
//! read again and its outcome taken, and both need the loop of [`run`](crate::run).

use std::{collections::HashSet, sync::Arc};

use fleet::{
    effect::{Look, Notice},
    input::LookFailure,
    journal::Record,
    notice::page::Page,
    remedy::act::Intent,
};
use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    ports::{Answer, Clock, Cloud},
    turn::{Arrival, Taken, Turn, TurnError},
};

/// Looks performed at the same time.
const LOOKS_AT_ONCE: usize = 4;
/// Answers that may wait for the core.
const ANSWERS_WAITING: usize = 64;

/// What a single pass did.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// When it began.
    pub started_at: Timestamp,
    /// When the last answer was taken: the time to call the roll at.
    pub ended_at: Timestamp,
    /// Scopes that answered.
    pub answered: u64,
    /// Scopes that did not, and why. A roll call over these is not to be trusted.
    pub failed: Vec<LookFailure<'static>>,
    /// Looks that the core asked for besides the sweep.
    pub looks: u64,
    /// What the core concluded.
    pub records: Vec<Record>,
    /// What people would have been told.
    pub notices: Vec<Notice>,
    /// What would have been done. It has not been: in a journal that is kept, these intents stay open.
    pub acts: Vec<Intent>,
    /// What would have been sent. It has not been: in a journal that is kept, these pages stay owed.
    pub pages: Vec<Page>,
}

/// Why a single pass could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// The turn failed.
    #[error(transparent)]
    Turn(#[from] TurnError),
    /// The code that talks to the cloud failed in a way it should not.
    #[error("looking at {what} ended in a panic, which is a fault of muster; please report it: {panic}")]
    Panicked {
        /// What was looked at.
        what: String,
        /// What it said.
        panic: String,
    },
}

/// Sweeps once, performs the looks that the core asks for (each at most once), and meets what is due by then.
/// `progress` is told what is being read, how many are read, and of how many where known.
pub async fn run_once(
    cloud: Arc<dyn Cloud>,
    turn: &mut Turn,
    clock: &dyn Clock,
    progress: &mut (dyn FnMut(&str, u64, Option<u64>) + Send),
) -> Result<Outcome, OnceError> {
    let now = clock.now();
    let mut pass = Pass {
        outcome: Outcome {
            started_at: now,
            ended_at: now,
            answered: 0,
            failed: Vec::new(),
            looks: 0,
            records: Vec::new(),
            notices: Vec::new(),
            acts: Vec::new(),
            pages: Vec::new(),
        },
        asked: HashSet::new(),
        waiting: Vec::new(),
    };
    let (sender, mut answers) = mpsc::channel(ANSWERS_WAITING);
    let mut tasks: JoinSet<Option<Answer>> = JoinSet::new();
    let sweeping = cloud.clone();
    tasks.spawn(async move {
        sweeping.sweep(sender).await;
        None
    });
    let mut gathered = Vec::new();
    let mut sweeping = true;
    while sweeping || !tasks.is_empty() || !pass.waiting.is_empty() {
        while tasks.len() <= LOOKS_AT_ONCE
            && let Some(look) = pass.waiting.pop()
        {
            let cloud = cloud.clone();
            tasks.spawn(async move { Some(cloud.look(look).await) });
        }
        tokio::select! {
            count = answers.recv_many(&mut gathered, ANSWERS_WAITING), if sweeping => sweeping = count > 0,
            Some(ended) = tasks.join_next() => match ended {
                Ok(answer) => gathered.extend(answer),
                Err(error) => return Err(OnceError::Panicked { what: "the cloud".into(), panic: panic_text(error) }),
            },
        }
        pass.take(turn, clock.now(), gathered.drain(..), progress)?;
    }
    let now = clock.now();
    if turn.wake_at().is_some_and(|at| at <= now) {
        let taken = turn.take(now, [Arrival::Tick])?;
        pass.note(taken);
    }
    pass.outcome.ended_at = turn.last_at();
    Ok(pass.outcome)
}

struct Pass {
    outcome: Outcome,
    asked: HashSet<Look>,
    waiting: Vec<Look>,
}

impl Pass {
    fn take(
        &mut self,
        turn: &mut Turn,
        now: Timestamp,
        answers: impl Iterator<Item = Answer>,
        progress: &mut (dyn FnMut(&str, u64, Option<u64>) + Send),
    ) -> Result<(), TurnError> {
        let mut arrivals = Vec::new();
        for answer in answers {
            match &answer {
                Answer::Progress { what, done, total } => progress(what, *done, *total),
                Answer::Failed(failure) => self.outcome.failed.push(failure.clone()),
                Answer::Swept(_) => self.outcome.answered += 1,
            }
            arrivals.extend(Arrival::from_answer(answer));
        }
        if arrivals.is_empty() {
            return Ok(());
        }
        let taken = turn.take(now, arrivals)?;
        for look in self.note(taken) {
            if self.asked.insert(look.clone()) {
                self.outcome.looks += 1;
                self.waiting.push(look);
            }
        }
        Ok(())
    }

    /// Keeps what a turn brought, and returns what is to be looked at.
    fn note(&mut self, taken: Taken) -> Vec<Look> {
        self.outcome.records.extend(taken.records);
        self.outcome.notices.extend(taken.notices);
        self.outcome.acts.extend(taken.acts);
        self.outcome.pages.extend(taken.pages);
        taken.looks
    }
}

/// What a task that panicked said.
pub(crate) fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => payload_text(&*panic),
        Err(error) => error.to_string(),
    }
}

/// What a panic said.
pub(crate) fn payload_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
