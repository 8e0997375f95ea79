//! `[sweep]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// How often muster looks at everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SweepSection {
    /// Seconds from one sweep to the next. Events bring news in seconds; a sweep finds what they missed, and costs one
    /// List and one Describe for each 100 hosts.
    pub every_secs: u32,
    /// Sweep all tasks as well: one more List and one more Describe for each 100 of them, those that stopped within the
    /// hour among them. The tasks of hosts that are away are always looked up. Without it the network interfaces that tasks
    /// hold are not known; [publish] sees to it by itself.
    pub audit_tasks: bool,
}

impl Default for SweepSection {
    fn default() -> Self {
        Self { every_secs: 900, audit_tasks: false }
    }
}

impl SweepSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if !(10..=86_400).contains(&self.every_secs) {
            wrong.push(Wrong::at(
                "sweep.every_secs",
                format!("{} is out of range: 10 seconds to a day (86400)", self.every_secs),
            ));
        }
    }
}
