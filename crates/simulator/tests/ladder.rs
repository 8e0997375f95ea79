//! The ladder against the pretend account, story by story: what is promised to somebody who lets muster act.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use engine::{
    Turn,
    journal::MemoryJournal,
    ports::{
        ActResult, Intent, Page, PageKind,
        operator::{Asked, Request},
    },
    recover,
    turn::Taken,
};
use serde_json::{Value, json};
use simulator::{
    clock::{MINUTE, Moment, SECOND},
    direct::{Drive, Seat, SharedJournal, SimulatedLease, Watcher, drive, drive_all},
    scenario::Scenario,
    simulation::Simulation,
    world::{HostStatus, MachineState},
};

/// What a story leaves behind, as lines that a test can read.
#[derive(Debug, Default)]
struct Told {
    calls: Vec<(Moment, u8, Intent, bool)>,
    ended: Vec<(Moment, String, ActResult<'static>)>,
    pages: Vec<(Moment, Page)>,
    records: Vec<(Moment, Value)>,
    crashes: u32,
}

impl Watcher for Told {
    fn turned(&mut self, now: Moment, _: &Simulation, _: &Turn, taken: &Taken) {
        self.records.extend(taken.records.iter().map(|record| (now, serde_json::to_value(record).unwrap())));
    }

    fn calling(&mut self, now: Moment, by: u8, _: &Simulation, intent: &Intent, again: bool) {
        self.calls.push((now, by, intent.clone(), again));
    }

    fn called(&mut self, now: Moment, _: u8, intent: &Intent, result: &ActResult<'static>) {
        self.ended.push((now, intent.act.word().to_owned(), result.clone()));
    }

    fn delivered(&mut self, now: Moment, _: u8, page: &Page) {
        self.pages.push((now, page.clone()));
    }

    fn crashed(&mut self, _: Moment, _: u8, _: &Turn) {
        self.crashes += 1;
    }
}

impl Told {
    fn acts(&self) -> Vec<&str> {
        self.calls.iter().map(|(_, _, intent, _)| intent.act.word()).collect()
    }

