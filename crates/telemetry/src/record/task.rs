//! `"Type":"Task"`: one task, what it uses and what it has reserved.

use super::{
    Detail, Line, agent_stream,
    directive::{self, Author, Directive, Metric},
    fargate_stream,
    object::Object,
    performance_group,
    usage::{Usage, percent},
};
use crate::event::Event;

/// What a task and its containers are known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskIdentity {
    /// The task's id, without the rest of its ARN.
    pub task: String,
    /// Family of its definition.
    pub family: String,
    /// Revision of its definition; a text in AWS's records too.
    pub revision: String,
    /// The service that it belongs to; `None` for one that was run by itself.
    pub service: Option<String>,
    /// Id of the container instance, on EC2.
    pub container_instance: Option<String>,
    /// `i-…`, on EC2.
    pub ec2_instance: Option<String>,
    /// Name of its cluster.
    pub cluster: String,
}

impl TaskIdentity {
    pub(super) fn write(&self, object: &mut Object) {
        object
            .member("TaskId", &self.task)
            .member("TaskDefinitionFamily", &self.family)
            .member("TaskDefinitionRevision", &self.revision)
            .maybe("ServiceName", self.service.as_ref())
            .maybe("ContainerInstanceId", self.container_instance.as_ref())
            .maybe("EC2InstanceId", self.ec2_instance.as_ref())
            .member("ClusterName", &self.cluster);
    }

    /// The log stream of its records and of those of its containers.
    pub fn stream(&self) -> String {
        self.container_instance.as_deref().map_or_else(|| fargate_stream(&self.task), agent_stream)
    }

    /// Those of `sets` that this task has every dimension of.
    pub(super) fn sets<'a>(&self, sets: &[&[&'a str]]) -> Vec<Vec<&'a str>> {
        let has = |set: &&&[&str]| self.service.is_some() || !set.contains(&"ServiceName");
        sets.iter().filter(has).map(|set| set.to_vec()).collect()
    }
}

/// One task at a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskRecord {
    /// Who it is.
    pub identity: TaskIdentity,
    /// Account of 12 digits.
    pub account: String,
    /// Region.
    pub region: String,
    /// Availability zone.
    pub zone: Option<String>,
    /// `lastStatus`, such as `RUNNING`.
    pub status: String,
    /// `EC2`, `FARGATE`, `EXTERNAL`, ….
    pub launch_type: String,
    /// When its images began to be pulled, in milliseconds since 1970; so the other three.
    pub pull_started_ms: Option<i64>,
    /// When its images were there.
    pub pull_stopped_ms: Option<i64>,
    /// When it was asked for.
    pub created_ms: Option<i64>,
    /// When it started.
    pub started_ms: Option<i64>,
    /// The minute, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What it uses and has reserved.
    pub usage: Usage,
    /// Ephemeral storage of Fargate, in GB.
    pub ephemeral: Option<Room>,
    /// The managed EBS volume, in GB.
    pub ebs: Option<Room>,
    /// How often containers with a restart policy have been restarted.
    pub restarts: Option<u64>,
}

/// Storage of which a part is used, in GB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// Used.
    pub used_gb: f64,
    /// All of it.
    pub size_gb: f64,
}

const C: &str = "ClusterName";
const S: &str = "ServiceName";
const F: &str = "TaskDefinitionFamily";
const T: &str = "TaskId";

/// Sets of the metrics that every detail has.
const STANDARD: [&[&str]; 3] = [&[C], &[S, C], &[C, F]];
/// The same and those of single tasks.
pub(super) const ENHANCED: [&[&str]; 5] = [&[C], &[S, C], &[C, F], &[C, S, T], &[C, F, T]];

impl TaskRecord {
    /// Its text.
    pub fn text(&self, detail: Detail) -> String {
        let mut object = Object::new();
        object.member("Version", "0").member("Type", "Task");
        self.identity.write(&mut object);
        object
            .member("AccountID", &self.account)
            .member("Region", &self.region)
            .maybe("AvailabilityZone", self.zone.as_ref())
            .member("KnownStatus", &self.status)
            .member("LaunchType", &self.launch_type)
            .maybe("PullStartedAt", self.pull_started_ms)
            .maybe("PullStoppedAt", self.pull_stopped_ms)
            .maybe("CreatedAt", self.created_ms)
            .maybe("StartedAt", self.started_ms)
            .member("Timestamp", &self.timestamp_ms);
        self.usage.write(&mut object);
        let mut metrics = self.usage.metrics();
        for (room, used, size) in [
            (self.ephemeral, "EphemeralStorageUtilized", "EphemeralStorageReserved"),
            (self.ebs, "EBSFilesystemUtilized", "EBSFilesystemSize"),
        ] {
            if let Some(room) = room {
                object.member(used, &room.used_gb).member(size, &room.size_gb);
                metrics.extend([(used, Some("Gigabytes")), (size, Some("Gigabytes"))]);
            }
        }
        if detail == Detail::Enhanced {
            metrics.extend(self.write_shares(&mut object));
        }
        if let Some(restarts) = self.restarts {
            object.member("RestartCount", &restarts);
            metrics.push(("RestartCount", Some("Count")));
        }
        let sets: &[&[&str]] = if detail == Detail::Enhanced { &ENHANCED } else { &STANDARD };
        let directive = Directive { author: Author::Ecs, metrics, sets: self.identity.sets(sets) };
        let directives = directive::of([directive]);
        if !directives.is_empty() {
            object.member("CloudWatchMetrics", &directives);
        }
        object.finish()
    }

    /// The percentages that enhanced records have, as far as they are known.
    fn write_shares(&self, object: &mut Object) -> Vec<Metric> {
        let share = |room: Option<Room>| percent(room.map(|room| room.used_gb), room.map(|room| room.size_gb));
        let shares = [
            ("TaskCpuUtilization", self.usage.cpu_percent()),
            ("TaskMemoryUtilization", self.usage.memory_percent()),
            ("TaskEphemeralStorageUtilization", share(self.ephemeral)),
            ("TaskEBSFilesystemUtilization", share(self.ebs)),
        ];
        let known = shares.into_iter().filter_map(|(name, share)| share.map(|share| (name, share)));
        let mut metrics = Vec::new();
        for (name, share) in known {
            object.member(name, &share);
            metrics.push((name, Some("Percent")));
        }
        metrics
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self, detail: Detail) -> Line {
        let event = Event { timestamp_ms: self.timestamp_ms, message: self.text(detail) };
        Line { group: performance_group(&self.identity.cluster), stream: self.identity.stream(), event }
    }
}
