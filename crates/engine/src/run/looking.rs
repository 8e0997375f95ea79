//! Sweeps and looks, performed beside the loop.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use fleet::{
    effect::Look,
    input::{FailureKind, LookFailure, Scope},
};
use jiff::SignedDuration;
use tokio::{
    sync::mpsc,
    task::{Id, JoinSet},
};

use super::{engine::Arrived, queue::after};
use crate::{
    once::panic_text,
    ports::{Answer, Clock, Cloud},
};

/// Answers of a sweep that may wait for the inbox.
const ANSWERS_WAITING: usize = 16;

/// How a sweep ended.
#[derive(Debug)]
pub(super) enum SweepEnd {
    /// All scopes answered or failed.
    Done,
    /// It took longer than it may.
    TooLong,
    /// It panicked.
    Panicked(String),
}

/// One sweep: its answers go to the inbox in order, then how it ended.
pub(super) async fn sweep(
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    inbox: mpsc::Sender<Arrived>,
    limit: SignedDuration,
) {
    let give_up_at = after(clock.now(), limit);
    let (sender, mut answers) = mpsc::channel(ANSWERS_WAITING);
    let mut task = JoinSet::new();
    task.spawn(async move { cloud.sweep(sender).await });
    let end = loop {
        tokio::select! {
            biased;
            answer = answers.recv() => match answer {
                Some(answer) => {
                    if inbox.send(Arrived::Answer(answer)).await.is_err() {
                        return;
                    }
                }
                None => break match task.join_next().await {
                    Some(Err(error)) => SweepEnd::Panicked(panic_text(error)),
                    _ => SweepEnd::Done,
                },
            },
            () = clock.sleep_until(give_up_at) => break SweepEnd::TooLong,
        }
    };
    // The inbox is closed only when the loop has ended.
    let _ = inbox.send(Arrived::SweepEnded(end)).await;
}

/// The looks that the core asked for: at most so many at once, the same one never twice at the same time.
#[derive(Debug)]
pub(super) struct Looks {
    at_once: usize,
    waiting: VecDeque<Look>,
    open: HashSet<Look>,
    tasks: JoinSet<Answer>,
    under_way: HashMap<Id, Look>,
}

impl Looks {
    pub(super) fn new(at_once: usize) -> Self {
        Self {
            at_once: at_once.max(1),
            waiting: VecDeque::new(),
            open: HashSet::new(),
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
        }
    }

    /// Waiting and under way.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Performs a look when its turn comes.
    pub(super) fn ask(&mut self, look: Look, cloud: &Arc<dyn Cloud>) {
        if self.open.insert(look.clone()) {
            self.waiting.push_back(look);
            self.fill(cloud);
        }
    }

    fn fill(&mut self, cloud: &Arc<dyn Cloud>) {
        while self.tasks.len() < self.at_once
            && let Some(look) = self.waiting.pop_front()
        {
            let (cloud, asked) = (cloud.clone(), look.clone());
            let task = self.tasks.spawn(async move { cloud.look(asked).await });
            self.under_way.insert(task.id(), look);
        }
    }

    /// The next answer; waits for ever when there is nothing to wait for. Tells whether the look panicked, which is
    /// answered as a failure.
    pub(super) async fn next(&mut self, cloud: &Arc<dyn Cloud>) -> (Answer, bool) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let (id, result) = match ended {
            Ok((id, answer)) => (id, Ok(answer)),
            Err(error) => (error.id(), Err(error)),
        };
        let look = self.under_way.remove(&id);
        if let Some(look) = &look {
            self.open.remove(look);
        }
        self.fill(cloud);
        match (result, look) {
            (Ok(answer), _) => (answer, false),
            (Err(error), Some(look)) => (Answer::Failed(failed(&look, Trouble::Panicked(panic_text(error)))), true),
            (Err(error), None) => {
                let panic = panic_text(error);
                (
                    Answer::Progress { what: format!("a look that nobody asked for: {panic}"), done: 0, total: None },
                    true,
                )
            }
        }
    }
}

/// Why a look has no answer.
pub(super) enum Trouble {
    /// It panicked, and said this.
    Panicked(String),
    /// It took longer than so many seconds.
    TooLong(i64),
    /// It ended without one.
    NoAnswer,
}

/// The failure of a look that has no answer of its own.
pub(super) fn failed(look: &Look, trouble: Trouble) -> LookFailure<'static> {
    let (scope, what) = match look {
        Look::Hosts { cluster, arns } => {
            (Scope::Hosts { cluster: cluster.clone().into() }, format!("{} hosts of {cluster}", arns.len()))
        }
        Look::Registrations { cluster, machines } => {
            let what = format!("whether {} machines are hosts of {cluster}", machines.len());
            (Scope::Hosts { cluster: cluster.clone().into() }, what)
        }
        Look::Tasks { cluster, arns } => {
            (Scope::Tasks { cluster: cluster.clone().into() }, format!("{} tasks of {cluster}", arns.len()))
        }
        Look::Machines { place, ids } => {
            (Scope::Machines(place.clone().into()), format!("{} machines of {place}", ids.len()))
        }
        Look::Pings { place, ids } => {
            (Scope::Pings(place.clone().into()), format!("the pings of {} machines of {place}", ids.len()))
        }
        Look::Groups { place, names } => {
            (Scope::Groups(place.clone().into()), format!("{} Auto Scaling groups of {place}", names.len()))
        }
        Look::Demand { cluster, of } => {
            (Scope::Demand { cluster: cluster.clone().into() }, format!("what a copy of {of} needs in {cluster}"))
        }
    };
    let message = match trouble {
        Trouble::Panicked(panic) => {
            format!("looking at {what} ended in a panic, which is a fault of muster; please report it: {panic}")
        }
        Trouble::TooLong(secs) => format!("looking at {what} took longer than {secs} s and was given up"),
        Trouble::NoAnswer => format!("looking at {what} ended without an answer"),
    };
    LookFailure { scope, kind: FailureKind::Failed, message: message.into() }
}
