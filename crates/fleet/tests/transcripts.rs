//! Golden transcripts: a story a newcomer can read, that is also a test.
//!
//! A line that begins with a time is an input; the indented lines below it are what the core answered. Run with
//! `UPDATE_TRANSCRIPTS=1` to write the answers anew, then read the difference as you would read code.
//!
//! ```text
//! 12:00:00 sweep    web-1 connected v1; web-2 connected v1
//! 12:10:00 event    web-1 disconnected v2
//! 12:10:01 tick
//! 12:10:01 look     web-1 disconnected v2
//! 12:10:01 machine  web-1 running ok        (or: running impaired, stopped, terminated, gone)
//! 12:10:01 ping     web-1 online            (or: lost)
//! 12:10:01 task     t-1 on web-1 running v1
//! 12:10:01 group    web-9 InService asg-1
//! 12:10:01 failed   cluster: denied: why
//! 12:10:01 roll
//! ```
//! A host's name may carry its zone, `web-1@b`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

mod departed;

use std::{borrow::Cow, fmt::Write as _, fs, path::Path};

use fleet::{
    Fleet,
    admission::{Admission, admit, digest},
    case::duration_words,
    charge::Charge,
    effect::{Effect, Look},
    id::CaseId,
    input::{FailureKind, Input, LookFailure, Scope, Sweep},
    invariant,
    journal::Record,
    notice::page::{Delivery, DeliveryResult, PageId},
    observation::{
        Attributes, AutoScalingFact, Ec2State, Ec2StatusFact, Fact, HostAttributes, InstanceFact, InstanceStatus,
        Observation, ReachabilityStatus, Source, SsmFact, TaskFact, TaskStatus,
    },
    operator::{Asked, Request},
    policy::Policy,
    remedy::{
        Decision,
        act::{ActResult, Intent, IntentId, Outcome},
    },
    snapshot, step,
};
use jiff::{SignedDuration, Timestamp};

const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod";
const PLACE: &str = "210987654321/eu-central-1";

/// A name as hexadecimal digits, so that ids sort as names do and can be told apart by eye.
fn digits(name: &str, length: usize) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<length$}")
}

fn host_arn(name: &str) -> String {
    format!("arn:aws:ecs:eu-central-1:210987654321:container-instance/prod/{}", digits(name, 32))
}

fn machine_id(name: &str) -> String {
    format!("i-{}", digits(name, 17))
}

fn task_arn(name: &str) -> String {
    format!("arn:aws:ecs:eu-central-1:210987654321:task/prod/{}", digits(name, 32))
}

struct Story {
    fleet: Fleet,
    names: Vec<(String, String)>,
    now: Timestamp,
}

impl Story {
    fn new() -> Self {
        Self { fleet: Fleet::new(Policy::default()), names: Vec::new(), now: midnight() }
    }

    fn meet(&mut self, name: &str) {
        for text in [host_arn(name), machine_id(name), task_arn(name)] {
            if !self.names.iter().any(|(known, _)| *known == text) {
                self.names.push((text, name.to_owned()));
            }
        }
    }

    /// Ids become the names of the story again, and the cluster's ARN its name.
    fn plain(&self, text: &str) -> String {
        let mut text = text.replace(CLUSTER, "prod").replace(PLACE, "the account");
        for (id, name) in &self.names {
            text = text.replace(id, name);
        }
        text
    }

