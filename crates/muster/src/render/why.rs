//! Why tasks are not placed, for people and for scripts.

use std::io::{self, Write};

use fleet::capacity::share::ShareFit;
use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::Value;

use super::{
    Format,
    capacity::{short, title},
    colour, escape,
    fit::{ChangeLine, HostLine, Subject, write_caveats, write_changes, write_each, write_hosts},
    moment,
};
use crate::placement_failures::PlacementFailure;

/// Why tasks are not placed. Field names of all that follow are an interface: add, never rename.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// Cluster ARN.
    pub cluster: String,
    /// As of when.
    pub at: Timestamp,
    /// What was asked about.
    pub asked: Subject,
    /// The service's own counts.
    pub service: Option<Counts>,
    /// The task that was asked about.
    pub task: Option<TaskTold>,
    /// One sentence.
    pub summary: String,
    /// Copies that are missing.
    pub missing: u64,
    /// Copies that fit now.
    pub fit: u64,
    /// Of those, copies on hosts in no trouble, with interfaces that are certainly there.
    pub sure: u64,
    /// What AWS said, and whether the facts agree.
    pub aws: Option<Said>,
    /// The service's newest events, the newest first.
    pub events: Vec<Event>,
    /// Placement failures that a muster heard of by EventBridge, the newest first; of the last hours.
    pub heard: Vec<PlacementFailure>,
    /// Each host's verdict.
    pub hosts: Vec<HostLine>,
    /// The smallest change after which nothing is missing.
    pub smallest: Option<ChangeLine>,
    /// All that are known, the least disturbing first.
    pub changes: Vec<ChangeLine>,
    /// Each of several capacity providers that tasks are shared out among; else empty.
    pub providers: Vec<ShareFit>,
    /// What the answer does not take into account.
    pub caveats: Vec<String>,
}

impl Why {
    /// Nothing is missing.
    pub fn is_well(&self) -> bool {
        self.missing == 0
    }
}

/// What a service says of its tasks.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// Tasks that there should be.
    pub desired: u64,
    /// That run.
    pub running: u64,
    /// That are placed and do not run yet.
    pub pending: u64,
    /// That are not placed.
    pub missing: u64,
    /// `REPLICA` or `DAEMON`.
    pub scheduling: String,
}

impl Counts {
    /// From DescribeServices.
    pub fn of(service: &Value) -> Self {
        let count = |name: &str| service[name].as_u64().unwrap_or(0);
        let (desired, running, pending) = (count("desiredCount"), count("runningCount"), count("pendingCount"));
        let scheduling = service["schedulingStrategy"].as_str().unwrap_or("REPLICA").to_owned();
        Self { desired, running, pending, missing: desired.saturating_sub(running + pending), scheduling }
    }

    /// Tasks that are placed.
    pub fn placed(&self) -> u64 {
        self.running + self.pending
    }
}

/// What ECS says of a task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskTold {
    /// ARN.
    pub arn: String,
    /// `RUNNING`, `STOPPED`, ….
    pub last_status: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// `service:NAME` or `family:NAME`.
    pub group: String,
    /// `TaskFailedToStart`, ….
    pub stop_code: Option<String>,
    /// As written.
    pub stopped_reason: Option<String>,
}

impl TaskTold {
    /// From DescribeTasks.
    pub fn of(task: &Value) -> Self {
        let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
        let given = |name: &str| task[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            arn: text("taskArn"),
            last_status: text("lastStatus"),
            desired_status: text("desiredStatus"),
            group: text("group"),
            stop_code: given("stopCode"),
            stopped_reason: given("stoppedReason"),
        }
    }
}

/// What AWS said of the placement.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// `RESOURCE:ENI`, `AGENT`, ….
    pub reason: String,
    /// A sentence that joins it with what is believed.
    pub sentence: String,
    /// When it was said.
    pub at: Option<Timestamp>,
}

/// An event of a service.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When.
    pub at: Option<Timestamp>,
    /// As written.
    pub message: String,
}

/// Writes answers: as text, as one list, or as one object a line.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, answers: &[Why], format: Format) -> io::Result<()> {
    write_each(out, answers, format, write_one)
}

fn write_one(out: &mut dyn Write, why: &Why) -> io::Result<()> {
    title(out, &why.cluster)?;
    let name = escape::clean(&why.asked.name).into_owned();
    match &why.service {
        Some(Counts { desired, running, pending, .. }) => {
            let pending = if *pending > 0 { format!(", {pending} pending") } else { String::new() };
            writeln!(out, "  {}: {desired} wanted, {running} running{pending}", name.style(colour::heading()))?;
        }
        None => writeln!(out, "  {}", name.style(colour::heading()))?,
    }
    if let Some(task) = &why.task {
        write_task(out, task)?;
    }
    let loud = if why.is_well() { colour::heading() } else { colour::alarm() };
    writeln!(out, "  {}", escape::clean(&why.summary).style(loud))?;
    if let Some(said) = &why.aws {
        let at = said.at.map_or(String::new(), |at| format!(" ({})", moment::clock(at, why.at)));
        writeln!(out, "  {}{at}", escape::clean(&said.sentence))?;
    }
    for event in &why.events {
        let at = event.at.map_or(String::new(), |at| format!("{} ", moment::clock(at, why.at)));
        let line = format!("  event: {at}{}", escape::clean(&event.message));
        writeln!(out, "{}", line.style(colour::quiet()))?;
    }
    if let Some(newest) = why.heard.first() {
        let line = format!("  {}", heard_words(newest, &why.heard, why.at));
        writeln!(out, "{}", escape::clean(&line).style(colour::quiet()))?;
    }
    write_hosts(out, &why.hosts)?;
    write_changes(out, &why.changes)?;
    write_caveats(out, &why.caveats)
}

