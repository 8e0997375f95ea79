//! Dated facts with their source. Three roads lead here (event, sweep, host report) and all of them end in one type.
//!
//! Text fields borrow from the bytes they were read from, so that an event becomes beliefs without copies.

pub mod attributes;
pub mod cluster;
pub mod decode;
pub mod group;
pub mod health;
pub mod instance;
pub mod machine;
pub mod resources;
pub mod service;
pub mod task;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use attributes::{Attributes, HostAttributes, is_custom};
pub use cluster::{CapacityProviderFact, ClusterFact, SubnetFact};
pub use group::{DemandFact, GroupFact};
pub use health::{CheckStatus, HealthCheck, HealthFact};
pub use instance::{InstanceFact, InstanceStatus};
pub use machine::{
    AutoScalingFact, Ec2State, Ec2StatusFact, InstanceTypeFact, InterfacesFact, LaunchFailure, LifecycleFact,
    LifecycleStage, ReachabilityStatus, SsmFact,
};
pub use resources::{Amounts, Gpus, HostPort, Protocol, Resources, amount, in_order, is_interface, port_number};
pub use service::{DeploymentFact, ServiceActionFact};
pub use task::{TaskFact, TaskStatus};

/// Text that borrows where it can.
pub type Text<'a> = Cow<'a, str>;

/// One dated fact and the road it came by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation<'a> {
    /// When the source says the fact was true: the envelope's `time` for an event, the moment of the answer for a look.
    pub at: Timestamp,
    /// The road it came by.
    pub source: Source,
    /// The fact.
    #[serde(borrow)]
    pub fact: Fact<'a>,
}

/// The road an observation came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Source {
    /// An EventBridge event.
    Event,
    /// A sweep: a List or Describe over everything.
    Sweep,
    /// A look at this one thing, because somebody wanted to know.
    Look,
    /// A report of the watchdog on the host.
    Report,
}

/// A source of facts about a host. Two witnesses are independent when they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// `agentConnected` and `status` as the ECS control plane tells them.
    EcsControlPlane,
    /// The ECS health check AGENT_CONNECTIVITY or CONTAINER_RUNTIME.
    EcsHealth,
    /// The EC2 instance state.
    Ec2State,
    /// The EC2 status checks.
    Ec2Status,
    /// The Auto Scaling group.
    AutoScaling,
    /// The SSM agent's ping.
    Ssm,
    /// Connectivity of the tasks on the host.
    Tasks,
    /// The on-host watchdog.
    HostReport,
}

/// What an observation says. One variant per event kind or API answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact<'a> {
    /// A container instance: ECS Container Instance State Change, or DescribeContainerInstances.
    Instance(#[serde(borrow)] InstanceFact<'a>),
    /// DescribeContainerInstances answered `MISSING` for this ARN.
    InstanceMissing {
        /// The container instance ARN.
        #[serde(borrow)]
        arn: Text<'a>,
    },
    /// ListContainerInstances, asked for this machine, named no container instance of it.
    Unregistered {
        /// The cluster's ARN.
        #[serde(borrow)]
        cluster: Text<'a>,
        /// The EC2 instance id.
        #[serde(borrow)]
        instance_id: Text<'a>,
    },
    /// ECS Container Instance Health Change, or `healthStatus` of a Describe.
    Health(#[serde(borrow)] HealthFact<'a>),
    /// A task: ECS Task State Change, or DescribeTasks.
    Task(#[serde(borrow)] TaskFact<'a>),
    /// DescribeTasks answered `MISSING`.
    TaskMissing {
        /// The task ARN.
        #[serde(borrow)]
        arn: Text<'a>,
    },
    /// ECS Service Action.
    ServiceAction(#[serde(borrow)] ServiceActionFact<'a>),
    /// ECS Deployment State Change.
    Deployment(#[serde(borrow)] DeploymentFact<'a>),
    /// A cluster, from DescribeClusters.
    Cluster(#[serde(borrow)] ClusterFact<'a>),
    /// DescribeClusters answered `MISSING`, or a call said ClusterNotFoundException.
    ClusterMissing {
        /// The cluster ARN.
        #[serde(borrow)]
        arn: Text<'a>,
    },
    /// A capacity provider, which ties an Auto Scaling group to a cluster.
    CapacityProvider(#[serde(borrow)] CapacityProviderFact<'a>),
    /// EC2 instance state: state-change event or DescribeInstances / DescribeInstanceStatus.
    Ec2State {
        /// `i-…`.
        #[serde(borrow)]
        instance_id: Text<'a>,
        /// The state; `Ec2State::Gone` when EC2 does not know the id any more.
        state: Ec2State,
    },
    /// EC2 status checks, from DescribeInstanceStatus.
    Ec2Status(#[serde(borrow)] Ec2StatusFact<'a>),
    /// Spot: the machine will be interrupted about two minutes from `at`.
    SpotInterruption {
        /// `i-…`.
        #[serde(borrow)]
        instance_id: Text<'a>,
        /// `terminate`, `stop` or `hibernate`.
        #[serde(borrow)]
        action: Text<'a>,
    },
    /// Spot: the machine is at elevated risk.
    RebalanceRecommendation {
        /// `i-…`.
        #[serde(borrow)]
        instance_id: Text<'a>,
    },
    /// A member of an Auto Scaling group, from DescribeAutoScalingGroups / DescribeAutoScalingInstances.
    AutoScaling(#[serde(borrow)] AutoScalingFact<'a>),
    /// Auto Scaling lifecycle action or launch/terminate result, from an event.
    Lifecycle(#[serde(borrow)] LifecycleFact<'a>),
    /// A group could not launch a machine.
    LaunchFailed(#[serde(borrow)] LaunchFailure<'a>),
    /// SSM's view of the machine.
    Ssm(#[serde(borrow)] SsmFact<'a>),
    /// The network interfaces that EC2 sees on a machine, from DescribeInstances.
    Interfaces(#[serde(borrow)] InterfacesFact<'a>),
    /// What machines of a type can have, from DescribeInstanceTypes.
    InstanceType(#[serde(borrow)] InstanceTypeFact<'a>),
    /// A subnet and its free addresses, from DescribeSubnets.
    Subnet(#[serde(borrow)] SubnetFact<'a>),
    /// An Auto Scaling group as a whole.
    Group(#[serde(borrow)] GroupFact<'a>),
    /// What a copy of a service or task needs.
    Demand(#[serde(borrow)] DemandFact<'a>),
    /// An AWS event that is well formed but of a kind that says nothing about hosts. Journaled, never evidence.
    Unknown {
        /// The envelope's `source`.
        #[serde(borrow)]
        source: Text<'a>,
        /// The envelope's `detail-type`.
        #[serde(borrow)]
        detail_type: Text<'a>,
    },
}
