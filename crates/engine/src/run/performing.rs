//! Acts, performed beside the loop: the only place that calls [`Cloud::act`].
//!
//! An intent is taken only from a turn that is in the journal. Its target is read again; the loop takes the answers in a
//! turn of their own, so that the core learns from them and they are on the record before the call; then the call is
//! made, if everything is still as expected and muster may. Intents of one target follow each other.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

pub use fleet::remedy::reread::holds;
use fleet::{
    Fleet,
    effect::Look,
    input::{LookFailure, Sweep},
    remedy::act::{Act, ActResult, Intent, IntentId, Outcome},
};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::mpsc, task::JoinSet};

pub use super::gate::{lease_allows, not_called};
use super::{
    gate::{Gate, withheld},
    leading::Held,
    looking::{self, Trouble},
    queue::after,
};
use crate::{
    once::panic_text,
    ports::{Answer, Clock, Cloud},
};

/// What was read again is good for so long: a call that comes later is not made (I3).
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// How acts are performed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// No act is performed at all.
    pub read_only: bool,
    /// The longest that the one API call of an act takes to have its effect, tries included.
    pub act_api_limit_secs: u32,
    /// How much longer than its own limit an act is waited for.
    pub act_margin_secs: u32,
    /// How long each look at the target may take.
    pub reread_limit_secs: u32,
    /// Acts performed at the same time.
    pub acts_at_once: usize,
}

/// What comes back to the loop.
#[derive(Debug)]
pub enum Performed {
    /// A target was read again. Take the answers in a turn, then call [`Performing::go_on`].
    Reread {
        /// For which intent.
        intent: IntentId,
        /// One for each of [`Intent::rereads`].
        answers: Vec<Result<Sweep<'static>, LookFailure<'static>>>,
    },
    /// What came of an intent. Take it in a turn, then call [`Performing::ended`].
    Ended(Outcome<'static>),
}

/// The intents that were handed out and have not ended.
pub struct Performing {
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    gate: Gate,
    limits: Limits,
    back: mpsc::Sender<Performed>,
    /// In the order they came.
    waiting: VecDeque<IntentId>,
    jobs: BTreeMap<IntentId, Job>,
    /// What the intents under way are about.
    busy: HashSet<String>,
    tasks: JoinSet<()>,
    under_way: usize,
    /// Nothing begins until it is known who is in charge.
    held_back: bool,
}

impl std::fmt::Debug for Performing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Performing")
            .field("waiting", &self.waiting)
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Job {
    intent: Arc<Intent>,
    again: bool,
    epoch: Option<u64>,
    about: Vec<String>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Rereading { since: Timestamp },
    Calling,
    Ended,
}

impl Performing {
    /// Nothing to perform yet. What happens comes back by `back`; with a lease, nothing begins before
    /// [`release`](Self::release).
    pub fn new(
        cloud: Arc<dyn Cloud>,
        clock: Arc<dyn Clock>,
        held: Option<Arc<Held>>,
        limits: Limits,
        back: mpsc::Sender<Performed>,
    ) -> Self {
        let gate = Gate::new(&limits, held.clone(), clock.clone());
        Self {
            cloud,
            clock,
            gate,
            limits,
            back,
            waiting: VecDeque::new(),
            jobs: BTreeMap::new(),
            busy: HashSet::new(),
            tasks: JoinSet::new(),
            under_way: 0,
            held_back: held.is_some(),
        }
    }

    /// Intents that have not ended.
    pub fn open(&self) -> usize {
        self.jobs.len()
    }

    /// Intents whose call may be under way.
    pub fn calling(&self) -> usize {
        self.jobs.values().filter(|job| job.stage == Stage::Calling).count()
    }

    /// Performs an intent when its turn comes. `again`: an earlier muster may have made the call already. One that is
    /// here already is not taken twice.
    pub fn give(&mut self, intent: Intent, again: bool) {
        let id = intent.id;
        let job = Job {
            about: about(&intent),
            epoch: self.gate.epoch(),
            intent: Arc::new(intent),
            again,
            stage: Stage::Waiting,
        };
        if let std::collections::btree_map::Entry::Vacant(place) = self.jobs.entry(id) {
            place.insert(job);
            self.waiting.push_back(id);
            self.fill();
        }
    }