    fn play(&mut self, line: &str) -> String {
        let mut words = line.splitn(3, ' ');
        self.now = time(words.next().unwrap());
        let verb = words.next().unwrap();
        let rest = words.next().unwrap_or("").trim();
        let mut out = String::new();
        match verb {
            "roll" => {
                for host in self.fleet.roll_call(self.now, None).clusters.iter().flat_map(|cluster| &cluster.hosts) {
                    let who = host.arn.clone().or(host.ec2_instance_id.clone()).unwrap();
                    let _ = writeln!(
                        out,
                        "{} is {} (confidence {:?}): {}",
                        self.plain(&who),
                        host.verdict,
                        host.confidence,
                        host.reasons.join("; ")
                    );
                }
                return indent(out);
            }
            "tick" => self.take(&Input::Ticked, &mut out),
            "policy" => self.policy(rest),
            "acted" => {
                let (number, result) = rest.split_once(' ').unwrap();
                let intent = IntentId(number.parse().unwrap());
                self.take(&Input::Acted(Outcome { intent, result: result_of(result) }), &mut out);
            }
            "asked" => {
                let request = self.request(rest);
                let asked = Asked { who: "ann".into(), why: "runbook 7".into(), request };
                self.take(&Input::Asked(asked), &mut out);
            }
            "told" => {
                let (number, how) = rest.split_once(' ').unwrap();
                let result = match how {
                    "delivered" => DeliveryResult::Delivered,
                    why => DeliveryResult::GivenUp { why: why.to_owned().into() },
                };
                let delivery = Delivery { page: PageId(number.parse().unwrap()), result };
                self.take(&Input::Told(delivery), &mut out);
            }
            // The epoch of the lease, or `no`.
            "leading" => {
                let charge = rest.parse().map_or(Charge::Anothers, |epoch| Charge::Ours { epoch });
                self.take(&Input::Leading(charge), &mut out);
            }
            "sweep" | "look" => self.sweep(rest, verb == "look", &mut out),
            "event" | "task" => {
                let source = Source::Event;
                let fact = if verb == "event" { self.instance(rest) } else { self.task(rest) };
                self.observe(Observation { at: self.now, source, fact }, &mut out);
            }
            "machine" | "ping" | "group" => {
                let fact = match verb {
                    "machine" => self.machine(rest),
                    "ping" => self.ping(rest),
                    _ => self.group(rest),
                };
                let place = Cow::Borrowed(PLACE);
                let scope = match verb {
                    "machine" => Scope::Machines(place),
                    "ping" => Scope::Pings(place),
                    _ => Scope::Groups(place),
                };
                let found = vec![Observation { at: self.now, source: Source::Look, fact }];
                let sweep =
                    Sweep { scope, started_at: self.now, found, unchanged: 0, complete: false, absent: Vec::new() };
                let sweep = digest(&self.fleet, sweep);
                self.take(&Input::Swept(sweep), &mut out);
            }
            "failed" => {
                let (_, message) = rest.split_once(": ").unwrap();
                let failure = LookFailure {
                    scope: Scope::ClusterHosts(CLUSTER.into()),
                    kind: FailureKind::Denied,
                    message: message.to_owned().into(),
                };
                self.take(&Input::LookFailed(failure), &mut out);
            }
            other => panic!("no such verb: {other}"),
        }
        indent(out)
    }

    /// Sets options of the policy, written as TOML is: `mode=act replacement.drain_secs=60`.
    fn policy(&mut self, rest: &str) {
        let mut policy = serde_json::to_value(self.fleet.policy()).unwrap();
        for word in rest.split_whitespace() {
            let (path, value) = word.split_once('=').unwrap();
            let value = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
            let option = policy.pointer_mut(&format!("/{}", path.replace('.', "/")));
            *option.unwrap_or_else(|| panic!("no such option: {path}")) = value;
        }
        let policy = serde_json::from_value(policy).unwrap();
        self.fleet = snapshot::load(&snapshot::save(&self.fleet), policy).unwrap();
    }

