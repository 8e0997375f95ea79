//! Many stories at once, on as many threads as told, for as long as told; and what is said of them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    coverage::Coverage,
    draw::draw,
    live::{Lived, live},
    shrink::shrink,
    story::Story,
};
use crate::judges::{Violation, i21_determinism};

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first seed.
    pub from: u64,
    /// So many seeds, unless the time is over before.
    pub seeds: u64,
    /// So long at most.
    pub lasting: Option<Duration>,
    /// Threads.
    pub threads: usize,
    /// One seed in so many is lived twice and compared.
    pub twice_every: u64,
    /// So many other stories are tried to make one that fails smaller; 0: it is left as it is.
    pub shrink_tries: u32,
    /// Only stories that fit are lived.
    pub fits: fn(&Story) -> bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { from: 1, seeds: 300, lasting: None, threads: 2, twice_every: 100, shrink_tries: 200, fits: |_| true }
    }
}

/// A seed whose story broke an invariant.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What did not hold, in order.
    pub violations: Vec<Violation>,
    /// The smallest story found that breaks the same invariant, and what did not hold in it.
    pub smallest: Option<(Story, Vec<Violation>)>,
}

/// What came of all of them.
#[derive(Debug, Default)]
pub struct Result {
    /// Seeds lived.
    pub seeds: u64,
    /// Hosts times hours.
    pub host_hours: f64,
    /// Events handed over.
    pub events: u64,
    /// Faults put in.
    pub injected: u64,
    /// Records judged.
    pub records: u64,
    /// Calls of remedies judged.
    pub calls: u64,
    /// Pages that arrived.
    pub pages: u64,
    /// Decisions that the reference model had an opinion about.
    pub compared: u64,
    /// States reached.
    pub coverage: Coverage,
    /// Host-hours and CPU seconds by kind of story.
    pub by_size: BTreeMap<String, (u64, f64)>,
    /// What failed.
    pub failures: Vec<Failure>,
}

impl Result {
    fn take(&mut self, story: &Story, lived: &Lived) {
        self.seeds += 1;
        self.host_hours += lived.host_hours;
        self.events += lived.events;
        self.injected += lived.injected;
        self.records += lived.history.records.len() as u64;
        self.calls += lived.history.calls.len() as u64;
        self.pages += lived.history.arrived.len() as u64;
        self.compared += lived.compared;
        self.coverage.add(&story.classes(), &lived.history);
        let size = format!("{:?}", story.size);
        let size = size.split('(').next().unwrap_or_default().to_owned();
        let (seeds, host_hours) = self.by_size.entry(size).or_default();
        *seeds += 1;
        *host_hours += lived.host_hours;
    }
}

/// Lives them. `each` hears of every seed that is done.
pub fn live_many(plan: &Plan, each: &(dyn Fn(u64, &Lived) + Sync)) -> Result {
    let next = AtomicU64::new(plan.from);
    let began = Instant::now();
    let result = Mutex::new(Result::default());
    let end = plan.from.saturating_add(plan.seeds);
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || plan.lasting.is_some_and(|lasting| began.elapsed() >= lasting) {
                        return;
                    }
                    let story = draw(seed);
                    if !(plan.fits)(&story) {
                        continue;
                    }
                    let mut lived = live(&story);
                    if plan.twice_every > 0 && seed.is_multiple_of(plan.twice_every) {
                        lived.violations.extend(i21_determinism::judge(&lived.history, &live(&story).history));
                    }
                    each(seed, &lived);
                    let failure = (!lived.violations.is_empty()).then(|| failure(plan, &story, &lived));
                    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
                    result.take(&story, &lived);
                    result.failures.extend(failure);
                }
            });
        }
    });
    let mut result = result.into_inner().unwrap_or_else(PoisonError::into_inner);
    result.failures.sort_by_key(|failure| failure.seed);
    result
}

fn failure(plan: &Plan, story: &Story, lived: &Lived) -> Failure {
    let invariant = lived.violations.first().map_or("", |it| it.invariant);
    let smallest = (plan.shrink_tries > 0).then(|| {
        let mut fails = |other: &Story| live(other).violations.iter().any(|it| it.invariant == invariant);
        let small = shrink(story, plan.shrink_tries, &mut fails);
        let violations = live(&small).violations;
        (small, violations)
    });
    Failure { seed: story.seed, violations: lived.violations.clone(), smallest }
}

impl Failure {
    /// For a person: what failed, in which story, and how to see it again.
    pub fn tell(&self, commit: &str) -> String {
        let mut text = format!("\nseed {} at commit {commit}: {} violations", self.seed, self.violations.len());
        for violation in self.violations.iter().take(4) {
            text.push_str(&format!("\n  {violation}"));
        }
        if let Some((story, violations)) = &self.smallest {
            text.push_str(&format!("\nthe smallest story found that breaks the same invariant:\n{}", story.tell()));
            for violation in violations.iter().take(4) {
                text.push_str(&format!("  {violation}\n"));
            }
        }
        text.push_str(&format!("\nsee it again: MUSTER_SWARM_SEED={} make swarm\n", self.seed));
        text
    }
}