    /// It is known who is in charge: what was held back until then may begin.
    pub fn release(&mut self) {
        if std::mem::take(&mut self.held_back) {
            let epoch = self.gate.epoch();
            for job in self.jobs.values_mut() {
                job.epoch = epoch;
            }
            self.fill();
        }
    }

    /// The answers of a [`Performed::Reread`] are in the journal: makes the call if everything is as expected. `fleet`
    /// is what muster believes by now.
    pub fn go_on(&mut self, id: IntentId, answers: &[Result<Sweep<'static>, LookFailure<'static>>], fleet: &Fleet) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Stage::Rereading { since } = job.stage else { return };
        if self.held_back {
            // muster stops: the intent stays open, and is resolved after the next start.
            return;
        }
        let judged = holds(&job.intent, answers)
            .map_err(|result| not_called(result, job.again))
            .and_then(|()| fleet.may_begin(&job.intent).map_err(|why| withheld(why, job.again)));
        match judged {
            Ok(()) => self.call(id, since),
            Err(result) => self.end(id, result),
        }
    }

    /// The outcome of an intent is in the journal: whoever waits for its target may begin.
    pub fn ended(&mut self, id: IntentId) {
        // Only to take out what has ended.
        while self.tasks.try_join_next().is_some() {}
        let Some(job) = self.jobs.remove(&id) else { return };
        self.under_way = self.under_way.saturating_sub(1);
        for about in &job.about {
            self.busy.remove(about);
        }
        self.fill();
    }

    /// What an intent was about, for figures.
    pub fn act(&self, id: IntentId) -> Option<&Act> {
        self.jobs.get(&id).map(|job| &job.intent.act)
    }

    /// Nothing more begins; calls under way go on.
    pub fn hold_back(&mut self) {
        self.held_back = true;
    }

    /// Begins whatever may: in order, never two of one target.
    fn fill(&mut self) {
        if self.held_back {
            return;
        }
        let mut behind: HashSet<String> = HashSet::new();
        let mut kept = VecDeque::with_capacity(self.waiting.len());
        while let Some(id) = self.waiting.pop_front() {
            let Some(job) = self.jobs.get(&id) else { continue };
            let blocked = job.about.iter().any(|it| self.busy.contains(it) || behind.contains(it));
            if blocked || self.under_way >= self.limits.acts_at_once.max(1) {
                behind.extend(job.about.iter().cloned());
                kept.push_back(id);
            } else {
                self.busy.extend(job.about.iter().cloned());
                self.under_way += 1;
                self.begin(id);
            }
        }
        self.waiting = kept;
    }

    fn begin(&mut self, id: IntentId) {
        let now = self.clock.now();
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let intent = job.intent.clone();
        if job.again && !intent.act.may_be_repeated() {
            let why = format!(
                "muster stopped before it saw how this ended ({}), and a second time could do it twice; see on the \
                 host whether it happened",
                intent.act.word()
            );
            return self.end(id, ActResult::Failed { why: why.into(), may_have_happened: true });
        }
        if let Err(why) = self.gate.allows(job.epoch) {
            let result = withheld(why, job.again);
            return self.end(id, result);
        }
        job.stage = Stage::Rereading { since: now };
        let looks = intent.rereads();
        if looks.is_empty() {
            // Nobody has anything to say; the core may have.
            return self.say(Performed::Reread { intent: id, answers: Vec::new() });
        }
        let (cloud, clock, back) = (self.cloud.clone(), self.clock.clone(), self.back.clone());
        let limit = SignedDuration::from_secs(i64::from(self.limits.reread_limit_secs.max(1)));
        self.tasks.spawn(async move {
            let answers = reread(cloud, clock, looks, limit).await;
            // The loop's end closes the other side.
            let _ = back.send(Performed::Reread { intent: id, answers }).await;
        });
    }

