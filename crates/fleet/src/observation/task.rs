//! A task as ECS tells it (spec A.6).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Text;

/// ECS Task State Change, or one element of DescribeTasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFact<'a> {
    /// Task ARN.
    #[serde(borrow)]
    pub arn: Text<'a>,
    /// Cluster ARN.
    #[serde(borrow)]
    pub cluster: Text<'a>,
    /// Container instance ARN; absent on Fargate and before placement.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub instance: Option<Text<'a>>,
    /// Per-ARN counter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<i64>,
    /// `lastStatus`.
    pub last_status: TaskStatus,
    /// `desiredStatus` is RUNNING.
    pub desired_running: bool,
    /// `service:NAME` or `family:NAME`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub group: Option<Text<'a>>,
    /// Task definition ARN.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub definition: Option<Text<'a>>,
    /// It has, or had, a network interface of its own: network mode `awsvpc`.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub awsvpc: bool,
    /// `connectivity` is CONNECTED; a task keeps its last known value while its agent is away.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connected: Option<bool>,
    /// `startedAt`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_at: Option<Timestamp>,
    /// `stopCode`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub stop_code: Option<Text<'a>>,
    /// `stoppedReason`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub stopped_reason: Option<Text<'a>>,
}

/// `lastStatus` of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum TaskStatus {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
    Deleted,
    /// A value this version of muster does not know.
    Other,
}

impl TaskStatus {
    /// Reads the API's spelling.
    pub fn parse(text: &str) -> Self {
        match text {
            "PROVISIONING" => Self::Provisioning,
            "PENDING" => Self::Pending,
            "ACTIVATING" => Self::Activating,
            "RUNNING" => Self::Running,
            "DEACTIVATING" => Self::Deactivating,
            "STOPPING" => Self::Stopping,
            "DEPROVISIONING" => Self::Deprovisioning,
            "STOPPED" => Self::Stopped,
            "DELETED" => Self::Deleted,
            _ => Self::Other,
        }
    }

    /// The task is over: it holds nothing on its host any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Deleted)
    }
}