    fn request(&self, text: &str) -> Request<'static> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let case = || CaseId(words[1].parse().unwrap());
        match words[0] {
            "approve" => Request::Approve { case: case() },
            "veto" => Request::Veto { case: case() },
            "retry" => Request::Retry { case: case() },
            "hold" => Request::Hold { case: case(), secs: Some(words[2].parse().unwrap()) },
            "protect" => Request::Protect { subject: machine_id(words[1]).into(), secs: None },
            "unprotect" => Request::Unprotect { subject: machine_id(words[1]).into() },
            "pause" => Request::Pause { cluster: None, secs: None },
            "resume" => Request::Resume { cluster: None },
            "silence" => Request::Silence {
                clusters: vec![words[1].to_owned()],
                troubles: Vec::new(),
                hosts: Vec::new(),
                secs: words[2].parse().unwrap(),
            },
            other => panic!("no such request: {other}"),
        }
    }

    fn observe(&mut self, observation: Observation<'static>, out: &mut String) {
        match admit(&self.fleet, &observation) {
            Admission::News => self.take(&Input::Observed(observation), out),
            other => {
                let _ = writeln!(out, "dropped: {}", format!("{other:?}").to_lowercase());
            }
        }
    }

    fn sweep(&mut self, rest: &str, look: bool, out: &mut String) {
        let source = if look { Source::Look } else { Source::Sweep };
        let found = rest
            .split(';')
            .map(|part| Observation { at: self.now, source, fact: self.instance(part.trim()) })
            .collect();
        let scope = if look { Scope::Hosts { cluster: CLUSTER.into() } } else { Scope::ClusterHosts(CLUSTER.into()) };
        let sweep = Sweep { scope, started_at: self.now, found, unchanged: 0, complete: !look, absent: Vec::new() };
        let sweep = digest(&self.fleet, sweep);
        if sweep.unchanged > 0 {
            let _ = writeln!(out, "{} unchanged", sweep.unchanged);
        }
        self.take(&Input::Swept(sweep), out);
    }

    fn take(&mut self, input: &Input<'_>, out: &mut String) {
        let effects = step(&mut self.fleet, self.now, input);
        for effect in &effects {
            let line = self.plain(&words(effect));
            let _ = writeln!(out, "{line}");
        }
        assert_eq!(invariant::check(&self.fleet), Vec::new(), "after {input:?}");
    }

    fn instance(&mut self, text: &str) -> Fact<'static> {
        let mut words = text.split_whitespace();
        let (name, zone) = split_zone(words.next().unwrap());
        self.meet(name);
        let mut fact = InstanceFact {
            ec2_instance_id: Some(machine_id(name).into()),
            agent_connected: Some(true),
            agent_version: Some("1.105.1".into()),
            running_tasks: Some(2),
            pending_tasks: Some(0),
            attributes: Attributes::Known(Box::new(HostAttributes {
                zone: Some(format!("eu-central-1{zone}").into()),
                instance_type: Some("m6i.large".into()),
                ..HostAttributes::default()
            })),
            ..InstanceFact::bare(host_arn(name), CLUSTER, InstanceStatus::Active)
        };
        for word in words {
            match word {
                "connected" => fact.agent_connected = Some(true),
                "disconnected" => fact.agent_connected = Some(false),
                "draining" => fact.status = InstanceStatus::Draining,
                "empty" => fact.running_tasks = Some(0),
                "inactive" => fact.status = InstanceStatus::Inactive,
                version => fact.version = Some(version.trim_start_matches('v').parse().unwrap()),
            }
        }
        Fact::Instance(fact)
    }

    fn machine(&mut self, text: &str) -> Fact<'static> {
        let words: Vec<&str> = text.split_whitespace().collect();
        self.meet(words[0]);
        let instance_id = machine_id(words[0]).into();
        if words[1] == "gone" {
            return Fact::Ec2State { instance_id, state: Ec2State::Gone };
        }
        let status = ReachabilityStatus::parse(words.get(2).copied().unwrap_or("not-applicable"));
        Fact::Ec2Status(Ec2StatusFact {
            instance_id,
            state: Ec2State::parse(words[1]),
            system: ReachabilityStatus::Ok,
            instance: status,
            ebs: ReachabilityStatus::Ok,
            scheduled: None,
        })
    }

    fn ping(&mut self, text: &str) -> Fact<'static> {
        let (name, word) = text.split_once(' ').unwrap();
        self.meet(name);
        Fact::Ssm(SsmFact {
            instance_id: machine_id(name).into(),
            online: Some(word == "online"),
            last_ping_at: None,
            platform: Some("Amazon Linux".into()),
        })
    }

    fn group(&mut self, text: &str) -> Fact<'static> {
        let words: Vec<&str> = text.split_whitespace().collect();
        self.meet(words[0]);
        Fact::AutoScaling(AutoScalingFact {
            instance_id: machine_id(words[0]).into(),
            group: words[2].to_owned().into(),
            place: PLACE.into(),
            lifecycle: words[1].to_owned().into(),
            healthy: true,
            zone: None,
            instance_type: None,
            launch_template: None,
            launched_at: None,
        })
    }

    fn task(&mut self, text: &str) -> Fact<'static> {
        let words: Vec<&str> = text.split_whitespace().collect();
        self.meet(words[0]);
        Fact::Task(TaskFact {
            arn: task_arn(words[0]).into(),
            cluster: CLUSTER.into(),
            instance: Some(host_arn(words[2]).into()),
            version: Some(words[4].trim_start_matches('v').parse().unwrap()),
            last_status: TaskStatus::parse(&words[3].to_uppercase()),
            desired_running: words[3] == "running",
            group: Some("service:api".into()),
            definition: None,
            awsvpc: false,
            connected: None,
            started_at: None,
            stop_code: None,
            stopped_reason: None,
        })
    }
}

