//! `[replace]`: how a machine is replaced.

use fleet::policy::Replacement;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// How a machine is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReplaceSection {
    /// How long a host whose agent answers may drain before the drain is undone.
    #[schemars(range(min = 1))]
    pub drain_secs: u32,
    /// Raise the Auto Scaling group's desired capacity first, when its maximum allows, and let it shrink by the termination.
    pub scale_up_first: bool,
    /// Replace by SetInstanceHealth, on the group's own schedule, instead of by TerminateInstanceInAutoScalingGroup.
    pub by_health: bool,
    /// Terminate machines that no Auto Scaling group owns. Nobody replaces those.
    pub outside_groups: bool,
    /// How long the group may take until the new machine has registered. Until then the old one counts as disturbed.
    #[schemars(range(min = 1))]
    pub arrival_secs: u32,
}

impl Default for ReplaceSection {
    fn default() -> Self {
        let Replacement { drain_secs, scale_up_first, by_health, outside_groups, arrival_secs } =
            Replacement::default();
        Self { drain_secs, scale_up_first, by_health, outside_groups, arrival_secs }
    }
}

impl ReplaceSection {
    /// As the core wants it.
    pub(super) fn replacement(&self) -> Replacement {
        Replacement {
            drain_secs: self.drain_secs,
            scale_up_first: self.scale_up_first,
            by_health: self.by_health,
            outside_groups: self.outside_groups,
            arrival_secs: self.arrival_secs,
        }
    }

    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        for (path, value) in [("replace.drain_secs", self.drain_secs), ("replace.arrival_secs", self.arrival_secs)] {
            if value == 0 {
                wrong.push(Wrong::at(path, "0 is out of range: must be at least 1"));
            }
        }
        if self.scale_up_first && self.by_health {
            let paths = vec!["replace.by_health".to_owned(), "replace.scale_up_first".to_owned()];
            let what = "scale_up_first lets the group shrink again by the termination, and by_health leaves the \
                        termination to the group, which would keep the extra machine: choose one";
            wrong.push(Wrong::at_any(paths, what));
        }
    }
}
