//! A hundred thousand hosts and two million tasks are nothing special.

use std::time::Instant;

use simulator::{clock::MINUTE, scenario::Scenario};

/// Resident memory of this process, in MiB. Linux only, as are the figures promised.
fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

#[test]
fn a_hundred_thousand_hosts_with_two_million_tasks_stay_under_a_gigabyte() {
    let mut story = String::from("lasts = \"1h\"\nzones = 6\n");
    for cluster in 0..20 {
        story.push_str(&format!(
            "[[cluster]]\nname = \"c{cluster}\"\nhosts = 5000\ntypes = [\"m6i.4xlarge\"]\ntrunking = true\n\
             [[cluster.service]]\nname = \"api\"\ntasks = 100000\ncpu = 64\nmemory = 128\nnetwork = \"awsvpc\"\n"
        ));
    }
    let scenario = Scenario::parse("size", &story).unwrap_or_else(|error| panic!("{error}"));
    let before = resident_mib();
    let started = Instant::now();
    let mut simulation = scenario.begin(None);
    let took = started.elapsed();
    assert_eq!((simulation.world.hosts.len(), simulation.world.task_count()), (100_000, 2_000_000));
    let mut ready = Vec::new();
    simulation.advance_to(simulation.now().plus(5 * MINUTE), &mut ready);
    assert!(ready.len() > 20_000, "{}", ready.len());
    let (before, after) = (before.unwrap_or(0), resident_mib().unwrap_or(0));
    assert!(took.as_secs() < 60, "furnished in {took:?}, {} MiB more", after.saturating_sub(before));
    assert!(after < 1024, "{after} MiB resident");
}