fn result_of(text: &str) -> ActResult<'static> {
    let (word, says) = text.split_once(": ").unwrap_or((text, ""));
    let says = Cow::Owned(says.to_owned());
    match word {
        "done" => ActResult::Done { note: says },
        "saved" => ActResult::Saved { items: vec![("agent log".to_owned(), says.into_owned())] },
        "unhealed" => ActResult::Unhealed { says },
        "unfit" => ActResult::Unfit { why: says },
        "gone" => ActResult::Gone { note: says },
        "impossible" => ActResult::Impossible { why: says },
        "denied" => ActResult::Denied { why: says },
        "withheld" => ActResult::Withheld { why: says },
        "failed" => ActResult::Failed { why: says, may_have_happened: false },
        "lost" => ActResult::Failed { why: says, may_have_happened: true },
        other => panic!("no such result: {other}"),
    }
}

fn split_zone(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, "a"))
}

fn midnight() -> Timestamp {
    "2026-10-02T00:00:00Z".parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    format!("2026-10-02T{text}Z").parse().unwrap()
}

fn indent(text: String) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "         | {line}");
        out
    })
}

fn words(effect: &Effect) -> String {
    match effect {
        Effect::WakeAt(at) => format!("wake at {}", at.strftime("%H:%M:%S")),
        Effect::Notify(notice) => format!("tell people ({:?}): {}", notice.severity, notice.text),
        Effect::Look(look) => match look {
            Look::Hosts { arns, .. } => format!("look at {} in ECS", arns.join(", ")),
            Look::Registrations { machines, .. } => format!("ask ECS whether {} are hosts", machines.join(", ")),
            Look::Tasks { arns, .. } => format!("look at tasks {} in ECS", arns.join(", ")),
            Look::Machines { ids, .. } => format!("look at {} in EC2", ids.join(", ")),
            Look::Pings { ids, .. } => format!("look at {} in SSM", ids.join(", ")),
            Look::Groups { names, .. } => format!("look at groups {}", names.join(", ")),
            Look::Demand { of, .. } => format!("look at what {of} needs"),
        },
        Effect::Record(record) => match record {
            Record::CaseOpened { case, trouble, subject, reasons, .. } => {
                format!("case {case} opened, {} of {subject}: {}", trouble.word(), reasons.join("; "))
            }
            Record::CaseMoved { case, from, to, verdict, reasons, .. } => {
                format!("case {case} {from:?} -> {to:?}: {verdict}: {}", reasons.join("; "))
            }
            Record::Decided { case, verdict, confidence, decision, zombies } => {
                let what = match decision {
                    Decision::Would { remedy, because } => format!("WOULD {}: {}", remedy.words(), because.join("; ")),
                    Decision::Ask { remedy, because } => format!("ASK to {}: {}", remedy.words(), because.join("; ")),
                    Decision::Will { remedy, because } => format!("WILL {}: {}", remedy.words(), because.join("; ")),
                    Decision::Hold { because } => format!("HOLD: {}", because.join("; ")),
                };
                let zombies =
                    if zombies.is_empty() { String::new() } else { format!("; zombies: {}", zombies.join(", ")) };
                format!("case {case} decided, {verdict} (confidence {confidence:?}): {what}{zombies}")
            }
            Record::CaseClosed { case, reason, lasted_secs } => {
                format!("case {case} closed after {}: {reason}", duration_words(*lasted_secs))
            }
            Record::Intended { intent } => {
                let whom = intent.target.host.as_deref().or(intent.target.machine.as_deref()).unwrap_or("nobody");
                format!("case {} intent {}: {} of {whom}", intent.case, intent.id, intent.act.word())
            }
            Record::Ended { case, intent, result, says, so } => {
                let says = if says.is_empty() { String::new() } else { format!(": {says}") };
                format!("case {case} intent {intent} ended, {result}{says}; {so}")
            }
            Record::Abandoned { case, remedy, because } => format!("case {case} gives up {}: {because}", remedy.word()),
            Record::OperatorAsked { who, what, answer, .. } => format!("{who} asked to {what}: {answer:?}"),
            Record::Paged { page, receiver, page_kind, title, .. } => {
                format!("page {page} to {receiver}, {page_kind:?}: {title}")
            }
            Record::PageLost { page, receiver, because } => format!("page {page} to {receiver} is lost: {because}"),
            Record::NotTold { case, because } => format!("case {case}: nobody is told: {because}"),
            Record::Led { leading } => format!("in charge: {leading}"),
            Record::GapNoted { arn, held, came } => format!("versions {held} to {came} of {arn} were skipped"),
        },
        Effect::Act(intent) => format!("ACT {}, intent {}, {}", intent.act.word(), intent.id, expected(intent)),
        Effect::Page(page) => {
            let lines: Vec<String> = page.lines.iter().map(|line| format!("\n           {line}")).collect();
            format!("PAGE {} to {}, {:?}, {} hosts{}", page.id, page.receiver, page.kind, page.hosts, lines.concat())
        }
        other => format!("{other:?}"),
    }
}

