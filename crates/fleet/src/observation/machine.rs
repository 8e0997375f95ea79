//! The machine under a host, as EC2, Auto Scaling and SSM tell it (spec A.11, E, F.1).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Text;

/// EC2 instance state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Ec2State {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
    /// EC2 answered InvalidInstanceID.NotFound: terminated long ago.
    Gone,
    /// A value this version of muster does not know.
    Other,
}

impl Ec2State {
    /// Reads the API's spelling.
    pub fn parse(text: &str) -> Self {
        match text {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            _ => Self::Other,
        }
    }
}

/// DescribeInstanceStatus for one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ec2StatusFact<'a> {
    /// `i-…`.
    #[serde(borrow)]
    pub instance_id: Text<'a>,
    /// Instance state, which the same answer carries.
    pub state: Ec2State,
    /// The host under the machine: AWS's own trouble when impaired.
    pub system: ReachabilityStatus,
    /// The operating system and its network.
    pub instance: ReachabilityStatus,
    /// Attached EBS volumes.
    pub ebs: ReachabilityStatus,
    /// A scheduled event, `instance-retirement` and the like.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub scheduled: Option<Text<'a>>,
}

/// Result of an EC2 status check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum ReachabilityStatus {
    Ok,
    Impaired,
    InsufficientData,
    NotApplicable,
    Initializing,
    /// Absent, or a value this version of muster does not know.
    Other,
}

impl ReachabilityStatus {
    /// Reads the API's spelling.
    pub fn parse(text: &str) -> Self {
        match text {
            "ok" => Self::Ok,
            "impaired" => Self::Impaired,
            "insufficient-data" => Self::InsufficientData,
            "not-applicable" => Self::NotApplicable,
            "initializing" => Self::Initializing,
            _ => Self::Other,
        }
    }
}

/// A member of an Auto Scaling group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutoScalingFact<'a> {
    /// `i-…`.
    #[serde(borrow)]
    pub instance_id: Text<'a>,
    /// Group name.
    #[serde(borrow)]
    pub group: Text<'a>,
    /// Region and account of the group, `ACCOUNT/REGION`.
    #[serde(borrow)]
    pub place: Text<'a>,
    /// `InService`, `Terminating:Wait`, `Warmed:Stopped`, … as written.
    #[serde(borrow)]
    pub lifecycle: Text<'a>,
    /// `Healthy` whatever its case.
    pub healthy: bool,
    /// Availability zone.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub zone: Option<Text<'a>>,
    /// Instance type.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub instance_type: Option<Text<'a>>,
    /// Launch template id or name and version, `lt-…:7`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub launch_template: Option<Text<'a>>,
    /// When the machine was launched, where EC2 was asked (DescribeInstances `LaunchTime`): the launch grace counts
    /// from here, else from first sight.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub launched_at: Option<Timestamp>,
}

/// An Auto Scaling lifecycle action, or the successful end of a launch or termination, from an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifecycleFact<'a> {
    /// `i-…`.
    #[serde(borrow)]
    pub instance_id: Text<'a>,
    /// Group name.
    #[serde(borrow)]
    pub group: Text<'a>,
    /// Region and account of the group, `ACCOUNT/REGION`.
    #[serde(borrow)]
    pub place: Text<'a>,
    /// What happens to the machine.
    pub stage: LifecycleStage,
}

/// Where a machine stands on its way into or out of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifecycleStage {
    /// Launch lifecycle action: held in Pending:Wait.
    Launching,
    /// Launch Successful.
    Launched,
    /// Terminate lifecycle action: held in Terminating:Wait.
    Terminating,
    /// Terminate Successful.
    Terminated,
}

/// EC2 Instance Launch Unsuccessful.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchFailure<'a> {
    /// Group name.
    #[serde(borrow)]
    pub group: Text<'a>,
    /// Region and account of the group, `ACCOUNT/REGION`.
    #[serde(borrow)]
    pub place: Text<'a>,
    /// `StatusMessage`, or `Cause`.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub message: Option<Text<'a>>,
}

/// SSM DescribeInstanceInformation for one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SsmFact<'a> {
    /// `i-…` or `mi-…`.
    #[serde(borrow)]
    pub instance_id: Text<'a>,
    /// `PingStatus` is Online. `None`: SSM does not know the machine.
    pub online: Option<bool>,
    /// `LastPingDateTime`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_ping_at: Option<Timestamp>,
    /// `PlatformName`, which tells Bottlerocket apart.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<Text<'a>>,
}

/// The network interfaces that EC2 sees on one machine, whoever attached them. Branch interfaces are not among them
/// (spec D.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfacesFact<'a> {
    /// `i-…`.
    #[serde(borrow)]
    pub instance_id: Text<'a>,
    /// How many are attached, being attached or being detached, on all network cards; the primary one is among them.
    pub attached: u32,
    /// Of those, on network card 0.
    pub on_first_card: u32,
}

/// What machines of one type can have (spec D.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceTypeFact<'a> {
    /// `m6i.large`.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// `MaximumNetworkInterfaces`, over all cards.
    pub max_interfaces: u32,
    /// `MaximumNetworkInterfaces` of each network card, by its index; empty when not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<u32>,
    /// Virtual CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u32>,
    /// Memory in MiB, of which a host can offer somewhat less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// GPUs.
    #[serde(default)]
    pub gpus: u32,
}
