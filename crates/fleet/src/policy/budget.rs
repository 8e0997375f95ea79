//! How much may be disturbed at once, and within an hour.

use serde::{Deserialize, Serialize};

/// One limit. All limits that fit a host hold at once, so the most restrictive one wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Globs over cluster names; empty: all clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Counted apart for each of these.
    pub per: Per,
    /// Hosts that may be disturbed at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<Limit>,
    /// Hosts whose disturbance may begin within one hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<Limit>,
}

/// What a budget is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Everything muster watches.
    Fleet,
    /// Each cluster.
    Cluster,
    /// Each availability zone of a cluster.
    Zone,
    /// Each Auto Scaling group.
    Group,
}

/// So many hosts, or such a share of them, rounded up to whole hosts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Hosts.
    Hosts(u32),
    /// Percent of the hosts, above 0 and up to 100.
    Percent(f64),
}

/// One at a time in each cluster, and no more than a tenth of it.
pub fn default_budgets() -> Vec<Budget> {
    let cluster = |limit| Budget { clusters: Vec::new(), per: Per::Cluster, at_once: Some(limit), per_hour: None };
    vec![cluster(Limit::Hosts(1)), cluster(Limit::Percent(10.0))]
}
