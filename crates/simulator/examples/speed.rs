//! How fast virtual time goes: `cargo run --release -p simulator --example speed [HOSTS] [MINUTES]`. Prints how long the
//! world took to furnish, what it weighs, and host-hours a CPU-minute, world alone, with the engine in typed mode, and
//! through the wire codec. CPU time is that of this process, which has one busy thread.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::{fmt::Write as _, time::Instant};

use engine::recover;
use simulator::{
    clock::{HOUR, MINUTE},
    direct::{Drive, Mode, drive, forgetful::Forgetful},
    scenario::Scenario,
    simulation::Simulation,
};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>().unwrap_or(0));
    let hosts = arguments.next().filter(|hosts| *hosts > 0).unwrap_or(100_000);
    let minutes = arguments.next().filter(|minutes| *minutes > 0).unwrap_or(60);
    let scenario = match Scenario::parse("speed", &fleet(hosts)) {
        Ok(scenario) => scenario,
        Err(error) => return println!("{error}"),
    };
    let (before, started) = (resident_mib(), Instant::now());
    let mut simulation = scenario.begin(None);
    println!(
        "furnished {hosts} hosts and {} tasks in {:.2} s, {} MiB",
        simulation.world.task_count(),
        started.elapsed().as_secs_f64(),
        resident_mib().saturating_sub(before)
    );
    let until = simulation.now().plus(i64::from(minutes) * MINUTE);
    let (mut ready, mut events, cpu) = (Vec::new(), 0, cpu_secs());
    while simulation.now() < until {
        ready.clear();
        simulation.advance_to(simulation.now().plus(1_000).min(until), &mut ready);
        events += ready.len();
    }
    report("world alone", hosts, minutes, events as u64, cpu_secs() - cpu);
    for (name, mode) in [("typed", Mode::Typed), ("wire", Mode::Wire)] {
        let mut simulation = scenario.begin(None);
        run(name, mode, &mut simulation, hosts, minutes);
    }
}

fn run(name: &str, mode: Mode, simulation: &mut Simulation, hosts: u32, minutes: u32) {
    let now = simulation.now();
    let mut turn = match recover(Box::new(Forgetful::default()), Default::default(), "speed", now.timestamp()) {
        Ok(recovered) => recovered.turn,
        Err(error) => return println!("{error}"),
    };
    // A snapshot of two million tasks every 50,000 entries is a cost of keeping, not of thinking.
    turn.snapshot_every(u32::MAX);
    let how = Drive { mode, sweep_every_ms: HOUR * 24, ..Drive::default() };
    // The first sweep, which meets a hundred thousand strangers, is not what is measured.
    let started = cpu_secs();
    if let Err(error) = drive(simulation, &mut turn, now.plus(2_000), &how, &mut ()) {
        return println!("{error}");
    }
    println!("{name}: first sweep {:.2} s of CPU, {} MiB resident", cpu_secs() - started, resident_mib());
    let (cpu, until) = (cpu_secs(), now.plus(2_000 + i64::from(minutes) * MINUTE));
    let quiet = Drive { sweep_every_ms: 0, ..how };
    match drive(simulation, &mut turn, until, &quiet, &mut ()) {
        Ok(driven) => report(name, hosts, minutes, driven.events, cpu_secs() - cpu),
        Err(error) => println!("{error}"),
    }
}

fn report(name: &str, hosts: u32, minutes: u32, events: u64, cpu: f64) {
    let host_hours = f64::from(hosts) * f64::from(minutes) / 60.0;
    println!(
        "{name}: {host_hours:.0} host-hours, {events} events in {cpu:.2} s of CPU: {:.2} million host-hours a CPU-minute, \
         {:.2} us an event, {:.1} events a host-hour",
        host_hours / cpu * 60.0 / 1e6,
        cpu / events as f64 * 1e6,
        events as f64 / host_hours
    );
}

/// Clusters of at most 5,000 hosts with twenty tasks a host, of which some come and go.
fn fleet(hosts: u32) -> String {
    let mut story = String::from("lasts = \"24h\"\nzones = 6\n[faults.api]\nunlimited = true\n");
    let clusters = hosts.div_ceil(5_000);
    for cluster in 0..clusters {
        let size = hosts / clusters;
        let _ = writeln!(
            story,
            "[[cluster]]\nname = \"c{cluster}\"\nhosts = {size}\ntypes = [\"m6i.4xlarge\"]\ntrunking = true\n\
             [[cluster.service]]\nname = \"api\"\ntasks = {}\ncpu = 64\nmemory = 128\nnetwork = \"awsvpc\"\n\
             churn-per-hour = 0.008",
            size * 20
        );
    }
    story
}

/// Resident memory, in MiB; 0 where there is no /proc.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

/// CPU time of this process in seconds, from /proc (ticks of 10 ms).
fn cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
