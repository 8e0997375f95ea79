//! Declared headroom against the pretend account: "always room for so many more of api" is kept, by whom it may be.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use engine::{
    Turn,
    journal::MemoryJournal,
    ports::{
        Act, ActResult, Intent,
        operator::{Asked, Request},
    },
    recover,
    turn::Taken,
};
use serde_json::{Value, json};
use simulator::{
    clock::{MINUTE, Moment},
    direct::{Drive, Watcher, drive},
    judges,
    scenario::Scenario,
    simulation::Simulation,
};

#[derive(Debug, Default)]
struct Told {
    calls: Vec<(Moment, Intent)>,
    ended: Vec<(Moment, String, String)>,
    records: Vec<(Moment, Value)>,
}

impl Watcher for Told {
    fn turned(&mut self, now: Moment, _: &Simulation, _: &Turn, taken: &Taken) {
        self.records.extend(taken.records.iter().map(|record| (now, serde_json::to_value(record).unwrap())));
    }

    fn calling(&mut self, now: Moment, _: u8, _: &Simulation, intent: &Intent, _: bool) {
        self.calls.push((now, intent.clone()));
    }

    fn called(&mut self, now: Moment, _: u8, intent: &Intent, result: &ActResult<'static>) {
        self.ended.push((now, intent.act.word().to_owned(), format!("{}: {}", result.word(), result.says())));
    }
}

impl Told {
    fn acts(&self) -> Vec<&str> {
        self.calls.iter().map(|(_, intent)| intent.act.word()).filter(|word| *word != "save-evidence").collect()
    }

    fn steps(&self) -> Vec<(u32, u32)> {
        let step = |act: &Act| if let Act::SetDesired { from, to } = act { Some((*from, *to)) } else { None };
        self.calls.iter().filter_map(|(_, intent)| step(&intent.act)).collect()
    }

    /// Opened and closed cases and decisions, as lines.
    fn story(&self) -> Vec<String> {
        let line = |(at, record): &(Moment, Value)| {
            let what = match record["kind"].as_str()? {
                "case-opened" => format!("{} of {} opened", record["trouble"], record["subject"]),
                "case-closed" => format!("closed: {}", record["reason"]),
                "decided" => format!("decided {}", record["decision"]),
                "abandoned" => format!("abandoned {}", record["because"]),
                "ended" => format!("ended {} {}", record["result"], record["says"]),
                _ => return None,
            };
            Some(format!("{} case {}: {what}", at.iso_secs(), record["case"]))
        };
        self.records.iter().filter_map(line).collect()
    }

    fn decided(&self, words: &str) -> bool {
        self.records.iter().any(|(_, it)| it["kind"] == "decided" && it["decision"].to_string().contains(words))
    }
}

fn policy(headroom: Value) -> Value {
    json!({ "mode": "observe", "protection": { "launch_secs": 0 }, "headroom": [headroom] })
}

fn keep(more: Value) -> Value {
    let mut keep = json!({ "of": "service:api", "mode": "act" });
    keep["declared"] = json!({ "copies": 1, "max_hosts": 8, "step_hosts": 3 });
    for (name, value) in more.as_object().into_iter().flatten() {
        if let Some(declared) = value.as_object() {
            declared.iter().for_each(|(name, value)| keep["declared"][name] = value.clone());
        } else {
            keep[name] = value.clone();
        }
    }
    keep
}

