//! `"Type":"Cluster"`: how much runs in a cluster.

use super::{
    Line,
    directive::{Author, Directive},
    object::Object,
    performance_group,
};
use crate::event::Event;

/// A cluster at a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRecord {
    /// Name of the cluster.
    pub cluster: String,
    /// The minute, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Tasks that run.
    pub running_tasks: u64,
    /// Registered EC2 hosts that run at least one task: AWS counts no others.
    pub hosts_with_tasks: u64,
    /// Services.
    pub services: u64,
}

impl ClusterRecord {
    /// Its log stream.
    pub fn stream(&self) -> String {
        format!("ClusterTelemetry-{}", self.cluster)
    }

    /// Its text.
    pub fn text(&self) -> String {
        let count = Some("Count");
        let metrics = vec![("TaskCount", count), ("ContainerInstanceCount", count), ("ServiceCount", count)];
        let directive = Directive { author: Author::Ecs, metrics, sets: vec![vec!["ClusterName"]] };
        let mut object = Object::new();
        object
            .member("Version", "0")
            .member("Type", "Cluster")
            .member("ClusterName", &self.cluster)
            .member("Timestamp", &self.timestamp_ms)
            .member("TaskCount", &self.running_tasks)
            .member("ContainerInstanceCount", &self.hosts_with_tasks)
            .member("ServiceCount", &self.services)
            .member("CloudWatchMetrics", &[directive]);
        object.finish()
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self) -> Line {
        let event = Event { timestamp_ms: self.timestamp_ms, message: self.text() };
        Line { group: performance_group(&self.cluster), stream: self.stream(), event }
    }
}
