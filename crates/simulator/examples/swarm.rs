//! The swarm: `make swarm SEEDS=300 MINUTES=60`. Lives the stories of many seeds in virtual time through the engine's own
//! turn, with all judges, and ends with 1 when one broke an invariant. `MUSTER_SWARM_SEED=n` lives one alone and tells
//! everything. Seeds that once failed are lived first, whatever is asked for. With `MINUTES` and no `SEEDS` it lives as
//! many seeds as fit. `MUSTER_SWARM_UNTIL_FAILURE=1` ends it at the first violation, without looking for a smaller story:
//! for mutants.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use simulator::swarm::{
    self,
    many::{Plan, live_many},
};

/// A quarter of the time went into the allocator of the C library: stories are made of short strings.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("MUSTER_SWARM_SEED") {
        return alone(seed);
    }
    let until_failure = std::env::var("MUSTER_SWARM_UNTIL_FAILURE").is_ok_and(|text| text == "1");
    let minutes = number("MUSTER_SWARM_MINUTES");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        from: number("MUSTER_SWARM_FROM").unwrap_or(1),
        seeds: number("MUSTER_SWARM_SEEDS").unwrap_or(if minutes.is_some() { u64::MAX } else { 300 }),
        lasting: minutes.map(|minutes| Duration::from_secs(minutes * 60)),
        threads: number("MUSTER_SWARM_THREADS").map_or(threads, |threads| threads as usize),
        shrink_tries: number("MUSTER_SWARM_SHRINK").map_or(60, |tries| tries as u32),
        ..Plan::default()
    };
    let (began, cpu) = (Instant::now(), cpu_secs());
    let (done, failed, told) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let host_hours = AtomicU64::new(0);
    let stops_at = |seed: u64, done: u64| -> ! {
        println!(
            "stopped at seed {seed}, the first that failed, after {done} seeds and {:.1} s of CPU",
            cpu_secs() - cpu
        );
        std::process::exit(1)
    };
    let mut again = 0;
    for (seed, why) in swarm::once_failed() {
        if let Some(violation) = swarm::live(&swarm::draw(seed)).violations.first() {
            again += 1;
            println!("seed {seed} fails again ({why}): {violation}");
            if until_failure {
                stops_at(seed, again);
            }
        }
    }
    let result = live_many(&plan, &|seed, lived| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        let host_hours = host_hours.fetch_add(lived.host_hours as u64, Ordering::Relaxed) + lived.host_hours as u64;
        if !lived.violations.is_empty() {
            failed.fetch_add(1, Ordering::Relaxed);
        }
        let mut seen = Vec::new();
        for violation in &lived.violations {
            if !seen.contains(&violation.invariant) {
                seen.push(violation.invariant);
                println!("seed {seed}: {violation}");
            }
        }
        if until_failure && !lived.violations.is_empty() {
            stops_at(seed, done);
        }
        let secs = began.elapsed().as_secs();
        if secs >= told.load(Ordering::Relaxed) + 10 {
            told.store(secs, Ordering::Relaxed);
            println!("{done} seeds, {host_hours} host-hours after {secs} s, {} failed", failed.load(Ordering::Relaxed));
        }
    });
    let commit = commit();
    for failure in &result.failures {
        println!("{}", failure.tell(&commit));
    }
    let (cpu, wall) = (cpu_secs() - cpu, began.elapsed().as_secs_f64());
    println!("{}", result.coverage.tell());
    println!(
        "swarm at commit {commit}: {} seeds, {:.0} host-hours, {} events, {} faults, {} records, {} decisions compared, {} \
         calls and {} pages judged in {wall:.1} s ({cpu:.1} s of CPU): {:.2} million host-hours a CPU-minute; {} seeds failed",
        result.seeds,
        result.host_hours,
        result.events,
        result.injected,
        result.records,
        result.compared,
        result.calls,
        result.pages,
        result.host_hours / cpu.max(0.01) * 60.0 / 1e6,
        result.failures.len(),
    );
    for (size, (seeds, host_hours)) in &result.by_size {
        println!("  {size}: {seeds} seeds, {host_hours:.0} host-hours");
    }
    if result.failures.is_empty() && again == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lives one seed and tells everything.
fn alone(seed: u64) -> ExitCode {
    let story = swarm::draw(seed);
    println!("{}", story.tell());
    let lived = swarm::live(&story);
    for noted in &lived.history.records {
        println!("{} {} {}", noted.at.iso_millis(), noted.by, noted.record);
    }
    for call in &lived.history.calls {
        println!("{} called {} {:?} {:?}", call.at.iso_millis(), call.intent, call.then, call.ended);
    }
    for page in &lived.history.arrived {
        println!("{} arrived {}", page.at.iso_millis(), page.page);
    }
    for violation in &lived.violations {
        println!("{violation}");
    }
    println!("{:.0} host-hours, {} violations", lived.host_hours, lived.violations.len());
    if lived.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The commit this tree stands at.
fn commit() -> String {
    let said = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let said = said.ok().filter(|output| output.status.success());
    said.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// CPU time of this process in seconds, from /proc (ticks of 10 ms).
fn cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
