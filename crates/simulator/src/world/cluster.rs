//! A cluster.

use super::id::{ClusterId, GroupId, HostId, PlaceId};

/// A cluster as DescribeClusters tells it (spec C.1).
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Where.
    pub place: PlaceId,
    /// Its name.
    pub name: String,
    /// False: deleted (INACTIVE).
    pub active: bool,
    /// Registered hosts, whatever their status, without INACTIVE ones; in the order of their registration.
    pub hosts: Vec<HostId>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// Capacity providers, each with its Auto Scaling group.
    pub capacity_providers: Vec<CapacityProvider>,
    /// Attributes of every container instance that registers here.
    pub host_attributes: Vec<(String, Option<String>)>,
    /// Tags of every container instance that registers here.
    pub host_tags: Vec<(String, String)>,
    /// Its machines have no SSM agent, or no permission to reach SSM: SSM does not know them.
    pub without_ssm: bool,
    /// Hosts registered with a trunk interface (`awsvpcTrunking` of the instance role).
    pub trunking: bool,
    /// Its setting `containerInsights`.
    pub insights: Insights,
    /// Tasks with desired status RUNNING and last status RUNNING.
    pub running_tasks: u32,
    /// Tasks on their way to RUNNING.
    pub pending_tasks: u32,
    /// Cluster ARN.
    pub arn: String,
    /// Container instance ARNs up to the id.
    pub host_arn_prefix: String,
    /// Task ARNs up to the id.
    pub task_arn_prefix: String,
    /// Its services.
    pub services: Vec<super::id::ServiceId>,
    /// Hosts that drain.
    pub(crate) draining: u32,
    /// Where the placement of tasks goes on looking.
    pub(crate) cursor: u32,
}

/// The setting `containerInsights`, of a cluster or of those that will be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Insights {
    #[default]
    Disabled,
    Enabled,
    Enhanced,
}

impl Insights {
    const ALL: [Self; 3] = [Self::Disabled, Self::Enabled, Self::Enhanced];

    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Enhanced => "enhanced",
        }
    }

    /// Reads AWS's spelling.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|insights| insights.word() == word)
    }
}

/// A capacity provider of Auto Scaling type.
#[derive(Clone, Debug)]
pub struct CapacityProvider {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: GroupId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Managed scaling that truly scales. `None`: only what the group's `ecs_managed` makes of it by name.
    pub scaling: Option<ManagedScaling>,
}

/// Managed scaling of a capacity provider: ECS raises the group's desired capacity for tasks that find no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagedScaling {
    /// `targetCapacity`, in percent.
    pub target_percent: u32,
    /// `minimumScalingStepSize`.
    pub least: u32,
    /// `maximumScalingStepSize`.
    pub most: u32,
    /// `instanceWarmupPeriod`.
    pub warmup_secs: i64,
}

impl Default for ManagedScaling {
    fn default() -> Self {
        Self { target_percent: 100, least: 1, most: 10_000, warmup_secs: 300 }
    }
}
