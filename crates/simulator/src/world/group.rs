//! An Auto Scaling group that keeps its desired capacity.

use std::collections::VecDeque;

use super::{
    id::{ClusterId, KindId, MachineId, PlaceId, TemplateId},
    machine::Platform,
};
use crate::clock::Moment;

/// An Auto Scaling group (spec E.1).
#[derive(Clone, Debug)]
pub struct Group {
    /// Where.
    pub place: PlaceId,
    /// Its name.
    pub name: String,
    /// The cluster its machines register in.
    pub cluster: ClusterId,
    /// Least.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// Wanted.
    pub desired: u32,
    /// Zones, as positions in the place's list; launches go to the emptiest.
    pub zones: Vec<u8>,
    /// Instance types; launches take turns.
    pub kinds: Vec<KindId>,
    /// Launch template version of the next launch.
    pub template: TemplateId,
    /// Members, without those that are gone; in the order of their launch.
    pub members: Vec<MachineId>,
    /// Spot capacity.
    pub spot: bool,
    /// Launches fail with this message, while set (no capacity, bad template).
    pub launches_fail: Option<String>,
    /// Suspended processes: `Launch`, `Terminate`, `ReplaceUnhealthy`, ….
    pub suspended: Vec<String>,
    /// A terminate hook holds machines in Terminating:Wait for so many milliseconds; 0: no hook.
    pub terminate_hook_ms: i64,
    /// Managed draining: ECS drains a machine before the group ends it, and holds it until it is empty.
    pub managed_draining: bool,
    /// ECS manages its size (tag AmazonECSManaged).
    pub ecs_managed: bool,
    /// What its machines are like.
    pub outfit: Outfit,
    /// New members are protected from scale-in.
    pub protects_new: bool,
    /// Scaling policies.
    pub policies: Vec<Policy>,
    /// What it did, newest first, at most 100.
    pub activities: VecDeque<Activity>,
    /// When a policy last scaled it; its cool-down counts from there.
    pub(crate) scaled_at: Option<Moment>,
    /// Launches so far: turns of the instance types.
    pub(crate) launches: u32,
    /// A check of the desired capacity is on the agenda.
    pub(crate) check_due: bool,
}

/// What machines of a group are like, beside their type and image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outfit {
    /// Operating system.
    pub platform: Platform,
    /// Attributes that their agents register.
    pub attributes: Vec<(String, Option<String>)>,
    /// With a trunk interface, or without; `None`: as their cluster.
    pub trunking: Option<bool>,
    /// Network interfaces that somebody attaches by hand.
    pub extra_enis: u8,
}

/// A scaling policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: PolicyKind,
}

/// Kinds of scaling policy.
#[derive(Clone, Debug, PartialEq)]
pub enum PolicyKind {
    /// SimpleScaling: a change and a cool-down.
    Simple {
        /// By how much.
        change: Adjustment,
        /// Cool-down in seconds.
        cooldown_secs: i64,
    },
    /// StepScaling: the step that the metric's distance from the threshold falls into; bounds are open where `None`.
    Step {
        /// Lower bound, upper bound and change of each step.
        steps: Vec<(Option<f64>, Option<f64>, Adjustment)>,
    },
}

/// How a policy changes the desired capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// ChangeInCapacity.
    By(i64),
    /// ExactCapacity.
    To(i64),
    /// PercentChangeInCapacity.
    Percent(i64),
}

impl Adjustment {
    /// `AdjustmentType` as AWS spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::By(_) => "ChangeInCapacity",
            Self::To(_) => "ExactCapacity",
            Self::Percent(_) => "PercentChangeInCapacity",
        }
    }

    /// `ScalingAdjustment`.
    pub fn number(self) -> i64 {
        match self {
            Self::By(number) | Self::To(number) | Self::Percent(number) => number,
        }
    }

    /// The capacity that a group of this capacity gets. A percentage that is not whole moves away from nothing: at least
    /// one machine.
    pub fn applied(self, desired: u32) -> i64 {
        let desired = i64::from(desired);
        match self {
            Self::By(number) => desired.saturating_add(number),
            Self::To(number) => number,
            Self::Percent(percent) => {
                let exact = desired.saturating_mul(percent);
                let whole = exact / 100;
                desired + if whole == 0 { exact.signum() } else { whole }
            }
        }
    }
}

/// One activity of a group, as DescribeScalingActivities tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Number within the world; its UUID is made of it.
    pub serial: u64,
    /// When it began.
    pub at: Moment,
    /// When it was over; `None`: in progress.
    pub ended_at: Option<Moment>,
    /// The machine that is launched or terminated; `None` where a launch failed.
    pub machine: Option<MachineId>,
    /// `Launching a new EC2 instance: i-…`.
    pub description: String,
    /// Why.
    pub cause: String,
    /// `StatusCode`.
    pub status: &'static str,
    /// `StatusMessage`.
    pub message: Option<String>,
}
