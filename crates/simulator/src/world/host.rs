//! A container instance: what the ECS control plane says of one registration of a machine.

use super::id::{ClusterId, MachineId, Symbol};
use crate::clock::Moment;

/// A container instance. The truth about the machine and its agent stands in [`Machine`](super::machine::Machine); this
/// is what ECS believes and tells.
#[derive(Clone, Debug)]
pub struct Host {
    /// The machine it stands for.
    pub machine: MachineId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// What ECS says now.
    pub said: HostState,
    /// `registeredAt`.
    pub registered_at: Moment,
    /// `statusReason`, with REGISTRATION_FAILED.
    pub status_reason: Option<Symbol>,
    /// The host has a trunk interface: `ecs.awsvpc-trunk-id`.
    pub trunk: bool,
    /// AGENT_CONNECTIVITY.
    pub connectivity: Check,
    /// CONTAINER_RUNTIME.
    pub runtime: Check,
    /// Since when ECS has called the agent disconnected; `None` while it is connected.
    pub away_since: Option<Moment>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// Attributes of its own: from its agent's configuration or from PutAttributes.
    pub attributes: Vec<(String, Option<String>)>,
    /// Version at which the agent was last seen leaving.
    pub(crate) away_version: u32,
    /// Tasks here that are on their way to somewhere.
    pub(crate) unsettled: u16,
    /// First of its tasks, stopped ones included: a chain through [`Task::next_on_host`](super::service::Task).
    pub(crate) first_task: u32,
}

/// What ECS says of a container instance at a version. Small and `Copy`: it travels with every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostState {
    /// Per-ARN counter, from 1.
    pub version: u32,
    /// Status.
    pub status: HostStatus,
    /// `agentConnected`.
    pub connected: bool,
    /// `runningTasksCount`.
    pub running: u16,
    /// `pendingTasksCount`.
    pub pending: u16,
    /// Task ENIs in use; ECS does not tell it, the scheduler counts it.
    pub enis: u16,
    /// GPUs in use, one bit each.
    pub gpus_taken: u16,
    /// Number of the set of ports that tasks have taken; 0: none.
    pub(crate) ports: u32,
    /// CPU units left.
    pub cpu_left: i32,
    /// MiB left.
    pub memory_left: i32,
    /// `updatedAt`.
    pub updated_at: Moment,
}

/// Status of a container instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum HostStatus {
    Registering,
    RegistrationFailed,
    Active,
    Draining,
    Deregistering,
    Inactive,
}

impl HostStatus {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Registering => "REGISTERING",
            Self::RegistrationFailed => "REGISTRATION_FAILED",
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Deregistering => "DEREGISTERING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// One health check of ECS on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// Status.
    pub status: CheckStatus,
    /// `lastStatusChange`.
    pub changed_at: Moment,
    /// `lastUpdated`, where it does not simply go on with the time: it freezes when the agent is away.
    pub frozen_at: Option<Moment>,
}

/// Which check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum CheckKind {
    AgentConnectivity,
    ContainerRuntime,
}

impl CheckKind {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::AgentConnectivity => "AGENT_CONNECTIVITY",
            Self::ContainerRuntime => "CONTAINER_RUNTIME",
        }
    }
}

/// Status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum CheckStatus {
    Ok,
    Impaired,
    InsufficientData,
    Initializing,
}

impl CheckStatus {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Impaired => "IMPAIRED",
            Self::InsufficientData => "INSUFFICIENT_DATA",
            Self::Initializing => "INITIALIZING",
        }
    }
}

impl Check {
    /// `lastUpdated` as of `now`: the check runs about twice a minute while the agent is connected (spec C.2).
    pub fn updated_at(&self, now: Moment) -> Moment {
        match self.frozen_at {
            Some(frozen) => frozen,
            None => Moment(now.0 - now.0.rem_euclid(30_000)).max(self.changed_at),
        }
    }
}
