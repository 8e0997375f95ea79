//! `"Type":"Service"`: how many tasks a service wants and has.

use super::{
    Line,
    directive::{Author, Directive},
    object::Object,
    performance_group,
};
use crate::event::Event;

/// A service at a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Name of the service; of a managed daemon `daemon:NAME`.
    pub service: String,
    /// Name of its cluster.
    pub cluster: String,
    /// The minute, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Tasks that it wants.
    pub desired_tasks: u64,
    /// Its tasks in RUNNING.
    pub running_tasks: u64,
    /// Its tasks in PENDING.
    pub pending_tasks: u64,
    /// Its deployments.
    pub deployments: u64,
    /// Its task sets: none, unless somebody else's controller deploys it.
    pub task_sets: u64,
}

impl ServiceRecord {
    /// Its log stream.
    pub fn stream(&self) -> String {
        format!("ServiceTelemetry-{}", self.service)
    }

    /// Its text.
    pub fn text(&self) -> String {
        let counts = [
            ("DesiredTaskCount", self.desired_tasks),
            ("RunningTaskCount", self.running_tasks),
            ("PendingTaskCount", self.pending_tasks),
            ("DeploymentCount", self.deployments),
            ("TaskSetCount", self.task_sets),
        ];
        let directive = Directive {
            author: Author::Ecs,
            metrics: counts.iter().map(|(name, _)| (*name, Some("Count"))).collect(),
            sets: vec![vec!["ServiceName", "ClusterName"]],
        };
        let mut object = Object::new();
        object
            .member("Version", "0")
            .member("Type", "Service")
            .member("ServiceName", &self.service)
            .member("ClusterName", &self.cluster)
            .member("Timestamp", &self.timestamp_ms);
        for (name, count) in counts {
            object.member(name, &count);
        }
        object.member("CloudWatchMetrics", &[directive]);
        object.finish()
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self) -> Line {
        let event = Event { timestamp_ms: self.timestamp_ms, message: self.text() };
        Line { group: performance_group(&self.cluster), stream: self.stream(), event }
    }
}
