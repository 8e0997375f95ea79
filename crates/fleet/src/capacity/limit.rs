//! What stops a copy of a task from being placed, in the order in which ECS finds out.

use serde::{Deserialize, Serialize};

use crate::observation::HostPort;

/// What stops the next copy on one host. The order is that of ECS's checks: the later a host fails, the closer it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The host is not ACTIVE.
    Status,
    /// Its agent is not connected.
    Agent,
    /// It is of another capacity provider.
    Provider,
    /// It stands in EC2 and the task should not, or the other way round.
    LaunchType,
    /// It lacks this attribute, or has it with another value.
    Attribute(String),
    /// Another operating system or processor architecture.
    Os,
    /// In its zone is none of the task's subnets.
    Location(String),
    /// This constraint does not hold for it.
    MemberOf(String),
    /// A task of the same group is on it.
    DistinctInstance,
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// This port is taken.
    Port(HostPort),
    /// GPUs.
    Gpu,
    /// Network interfaces for tasks.
    Interfaces,
    /// The subnets in its zone, by their ids, have no free addresses.
    SubnetAddresses(String),
    /// What is known does not say.
    Unknown(String),
}

impl Limit {
    /// As ECS names it in `reason` of a placement failure (aws-semantics A.7, A.8).
    pub fn reason(&self) -> &'static str {
        match self {
            // Hosts of another launch type are none to ECS.
            Self::Status | Self::LaunchType => "NO ACTIVE INSTANCES",
            Self::Agent => "AGENT",
            Self::Provider => "EMPTY CAPACITY PROVIDER",
            Self::Attribute(_) | Self::Os => "ATTRIBUTE",
            Self::Location(_) => "LOCATION",
            Self::MemberOf(_) => "MemberOf placement constraint unsatisfied",
            Self::DistinctInstance => "DistinctInstance placement constraint unsatisfied",
            Self::Cpu => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
            Self::Port(_) => "RESOURCE:PORTS",
            Self::Gpu => "RESOURCE:GPU",
            Self::Interfaces | Self::SubnetAddresses(_) => "RESOURCE:ENI",
            Self::Unknown(_) => "UNKNOWN",
        }
    }

    /// How far a host came in ECS's checks before it failed. What is not known is not compared with what is.
    pub fn closeness(&self) -> u8 {
        match self {
            Self::Unknown(_) => 0,
            Self::Status => 1,
            Self::Agent => 2,
            Self::Provider | Self::LaunchType => 3,
            Self::Attribute(_) | Self::Os | Self::Location(_) => 4,
            Self::MemberOf(_) | Self::DistinctInstance => 5,
            Self::Cpu => 6,
            Self::Memory => 7,
            Self::Port(_) => 8,
            Self::Gpu => 9,
            Self::Interfaces => 10,
            Self::SubnetAddresses(_) => 11,
        }
    }

    /// Of some hosts, for a sentence about all: `ENI slots are full on 14 of 16 hosts`.
    pub fn of_hosts(&self, hosts: usize, all: usize) -> String {
        let on = format!("on {hosts} of {}", counted(all, "host"));
        let (some, have) = (counted(hosts, "host"), if hosts == 1 { "has" } else { "have" });
        let (are, lack) = if hosts == 1 { ("is", "lacks") } else { ("are", "lack") };
        match self {
            Self::Status => format!("{some} {are} not active"),
            Self::Agent => format!("{some} {have} no agent"),
            Self::Provider => format!("{some} {are} of another capacity provider"),
            Self::LaunchType => format!("{some} {are} of another launch type"),
            Self::Attribute(name) => format!("{some} {lack} the attribute {name}"),
            Self::Os => format!("{some} {have} another operating system or architecture"),
            Self::Location(zone) => format!("{some} {are} in {zone}, where the task has no subnet"),
            Self::MemberOf(text) => format!("{some} {are} ruled out by `{text}`"),
            Self::DistinctInstance => format!("{some} {have} a task of the group already"),
            Self::Cpu => format!("CPU is short {on}"),
            Self::Memory => format!("memory is short {on}"),
            Self::Port(port) => format!("port {port} is taken {on}"),
            Self::Gpu => format!("GPUs are short {on}"),
            Self::Interfaces => format!("ENI slots are full {on}"),
            Self::SubnetAddresses(subnet) => format!("{subnet} has no free addresses for {some}"),
            Self::Unknown(why) => format!("of {some} it is not known: {why}"),
        }
    }
}

/// `1 host`, `2 hosts`.
pub(super) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