    fn call(&mut self, id: IntentId, read_at: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.stage = Stage::Calling;
        let (job, gate, back) = (job.clone(), self.gate.clone(), self.back.clone());
        let (cloud, clock) = (self.cloud.clone(), self.clock.clone());
        let limit = i64::from(job.intent.limit_secs.max(1)) + i64::from(self.limits.act_margin_secs);
        self.tasks.spawn(async move {
            let result = call(cloud, clock, gate, job, read_at, SignedDuration::from_secs(limit)).await;
            // The loop's end closes the other side: the intent stays open and is resolved after the next start.
            let _ = back.send(Performed::Ended(Outcome { intent: id, result })).await;
        });
    }

    fn end(&mut self, id: IntentId, result: ActResult<'static>) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.stage = Stage::Ended;
        }
        self.say(Performed::Ended(Outcome { intent: id, result }));
    }

    /// By a task, because the one who reads the other end is the one who calls.
    fn say(&mut self, performed: Performed) {
        let back = self.back.clone();
        self.tasks.spawn(async move {
            // The loop's end closes the other side.
            let _ = back.send(performed).await;
        });
    }
}

/// What an intent is about: two intents that share one of these do not overlap.
fn about(intent: &Intent) -> Vec<String> {
    let target = &intent.target;
    let mut about: Vec<String> = target.host.iter().chain(&target.machine).cloned().collect();
    let sizes_group = matches!(
        intent.act,
        Act::SetDesired { .. } | Act::ExecutePolicy { .. } | Act::TerminateInGroup { .. } | Act::MarkUnhealthy
    );
    if sizes_group && let Some(group) = &target.group {
        about.push(format!("{}/{group}", target.place));
    }
    about
}

/// All looks at once; each answers, fails, or is failed after `limit`.
async fn reread(
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    looks: Vec<Look>,
    limit: SignedDuration,
) -> Vec<Result<Sweep<'static>, LookFailure<'static>>> {
    let mut tasks = JoinSet::new();
    for look in looks {
        let (cloud, clock) = (cloud.clone(), clock.clone());
        tasks.spawn(async move {
            let give_up_at = after(clock.now(), limit);
            let mut task = JoinSet::new();
            let asked = look.clone();
            task.spawn(async move { cloud.look(asked).await });
            tokio::select! {
                biased;
                ended = task.join_next() => match ended {
                    Some(Ok(Answer::Swept(sweep))) => Ok(sweep),
                    Some(Ok(Answer::Failed(failure))) => Err(failure),
                    Some(Ok(Answer::Progress { .. })) | None => Err(looking::failed(&look, Trouble::NoAnswer)),
                    Some(Err(error)) => Err(looking::failed(&look, Trouble::Panicked(panic_text(error)))),
                },
                () = clock.sleep_until(give_up_at) => Err(looking::failed(&look, Trouble::TooLong(limit.as_secs()))),
            }
        });
    }
    let mut answers = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(answer) => answers.push(answer),
            // An answer less is an expectation not met.
            Err(error) => tracing::error!(panic = panic_text(error), "reading a target again ended in a panic"),
        }
    }
    answers
}

/// The call itself. Whatever muster has against it is asked at the last moment before.
async fn call(
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    gate: Gate,
    job: Job,
    read_at: Timestamp,
    limit: SignedDuration,
) -> ActResult<'static> {
    let give_up_at = after(clock.now(), limit);
    let word = job.intent.act.word();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let age = gate.now().duration_since(read_at);
        if age > FRESH {
            let why = format!("muster was held up: what was read again is {} s old by now", age.as_secs());
            return withheld(why, job.again);
        }
        if let Err(why) = gate.allows(job.epoch) {
            return withheld(why, job.again);
        }
        cloud.act(&job.intent, job.again).await
    });
    let why = tokio::select! {
        biased;
        ended = task.join_next() => match ended {
            Some(Ok(result)) => return result,
            Some(Err(error)) => {
                let panic = panic_text(error);
                tracing::error!(panic, act = word, "an act ended in a panic");
                format!("{word} ended in a panic, which is a fault of muster; please report it: {panic}")
            }
            None => format!("{word} has no end"),
        },
        () = clock.sleep_until(give_up_at) => {
            format!("{word} had not ended after {} s and was given up; whether it happened is not known", limit.as_secs())
        }
    };
    ActResult::Failed { why: why.into(), may_have_happened: true }
}
