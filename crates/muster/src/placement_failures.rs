//! What EventBridge told of tasks that could not be placed, as the journal holds it.

use engine::{journal::JournalReader, ports::JournalError};
use fleet::{input::Input, journal::Body, observation::Fact};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::case_file::before;

/// How far back is looked, in hours: ECS tells the same again and again for as long as it holds.
pub const HOURS: i64 = 6;

/// So many are kept, the newest.
const MOST: usize = 20;

/// A placement failure that was heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementFailure {
    /// When it happened.
    pub at: Timestamp,
    /// Cluster ARN.
    pub cluster: String,
    /// Service ARN.
    pub service: String,
    /// `RESOURCE:ENI`, `AGENT`, …: as written; empty when ECS gave none.
    pub reason: String,
    /// The container instances that came closest.
    pub hosts: Vec<String>,
}

/// Those of services of this name, in clusters of this name where one is given: the newest first.
///
/// # Errors
/// When the journal cannot be read.
pub fn read(
    reader: &JournalReader,
    cluster: Option<&str>,
    service: &str,
) -> Result<Vec<PlacementFailure>, JournalError> {
    let mut newest = None;
    reader.read(reader.last_seq()?.saturating_sub(1), &mut |entry| {
        newest = Some(entry.at);
        true
    })?;
    let Some(newest) = newest else { return Ok(Vec::new()) };
    let from = before(reader, newest.checked_sub(SignedDuration::from_hours(HOURS)).unwrap_or(newest))?;
    let mut found = std::collections::VecDeque::new();
    reader.read(from, &mut |entry| {
        if let Body::Input(Input::Observed(observation)) = &entry.body
            && let Fact::ServiceAction(fact) = &observation.fact
            && fact.name == "SERVICE_TASK_PLACEMENT_FAILURE"
            && is_called(&fact.service, service)
            && cluster.is_none_or(|cluster| is_called(&fact.cluster, cluster))
        {
            found.push_front(PlacementFailure {
                at: observation.at,
                cluster: fact.cluster.to_string(),
                service: fact.service.to_string(),
                reason: fact.reason.as_deref().unwrap_or_default().to_owned(),
                hosts: fact.hosts.iter().map(ToString::to_string).collect(),
            });
            found.truncate(MOST);
        }
        true
    })?;
    Ok(found.into())
}

/// By its ARN or the last part of that.
fn is_called(arn: &str, name: &str) -> bool {
    arn == name || arn.rsplit('/').next() == Some(name)
}
