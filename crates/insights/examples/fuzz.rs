//! Draws queries for a while and checks that each is read or refused in good order.
//!
//! `cargo run --release -p insights --example fuzz -- --secs 600 --seed 1`
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

#[path = "../tests/drawn/mod.rs"]
mod drawn;

use std::{
    panic::catch_unwind,
    process::ExitCode,
    time::{Duration, Instant},
};

/// No text may take longer each time it is tried, though the machine be slow.
const SLOWEST: Duration = Duration::from_secs(2);
/// So often one is tried that took longer: the machine may have had something else to do.
const TRIES: usize = 3;

fn main() -> ExitCode {
    let mut secs = 10;
    let mut seed = 1;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (argument.as_str(), value) {
            ("--secs", Some(value)) => secs = value,
            ("--seed", Some(value)) => seed = value,
            _ => {
                println!("usage: fuzz [--secs N] [--seed S]");
                return ExitCode::FAILURE;
            }
        }
    }
    let corpus = drawn::corpus();
    let mut rng = fastrand::Rng::with_seed(seed);
    let began = Instant::now();
    let (mut texts, mut read, mut compiled, mut patterns) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut slowest = (Duration::ZERO, String::new());
    while began.elapsed() < Duration::from_secs(secs) {
        let text = drawn::text(&mut rng, &corpus);
        let before = Instant::now();
        let Ok(found) = catch_unwind(|| drawn::holds(&text)) else {
            println!("text {texts} of seed {seed} failed:\n{text:?}");
            return ExitCode::FAILURE;
        };
        let mut took = before.elapsed();
        for _ in 0..TRIES {
            if took > SLOWEST {
                let before = Instant::now();
                drawn::holds(&text);
                took = took.min(before.elapsed());
            }
        }
        if took > slowest.0 {
            slowest = (took, text);
        }
        texts += 1;
        read += u64::from(found.read);
        compiled += u64::from(found.compiled);
        patterns += u64::from(found.pattern);
    }
    let (took, text) = slowest;
    println!(
        "seed {seed}: {texts} texts in {} s; {read} read, {compiled} compiled, {patterns} filter patterns; the slowest took {} µs: {:?}",
        began.elapsed().as_secs(),
        took.as_micros(),
        text.chars().take(200).collect::<String>()
    );
    if took > SLOWEST { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