fn expected(intent: &Intent) -> String {
    let expects = intent.expects;
    let all = [
        (expects.agent_away, "the agent is away"),
        (expects.runtime_impaired, "the runtime is impaired"),
        (expects.machine_gone, "the machine is gone"),
        (expects.machine_running, "the machine runs"),
        (expects.unregistered, "ECS knows no host on it"),
        (expects.second_witness, "a second witness speaks against it"),
        (expects.draining, "it is draining"),
    ];
    let expected: Vec<&str> = all.iter().filter(|(expected, _)| *expected).map(|(_, words)| *words).collect();
    match expected[..] {
        [] => "whatever is seen then".to_owned(),
        _ => format!("if still: {}", expected.join(", ")),
    }
}

fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    let golden = fs::read_to_string(&path).unwrap();
    let mut story = Story::new();
    let mut played = String::new();
    let mut inputs = 0;
    for line in golden.lines() {
        if line.starts_with("         |") {
            continue;
        }
        let _ = writeln!(played, "{line}");
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            inputs += 1;
            played.push_str(&story.play(&line.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    assert!(inputs > 2, "{name} tells no story");
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, &played).unwrap();
        return;
    }
    assert_eq!(played, golden, "{name} reads otherwise now; UPDATE_TRANSCRIPTS=1 writes it anew");
}

macro_rules! stories {
    ($($test:ident => $file:literal),+ $(,)?) => {
        $(#[test]
        fn $test() {
            run($file);
        })+

        #[test]
        fn every_transcript_is_played() {
            let played = [$($file),+];
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
            for entry in fs::read_dir(folder).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(played.contains(&name.as_str()), "{name} is played by no test");
            }
        }
    };
}

stories! {
    an_agent_disconnects_and_comes_back => "agent_came_back.txt",
    an_agent_disconnects_and_stays_away => "agent_stayed_away.txt",
    all_agents_of_a_cluster_drop_at_once => "whole_cluster_dropped.txt",
    a_zone_is_lost => "zone_lost.txt",
    a_machine_is_terminated_while_its_agent_is_away => "ghost.txt",
    an_agent_flaps => "flapping.txt",
    a_machine_never_registers => "never_registered.txt",
    events_come_twice_late_and_with_gaps => "disordered_events.txt",
    nobody_can_look => "blind.txt",
    routine_reconnects_that_fall_together_make_no_doubt => "routine_together.txt",
    an_agent_is_restarted_and_comes_back => "restarted.txt",
    a_restart_does_not_help_and_the_host_is_replaced => "replaced.txt",
    a_person_is_asked_first => "approved.txt",
    a_second_host_waits_for_the_budget => "budget.txt",
    a_drain_that_cannot_finish_is_undone => "drain_undone.txt",
    everything_is_paused_in_the_middle => "paused.txt",
    a_call_fails_in_every_way => "failing_calls.txt",
    people_are_told_of_one_host => "told_of_one_host.txt",
    people_are_told_of_a_storm_once => "told_of_a_storm.txt",
    a_receiver_cannot_be_reached => "told_elsewhere.txt",
}