    fn decisions(&self) -> Vec<String> {
        let decided = self.records.iter().filter(|(_, record)| record["kind"] == "decided");
        decided.map(|(_, record)| record["decision"].to_string()).collect()
    }
}

fn simulation(story: &str) -> Simulation {
    let scenario = Scenario::parse("a story of the ladder", story).unwrap_or_else(|error| panic!("{error}\n{story}"));
    scenario.begin(Some(7))
}

fn turn(simulation: &Simulation, journal: Box<dyn engine::ports::Journal>, policy: &Value) -> Turn {
    let policy = serde_json::from_value(policy.clone()).unwrap();
    recover(journal, policy, "test", simulation.now().timestamp()).unwrap().turn
}

fn act(more: Value) -> Value {
    let mut policy = json!({
        "mode": "act", "protection": { "launch_secs": 0 },
        "routing": { "routes": [{ "receivers": ["pager"] }] },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        policy[name] = value.clone();
    }
    policy
}

fn live(story: &str, policy: Value) -> (Simulation, Turn, Told) {
    let mut simulation = simulation(story);
    let mut turn = turn(&simulation, Box::new(MemoryJournal::new()), &policy);
    let mut told = Told::default();
    let ends = simulation.ends();
    drive(&mut simulation, &mut turn, ends, &Drive::default(), &mut told).unwrap();
    (simulation, turn, told)
}

fn asked(request: Request<'static>) -> Asked<'static> {
    Asked { who: "ann".into(), why: "runbook 7".into(), request }
}

const SIX: &str = "[[cluster]]\nname = \"prod\"\nhosts = 6\n[[cluster.service]]\nname = \"api\"\ntasks = 6\n";

fn story(more: &str) -> String {
    format!("lasts = \"2h\"\n{SIX}{more}")
}

const STAYS_AWAY: &str = "[[at]]\ntime = \"20m\"\ndo = \"agent-stop\"\nhost = \"prod/2\"\n";

/// ecs-agent #4270: the service exited with code 0 and nothing started it again.
#[test]
fn an_agent_that_stopped_is_restarted_within_a_minute_and_no_host_is_lost() {
    let quick =
        json!({ "rules": [{ "troubles": ["agent-away"], "grace_secs": 10, "act_after_secs": 15, "fail_after": 1 }] });
    let (simulation, _, told) = live(&story(STAYS_AWAY), act(quick));
    assert_eq!(told.acts(), ["restart-agent"]);
    let closed = told.records.iter().find(|(_, record)| {
        record["kind"] == "case-closed"
            && record["case"] != Value::Null
            && record["reason"].as_str().is_some_and(|it| it.contains("connected again after"))
            && record["lasted_secs"].as_i64() > Some(12)
    });
    let (_, closed) = closed.unwrap();
    assert!(closed["lasted_secs"].as_i64().unwrap() <= 60, "{closed}");
    assert_eq!(simulation.world.machines.iter().filter(|machine| machine.state == MachineState::Running).count(), 6);
}

#[test]
fn a_control_plane_blip_of_a_whole_region_causes_no_remedy_and_one_page() {
    let blip = "[[at]]\ntime = \"20m\"\ndo = \"control-plane-down\"\nfor = \"15m\"\n";
    let (_, _, told) = live(&story(blip), act(json!({})));
    assert!(told.calls.is_empty(), "{:?}", told.acts());
    let kinds: Vec<PageKind> =
        told.pages.iter().map(|(_, page)| page.kind).filter(|kind| *kind != PageKind::Update).collect();
    assert_eq!(kinds, [PageKind::Firing, PageKind::Resolved], "{:#?}", told.pages);
    assert!(told.pages[0].1.title.contains("6 of 6 hosts"), "{}", told.pages[0].1.title);
}

#[test]
fn a_host_that_nobody_reaches_is_drained_and_replaced_and_the_new_one_registers() {
    let cut = "[[at]]\ntime = \"20m\"\ndo = \"network-cut\"\nhost = \"prod/2\"\n";
    let (simulation, turn, told) = live(&story(cut), act(json!({})));
    assert_eq!(told.acts(), ["save-evidence", "drain", "terminate-in-group", "deregister"], "{:#?}", told.decisions());
    let active =
        simulation.world.hosts.iter().filter(|host| host.said.status == HostStatus::Active && host.said.connected);
    assert_eq!(active.count(), 6);
    assert!(turn.fleet().cases(simulation.now().timestamp(), false).is_empty());
}

#[test]
fn a_ghost_is_removed() {
    let ghost = "[[at]]\ntime = \"20m\"\ndo = \"agent-stop\"\nhost = \"prod/2\"\n[[at]]\ntime = \"25m\"\ndo = \"machine-terminate\"\nhost = \"prod/2\"\n";
    let (_, turn, told) = live(&story(ghost), act(json!({ "rules": [{ "ladder": [{ "remedy": "deregister" }] }] })));
    assert_eq!(told.acts(), ["deregister"], "{:#?}", told.decisions());
    assert_eq!(turn.fleet().counts(turn.last_at()).hosts, 6);
}

#[test]
fn a_machine_that_never_registered_is_replaced() {
    let bad = "[[at]]\ntime = \"10m\"\ndo = \"bad-image\"\ngroup = \"prod\"\nboots = \"never-registers\"\nshare = 0.17\n\
               [[at]]\ntime = \"12m\"\ndo = \"bad-image\"\ngroup = \"prod\"\nboots = \"well\"\nshare = 0.0\n";
    let (simulation, _, told) = live(&story(bad), act(json!({})));
    assert!(
        told.acts().starts_with(&["save-evidence", "terminate-in-group"]),
        "{:?} {:#?}",
        told.acts(),
        told.decisions()
    );
    assert_eq!(simulation.world.hosts.iter().filter(|host| host.said.status == HostStatus::Active).count(), 6);
}

#[test]
fn an_ecs_anywhere_host_gets_its_agent_back_and_is_never_replaced() {
    let anywhere = "lasts = \"2h\"\n[[cluster]]\nname = \"edge\"\nhosts = 1\nexternal = 4\n\
                    [[at]]\ntime = \"20m\"\ndo = \"agent-stop\"\nhost = \"edge/3\"\n\
                    [[at]]\ntime = \"60m\"\ndo = \"network-cut\"\nhost = \"edge/4\"\n";
    let (_, _, told) = live(anywhere, act(json!({})));
    assert_eq!(told.acts(), ["restart-agent"], "{:#?}", told.decisions());
}

/// containers-roadmap #2685: a drain that fails must not kill a healthy host.
#[test]
fn a_drain_that_cannot_finish_is_undone() {
    // There is room in sum, and on no single host.
    let sick = "lasts = \"1h\"\n[[cluster]]\nname = \"prod\"\nhosts = 4\n[[cluster.service]]\nname = \"logs\"\ntasks = 4\ncpu = 1500\n\
                [[at]]\ntime = \"20m\"\ndo = \"docker-sick\"\nhost = \"prod/2\"\n";
    let ladder =
        json!({ "rules": [{ "troubles": ["runtime"], "ladder": [{ "remedy": "drain", "deadline_secs": 300 }] }] });
    let (simulation, _, told) = live(sick, act(ladder));
    assert_eq!(told.acts(), ["drain", "undrain"], "{:#?}", told.decisions());
    let active = simulation.world.hosts.iter().all(|host| host.said.status == HostStatus::Active);
    assert!(active, "{:#?}", told.decisions());
}

#[test]
fn a_host_whose_tasks_would_find_no_room_elsewhere_is_not_drained() {
    let full = "lasts = \"1h\"\n[[cluster]]\nname = \"prod\"\nhosts = 2\n[[cluster.service]]\nname = \"logs\"\ntasks = 2\ncpu = 1500\n\
                [[at]]\ntime = \"20m\"\ndo = \"docker-sick\"\nhost = \"prod/2\"\n";
    let ladder = json!({ "rules": [{ "troubles": ["runtime"], "ladder": [{ "remedy": "drain" }] }] });
    let (_, _, told) = live(full, act(ladder));
    assert!(told.calls.is_empty(), "{:?}", told.acts());
    let why = told.decisions().concat();
    assert!(why.contains("they need 1500 CPU units, of which 548 are free"), "{why}");
}

#[test]
fn of_two_musters_one_acts() {
    let mut simulation = simulation(&story(STAYS_AWAY));
    let policy = act(json!({}));
    let (one, two) = (SharedJournal::new(), SharedJournal::new());
    let mut first = turn(&simulation, Box::new(one.clone()), &policy);
    let mut second = turn(&simulation, Box::new(two.clone()), &policy);
    let seats = vec![Seat { turn: &mut first, journal: Some(one) }, Seat { turn: &mut second, journal: Some(two) }];
    let mut lease = SimulatedLease::new();
    let mut told = Told::default();
    let ends = simulation.ends();
    // The one in charge stands still when it is about to act, longer than its lease.
    let how = Drive { pauses: vec![(Moment(simulation.now().0 + 29 * MINUTE), 0, 10 * MINUTE)], ..Drive::default() };
    drive_all(&mut simulation, seats, Some(&mut lease), ends, &how, &mut told).unwrap();
    assert_eq!(told.acts(), ["restart-agent"], "{:?}", told.calls);
    assert_eq!(told.calls[0].1, 1, "the second muster has taken over");
}

#[test]
fn killed_at_every_step_of_a_replacement_it_is_resumed_or_given_up_on_the_record() {
    let cut = story("[[at]]\ntime = \"20m\"\ndo = \"network-cut\"\nhost = \"prod/2\"\n");
    let policy = act(json!({ "replacement": { "drain_secs": 60 } }));
    let live = |crashes: Vec<u32>| {
        let mut simulation = simulation(&cut);
        let journal = SharedJournal::new();
        let mut turn = turn(&simulation, Box::new(journal.clone()), &policy);
        let mut told = Told::default();
        let how = Drive { crashes, ..Drive::default() };
        let ends = simulation.ends();
        let seat = Seat { turn: &mut turn, journal: Some(journal) };
        let driven = drive_all(&mut simulation, vec![seat], None, ends, &how, &mut told).unwrap();
        (simulation, turn, told, driven)
    };
    let (_, _, calm, driven) = live(Vec::new());
    assert_eq!(calm.acts(), ["save-evidence", "drain", "terminate-in-group", "deregister"]);
    // The places that matter lie around the calls; the others are like each other.
    let (from, to) = (driven.crashable / 8, driven.crashable);
    let mut crashed = 0;
    for at in (from..to).step_by(((to - from) / 120).max(1) as usize) {
        let (simulation, turn, told, _) = live(vec![at as u32]);
        crashed += told.crashes;
        let terminated = simulation.world.happened.iter().filter(|it| it.act == "terminate-in-group").count();
        assert_eq!(terminated, 1, "crash {at}: {:?}", simulation.world.happened);
        for it in &simulation.world.happened {
            assert_eq!(
                simulation.world.happened.iter().filter(|other| other.token == it.token).count(),
                1,
                "crash {at}: {it:?}"
            );
        }
        assert!(turn.fleet().open_intents().is_empty(), "crash {at}");
        assert!(
            turn.fleet().cases(turn.last_at(), false).is_empty(),
            "crash {at}: {:#?}",
            turn.fleet().cases(turn.last_at(), false)
        );
    }
    assert!(crashed > 60, "only {crashed} crashes");
}

#[test]
fn the_kill_switch_holds_until_it_is_lifted_and_over_a_crash() {
    let mut simulation = simulation(&story(STAYS_AWAY));
    let journal = SharedJournal::new();
    let mut turn = turn(&simulation, Box::new(journal.clone()), &act(json!({})));
    let (start, mut told) = (simulation.now(), Told::default());
    let at = |minute: i64| start.plus(minute * MINUTE);
    let how = Drive {
        operator: vec![
            (at(15), 0, asked(Request::Pause { cluster: None, secs: None })),
            (at(80), 0, asked(Request::Resume { cluster: None })),
        ],
        crashes: vec![200],
        ..Drive::default()
    };
    let ends = simulation.ends();
    drive_all(&mut simulation, vec![Seat { turn: &mut turn, journal: Some(journal) }], None, ends, &how, &mut told)
        .unwrap();
    assert_eq!((told.acts(), told.crashes), (vec!["restart-agent"], 1));
    assert!(told.calls[0].0 >= at(80) && told.calls[0].0 <= at(82), "{:?}", told.calls[0].0);
}

#[test]
fn what_ssm_calls_done_and_was_not_done_ends_with_a_person_and_not_with_a_replacement() {
    let lies = format!("{}[faults.ssm]\nlie = 1.0\n", "lasts = \"2h\"\n");
    let (simulation, _, told) = live(&format!("{lies}{SIX}{STAYS_AWAY}"), act(json!({})));
    assert!(told.acts().iter().all(|act| *act == "restart-agent"), "{:?}", told.acts());
    assert!(told.decisions().iter().any(|decision| decision.contains("tell-someone")), "{:#?}", told.decisions());
    assert!(simulation.world.machines.iter().all(|machine| machine.state == MachineState::Running));
    let _ = SECOND;
}

/// Karpenter #3192: one bad image must neither freeze all repair nor be lost in a large fleet.
#[test]
fn one_bad_image_pauses_its_own_cohort_and_nobody_else() {
    let story = "lasts = \"3h\"\n[[cluster]]\nname = \"prod\"\nhosts = 20\n[[cluster]]\nname = \"shop\"\nhosts = 20\n\
                 [[at]]\ntime = \"10m\"\ndo = \"bad-image\"\ngroup = \"prod\"\nboots = \"agent-dies\"\nshare = 0.3\n\
                 [[at]]\ntime = \"70m\"\ndo = \"agent-stop\"\nhost = \"shop/4\"\n";
    let (simulation, _, told) = live(story, act(json!({})));
    let doubts: Vec<&str> = told
        .records
        .iter()
        .filter(|(_, record)| record["kind"] == "case-opened" && record["trouble"] == "doubt")
        .map(|(_, record)| record["subject"].as_str().unwrap())
        .collect();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    // The image brought its own agent version: all three names say the same hosts.
    let named = ["AMI ", "launch template ", "agent version 1.106"];
    assert!(named.iter().any(|name| doubts[0].starts_with(name)), "{doubts:?}");
    // The stray of another cohort is mended all the while.
    assert_eq!(told.acts(), ["restart-agent"], "{:#?}", told.decisions());
    let target = told.calls[0].2.target.host.clone().unwrap();
    assert!(target.contains("/shop/"), "{target}");
    let _ = simulation;
}

/// Karpenter #3193: repairs within the budget that will not help.
#[test]
fn nothing_is_replaced_into_a_group_whose_replacements_fail_and_the_pause_wears_off() {
    let mut story = String::from(
        "lasts = \"9h\"\n[[cluster]]\nname = \"prod\"\nhosts = 30\n\
        [[at]]\ntime = \"10m\"\ndo = \"bad-image\"\ngroup = \"prod\"\nboots = \"never-registers\"\nshare = 0.0\n",
    );
    for host in 1..=4 {
        story.push_str(&format!("[[at]]\ntime = \"{}m\"\ndo = \"network-cut\"\nhost = \"prod/{host}\"\n", 20 + host));
    }
    story.push_str("[[at]]\ntime = \"5h\"\ndo = \"bad-image\"\ngroup = \"prod\"\nboots = \"well\"\nshare = 0.0\n");
    let (simulation, turn, told) = live(&story, act(json!({ "doubt_min_hosts": 9 })));
    let ended = |from: i64, to: i64| {
        let start = told.calls[0].0;
        told.calls
            .iter()
            .filter(|(at, _, intent, _)| {
                intent.act.ends_machine() && at.since(start) >= from * MINUTE && at.since(start) < to * MINUTE
            })
            .count()
    };
    // Two tries and a canary now and then, not four hosts and all that was to replace them.
    assert!((1..=6).contains(&ended(0, 270)), "{} {:?}", ended(0, 270), told.acts());
    let said =
        told.decisions().iter().any(|decision| decision.contains("did not help") && decision.contains("one at a time"));
    assert!(said, "{:#?}", told.decisions());
    // The image is mended: so is everything else, by and by, without a stampede.
    let active = simulation
        .world
        .hosts
        .iter()
        .filter(|host| host.said.status == HostStatus::Active && host.said.connected)
        .count();
    assert_eq!(active, 30, "{:#?}", turn.fleet().cases(turn.last_at(), false));
}

/// Karpenter #2811: healthy hosts lost to one bad signal.
#[test]
fn status_checks_alone_end_no_host_whose_agent_answers() {
    let broken = "[[at]]\ntime = \"20m\"\ndo = \"docker-sick\"\nhost = \"prod/2\"\nfor = \"60m\"\n";
    let ladder =
        json!({ "rules": [{ "troubles": ["runtime"], "ladder": [{ "remedy": "replace" }, { "remedy": "reboot" }] }] });
    let (simulation, _, told) = live(&story(broken), act(ladder));
    assert!(told.calls.is_empty(), "{:?} {:#?}", told.acts(), told.decisions());
    assert!(simulation.world.machines.iter().all(|machine| machine.state == MachineState::Running));
}

/// I3: who speaks against a machine is heard again just before it is rebooted, however long the decision waited.
#[test]
fn a_reboot_hears_its_second_witness_again() {
    let cut = "[[at]]\ntime = \"20m\"\ndo = \"network-cut\"\nhost = \"prod/2\"\nfor = \"60m\"\n";
    let ladder = json!({ "rules": [{ "troubles": ["agent-away"], "ladder": [{ "remedy": "reboot" }] }] });
    let (_, _, told) = live(&story(cut), act(ladder));
    let reboots: Vec<_> = told.calls.iter().filter(|(_, _, intent, _)| intent.act.word() == "reboot").collect();
    assert!(!reboots.is_empty(), "{:?} {:#?}", told.acts(), told.decisions());
    for (_, _, intent, _) in reboots {
        let looks = format!("{:?}", intent.rereads());
        assert!(intent.expects.second_witness && looks.contains("Pings"), "{looks}");
    }
}

/// containers-roadmap #2467: how long a drain may take is a line of the policy, by cluster.
#[test]
fn each_cluster_has_its_own_deadline_for_a_drain() {
    let story = "lasts = \"70m\"\n[[cluster]]\nname = \"fast\"\nhosts = 4\n[[cluster.service]]\nname = \"a\"\ntasks = 4\ncpu = 1500\n\
                 [[cluster]]\nname = \"slow\"\nhosts = 4\n[[cluster.service]]\nname = \"b\"\ntasks = 4\ncpu = 1500\n\
                 [[at]]\ntime = \"20m\"\ndo = \"docker-sick\"\nhost = \"fast/1\"\n\
                 [[at]]\ntime = \"20m\"\ndo = \"docker-sick\"\nhost = \"slow/1\"\n";
    let rule = |cluster: &str, secs: u32| json!({ "clusters": [cluster], "troubles": ["runtime"], "ladder": [{ "remedy": "drain", "deadline_secs": secs }] });
    let (_, _, told) = live(story, act(json!({ "rules": [rule("fast", 120), rule("slow", 900)] })));
    let lasted = |cluster: &str| {
        let of = |act: &str| {
            told.calls
                .iter()
                .find(|(_, _, intent, _)| intent.act.word() == act && intent.target.cluster.ends_with(cluster))
                .unwrap_or_else(|| panic!("no {act} of {cluster}: {:?}", told.acts()))
                .0
        };
        of("undrain").since(of("drain")) / SECOND
    };
    assert!((120..=160).contains(&lasted("fast")), "{}", lasted("fast"));
    assert!((900..=940).contains(&lasted("slow")), "{}", lasted("slow"));
}
