//! When muster may act.

use serde::{Deserialize, Serialize};

/// A span of time that comes again. With any window that fits a cluster, remedies begin only while one is open; what
/// has begun is brought to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Globs over cluster names; empty: all clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Cron, five fields: minute, hour, day of month, month, day of week.
    pub opens: String,
    /// How long it stays open.
    pub lasts_secs: u32,
    /// IANA name, `Europe/Berlin`.
    #[serde(default = "utc")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}