fn live_with(story: &str, policy: &Value, operator: Vec<(Moment, u8, Asked<'static>)>) -> (Simulation, Turn, Told) {
    let scenario = Scenario::parse("room", story).unwrap_or_else(|error| panic!("{error}\n{story}"));
    let mut simulation = scenario.begin(Some(7));
    let policy = serde_json::from_value(policy.clone()).unwrap();
    let mut turn = recover(Box::new(MemoryJournal::new()), policy, "test", simulation.now().timestamp()).unwrap().turn;
    let mut told = Told::default();
    let ends = simulation.ends();
    drive(&mut simulation, &mut turn, ends, &Drive { operator, ..Drive::default() }, &mut told).unwrap();
    assert_eq!(judges::i15_capacity::judge(&simulation.world), [], "{:#?}", told.story());
    (simulation, turn, told)
}

fn live(story: &str, keep: Value) -> (Simulation, Turn, Told) {
    live_with(story, &policy(keep), Vec::new())
}

/// Two copies fit on a host; one runs on each of three, one in each zone.
fn story(lasts: &str, group: &str, more: &str) -> String {
    format!(
        "lasts = \"{lasts}\"\n[habits]\nzone-spread = true\n[[cluster]]\nname = \"prod\"\ntypes = [\"m6i.large\"]\n\
         [[cluster.group]]\nname = \"prod\"\ntypes = [\"m6i.large\"]\n{group}\n\
         [[cluster.service]]\nname = \"api\"\ntasks = 3\ncpu = 1024\nmemory = 512\n{more}"
    )
}

const OURS: &str = "hosts = 3\nmax = 8\nmanaged-scaling = false";
const MORE_TASKS: &str = "[[at]]\ntime = \"20m\"\ndo = \"desired-count\"\nservice = \"prod/api\"\nto = 6\n";

#[test]
fn always_room_for_one_more_in_each_zone_is_kept_by_one_step() {
    let (simulation, turn, told) = live(&story("90m", OURS, MORE_TASKS), keep(json!({ "each_zone": true })));
    assert_eq!(told.steps(), [(3, 6)], "{:#?}", told.story());
    assert_eq!(simulation.world.groups[0].desired, 6);
    let closed = told
        .records
        .iter()
        .any(|(_, it)| it["kind"] == "case-closed" && it["reason"].to_string().contains("room for 2 copies"));
    assert!(closed && turn.fleet().counts(simulation.now().timestamp()).open_cases == 0, "{:#?}", told.story());
    // From the fourth copy on there is too little room; nothing is done before that has lasted.
    let since = told.calls[0].0.since(simulation.now()) + 70 * MINUTE;
    assert!((3 * MINUTE..8 * MINUTE).contains(&since), "{since}");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_an_approval_has_it_done() {
    let (_, _, told) = live(&story("60m", OURS, MORE_TASKS), keep(json!({ "mode": "dry-run" })));
    assert!(
        told.calls.is_empty() && told.decided("\"would\":{") && told.decided("grows from 3 to 4"),
        "{:#?}",
        told.story()
    );
    let opened = told.records.iter().find(|(_, it)| it["trouble"] == "no-room").unwrap();
    let case = opened.1["case"].as_u64().unwrap();
    let approve = Request::Approve { case: engine::ports::id::CaseId(case as u32) };
    let asked = Asked { who: "ann".into(), why: String::new().into(), request: approve };
    let at = opened.0.plus(20 * MINUTE);
    let policy = policy(keep(json!({ "mode": "approve" })));
    let (_, _, told) = live_with(&story("90m", OURS, MORE_TASKS), &policy, vec![(at, 0, asked)]);
    assert!(told.decided("\"ask\":{") && told.steps() == [(3, 4)], "{:#?}", told.story());
    assert!(told.calls[0].0 > at);
}

#[test]
fn while_launches_fail_there_is_no_second_step() {
    let failing = "[[at]]\ntime = \"10m\"\ndo = \"launches-fail\"\ngroup = \"prod\"\nfor = \"70m\"\n";
    let (simulation, turn, told) = live(&story("150m", OURS, &format!("{failing}{MORE_TASKS}")), keep(json!({})));
    assert_eq!(told.steps(), [(3, 4)], "{:#?}", told.story());
    assert!(told.decided("launches fail here"), "{:#?}", told.story());
    assert_eq!(turn.fleet().counts(simulation.now().timestamp()).open_cases, 0, "{:#?}", told.story());
}

#[test]
fn a_group_that_could_not_launch_before_is_not_even_asked() {
    let failing = "[[at]]\ntime = \"1m\"\ndo = \"launches-fail\"\ngroup = \"prod\"\n[[at]]\ntime = \"5m\"\n\
                   do = \"scale\"\ngroup = \"prod\"\nto = 4\n";
    let (_, _, told) = live(&story("60m", OURS, &format!("{failing}{MORE_TASKS}")), keep(json!({})));
    assert!(told.acts().is_empty() && told.decided("on their way"), "{:#?}", told.story());
}

#[test]
fn managed_scaling_is_advised_and_never_fought() {
    let (_, _, told) =
        live(&story("60m", "hosts = 3\nmax = 8", MORE_TASKS), keep(json!({ "declared": { "scale_in": true } })));
    assert!(told.acts().is_empty(), "{:#?}", told.story());
    assert!(told.decided("managed scaling of the capacity provider decides"), "{:#?}", told.story());
    assert!(told.decided("1 more hosts would be needed"), "{:#?}", told.story());
}

#[test]
fn the_smaller_maximum_holds_and_a_person_hears_of_it() {
    let (simulation, _, told) =
        live(&story("90m", OURS, MORE_TASKS), keep(json!({ "declared": { "copies": 9, "max_hosts": 5 } })));
    assert_eq!(told.steps(), [(3, 5)], "{:#?}", told.story());
    assert!(told.decided("the group has 5 hosts and may have 5"), "{:#?}", told.story());
    assert_eq!(simulation.world.groups[0].desired, 5);
}

#[test]
fn a_scaling_policy_of_the_group_is_executed_instead() {
    let group = format!("{OURS}\n[[cluster.group.policy]]\nname = \"add-two\"\nchange = 2\n");
    let (simulation, _, told) = live(
        &story("90m", &group, MORE_TASKS),
        keep(json!({ "scale_out_policy": "add-two", "declared": { "copies": 3 } })),
    );
    assert_eq!(told.acts(), ["execute-policy"], "{:#?}", told.story());
    assert_eq!(simulation.world.groups[0].desired, 5);
    let (_, _, told) = live(
        &story("90m", &group, MORE_TASKS),
        keep(json!({ "scale_out_policy": "add-two", "declared": { "max_hosts": 6 } })),
    );
    assert!(told.acts().is_empty() && told.decided("max_hosts is 6"), "{:#?}", told.story());
}

#[test]
fn a_pause_holds_every_step() {
    let pause = Request::Pause { cluster: None, secs: None };
    let asked = Asked { who: "ann".into(), why: String::new().into(), request: pause };
    let at = Moment::DEFAULT_START.plus(10 * MINUTE);
    let (_, _, told) = live_with(&story("60m", OURS, MORE_TASKS), &policy(keep(json!({}))), vec![(at, 0, asked)]);
    assert!(told.acts().is_empty() && told.decided("paused by ann"), "{:#?}", told.story());
}

const SPARE: &str = "hosts = 5\nmax = 8\nmanaged-scaling = false";

#[test]
fn after_a_long_surplus_empty_hosts_go_one_at_a_time_and_no_others() {
    let declared =
        json!({ "declared": { "scale_in": true, "scale_in_after_secs": 1800, "min_hosts": 2, "copies": 2 } });
    let (simulation, turn, told) = live(&story("5h", SPARE, ""), keep(declared));
    let acts: Vec<&str> = told.acts().into_iter().filter(|word| *word != "undrain").collect();
    assert_eq!(acts, ["drain", "terminate-in-group", "drain", "terminate-in-group"], "{:#?}", told.story());
    let ends: Vec<Moment> = told.calls.iter().filter(|(_, it)| it.act.ends_machine()).map(|(at, _)| *at).collect();
    assert!(ends[1].since(ends[0]) >= 30 * MINUTE, "one at a time");
    assert!(ends[0].since(Moment::DEFAULT_START) >= 30 * MINUTE, "slow by default");
    // Three hosts take three tasks, and there is room for three more: with one fewer it would be one.
    assert_eq!((simulation.world.groups[0].desired, simulation.world.groups[0].members.len()), (3, 3));
    assert_eq!(turn.fleet().counts(simulation.now().timestamp()).open_cases, 0, "{:#?}", told.story());
}

#[test]
fn a_host_that_its_group_protects_from_scale_in_stays() {
    let declared = json!({ "declared": { "scale_in": true, "scale_in_after_secs": 1800 } });
    let (_, _, told) = live(&story("3h", &format!("{SPARE}\nprotected = true"), ""), keep(declared));
    assert!(told.calls.is_empty(), "{:#?}", told.story());
}

#[test]
fn a_service_that_is_nowhere_is_said_once_and_nothing_else_is_done() {
    let (_, turn, told) = live(&story("60m", OURS, ""), keep(json!({ "of": "service:apii" })));
    let opened: Vec<_> = told.records.iter().filter(|(_, it)| it["trouble"] == "no-room").collect();
    assert_eq!(opened.len(), 1, "{:#?}", told.story());
    assert!(told.decided("there is none in cluster prod: is its name misspelt"), "{:#?}", told.story());
    assert!(told.calls.is_empty() && turn.fleet().counts(turn.last_at()).open_cases == 1, "{:#?}", told.story());
}

#[test]
fn of_several_clusters_one_alone_need_have_the_service() {
    let other = "[[cluster]]\nname = \"edge\"\nhosts = 2\n";
    let (_, _, told) = live(&story("40m", OURS, other), keep(json!({})));
    assert!(!told.records.iter().any(|(_, it)| it["trouble"] == "no-room"), "{:#?}", told.story());
}
