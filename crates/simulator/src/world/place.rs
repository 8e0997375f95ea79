//! An account in a region, with its zones, subnets, images and launch template versions.

use super::{
    cluster::Insights,
    id::{PlaceId, Symbol},
};
use crate::clock::Moment;

/// An account in a region.
#[derive(Clone, Debug)]
pub struct Place {
    /// `aws`, `aws-cn`, ….
    pub partition: String,
    /// Twelve digits.
    pub account: String,
    /// `eu-central-1`.
    pub region: String,
    /// `vpc-0…`.
    pub vpc: String,
    /// Zones with the subnet of each.
    pub zones: Vec<Zone>,
    /// What clusters are made with: the account's default for `containerInsights`…
    pub default_insights: Insights,
    /// …and that of whoever asks, who goes before it.
    pub own_insights: Option<Insights>,
    /// False while the ECS control plane of the region drops its agents and takes none back.
    pub control_plane_up: bool,
}

impl Place {
    /// `ACCOUNT/REGION`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.account, self.region)
    }
}

/// A zone and its one subnet, a /18 of the VPC 10.0.0.0/8 per place and zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// `eu-central-1b`.
    pub name: String,
    /// `subnet-0…`.
    pub subnet: String,
    /// Second number of its addresses: `10.N.x.y`.
    pub net: u8,
    /// Addresses of the subnet that others have taken; where there are any, task placement counts what is left.
    pub others: u32,
    /// Since when the zone is cut off, if it is.
    pub lost_since: Option<Moment>,
}

/// One version of a launch template.
#[derive(Clone, Debug)]
pub struct Template {
    /// Where.
    pub place: PlaceId,
    /// `lt-0…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// From 1.
    pub version: u32,
    /// Image.
    pub ami: Symbol,
    /// Agent version in the image.
    pub agent_version: Symbol,
    /// What machines of this image do.
    pub boots: Boots,
}

/// What a machine of an image does after it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Boots {
    /// Its agent registers.
    #[default]
    Well,
    /// Its agent never starts: wrong cluster name, broken user data.
    NeverRegisters,
    /// Its agent registers, then dies for good within minutes and systemd gives up (exit code 5).
    AgentDies,
    /// The trunk interface cannot be made: REGISTRATION_FAILED.
    RegistrationFails,
}
