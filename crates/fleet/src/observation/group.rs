//! Auto Scaling groups as wholes, and what is to find room on their machines (spec E.1, C.3). Asked for where room is declared.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Text;
use crate::capacity::{placement::Placement, shape::TaskShape};

/// DescribeAutoScalingGroups and DescribeScalingActivities for one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupFact<'a> {
    /// Group name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Region and account of the group, `ACCOUNT/REGION`.
    #[serde(borrow)]
    pub place: Text<'a>,
    /// `MinSize`.
    pub min: u32,
    /// `MaxSize`.
    pub max: u32,
    /// `DesiredCapacity`.
    pub desired: u32,
    /// Availability zones it launches in.
    #[serde(borrow, default)]
    pub zones: Vec<Text<'a>>,
    /// Suspended processes: `Launch`, `Terminate`, ….
    #[serde(borrow, default)]
    pub suspended: Vec<Text<'a>>,
    /// `i-…` of the members on their way in and in service; those on their way out are none.
    #[serde(borrow, default)]
    pub members: Vec<Text<'a>>,
    /// Of those, the ones protected from scale-in.
    #[serde(borrow, default)]
    pub protected: Vec<Text<'a>>,
    /// When a launch last failed, if none has succeeded since.
    #[serde(default)]
    pub failed_at: Option<Timestamp>,
    /// How many have failed since one last succeeded, as far as Auto Scaling remembers.
    #[serde(default)]
    pub failures: u32,
}

/// What one copy of a service or task needs and where it may go: DescribeServices, DescribeTaskDefinition. Nothing else of
/// the definition is kept, its environment above all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemandFact<'a> {
    /// Cluster ARN.
    #[serde(borrow)]
    pub cluster: Text<'a>,
    /// `service:NAME` or `family:NAME`.
    #[serde(borrow)]
    pub of: Text<'a>,
    /// What a copy needs; `None`: there is no such service, or no such task definition.
    #[serde(default)]
    pub wanted: Option<Box<Wanted>>,
    /// Names of the cluster's services that run one task on each host.
    #[serde(borrow, default)]
    pub daemons: Vec<Text<'a>>,
}

/// What one copy needs, and where it may go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// What it needs.
    pub shape: TaskShape,
    /// Where it may go; its subnets stand below, by their ids.
    pub placement: Placement,
    /// Subnets it gets its addresses from.
    pub subnets: Vec<String>,
}
