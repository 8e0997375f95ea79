//! Clusters and the Auto Scaling groups that feed them (spec C.1, C.3).

use serde::{Deserialize, Serialize};

use super::Text;

/// A cluster, from DescribeClusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterFact<'a> {
    /// Cluster ARN.
    #[serde(borrow)]
    pub arn: Text<'a>,
    /// `ACTIVE`, `INACTIVE`, … as written.
    #[serde(borrow)]
    pub status: Text<'a>,
    /// `registeredContainerInstancesCount`: what a complete sweep should find.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub registered_hosts: Option<u32>,
    /// Names of the capacity providers.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub capacity_providers: Vec<Text<'a>>,
    /// Whether each of them has been described as well, so that it is known which groups ECS sizes itself.
    #[serde(default)]
    pub providers_told: bool,
}

/// A capacity provider of Auto Scaling type: its group's machines are meant for the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityProviderFact<'a> {
    /// Cluster ARN.
    #[serde(borrow)]
    pub cluster: Text<'a>,
    /// Name of the provider.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Auto Scaling group name, taken from the end of its ARN.
    #[serde(borrow)]
    pub group: Text<'a>,
    /// Region and account of the group, `ACCOUNT/REGION`.
    #[serde(borrow)]
    pub place: Text<'a>,
    /// `managedScaling.status` is ENABLED: ECS itself sets how many machines the group wants.
    #[serde(default)]
    pub managed_scaling: bool,
    /// `managedTerminationProtection` is ENABLED: ECS keeps machines that run tasks from being scaled in.
    #[serde(default)]
    pub managed_termination_protection: bool,
}

/// A subnet that tasks with an interface of their own may be given addresses from (spec D.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubnetFact<'a> {
    /// `subnet-…`.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// Availability zone.
    #[serde(borrow)]
    pub zone: Text<'a>,
    /// `AvailableIpAddressCount`.
    pub free_addresses: u32,
}
