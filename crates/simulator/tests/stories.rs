//! The shipped stories, lived through the engine: what each must and must not lead to, and that the order of events
//! makes no difference.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use std::collections::BTreeMap;

use engine::{Turn, journal::memory::MemoryJournal, ports::Cloud, recover, turn::Arrival};
use serde_json::Value;
use simulator::{
    clock::{HOUR, MINUTE, Moment},
    courier::Parcel,
    direct::{Drive, SimulatedCloud, drive},
    judges::{self, Conditions, History, Recorder, history::text},
    scenario::Scenario,
    seed::Random,
    simulation::Simulation,
};

struct Lived {
    simulation: Simulation,
    turn: Turn,
    history: History,
}

fn live(name: &str, most: i64) -> Lived {
    let mut simulation = Scenario::load(name).unwrap().begin(None);
    simulation.world.note_all_truth();
    let started = simulation.now();
    let ends = simulation.ends().min(started.plus(most));
    let mut turn = new_turn(started);
    let mut recorder = Recorder::new();
    let how = Drive::default();
    drive(&mut simulation, &mut turn, ends, &how, &mut recorder).unwrap();
    let conditions = Conditions {
        started,
        ended: ends,
        sweep_every_ms: how.sweep_every_ms,
        events_unreliable: !simulation.faults.events.none(),
        calls_unreliable: name == "throttled",
        ..Conditions::default()
    };
    let history = recorder.finish(&simulation.world);
    let violations = judges::judge(&simulation.world, &history, &conditions);
    let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{name}:\n{}", told.join("\n"));
    Lived { simulation, turn, history }
}

fn new_turn(at: Moment) -> Turn {
    recover(Box::new(MemoryJournal::new()), Default::default(), "stories", at.timestamp()).unwrap().turn
}

impl Lived {
    fn opened(&self, trouble: &str) -> Vec<String> {
        let opened =
            self.history.records.iter().filter(|noted| {
                text(&noted.record, "kind") == "case-opened" && text(&noted.record, "trouble") == trouble
            });
        opened.map(|noted| text(&noted.record, "subject").to_owned()).collect()
    }

    fn remedies(&self) -> Vec<String> {
        let would = self.history.records.iter().filter_map(|noted| judges::history::would(&noted.record));
        would.map(str::to_owned).collect()
    }

    fn verdicts(&self) -> BTreeMap<String, usize> {
        let view = roll_call(&self.turn, self.simulation.now());
        let mut counts = BTreeMap::new();
        for fact in judges::i14_convergence::essence(&view).values() {
            *counts.entry(text(fact, "verdict").to_owned()).or_default() += 1;
        }
        counts
    }
}

fn roll_call(turn: &Turn, at: Moment) -> Value {
    serde_json::to_value(turn.fleet().roll_call(at.timestamp(), None)).unwrap()
}

#[test]
fn a_quiet_day_leads_to_no_decision() {
    let lived = live("quiet-day", 8 * HOUR);
    assert_eq!(lived.remedies(), Vec::<String>::new());
    assert_eq!(lived.opened("doubt"), Vec::<String>::new());
}

#[test]
fn an_agent_that_stays_away_is_the_only_one_decided_upon() {
    let lived = live("agent-stays-away", 2 * HOUR);
    assert_eq!(lived.remedies().len(), 1, "{:?}", lived.remedies());
    let host = lived.simulation.world.host_arn(simulator::world::HostId(4));
    let moved = lived.history.records.iter().find(|noted| text(&noted.record, "kind") == "decided").unwrap();
    let case = moved.case().unwrap();
    assert_eq!(lived.history.cases()[&case].subject, host);
}

#[test]
fn a_control_plane_blip_is_one_doubt_and_no_decision() {
    let lived = live("control-plane-blip", 2 * HOUR);
    assert_eq!(lived.opened("doubt").len(), 1, "{:?}", lived.opened("doubt"));
    assert_eq!(lived.remedies(), Vec::<String>::new());
    assert_eq!(lived.verdicts(), BTreeMap::from([("present".to_owned(), 80)]));
}

#[test]
fn a_lost_zone_is_one_doubt_and_no_decision() {
    let lived = live("zone-loss", 2 * HOUR);
    assert_eq!(lived.opened("doubt").len(), 1, "{:?}", lived.opened("doubt"));
    let acts: Vec<String> = lived.remedies().into_iter().filter(|remedy| remedy != "deregister").collect();
    assert_eq!(acts, Vec::<String>::new());
}

