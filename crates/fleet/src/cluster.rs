//! What is believed of one cluster: that it exists, and when it was last seen whole.

use serde::{Deserialize, Serialize};

use crate::{host::Millis, names::Name};

/// One cluster that is watched, or that an event has spoken of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cluster {
    /// ARN.
    pub arn: Name,
    /// `ACCOUNT/REGION`.
    pub place: Name,
    /// Status as written; `None` until described.
    pub status: Option<Name>,
    /// `registeredContainerInstancesCount`.
    pub registered_hosts: Option<u32>,
    /// When its hosts were last looked at completely (start of the look), or 0.
    pub looked_at: Millis,
    /// Why the last look failed.
    pub trouble: Option<Box<str>>,
    /// When it was first heard of.
    pub first_seen: Millis,
    /// Auto Scaling groups that feed it, `ACCOUNT/REGION/GROUP`: by its capacity providers, or because a member has
    /// registered here.
    pub groups: Vec<Name>,
    /// Its capacity providers with an Auto Scaling group, as last described.
    pub providers: Vec<Provider>,
    /// Whether all of its capacity providers were described when it was last looked at.
    pub providers_told: bool,
}

/// A capacity provider that launches machines by an Auto Scaling group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Its name.
    pub name: Name,
    /// Its group, `ACCOUNT/REGION/GROUP`.
    pub group: Name,
    /// ECS itself sets how many machines the group wants: nobody else should.
    pub managed_scaling: bool,
    /// ECS keeps machines that run tasks from being scaled in.
    pub managed_termination_protection: bool,
}