/// `heard by EventBridge: 15:04:31Z RESOURCE:ENI, closest 1184132432897dbb341e32234fed263e; 3 times since 14:50:12Z`.
fn heard_words(newest: &PlacementFailure, heard: &[PlacementFailure], now: Timestamp) -> String {
    let reason = if newest.reason.is_empty() { "no reason" } else { &newest.reason };
    let hosts: Vec<&str> = newest.hosts.iter().map(|arn| short(arn)).collect();
    let closest = if hosts.is_empty() { String::new() } else { format!(", closest {}", hosts.join(", ")) };
    let often = match heard.last() {
        Some(first) if heard.len() > 1 => format!("; {} times since {}", heard.len(), moment::clock(first.at, now)),
        _ => String::new(),
    };
    format!("heard by EventBridge: {} {reason}{closest}{often}", moment::clock(newest.at, now))
}

fn write_task(out: &mut dyn Write, task: &TaskTold) -> io::Result<()> {
    let short = task.arn.rsplit('/').next().unwrap_or(&task.arn);
    let group = if task.group.is_empty() { String::new() } else { format!(" of {}", task.group) };
    let line = format!("task {short}{group}: {}, desired {}", task.last_status, task.desired_status);
    writeln!(out, "  {}", escape::clean(&line))?;
    let stopped = [task.stop_code.as_deref(), task.stopped_reason.as_deref()];
    let stopped: Vec<&str> = stopped.into_iter().flatten().collect();
    if !stopped.is_empty() {
        writeln!(out, "  stopped because: {}", escape::clean(&stopped.join(": ")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fleet::capacity::{change::Step, headroom::Availability, limit::Limit};
    use serde_json::json;

    use super::*;

    const HOSTILE: &str = "x\u{1b}[2J\u{9b}31m\r\nFORGED\u{202e}";

    fn why(name: &str) -> Why {
        let text = || name.to_owned();
        let step = Step::AddHosts { hosts: 2, instance_type: text(), zone: Some(text()) };
        let change = ChangeLine { sentence: text(), copies: 4, step };
        let service = json!({"desiredCount": 9, "runningCount": 5, "pendingCount": 1});
        let task = json!({"taskArn": name, "lastStatus": name, "desiredStatus": "STOPPED", "group": name,
                          "stopCode": name, "stoppedReason": name});
        Why {
            cluster: format!("arn:aws:ecs:eu-central-1:210987654321:cluster/{name}"),
            at: "2026-10-02T08:12:00Z".parse().unwrap(),
            asked: Subject { kind: "service", name: text(), task_definition: text() },
            service: Some(Counts::of(&service)),
            task: Some(TaskTold::of(&task)),
            summary: text(),
            missing: 3,
            fit: 0,
            sure: 0,
            aws: Some(Said { reason: text(), sentence: text(), at: None }),
            events: vec![Event { at: None, message: text() }],
            heard: vec![PlacementFailure {
                at: "2026-10-02T08:11:00Z".parse().unwrap(),
                cluster: text(),
                service: text(),
                reason: text(),
                hosts: vec![text()],
            }],
            providers: Vec::new(),
            hosts: vec![HostLine {
                arn: text(),
                ec2_instance_id: Some(text()),
                zone: Some(text()),
                instance_type: Some(text()),
                copies: 0,
                reason: Some("RESOURCE:ENI"),
                limit: Some(Limit::MemberOf(text())),
                availability: Availability::Open,
                line: text(),
            }],
            smallest: Some(change.clone()),
            changes: vec![change],
            caveats: vec![text()],
        }
    }

    fn shown(why: Why, format: Format) -> String {
        let mut out = Vec::new();
        write(&mut anstream::StripStream::new(&mut out), &[why], format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_and_reasons_from_outside_steer_nothing() {
        for format in [Format::Table, Format::Json, Format::Ndjson] {
            let text = shown(why(HOSTILE), format);
            assert!(text.contains("FORGED"), "they are shown: {text}");
            assert!(!text.lines().any(|line| line.trim_start().starts_with("FORGED")), "{text}");
            assert!(!text.contains(|letter| letter != '\n' && escape::steers(letter)), "{text:?}");
        }
    }

    #[test]
    fn what_is_pending_is_placed_and_the_rest_is_missing() {
        let counts = why("api").service.unwrap();
        assert_eq!((counts.missing, counts.placed()), (3, 6));
        let more = Counts::of(&json!({"desiredCount": 1, "runningCount": 2}));
        assert_eq!((more.missing, more.scheduling.as_str()), (0, "REPLICA"));
        let text = shown(why("api"), Format::Table);
        assert!(text.contains("api: 9 wanted, 5 running, 1 pending"), "{text}");
        assert!(text.contains("stopped because: api: api"), "{text}");
    }
}