#[test]
fn flapping_agents_are_called_that_and_nothing_worse() {
    let lived = live("flapping", 2 * HOUR);
    assert_eq!(lived.opened("flapping").len(), 2, "{:?}", lived.opened("flapping"));
}

#[test]
fn ghosts_are_seen_and_would_be_deregistered() {
    let lived = live("ghosts", 110 * MINUTE);
    assert!(lived.remedies().contains(&"deregister".to_owned()), "{:?}", lived.remedies());
    assert_eq!(lived.verdicts().get("ghost"), Some(&2), "{:?}", lived.verdicts());
}

#[test]
fn machines_that_never_registered_are_named() {
    let lived = live("never-registered", 2 * HOUR);
    assert_eq!(lived.opened("never-registered").len(), 2, "{:?}", lived.opened("never-registered"));
    assert_eq!(lived.opened("registration-failed").len(), 1);
}

#[test]
fn external_hosts_without_network_are_offline_for_ssm_too() {
    let lived = live("external", 55 * MINUTE);
    assert_eq!(lived.verdicts().get("external-offline"), Some(&1), "{:?}", lived.verdicts());
}

#[test]
fn the_demo_shows_one_agent_that_stays_away_within_its_forty_minutes() {
    let lived = live("demo", HOUR);
    assert!(lived.remedies().contains(&"restart-agent".to_owned()), "{:?}", lived.remedies());
    assert_eq!(lived.opened("flapping"), Vec::<String>::new());
    assert_eq!(lived.opened("doubt"), Vec::<String>::new());
}

#[test]
fn throttling_and_poison_do_not_hide_an_outage() {
    live("throttled", 2 * HOUR);
    live("poison", 3 * HOUR);
    live("bad-ami", 2 * HOUR);
}

#[test]
fn the_order_of_events_and_their_doubles_make_no_difference() {
    let mut simulation = Scenario::load("zone-loss").unwrap().begin(Some(3));
    let at = simulation.now();
    let mut first = Vec::new();
    simulator::direct::answers::sweep(&mut simulation, &mut |answer| first.push(answer.unwrap()));
    let mut ready: Vec<Parcel> = Vec::new();
    simulation.advance_to(at.plus(40 * MINUTE), &mut ready);
    let mut events: Vec<Vec<u8>> = Vec::new();
    for parcel in &ready {
        let mut bytes = Vec::new();
        parcel.write(&simulation.world, &mut bytes);
        events.push(bytes);
    }
    assert!(events.len() > 100, "{}", events.len());
    let mut random = Random::new(77);
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let mut turn = new_turn(at);
        turn.take(at.timestamp(), first.iter().cloned().map(Arrival::Swept)).unwrap();
        let now = simulation.now().timestamp();
        turn.take(now, events.iter().map(|bytes| Arrival::Event(bytes))).unwrap();
        outcomes.push(judges::i14_convergence::essence(&roll_call(&turn, simulation.now())));
        for at in (1..events.len()).rev() {
            let other = random.below(at as u64 + 1) as usize;
            events.swap(at, other);
        }
        let double = events[random.below(events.len() as u64) as usize].clone();
        events.push(double);
    }
    for (number, outcome) in outcomes.iter().enumerate() {
        for (name, fact) in outcome {
            assert_eq!(outcomes[0].get(name), Some(fact), "order {number}: {name}");
        }
        assert_eq!(outcomes[0].len(), outcome.len());
    }
}

#[tokio::test]
async fn messages_that_nobody_acknowledges_come_again() {
    let simulation = Scenario::load("agent-stays-away").unwrap().begin(None);
    let start = simulation.now();
    let cloud = SimulatedCloud::new(simulation);
    cloud.advance_to(start.plus(30 * MINUTE));
    let queued = cloud.queued();
    assert!(queued > 10, "{queued}");
    let first = cloud.receive().await.unwrap();
    let second = cloud.receive().await.unwrap();
    assert_eq!(first.len(), 10);
    assert!(first.iter().all(|one| second.iter().all(|other| one.receipt != other.receipt)));
    cloud.acknowledge(second.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    cloud.advance_to(start.plus(31 * MINUTE));
    let mut seen = Vec::new();
    while cloud.queued() > 0 {
        let batch = cloud.receive().await.unwrap();
        seen.extend(batch.iter().map(|delivery| delivery.receipt.clone()));
        cloud.acknowledge(batch.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    }
    assert!(first.iter().all(|delivery| seen.contains(&delivery.receipt)), "what was not acknowledged came again");
}
