//! Performance records: what Container Insights says each minute of clusters, services, tasks, containers and hosts.
//!
//! A record is one JSON object, its members in AWS's order, with the metrics that it carries named in it (embedded metric
//! format in its old form: `CloudWatchMetrics` and `Timestamp` at the root, `"Version":"0"`). What is not known is left out,
//! never null and never invented; a set of dimensions that needs it is left out as well.
//!
//! | to learn | read |
//! |---|---|
//! | counts | [`cluster`], [`service`] |
//! | what tasks and containers use and have reserved | [`task`], [`container`], [`usage`], [`reserved`] |
//! | what hosts tell of themselves | [`instance`], [`instance_fs`], [`instance_net`], [`instance_disk_io`] |
//! | what happened to hosts, tasks and services | [`lifecycle`] |
//! | the free metrics of `AWS/ECS`, by their formulas | [`vended`] |
//! | how a record is written | `object`, `directive` |

pub mod cluster;
pub mod container;
mod directive;
pub mod instance;
pub mod instance_disk_io;
pub mod instance_fs;
pub mod instance_net;
pub mod lifecycle;
mod object;
pub mod reserved;
pub mod service;
pub mod task;
#[cfg(test)]
mod tests;
pub mod usage;
pub mod vended;

use crate::event::Event;

/// The namespace of the metrics in records.
pub const NAMESPACE: &str = "ECS/ContainerInsights";

/// Records are made once in so many milliseconds, and stand on whole minutes.
pub const PERIOD_MS: i64 = 60_000;

/// How much is said (cluster setting `containerInsights`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// `enabled`: clusters, services and families.
    #[default]
    Standard,
    /// `enhanced`: each task and each container as well. AWS has not published its layout; ours keeps every standard member.
    Enhanced,
}

/// A record on its way into a log: where it belongs, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The log group.
    pub group: String,
    /// The log stream.
    pub stream: String,
    /// Its time and text.
    pub event: Event,
}

/// The log group of a cluster's performance records, by the cluster's name.
pub fn performance_group(cluster: &str) -> String {
    format!("/aws/ecs/containerinsights/{cluster}/performance")
}

/// The minute that a moment belongs to, in milliseconds since 1970.
pub fn minute_of(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(PERIOD_MS)
}

/// The log stream of tasks and containers on a host, by the id of the container instance.
pub fn agent_stream(container_instance_id: &str) -> String {
    format!("AgentTelemetry-{container_instance_id}")
}

/// The log stream of what a host tells of itself, by the id of the container instance.
pub fn node_stream(container_instance_id: &str) -> String {
    format!("NodeTelemetry-{container_instance_id}")
}

/// How many streams the tasks on Fargate are spread over.
const FARGATE_STREAMS: u32 = 8;

/// The log stream of a task on Fargate and its containers: always the same one for one task, by the task's id.
pub fn fargate_stream(task_id: &str) -> String {
    let sum = task_id.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("FargateTelemetry-{}", sum % FARGATE_STREAMS + 1)
}
