//! Services, task definitions and tasks.

use super::{
    id::{ClusterId, DefinitionId, HostId, PlaceId, ServiceId, Symbol, TaskId},
    placement::{Expression, HostPort, NetworkMode, Placement, Required},
};
use crate::clock::Moment;

/// A service (spec C.3).
#[derive(Clone, Debug)]
pub struct Service {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its name.
    pub name: String,
    /// REPLICA or DAEMON.
    pub strategy: Strategy,
    /// Wanted tasks; a daemon's follows its hosts.
    pub desired: u32,
    /// Task definition of the PRIMARY deployment.
    pub definition: DefinitionId,
    /// `minimumHealthyPercent`.
    pub minimum_healthy_percent: u32,
    /// `maximumPercent`.
    pub maximum_percent: u32,
    /// Tasks that are not over.
    pub tasks: Vec<TaskId>,
    /// Of those, RUNNING with desired status RUNNING.
    pub running: u32,
    /// Of those, on their way to RUNNING.
    pub pending: u32,
    /// The PRIMARY deployment.
    pub deployment: Deployment,
    /// When it was made.
    pub created_at: Moment,
    /// Newest first, at most 100.
    pub events: std::collections::VecDeque<ServiceMessage>,
    /// Its tasks are protected from scale-in: neither a drain nor a deployment stops them.
    pub protected: bool,
    /// How long a task stays DEACTIVATING: connections are let go, and the host is held meanwhile. 0: as other steps.
    pub deactivating_ms: i64,
    /// Share of its tasks that end by themselves within an hour and are replaced.
    pub churn_per_hour: f64,
    /// Where its tasks may go, and where they are best placed.
    pub placement: Placement,
    /// Tasks in a row that could not start: the next try waits the longer for it.
    pub(crate) failed_starts: u32,
    /// The last placement failed: not said again until solved or six hours later.
    pub(crate) placement_failed_at: Option<Moment>,
    /// A reconciliation is on the agenda.
    pub(crate) check_due: bool,
}

/// Scheduling strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Strategy {
    Replica,
    Daemon,
}

impl Strategy {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Replica => "REPLICA",
            Self::Daemon => "DAEMON",
        }
    }
}

/// A deployment of a service.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Digits of `ecs-svc/DIGITS`.
    pub id: u64,
    /// State.
    pub rollout: Rollout,
    /// When it began.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

/// State of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Rollout {
    InProgress,
    Completed,
    Failed,
}

impl Rollout {
    /// `IN_PROGRESS`, …: `rolloutState`, and the end of an event's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// A line of a service's event list.
#[derive(Clone, Debug)]
pub struct ServiceMessage {
    /// UUID.
    pub id: String,
    /// When.
    pub at: Moment,
    /// `(service api) has reached a steady state.`
    pub message: String,
}

/// A task definition revision.
#[derive(Clone, Debug, Default)]
pub struct TaskDefinition {
    /// Where.
    pub place: PlaceId,
    /// Family.
    pub family: String,
    /// Revision.
    pub revision: u32,
    /// CPU units.
    pub cpu: i32,
    /// MiB.
    pub memory_mib: i32,
    /// Network mode; with `awsvpc` a task takes an ENI.
    pub network: NetworkMode,
    /// Names of its containers; the first is essential.
    pub containers: Vec<String>,
    /// GPUs.
    pub gpus: u8,
    /// Ports that are taken on the host.
    pub ports: Vec<HostPort>,
    /// Attributes that a host must have, beside what `awsvpc` asks for.
    pub requires: Vec<Required>,
    /// `memberOf` constraints.
    pub constraints: Vec<Expression>,
    /// `operatingSystemFamily` of `runtimePlatform`; `None`: any.
    pub os_family: Option<String>,
    /// `cpuArchitecture` of `runtimePlatform`; `None`: any.
    pub architecture: Option<String>,
}

impl TaskDefinition {
    /// A task takes an ENI.
    pub fn awsvpc(&self) -> bool {
        self.network == NetworkMode::Awsvpc
    }
}

/// A task. The fields that a name, an address or an ENI would fill are derived from its id: see
/// [`World::eni`](super::World::eni). Small and `Copy`: it travels with every change.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Use of this slot; equals the id's while the task can be described.
    pub generation: u32,
    /// The slot holds a task that can be described.
    pub present: bool,
    /// What ECS says now.
    pub said: TaskState,
    /// Cluster.
    pub cluster: ClusterId,
    /// Its service; `None` for a standalone task.
    pub service: Option<ServiceId>,
    /// Task definition.
    pub definition: DefinitionId,
    /// Where it was placed.
    pub host: HostId,
    /// Group it was started in by RunTask; `None`: that of its service, or of its family.
    pub group: Option<Symbol>,
    /// GPUs it holds, one bit each.
    pub gpus: u16,
    /// Deployment that started it.
    pub deployment: u64,
    /// `createdAt`.
    pub created_at: Moment,
    /// `startedAt`.
    pub started_at: Option<Moment>,
    /// `stoppingAt`.
    pub stopping_at: Option<Moment>,
    /// `stoppedAt`.
    pub stopped_at: Option<Moment>,
    /// Text of `stoppedReason`.
    pub stopped_reason: Option<Symbol>,
    pub(crate) next_on_host: u32,
    pub(crate) previous_on_host: u32,
    pub(crate) slot_in_service: u32,
}

/// What ECS says of a task at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskState {
    /// Per-ARN counter, from 1.
    pub version: u32,
    /// `lastStatus`.
    pub last: TaskStatus,
    /// `desiredStatus` is RUNNING.
    pub desired_running: bool,
    /// The ENI attachment's status; `None` without awsvpc.
    pub eni: Option<EniStatus>,
    /// `stopCode`.
    pub stop_code: Option<StopCode>,
    /// Exit code of the essential container.
    pub exit_code: Option<u8>,
    /// `updatedAt`.
    pub updated_at: Moment,
}

/// `lastStatus` of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
}

impl TaskStatus {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Status of a task's ENI attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum EniStatus {
    Precreated,
    Attaching,
    Attached,
    Detaching,
    Deleted,
}

impl EniStatus {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Precreated => "PRECREATED",
            Self::Attaching => "ATTACHING",
            Self::Attached => "ATTACHED",
            Self::Detaching => "DETACHING",
            Self::Deleted => "DELETED",
        }
    }
}

/// Why a task stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    UserInitiated,
    ServiceSchedulerInitiated,
    TerminationNotice,
}

impl StopCode {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::TerminationNotice => "TerminationNotice",
        }
    }
}

/// The network interface of an awsvpc task, made up from the task's id whenever somebody asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eni {
    /// UUID of the attachment.
    pub attachment: String,
    /// `eni-0…`.
    pub id: String,
    /// `subnet-0…`.
    pub subnet: String,
    /// `02:…`.
    pub mac: String,
    /// `10.N.x.y`.
    pub address: String,
    /// `ip-10-N-x-y.REGION.compute.internal`.
    pub dns_name: String,
    /// Status of the attachment.
    pub status: EniStatus,
}
