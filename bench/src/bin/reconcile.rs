//! How many calls of ECS it costs to watch 5,000 hosts, counted in virtual time: a steady hour with routine reconnects,
//! and the confirmation of 5,000 agents that go away at once. Beside it what two other ways of watching would have cost
//! in the same hour: a poller that lists and describes all hosts each minute, and two calls for each disconnect event
//! (three where clusters are chosen by tag), as the alerting by Lambda does it.
//!
//! Prints one JSON object a line. The calls of a sweep are those of the real cloud (crates/aws/tests/answers.rs counts
//! them): DescribeClusters, and a List and a Describe for each hundred hosts, ListClusters where clusters are not named.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use engine::{
    ports::Look,
    recover,
    turn::{Taken, Turn},
};
use fleet::journal::{Record, Trouble};
use simulator::{
    clock::{MINUTE, Moment},
    direct::{Drive, Watcher, drive, forgetful::Forgetful},
    scenario::Scenario,
    simulation::Simulation,
};

const HOSTS: u64 = 5_000;
const PAGES: u64 = HOSTS / 100;
/// ListClusters, DescribeClusters, and the pages.
const CALLS_A_SWEEP: u64 = 2 + 2 * PAGES;
/// The default of `[sweep] every_secs`.
const SWEEP_EVERY_MS: i64 = 15 * MINUTE;

#[derive(Default)]
struct Ledger {
    sweeps: Vec<Moment>,
    looks: Vec<Moment>,
    departures: Vec<Moment>,
    doubts: u64,
    decisions: u64,
}

impl Watcher for Ledger {
    fn turned(&mut self, now: Moment, _: &Simulation, _: &Turn, taken: &Taken) {
        // EC2 and SSM have buckets of their own.
        let of_ecs = taken.looks.iter().filter(|look| matches!(look, Look::Hosts { .. } | Look::Tasks { .. }));
        self.looks.extend(of_ecs.map(|_| now));
        for record in &taken.records {
            match record {
                Record::CaseOpened { trouble: Trouble::AgentAway, .. } => self.departures.push(now),
                Record::CaseOpened { trouble: Trouble::Doubt, .. } => self.doubts += 1,
                Record::Decided { .. } => self.decisions += 1,
                _ => {}
            }
        }
    }

    fn sweeping(&mut self, now: Moment) {
        self.sweeps.push(now);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (steady, began) = live("", 60)?;
    let departures = steady.departures.len() as u64;
    let sweeps = steady.sweeps.iter().filter(|at| at.since(began) < 60 * MINUTE).count() as u64;
    let calls = sweeps * CALLS_A_SWEEP + steady.looks.len() as u64;
    let poller = 60 * (2 * PAGES);
    println!(
        "{{\"part\":\"steady hour\",\"hosts\":{HOSTS},\"sweeps\":{sweeps},\"looks\":{},\"calls\":{calls},\
         \"departures\":{departures},\"poller_calls\":{poller},\"per_event_calls\":{},\"per_event_by_tag_calls\":{}}}",
        steady.looks.len(),
        2 * departures,
        3 * departures,
    );
    let down = "[[at]]\ntime = \"20m\"\ndo = \"control-plane-down\"\nfor = \"8m\"\n";
    let (storm, began) = live(down, 40)?;
    let within = |at: &Moment| (20 * MINUTE..30 * MINUTE).contains(&at.since(began));
    let lost = storm.departures.iter().filter(|at| within(at)).count();
    let confirming = storm.looks.iter().filter(|at| within(at)).count();
    println!(
        "{{\"part\":\"storm\",\"lost_at_once\":{lost},\"confirming_calls\":{confirming},\"doubts\":{},\"decisions\":{}}}",
        storm.doubts, storm.decisions
    );
    Ok(())
}

fn live(timeline: &str, minutes: i64) -> Result<(Ledger, Moment), Box<dyn std::error::Error>> {
    let story = format!(
        "lasts = \"2h\"\nzones = 3\n[faults.api]\nunlimited = true\n[[cluster]]\nname = \"big\"\nhosts = {HOSTS}\n\
         types = [\"m6i.large\", \"m6i.xlarge\"]\n{timeline}"
    );
    let scenario = Scenario::parse("reconcile", &story)?;
    let mut simulation = scenario.begin(Some(1));
    let began = simulation.now();
    let mut turn = recover(Box::new(Forgetful::default()), Default::default(), "reconcile", began.timestamp())?.turn;
    turn.snapshot_every(u32::MAX);
    let mut ledger = Ledger::default();
    let how = Drive { sweep_every_ms: SWEEP_EVERY_MS, ..Drive::default() };
    drive(&mut simulation, &mut turn, began.plus(minutes * MINUTE), &how, &mut ledger)?;
    Ok((ledger, began))
}
