//! Making records of Container Insights: once a minute, of the fleet that muster watches, into its own logs.
//!
//! Counts are always told, also of services and clusters in which nothing runs (`aws_exact` tells them as AWS does). What tasks use
//! is told by their hosts alone; without one that does, their records say what is reserved and no more.
//!
//! | to learn | read |
//! |---|---|
//! | out of what ECS says | [`read`] |
//! | into the logs, each record once | [`sender`] |
//! | muster's own journal | [`journal`] |
//! | what the event queue tells of hosts, tasks and services | [`lifecycle`] |
//! | what the containers of a pretend account use | [`pretend`] |

mod batch;
pub mod journal;
pub mod lifecycle;
mod made;
pub mod pretend;
pub mod read;
pub mod sender;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aws::AwsCloud;
use engine::Handle;
use fleet::{
    census::{ClusterCensus, HostCensus},
    id::Arn,
};
use jiff::Timestamp;
use serde_json::Value;
use telemetry::record::{Detail, Line, cluster::ClusterRecord};
use tokio_util::sync::CancellationToken;

use crate::logs::port::Logs;
use read::TaskFacts;
use sender::Sender;

/// How the producer works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From one record to the next, in seconds.
    pub interval_secs: u32,
    /// How much is told.
    pub detail: Detail,
    /// Nothing is told of what has no running task.
    pub aws_exact: bool,
    /// Days that the records' groups are kept for.
    pub retention_days: u32,
}

/// Makes records until it is stopped.
pub struct Producer {
    settings: Settings,
    cloud: Arc<AwsCloud>,
    sender: Sender,
    /// What ECS said of tasks, by their ARNs. It does not change while a task lives.
    tasks: BTreeMap<String, Arc<TaskFacts>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer that has made nothing yet.
    pub fn new(settings: Settings, cloud: Arc<AwsCloud>, logs: Arc<dyn Logs>) -> Self {
        let sender = Sender::new(logs, settings.retention_days);
        Self { settings, cloud, sender, tasks: BTreeMap::new() }
    }

    /// Makes records: of the present interval as soon as the first sweep has ended, and then of each.
    pub async fn run(mut self, handle: Handle, stop: CancellationToken) {
        let interval_ms = i64::from(self.settings.interval_secs) * 1_000;
        let mut told_ms = i64::MIN;
        loop {
            let now_ms = Timestamp::now().as_millisecond();
            let due_ms = now_ms - now_ms.rem_euclid(interval_ms);
            if due_ms > told_ms && handle.status().last_sweep_at.is_some() {
                let Ok(census) = handle.ask(|fleet, _| fleet.census()).await else { return };
                tokio::select! {
                    () = stop.cancelled() => return,
                    // Tasks are told from the second time on: hosts that tell of theirs have been heard by then.
                    () = self.tell(&census, due_ms, told_ms != i64::MIN) => told_ms = due_ms,
                }
            }
            let now_ms = Timestamp::now().as_millisecond();
            let left_ms = interval_ms - now_ms.rem_euclid(interval_ms);
            // Until the first sweep has ended it is looked again soon.
            let pause_ms = if told_ms == i64::MIN { left_ms.min(250) } else { left_ms };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(u64::try_from(pause_ms).unwrap_or(0))) => {}
            }
        }
    }

    /// Makes the records of one moment: of clusters and services, and of tasks if `tasks`.
    pub async fn tell(&mut self, census: &[ClusterCensus], timestamp_ms: i64, tasks: bool) {
        // All at once: clusters of one name in two accounts share a log, and what is in a stream already is not put again.
        let mut lines = Vec::new();
        for cluster in census {
            lines.extend(self.lines(cluster, timestamp_ms).await);
            if tasks {
                lines.extend(self.task_lines(cluster, timestamp_ms).await);
            }
        }
        self.sender.send(lines, Timestamp::now().as_millisecond()).await;
        let alive: BTreeSet<&str> =
            census.iter().flat_map(|cluster| &cluster.tasks).map(|task| task.arn.as_str()).collect();
        self.tasks.retain(|arn, _| alive.contains(arn.as_str()));
    }

    /// The records of one cluster and its services.
    async fn lines(&self, cluster: &ClusterCensus, timestamp_ms: i64) -> Vec<Line> {
        let name = Arn::parse(&cluster.arn).map_or(cluster.arn.as_str(), |arn| arn.last()).to_owned();
        let services = match self.cloud.services_of(&cluster.arn).await {
            Ok(services) => Some(services),
            Err(error) => {
                tracing::warn!(why = error.why, cluster = name, "no records of services this time");
                None
            }
        };
        let running = match self.cloud.running_tasks(&cluster.arn).await {
            Ok(running) => running,
            Err(error) => {
                tracing::warn!(why = error.why, cluster = name, "running tasks are counted by what is believed");
                cluster.tasks.len() as u64
            }
        };
        let mut lines = Vec::new();
        if let Some(services) = &services
            && (running > 0 || !self.settings.aws_exact)
        {
            let record = ClusterRecord {
                cluster: name.clone(),
                timestamp_ms,
                running_tasks: running,
                hosts_with_tasks: cluster.hosts.iter().filter(|host| host.running_tasks > 0).count() as u64,
                services: services.len() as u64,
            };
            lines.push(record.line());
        }
        for service in services.iter().flatten() {
            match read::service(service, &name, timestamp_ms) {
                Some(record) if record.running_tasks > 0 || !self.settings.aws_exact => lines.push(record.line()),
                Some(_) => {}
                None => tracing::warn!(cluster = name, "ECS described a service without a name; it has no record"),
            }
        }
        lines
    }

    async fn task_lines(&mut self, cluster: &ClusterCensus, timestamp_ms: i64) -> Vec<Line> {
        let unknown = |arn: &&String| !self.tasks.contains_key(*arn);
        let new: Vec<String> = cluster.tasks.iter().map(|task| &task.arn).filter(unknown).cloned().collect();
        match self.cloud.tasks_of(&cluster.arn, &new).await {
            Ok(found) => {
                let facts = found.iter().filter_map(|task: &Value| TaskFacts::read(task));
                self.tasks.extend(facts.map(|facts| (facts.arn.clone(), Arc::new(facts))));
            }
            Err(error) => {
                tracing::warn!(why = error.why, cluster = cluster.arn, "no records of new tasks this time");
            }
        }
        let hosts: BTreeMap<&str, &HostCensus> = cluster.hosts.iter().map(|host| (host.arn.as_str(), host)).collect();
        cluster
            .tasks
            .iter()
            .filter_map(|task| {
                let facts = self.tasks.get(&task.arn)?;
                let host = task.host.as_deref().and_then(|arn| hosts.get(arn).copied());
                Some(facts.record(host, timestamp_ms).line(self.settings.detail))
            })
            .collect()
    }
}