/// The waits are counted by our own clock: an event that comes late, or from a clock that is behind, is waited for as
/// long as any other.
#[test]
fn a_late_event_is_waited_for_as_long_as_a_punctual_one() {
    let mut story = Story::new();
    story.play("12:00:00 sweep web-1 connected v1; web-2 connected v1");
    let mut out = String::new();
    let fact = story.instance("web-1 disconnected v2");
    story.now = time("12:30:00");
    let at = story.now - SignedDuration::from_mins(20);
    story.observe(Observation { at, source: Source::Event, fact }, &mut out);
    assert!(!out.contains("look at"), "{out}");
    assert!(!story.play("12:32:55 tick").contains("look at"));
    let out = story.play("12:33:00 tick");
    assert!(out.contains("look at web-1 in ECS") && !out.contains("decided"), "{out}");
}

/// EC2 may tell that a machine is on its way out before the call that ended it has come back, which ends its case. The
/// budget is used until the group's new machine is there all the same.
#[test]
fn a_replacement_whose_case_is_over_before_its_call_still_uses_the_budget_until_the_new_machine_is_there() {
    let held =
        |out: &str| out.contains("case 2 decided, agent-lost (confidence High): HOLD: the budget is used up: 1 of");
    let mut story = Story::new();
    let out = after_the_case(&mut story, "done: accepted");
    assert!(held(&out), "{out}");
    story.play("12:22:00 group web-9 InService asg-1");
    story.play("12:22:01 event web-9 connected v1");
    story.play("12:22:10 tick");
    story.play("12:22:11 look web-2 disconnected v2");
    story.play("12:22:11 machine web-2 running ok");
    story.play("12:22:11 ping web-2 lost");
    let out = story.play("12:22:15 tick");
    assert!(out.contains("case 2 decided, agent-lost (confidence High): WILL drain"), "{out}");

    let out =
        after_the_case(&mut Story::new(), "denied: autoscaling:TerminateInstanceInAutoScalingGroup is not allowed");
    assert!(!held(&out) && out.contains("WILL drain"), "nothing was ended, nothing is waited for: {out}");
}

/// web-8 is being replaced, and its case is over before the call that ends it has this outcome. What is decided about
/// web-2, lost as well, a minute later.
fn after_the_case(story: &mut Story, outcome: &str) -> String {
    let told = format!("12:20:18 acted 2 {outcome}");
    let mut out = String::new();
    for line in [
        "12:00:00 sweep web-1 connected v1; web-2 connected v1; web-3 connected v1; web-4 connected v1",
        "12:00:00 policy mode=act",
        "12:00:01 group web-1 InService asg-1",
        "12:00:02 group web-2 InService asg-1",
        "12:00:02 group web-8 InService asg-1",
        "12:10:05 tick",
        "12:10:06 sweep web-1 connected v1; web-2 connected v1; web-3 connected v1; web-4 connected v1",
        "12:10:06 machine web-8 running ok",
        "12:10:10 tick",
        "12:10:11 sweep web-1 connected v1; web-2 connected v1; web-3 connected v1; web-4 connected v1",
        "12:10:11 machine web-8 running ok",
        "12:11:00 event web-2 disconnected v2",
        "12:14:05 tick",
        "12:14:06 look web-2 disconnected v2",
        "12:14:06 machine web-2 running ok",
        "12:14:06 ping web-2 lost",
        "12:20:10 tick",
        "12:20:11 sweep web-1 connected v1; web-2 disconnected v2; web-3 connected v1; web-4 connected v1",
        "12:20:11 machine web-8 running ok",
        "12:20:15 tick",
        "12:20:16 acted 1 saved",
        "12:20:17 group web-8 Terminating asg-1",
        &told,
        "12:21:05 tick",
        "12:21:06 look web-2 disconnected v2",
        "12:21:06 machine web-2 running ok",
        "12:21:06 ping web-2 lost",
        "12:21:10 tick",
    ] {
        out = story.play(line);
    }
    out
}

