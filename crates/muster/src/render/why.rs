//! Why tasks are not placed, for people and for scripts.

use std::io::{self, Write};

use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use serde_json::Value;

use super::{
    Format,
    capacity::title,
    colour, escape,
    fit::{ChangeLine, HostLine, Subject, write_caveats, write_changes, write_each, write_hosts},
    moment,
};

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
    /// Each host's verdict.
    pub hosts: Vec<HostLine>,
    /// The smallest change after which nothing is missing.
    pub smallest: Option<ChangeLine>,
    /// All that are known, the least disturbing first.
    pub changes: Vec<ChangeLine>,
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
    write_hosts(out, &why.hosts)?;
    write_changes(out, &why.changes)?;
    write_caveats(out, &why.caveats)
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
