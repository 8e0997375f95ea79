//! The placement twin against the scheduler: clusters and tasks by chance, told on the wire, and both must give the same
//! answer. The one knows the world, the other what it has been told; they share no code.
//!
//! How many cases: `MUSTER_TWIN_CASES`; from which seed: `MUSTER_TWIN_FROM`; one alone: `MUSTER_TWIN_SEED`. A hundred
//! thousand take half a minute of optimised code:
//! `MUSTER_TWIN_CASES=100000 cargo test --profile swarm -p engine --test twin -- --nocapture`.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]
#![expect(clippy::print_stdout, reason = "a run of many cases tells what it has met")]

mod agree;
mod coverage;
mod told;
mod walk;

use std::time::Instant;

use coverage::Coverage;
use simulator::twin::draw;

/// Cases run by default.
const DEFAULT_CASES: u64 = 1_500;

/// So many copies are placed at most, on a host and in all; in one case of a hundred ten times as many.
const MOST_COPIES: u32 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seeds() -> std::ops::Range<u64> {
    match number("MUSTER_TWIN_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("MUSTER_TWIN_FROM").unwrap_or(0);
            from..from + number("MUSTER_TWIN_CASES").unwrap_or(DEFAULT_CASES)
        }
    }
}

/// As many disagreements as are told before the rest is only counted.
const TOLD: usize = 8;

#[test]
fn the_twin_and_the_scheduler_agree_on_every_cluster_and_task() {
    let (seeds, began) = (seeds(), Instant::now());
    let (mut coverage, mut wrong, mut count) = (Coverage::default(), Vec::new(), 0);
    for seed in seeds.clone() {
        let case = draw(seed);
        let most = if seed % 100 == 99 { MOST_COPIES * 10 } else { MOST_COPIES };
        let told = told::tell(&case);
        let found = agree::compare(&case, &told, most, &mut coverage);
        let found = found.and_then(|()| walk::compare(&case, &told, &mut coverage));
        if let Err(what) = found {
            count += 1;
            if wrong.len() < TOLD {
                wrong.push(format!("seed {seed}: {what}"));
            }
        }
    }
    let cases = seeds.end - seeds.start;
    println!(
        "{cases} cases from seed {} in {:.1} s: {count} disagreements",
        seeds.start,
        began.elapsed().as_secs_f64()
    );
    println!("{coverage}");
    assert!(wrong.is_empty(), "{count} disagreements in {cases} cases:\n{}", wrong.join("\n"));
    if cases >= DEFAULT_CASES {
        assert_eq!(coverage.never_met(), Vec::<&str>::new());
    }
}