/// What the muster before it began stands in no journal of this one: it may be under way, and used the hour up.
#[test]
fn whoever_takes_over_from_another_muster_waits_until_what_that_began_is_over_and_an_hour_by_the_hour() {
    let decided = |taken_at: &str, epoch: &str, per_hour: &str| {
        let mut story = Story::new();
        let policy = format!("12:00:02 policy mode=act budgets.0.per_hour={per_hour}");
        let taken = format!("{taken_at} leading {epoch}");
        let mut out = String::new();
        for line in [
            "12:00:00 sweep web-1 connected v1; web-2 connected v1; web-3 connected v1; web-4 connected v1; web-5 connected v1",
            &policy,
            "12:00:03 leading no",
            &taken,
            "12:10:00 event web-2 disconnected v2",
            "12:13:00 tick",
            "12:13:01 look web-2 disconnected v2",
            "12:13:01 machine web-2 running ok",
            "12:13:02 ping web-2 online",
            "12:20:05 tick",
            "12:20:06 look web-2 disconnected v2",
            "12:20:07 machine web-2 running ok",
            "12:20:07 ping web-2 online",
            "12:20:10 tick",
        ] {
            out = story.play(line);
        }
        out
    };
    let one = r#"{"hosts":1}"#;
    let late = decided("12:09:00", "2", "null");
    assert!(
        late.contains("HOLD: another muster was in charge until 11 min 10 s ago, and what it began is not"),
        "{late}"
    );
    let by_the_hour = decided("12:04:00", "2", one);
    assert!(
        by_the_hour.contains("in charge until 16 min 10 s ago, and what it began within the last hour"),
        "{by_the_hour}"
    );
    for (taken_at, epoch, per_hour) in [("12:09:00", "1", one), ("12:04:00", "2", "null")] {
        let out = decided(taken_at, epoch, per_hour);
        assert!(out.contains("WILL restart the ECS agent"), "{taken_at}, epoch {epoch}, {per_hour} by the hour: {out}");
    }
}

/// A call that fails whenever it is made is made three times, each after a longer pause, and then the next rung is taken.
#[test]
fn a_step_that_always_fails_is_tried_three_times_and_then_given_up() {
    let mut story = Story::new();
    for line in [
        "12:00:00 sweep web-1 connected v1; web-2 connected v1; web-3 connected v1; web-4 connected v1",
        "12:00:02 policy mode=act",
        "12:10:00 event web-2 disconnected v2",
        "12:13:00 tick",
        "12:13:01 look web-2 disconnected v2",
        "12:20:05 tick",
        "12:20:06 look web-2 disconnected v2",
        "12:20:07 machine web-2 running ok",
        "12:20:07 ping web-2 online",
    ] {
        story.play(line);
    }
    let mut out = story.play("12:20:10 tick");
    let mut tries = 0;
    for (failed_at, again_at) in [("12:20:11", "12:20:30"), ("12:20:31", "12:21:05"), ("12:21:06", "12:22:10")] {
        tries += 1;
        assert!(out.contains(&format!("ACT restart-agent, intent {tries},")), "try {tries}: {out}");
        let said = story.play(&format!("{failed_at} acted {tries} failed: ssm:SendCommand was throttled six times"));
        assert_eq!(said.contains("tried again in"), tries < 3, "{said}");
        assert_eq!(said.contains("gives up restart-agent"), tries == 3, "{said}");
        out = story.play(&format!("{again_at} tick"));
    }
    assert!(!out.contains("ACT restart-agent"), "{out}");
}

/// A clock that leaps over a deadline has not waited for it.
#[test]
fn a_leap_of_the_clock_starts_the_wait_anew() {
    let mut story = Story::new();
    story.play("12:00:00 sweep web-1 connected v1; web-2 connected v1");
    story.play("12:10:00 event web-1 disconnected v2");
    assert!(!story.play("13:10:05 tick").contains("look at"));
    assert!(story.play("13:13:05 tick").contains("look at web-1 in ECS"));
}
