//! A container instance as ECS tells it (spec A.4, C.2).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Attributes, Gpus, HostPort, Resources, Text};

/// ECS Container Instance State Change, or one element of DescribeContainerInstances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceFact<'a> {
    /// Container instance ARN, long or short format.
    #[serde(borrow)]
    pub arn: Text<'a>,
    /// Cluster ARN. From the answer's request when a Describe does not say it.
    #[serde(borrow)]
    pub cluster: Text<'a>,
    /// `i-…` or `mi-…`; absent on a host that is still being made, or whose record is broken.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub ec2_instance_id: Option<Text<'a>>,
    /// Per-ARN counter; some imitations of AWS leave it out, which is read as "unversioned": newest `at` wins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<i64>,
    /// Status.
    pub status: InstanceStatus,
    /// `statusReason`, mostly with REGISTRATION_FAILED.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub status_reason: Option<Text<'a>>,
    /// `agentConnected`; `None` when the field was missing: nothing is concluded from that.
    pub agent_connected: Option<bool>,
    /// `versionInfo.agentVersion`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub agent_version: Option<Text<'a>>,
    /// `runningTasksCount`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub running_tasks: Option<u32>,
    /// `pendingTasksCount`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pending_tasks: Option<u32>,
    /// `registeredAt`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub registered_at: Option<Timestamp>,
    /// CPU and memory, when both are told whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resources: Option<Resources>,
    /// GPUs, where the host has any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gpus: Option<Gpus>,
    /// Ports that are taken, by tasks or reserved, in order; `None` when nothing is told of ports.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ports: Option<Vec<HostPort>>,
    /// `capacityProviderName`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub capacity_provider: Option<Text<'a>>,
    /// Attributes.
    #[serde(borrow, default)]
    pub attributes: Attributes<'a>,
}

impl<'a> InstanceFact<'a> {
    /// Whose fact it is, and the status: whatever else an event or an answer may tell is not told.
    pub fn bare(arn: impl Into<Text<'a>>, cluster: impl Into<Text<'a>>, status: InstanceStatus) -> Self {
        Self {
            arn: arn.into(),
            cluster: cluster.into(),
            ec2_instance_id: None,
            version: None,
            status,
            status_reason: None,
            agent_connected: None,
            agent_version: None,
            running_tasks: None,
            pending_tasks: None,
            registered_at: None,
            resources: None,
            gpus: None,
            ports: None,
            capacity_provider: None,
            attributes: Attributes::default(),
        }
    }
}

/// Container instance status. AWS may add values: those become `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum InstanceStatus {
    /// Trunk ENI is being made.
    Registering,
    /// Trunk ENI could not be made.
    RegistrationFailed,
    /// Takes tasks if its agent answers.
    Active,
    /// Takes no new tasks.
    Draining,
    /// Trunk ENI is being removed.
    Deregistering,
    /// Deregistered: no longer a host.
    Inactive,
    /// A value this version of muster does not know; evidence of nothing.
    Other,
}

impl InstanceStatus {
    /// Reads the API's spelling.
    pub fn parse(text: &str) -> Self {
        match text {
            "REGISTERING" => Self::Registering,
            "REGISTRATION_FAILED" => Self::RegistrationFailed,
            "ACTIVE" => Self::Active,
            "DRAINING" => Self::Draining,
            "DEREGISTERING" => Self::Deregistering,
            "INACTIVE" => Self::Inactive,
            _ => Self::Other,
        }
    }
}
