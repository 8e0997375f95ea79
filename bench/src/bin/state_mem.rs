//! What a believed fleet costs: bytes a host and a task, growth after three populations have come and gone, and how
//! long a restart takes.
//!
//! `state_mem` measures 5,000 hosts of 50 tasks and 100,000 hosts of 20, each in a process of its own;
//! `state_mem HOSTS TASKS_PER_HOST` measures one population. One JSON object a line.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::{error::Error, hint::black_box, process::Command, time::Instant};

use fleet::{
    Fleet,
    effect::Effect,
    input::Input,
    observation::{
        Attributes, Fact, HostAttributes, InstanceFact, InstanceStatus, Observation, Source, TaskFact, TaskStatus, Text,
    },
    policy::Policy,
    snapshot, step,
};
use jiff::{SignedDuration, Timestamp};
use peers::{corpus, usage};

/// How often the whole population is replaced.
const CHURNS: u32 = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => {
            for population in [["5000", "50"], ["100000", "20"]] {
                let status = Command::new(std::env::current_exe()?).args(population).status()?;
                if !status.success() {
                    return Err(format!("{population:?} ended with {status}").into());
                }
            }
            Ok(())
        }
        [hosts, tasks] => measure(hosts.parse()?, tasks.parse()?),
        _ => Err("state_mem [HOSTS TASKS_PER_HOST]".into()),
    }
}

fn measure(hosts: u32, tasks_per_host: u32) -> Outcome<()> {
    let tasks = u64::from(hosts) * u64::from(tasks_per_host);
    let mut life = Life { fleet: Fleet::new(Policy::default()), now: Timestamp::constant(1_790_928_000, 0), due: None };
    let empty = usage::resident_bytes()?;
    for host in 0..hosts {
        life.host(host, 0, InstanceStatus::Active);
    }
    let with_hosts = usage::resident_bytes()?;
    for host in 0..hosts {
        life.tasks(host, 0, tasks_per_host, TaskStatus::Running);
    }
    let full = usage::resident_bytes()?;

    for generation in 0..CHURNS {
        for host in 0..hosts {
            // The old host's tasks stop, it deregisters, and its successor comes with tasks of its own.
            life.tasks(host, generation, tasks_per_host, TaskStatus::Stopped);
            life.host(host, generation, InstanceStatus::Inactive);
            life.host(host, generation + 1, InstanceStatus::Active);
            life.tasks(host, generation + 1, tasks_per_host, TaskStatus::Running);
        }
    }
    life.rest();
    let churned = usage::resident_bytes()?;
    let counts = life.fleet.counts(life.now);
    // Last, since what it needs for a moment would otherwise be taken for growth.
    let (saved, save_secs) = timed(|| snapshot::save(&life.fleet));
    let (restored, load_secs) = timed(|| snapshot::load(&saved, Policy::default()));
    let same = snapshot::save(&restored?) == saved;
    let snapshot_bytes = saved.len();
    drop(saved);
    let grown = |after: u64, before: u64| after.saturating_sub(before) as f64;
    println!(
        "{}",
        serde_json::json!({
            "hosts": hosts,
            "tasks": tasks,
            "empty_rss_bytes": empty,
            "full_rss_bytes": full,
            "bytes_per_host": (grown(with_hosts, empty) / f64::from(hosts)).round(),
            "bytes_per_task": (grown(full, with_hosts) / tasks as f64).round(),
            "bytes_per_host_with_its_tasks": (grown(full, empty) / f64::from(hosts)).round(),
            "churned_populations": CHURNS,
            "churned_rss_bytes": churned,
            "churn_growth_percent": (10_000.0 * (churned as f64 - full as f64) / grown(full, empty)).round() / 100.0,
            "snapshot_bytes": snapshot_bytes,
            "snapshot_save_secs": save_secs,
            "snapshot_load_secs": load_secs,
            "snapshot_of_the_restored_is_the_same": same,
            "counts_after_churn": serde_json::to_value(&counts)?,
        })
    );
    black_box(&life.fleet);
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed().as_secs_f64())
}

