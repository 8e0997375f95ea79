//! The route tree: which receivers are told of which alerts, and how they are gathered.

use serde::{Deserialize, Serialize};

use crate::{effect::Severity, journal::Trouble};

/// Who is told. Without routes nobody is: notices go to the log alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// The routes at the root, tried in order; the first that fits is taken, and the next ones too if it says `go_on`.
    pub routes: Vec<Route>,
    /// How long the first alert of a group waits for others.
    pub wait_secs: u32,
    /// From one page of a group to the next, when more has happened.
    pub interval_secs: u32,
    /// From one page of a group to the next, when nothing has changed. 0: never.
    pub repeat_secs: u32,
    /// Told when a page to another receiver was given up.
    pub fallback: Option<String>,
    /// Told every so often that muster is alive.
    pub heartbeat: Option<Heartbeat>,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            wait_secs: 10,
            interval_secs: 300,
            repeat_secs: 14_400,
            fallback: None,
            heartbeat: None,
        }
    }
}

/// A dead-man's heartbeat: whoever gets it should shout when it stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The receiver.
    pub receiver: String,
    /// How often.
    pub every_secs: u32,
}

/// One route, and the routes below it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Globs over cluster names; empty: all. An alert wider than one cluster is routed for each of them.
    pub clusters: Vec<String>,
    /// Troubles; empty: all.
    pub troubles: Vec<Trouble>,
    /// At least this loud.
    pub severity: Option<Severity>,
    /// Receivers; those of the deepest route that fits and names any.
    pub receivers: Vec<String>,
    /// What alerts are gathered by; inherited when empty. `trouble` and `cluster` when nobody says.
    pub group_by: Vec<GroupBy>,
    /// The next routes are tried as well.
    pub go_on: bool,
    /// Instead of the routing's.
    pub wait_secs: Option<u32>,
    /// Instead of the routing's.
    pub interval_secs: Option<u32>,
    /// Instead of the routing's.
    pub repeat_secs: Option<u32>,
    /// Routes below this one: the first that fits is taken.
    pub routes: Vec<Route>,
}

/// What alerts are gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupBy {
    /// Account and region.
    Place,
    /// Cluster.
    Cluster,
    /// Availability zone.
    Zone,
    /// Kind of trouble.
    Trouble,
    /// Host: a page each.
    Host,
}
