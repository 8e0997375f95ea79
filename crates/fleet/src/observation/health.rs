//! ECS's own health checks of a container instance (spec A.10, C.2).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Text;

/// ECS Container Instance Health Change, or `healthStatus` of a Describe. The list may hold only the check that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthFact<'a> {
    /// Container instance ARN.
    #[serde(borrow)]
    pub arn: Text<'a>,
    /// Cluster ARN.
    #[serde(borrow)]
    pub cluster: Text<'a>,
    /// `i-…` or `mi-…`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub ec2_instance_id: Option<Text<'a>>,
    /// The checks.
    #[serde(borrow)]
    pub checks: Vec<HealthCheck<'a>>,
}

/// One check. Unversioned: ordered by `last_status_change`, then `last_updated`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck<'a> {
    /// `AGENT_CONNECTIVITY`, `CONTAINER_RUNTIME`, `ACCELERATED_COMPUTE`, `DAEMON`, or a newer one.
    #[serde(borrow)]
    pub kind: Text<'a>,
    /// Status.
    pub status: CheckStatus,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_status_change: Option<Timestamp>,
    /// When the check last ran. An old one is stale evidence: the report travels over the agent's own connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_updated: Option<Timestamp>,
    /// Free text.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Text<'a>>,
}

/// Status of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum CheckStatus {
    /// Passed.
    Ok,
    /// Failed.
    Impaired,
    /// Not enough data.
    InsufficientData,
    /// Not run yet.
    Initializing,
    /// A value this version of muster does not know.
    Other,
}

impl CheckStatus {
    /// Reads the API's spelling.
    pub fn parse(text: &str) -> Self {
        match text {
            "OK" => Self::Ok,
            "IMPAIRED" => Self::Impaired,
            "INSUFFICIENT_DATA" => Self::InsufficientData,
            "INITIALIZING" => Self::Initializing,
            _ => Self::Other,
        }
    }
}