/// A fleet and the time that passes over it.
struct Life {
    fleet: Fleet,
    now: Timestamp,
    due: Option<Timestamp>,
}

impl Life {
    fn observe(&mut self, fact: Fact<'_>) {
        self.now += SignedDuration::from_millis(5);
        let input = Input::Observed(Observation { at: self.now, source: Source::Event, fact });
        let effects = step(&mut self.fleet, self.now, &input);
        self.heed(effects);
    }

    fn heed(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::WakeAt(at) = effect {
                self.due = Some(self.due.map_or(at, |due| due.min(at)));
            }
        }
    }

    /// A day in which nothing happens but deadlines.
    fn rest(&mut self) {
        let morning = self.now + SignedDuration::from_hours(24);
        while self.now < morning {
            self.now += SignedDuration::from_mins(1);
            let effects = step(&mut self.fleet, self.now, &Input::Ticked);
            self.heed(effects);
        }
    }

    fn host(&mut self, host: u32, generation: u32, status: InstanceStatus) {
        let number = host + generation * 1_000_000;
        let (arn, machine) = (host_arn(host, number), corpus::machine_id(number));
        let cluster = corpus::cluster_arn(host);
        let text = |text: &'static str| Some(Text::Borrowed(text));
        let last = status == InstanceStatus::Inactive;
        self.observe(Fact::Instance(InstanceFact {
            ec2_instance_id: Some(machine.into()),
            version: Some(if last { 2 } else { 1 }),
            agent_connected: Some(!last),
            agent_version: text("1.105.1"),
            running_tasks: Some(0),
            pending_tasks: Some(0),
            registered_at: Some(Timestamp::constant(1_790_000_000, 0)),
            attributes: Attributes::Known(Box::new(HostAttributes {
                zone: text(["eu-central-1a", "eu-central-1b", "eu-central-1c"][(host % 3) as usize]),
                instance_type: text("m6i.2xlarge"),
                ami: text("ami-0c1d2e3f4a5b6c7d8"),
                subnet: text("subnet-0aa11bb22cc33dd44"),
                os_type: text("linux"),
                external: false,
                trunk: true,
                marks: Vec::new(),
                others: Vec::new(),
            })),
            ..InstanceFact::bare(arn, cluster, status)
        }));
    }

    fn tasks(&mut self, host: u32, generation: u32, count: u32, status: TaskStatus) {
        let running = status == TaskStatus::Running;
        let text = |text: &'static str| Some(Text::Borrowed(text));
        for slot in 0..count {
            let service = (host + slot) % 200;
            self.observe(Fact::Task(TaskFact {
                arn: corpus::task_arn(host, slot, generation).into(),
                cluster: corpus::cluster_arn(host).into(),
                instance: Some(host_arn(host, host + generation * 1_000_000).into()),
                version: Some(if running { 1 } else { 2 }),
                last_status: status,
                desired_running: running,
                group: Some(format!("service:web-{service}").into()),
                definition: Some(
                    format!("arn:aws:ecs:eu-central-1:210987654321:task-definition/web-{service}:{}", generation + 1)
                        .into(),
                ),
                awsvpc: true,
                connected: Some(true),
                started_at: Some(self.now),
                stop_code: if running { None } else { text("ServiceSchedulerInitiated") },
                stopped_reason: if running {
                    None
                } else {
                    text("Scaling activity initiated by (deployment ecs-svc/7)")
                },
            }));
        }
    }
}

/// The ARN of a host and its successors, all in the first one's cluster.
fn host_arn(host: u32, number: u32) -> String {
    format!(
        "arn:aws:ecs:eu-central-1:210987654321:container-instance/{}/{}",
        corpus::cluster_name(host),
        corpus::hex_id(1, u64::from(number))
    )
}
