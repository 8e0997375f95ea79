//! How much is waited and tolerated, and what may be done. All durations are whole seconds; every default has its reason.
//!
//! | to learn | read |
//! |---|---|
//! | modes, waits and ladders by cluster and trouble | [`rule`] |
//! | how much may be disturbed | [`budget`] |
//! | when | [`window`], [`cron`] |
//! | what is never touched | [`protection`] |
//! | what room is always kept | [`headroom`] |

pub mod budget;
pub mod cron;
pub mod headroom;
pub mod protection;
pub mod rule;
pub mod window;

use serde::{Deserialize, Serialize};

pub use self::{
    budget::{Budget, Limit, Per},
    headroom::Keep,
    protection::Protection,
    rule::{Mode, Rule, Rung},
    window::Window,
};
use crate::notice::route::Routing;

/// The numbers behind the roll call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How long an agent may be away before its host is looked at again and believed lost. Agents reconnect about
    /// twice an hour by design and are back within seconds (aws-semantics G.4).
    pub grace_secs: u32,
    /// How long an agent must have been away before muster says what it would do. Five minutes are abnormal by the
    /// word of AWS's engineers; ten leave room for a slow reconnect.
    pub act_after_secs: u32,
    /// How many failed looks in a row, besides the time, before muster says what it would do.
    pub fail_after: u32,
    /// Disconnects within an hour from which a host that answers is called flapping; two or so are routine.
    pub flapping_per_hour: u32,
    /// How long a machine of a cluster's Auto Scaling group may take to register.
    pub launch_grace_secs: u32,
    /// How long a host may drain before it is called stuck.
    pub drain_stuck_secs: u32,
    /// Share of a cohort that must be missing at once before muster doubts its own eyes, 0 to 1 (I2: 20 %).
    pub doubt_share: f64,
    /// And how many hosts at least (I2: 3).
    pub doubt_min_hosts: u32,
    /// How long they must have been missing together: a control plane that recycles connections is no incident.
    pub doubt_after_secs: u32,
    /// How old the last look may be before a host nobody has heard of is called unknown instead of present.
    pub stale_after_secs: u32,
    /// How old a look may be to decide on it (I3: 30 s).
    pub fresh_secs: u32,
    /// How long after a gap in versions the host or task is looked up, if nothing newer has come.
    pub gap_look_secs: u32,
    /// How far muster goes where no rule says otherwise.
    pub mode: Mode,
    /// What holds for some clusters and troubles.
    pub rules: Vec<Rule>,
    /// How much may be disturbed.
    pub budgets: Vec<Budget>,
    /// When it may.
    pub windows: Vec<Window>,
    /// What is never touched.
    pub protection: Protection,
    /// How a machine is replaced.
    pub replacement: Replacement,
    /// Who is told what.
    pub routing: Routing,
    /// What room is always kept.
    pub headroom: Vec<Keep>,
}

/// How a machine is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replacement {
    /// How long a host whose agent answers may drain before the drain is undone.
    pub drain_secs: u32,
    /// Raise the group's desired capacity first, when its maximum allows, and let it shrink by the termination.
    pub scale_up_first: bool,
    /// By SetInstanceHealth instead of TerminateInstanceInAutoScalingGroup.
    pub by_health: bool,
    /// Terminate machines that no Auto Scaling group owns. Nobody replaces those.
    pub outside_groups: bool,
    /// How long the group may take until the new machine has registered.
    pub arrival_secs: u32,
}

impl Default for Replacement {
    fn default() -> Self {
        Self { drain_secs: 900, scale_up_first: false, by_health: false, outside_groups: false, arrival_secs: 900 }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            grace_secs: 180,
            act_after_secs: 600,
            fail_after: 2,
            flapping_per_hour: 6,
            launch_grace_secs: 600,
            drain_stuck_secs: 3600,
            doubt_share: 0.2,
            doubt_min_hosts: 3,
            doubt_after_secs: 30,
            stale_after_secs: 2700,
            fresh_secs: 30,
            gap_look_secs: 60,
            mode: Mode::default(),
            rules: Vec::new(),
            budgets: budget::default_budgets(),
            windows: Vec::new(),
            protection: Protection::default(),
            replacement: Replacement::default(),
            routing: Routing::default(),
            headroom: Vec::new(),
        }
    }
}
