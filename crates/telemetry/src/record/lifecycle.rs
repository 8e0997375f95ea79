//! Lifecycle events: what EventBridge says of hosts, tasks and services, kept as the console's *Lifecycle events* tab has it.

use jiff::Timestamp;
use serde_json::Value;

use super::Line;
use crate::event::Event;

/// The log stream of lifecycle events. AWS's rules write into streams with names of chance; one is enough here.
pub const STREAM: &str = "ecs-events";

/// Kinds of events that tell of a cluster's life.
const KINDS: [&str; 4] = [
    "ECS Container Instance State Change",
    "ECS Task State Change",
    "ECS Service Action",
    "ECS Deployment State Change",
];

/// The log group of a cluster's lifecycle events, by the cluster's name.
pub fn lifecycle_group(cluster: &str) -> String {
    format!("/aws/events/ecs/containerinsights/{cluster}/performance")
}

/// An EventBridge event as a line of its cluster's log, its text as it came. `None` when it is none of ECS, of no cluster, or
/// of no time.
pub fn line(text: &str) -> Option<Line> {
    let event: Value = serde_json::from_str(text).ok()?;
    let kind = event["detail-type"].as_str()?;
    if event["source"] != "aws.ecs" || !KINDS.contains(&kind) {
        return None;
    }
    let at: Timestamp = event["time"].as_str()?.parse().ok()?;
    let cluster = cluster_of(&event)?;
    let event = Event { timestamp_ms: at.as_millisecond(), message: text.trim().to_owned() };
    Some(Line { group: lifecycle_group(cluster), stream: STREAM.to_owned(), event })
}

/// The name of the cluster: from the detail, or (deployments) from the service's ARN.
fn cluster_of(event: &Value) -> Option<&str> {
    if let Some(arn) = event["detail"]["clusterArn"].as_str() {
        return arn.rsplit('/').next().filter(|name| !name.is_empty());
    }
    let resource = event["resources"].as_array()?.iter().find_map(|arn| arn.as_str()?.split_once(":service/"))?.1;
    resource.split_once('/').map(|(cluster, _)| cluster)
}
