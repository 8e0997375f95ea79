//! A small swarm for every build: the seeds that once failed, and some others. The large one is `make swarm`; which seed
//! alone: MUSTER_SWARM_SEED, how many: MUSTER_SWARM_SEEDS.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use simulator::{
    judges::i21_determinism,
    swarm::{
        self,
        many::{Plan, live_many},
        story::{Size, Story},
    },
};

/// Seeds run by default: about half a minute of a debug build.
const DEFAULT_SEEDS: u64 = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok())
}

#[test]
fn no_seed_of_a_small_swarm_breaks_an_invariant() {
    let plan = match number("MUSTER_SWARM_SEED") {
        Some(seed) => Plan { from: seed, seeds: 1, ..Plan::default() },
        None => Plan { seeds: number("MUSTER_SWARM_SEEDS").unwrap_or(DEFAULT_SEEDS), ..Plan::default() },
    };
    // Thousands of hosts are for optimised code.
    let plan = Plan { fits: |story: &Story| story.size != Size::Huge, shrink_tries: 30, ..plan };
    let result = live_many(&plan, &|_, _| {});
    let failed: String = result.failures.iter().map(|failure| failure.tell("under test")).collect();
    assert!(failed.is_empty(), "{failed}");
    assert!(result.records > 0 && result.compared > 0, "{} seeds: nothing was judged", result.seeds);
    if plan.seeds >= DEFAULT_SEEDS {
        assert!(result.calls > 0, "{} seeds and not one remedy was called", result.seeds);
        assert!(result.pages > 0, "{} seeds and not one page arrived", result.seeds);
    }
}

#[test]
fn no_seed_that_once_failed_fails_again() {
    for (seed, why) in swarm::once_failed() {
        let story = swarm::draw(seed);
        if story.size != Size::Huge {
            let violations: Vec<String> = swarm::live(&story).violations.iter().map(ToString::to_string).collect();
            assert!(violations.is_empty(), "seed {seed} ({why}):\n{}", violations.join("\n"));
        }
    }
}

#[test]
fn a_seed_tells_the_same_story_and_lives_it_the_same_way_every_time() {
    assert_eq!(swarm::draw(9), swarm::draw(9));
    assert_ne!(swarm::draw(9), swarm::draw(10));
    let story = (1..).map(swarm::draw).find(|story| story.size == Size::Hostile && !story.crashes.is_empty()).unwrap();
    assert_eq!(i21_determinism::judge(&swarm::live(&story).history, &swarm::live(&story).history), []);
}
