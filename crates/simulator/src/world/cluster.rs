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
    /// Tags of every container instance that registers here.
    pub host_tags: Vec<(String, String)>,
    /// Its machines have no SSM agent, or no permission to reach SSM: SSM does not know them.
    pub without_ssm: bool,
    /// Hosts registered with a trunk interface (`awsvpcTrunking` of the instance role).
    pub trunking: bool,
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

/// A capacity provider of Auto Scaling type.
#[derive(Clone, Debug)]
pub struct CapacityProvider {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: GroupId,
    /// Its cluster.
    pub cluster: ClusterId,
}
