//! What changed in the world, as somebody outside may hear of it. The state travels along, so that an event that is
//! late still says what was true when it was sent.

use super::{
    host::{CheckKind, CheckStatus, HostState},
    id::{GroupId, HostId, MachineId, PlaceId, ServiceId, TaskId},
    machine::MachineState,
    service::{Rollout, Task},
};
use crate::clock::Moment;

/// One change.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// When it happened.
    pub at: Moment,
    /// Number of the change, from 1: its event's id is made of it.
    pub serial: u64,
    /// Where it happened.
    pub place: PlaceId,
    /// What happened.
    pub what: What,
}

/// Kinds of change, one for each kind of event.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// ECS Container Instance State Change.
    Host {
        /// Whose.
        host: HostId,
        /// What ECS says from now on.
        state: HostState,
    },
    /// ECS Container Instance Health Change.
    Health {
        /// Whose.
        host: HostId,
        /// Which check.
        check: CheckKind,
        /// Its new status.
        status: CheckStatus,
        /// Since when the trouble exists; for the reason's text.
        since: Moment,
    },
    /// ECS Task State Change.
    Task {
        /// Whose.
        task: TaskId,
        /// The task as it is from now on.
        now: Task,
    },
    /// ECS Service Action.
    Service {
        /// Whose.
        service: ServiceId,
        /// What.
        action: ServiceAction,
        /// The hosts that came closest, with a failed placement.
        closest: Closest,
    },
    /// ECS Deployment State Change.
    Deployment {
        /// Whose.
        service: ServiceId,
        /// Digits of `ecs-svc/DIGITS`.
        deployment: u64,
        /// New state.
        rollout: Rollout,
    },
    /// EC2 Instance State-change Notification.
    Machine {
        /// Whose.
        machine: MachineId,
        /// New state.
        state: MachineState,
    },
    /// EC2 Spot Instance Interruption Warning: about two minutes from now.
    SpotWarning {
        /// Whose.
        machine: MachineId,
    },
    /// EC2 Instance Rebalance Recommendation.
    Rebalance {
        /// Whose.
        machine: MachineId,
    },
    /// Auto Scaling lifecycle action, or the end of a launch or termination.
    Lifecycle {
        /// Which machine.
        machine: MachineId,
        /// Of which group.
        group: GroupId,
        /// What.
        stage: Stage,
    },
    /// EC2 Instance Launch Unsuccessful.
    LaunchFailed {
        /// Of which group.
        group: GroupId,
    },
    /// An event of a kind that nobody knows yet.
    Novelty {
        /// About this host.
        host: HostId,
    },
}

/// The hosts that came closest to taking a task: at most three, the first one named in the service's own events.
pub type Closest = [Option<HostId>; 3];

/// Kinds of service action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceAction {
    /// SERVICE_STEADY_STATE.
    SteadyState,
    /// SERVICE_TASK_PLACEMENT_FAILURE, with its reason.
    PlacementFailure(PlacementFailure),
}

/// Reason of a failed placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "AWS's own words")]
pub enum PlacementFailure {
    Cpu,
    Memory,
    Ports,
    Gpu,
    Eni,
    Agent,
    Attribute,
    Location,
    MemberOf,
    DistinctInstance,
    NoActiveInstances,
    EmptyCapacityProvider,
}

impl PlacementFailure {
    /// As in the event's `reason`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
            Self::Ports => "RESOURCE:PORTS",
            Self::Gpu => "RESOURCE:GPU",
            Self::Eni => "RESOURCE:ENI",
            Self::Agent => "AGENT",
            Self::Attribute => "ATTRIBUTE",
            Self::Location => "LOCATION",
            Self::MemberOf => "MemberOf placement constraint unsatisfied",
            Self::DistinctInstance => "DistinctInstance placement constraint unsatisfied",
            Self::NoActiveInstances => "NO ACTIVE INSTANCES",
            Self::EmptyCapacityProvider => "EMPTY CAPACITY PROVIDER",
        }
    }
}

/// Stage of a machine on its way into or out of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Launch lifecycle action.
    Launching,
    /// Launch Successful.
    Launched,
    /// Terminate lifecycle action.
    Terminating,
    /// Terminate Successful.
    Terminated,
}

/// A change of the truth about a machine: what judges compare with. Nobody else hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// When.
    pub at: Moment,
    /// Whose.
    pub machine: MachineId,
    /// Its registration at that moment.
    pub host: Option<HostId>,
    /// Whether all is well with it, from now on.
    pub healthy: bool,
    /// Whether the ECS control plane can hear its agent, from now on.
    pub reachable: bool,
}
