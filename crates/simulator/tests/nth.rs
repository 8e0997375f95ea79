//! The scenarios of aws-node-termination-handler that mean something for ECS, each lived with muster allowed to act, or
//! in dry run where the original is one: what is done, and what must not be.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use std::{collections::BTreeSet, path::Path};

use engine::{
    Turn,
    journal::MemoryJournal,
    ports::{Intent, Page, PageKind},
    recover,
    turn::Taken,
};
use serde_json::{Value, json};
use simulator::{
    clock::Moment,
    direct::{Drive, Watcher, drive},
    scenario::Scenario,
    simulation::Simulation,
    world::{HostStatus, MachineState},
};

#[derive(Debug, Default)]
struct Told {
    acts: Vec<String>,
    pages: Vec<PageKind>,
    troubles: BTreeSet<String>,
    would: BTreeSet<String>,
}

impl Watcher for Told {
    fn turned(&mut self, _: Moment, _: &Simulation, _: &Turn, taken: &Taken) {
        for record in &taken.records {
            let record: Value = serde_json::to_value(record).unwrap();
            let decided = record["decision"]["would"]["remedy"].as_str();
            self.would.extend(decided.map(str::to_owned));
            let routine = record["trouble"] == "agent-away";
            if record["kind"] == "case-opened" && !routine {
                self.troubles.extend(record["trouble"].as_str().map(str::to_owned));
            }
        }
    }

    fn calling(&mut self, _: Moment, _: u8, _: &Simulation, intent: &Intent, _: bool) {
        self.acts.push(intent.act.word().to_owned());
    }

    fn delivered(&mut self, _: Moment, _: u8, page: &Page) {
        self.pages.push(page.kind);
    }
}

/// Lives a scenario. In the end every host that is registered answers, and nothing is left open.
fn live(name: &str, mode: &str) -> (Simulation, Told) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/nth").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let scenario = Scenario::parse(name, &text).unwrap_or_else(|error| panic!("{error}"));
    let mut simulation = scenario.begin(None);
    let policy = json!({
        "mode": mode,
        "protection": { "launch_secs": 0 },
        "routing": { "routes": [{ "receivers": ["pager"] }] },
    });
    let policy = serde_json::from_value(policy).unwrap();
    let journal = Box::new(MemoryJournal::new());
    let mut turn = recover(journal, policy, "test", simulation.now().timestamp()).unwrap().turn;
    let mut told = Told::default();
    let ends = simulation.ends();
    drive(&mut simulation, &mut turn, ends, &Drive::default(), &mut told).unwrap();
    assert!(turn.fleet().open_intents().is_empty(), "{name}");
    (simulation, told)
}

fn running(simulation: &Simulation) -> usize {
    simulation.world.machines.iter().filter(|machine| machine.state == MachineState::Running).count()
}

fn in_service(simulation: &Simulation) -> usize {
    let serves = |status| matches!(status, HostStatus::Active);
    simulation.world.hosts.iter().filter(|host| serves(host.said.status) && host.said.connected).count()
}

#[test]
fn a_machine_on_its_way_in_is_waited_for() {
    let (simulation, told) = live("asg-launch-lifecycle", "act");
    assert_eq!((told.acts.len(), in_service(&simulation)), (0, 6), "{told:?}");
}

#[test]
fn a_machine_that_its_group_takes_out_is_left_to_it() {
    for name in ["asg-lifecycle", "asg-lifecycle-heartbeat"] {
        let (simulation, told) = live(name, "act");
        assert!(!told.acts.iter().any(|act| act.contains("terminat") || act == "drain"), "{name}: {told:?}");
        assert_eq!(running(&simulation), 6, "{name}");
    }
}

#[test]
fn a_drain_by_somebody_else_is_told_of_and_not_touched() {
    let (_, told) = live("cordon-only", "act");
    assert!(told.acts.is_empty(), "{told:?}");
    assert!(told.troubles.contains("drain-stuck"), "{told:?}");
}

#[test]
fn a_machine_stopped_by_hand_is_replaced_by_its_group_and_not_by_muster() {
    let (simulation, told) = live("ec2-state-change", "act");
    assert!(!told.acts.iter().any(|act| act.contains("terminat")), "{told:?}");
    assert_eq!(in_service(&simulation), 6);
}

#[test]
fn what_is_done_is_told() {
    let (_, told) = live("emit-events", "act");
    assert_eq!(told.acts, ["restart-agent"]);
    assert_eq!((told.pages.first(), told.pages.last()), (Some(&PageKind::Firing), Some(&PageKind::Resolved)));
}

#[test]
fn scheduled_maintenance_and_its_end_disturb_nobody() {
    for name in ["maintenance-event", "maintenance-event-cancellation", "maintenance-event-reboot"] {
        let (simulation, told) = live(name, "act");
        assert_eq!((told.acts.len(), in_service(&simulation)), (0, 6), "{name}: {told:?}");
    }
}

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    for (name, remedy) in [
        ("maintenance-event-dry-run", Some("restart-agent")),
        ("rebalance-recommendation-dry-run", None),
        ("spot-interruption-dry-run", Some("deregister")),
    ] {
        let (simulation, told) = live(name, "dry-run");
        assert!(told.acts.is_empty() && simulation.world.happened.is_empty(), "{name}: {told:?}");
        assert_eq!(told.would.iter().next().map(String::as_str), remedy, "{name}: {told:?}");
    }
}

#[test]
fn a_recommendation_to_rebalance_is_no_fault_of_the_host() {
    let (simulation, told) = live("rebalance-recommendation", "act");
    assert_eq!((told.acts.len(), in_service(&simulation)), (0, 6), "{told:?}");
    let (_, told) = live("rebalance-node-not-found", "act");
    assert!(!told.acts.iter().any(|act| act != "save-evidence" && !act.contains("terminate")), "{told:?}");
}

#[test]
fn a_machine_that_goes_on_schedule_is_replaced_by_its_group() {
    let (simulation, told) = live("scheduled-change-event", "act");
    assert_eq!((told.acts.len(), in_service(&simulation)), (0, 6), "{told:?}");
}

#[test]
fn the_ghost_of_an_interrupted_machine_is_buried() {
    let (simulation, told) = live("spot-interruption", "act");
    assert_eq!(told.acts, ["deregister"]);
    assert_eq!(in_service(&simulation), 6);
}

#[test]
fn every_scenario_of_the_folder_is_lived_and_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/nth");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let source = include_str!("nth.rs");
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".toml") else { continue };
        assert!(readme.contains(&format!("`{name}.toml`")), "{name} is not in the table");
        assert!(source.contains(&format!("\"{name}\"")), "{name} is lived by no test");
    }
}
