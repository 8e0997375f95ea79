//! `[[window]]`: when muster may act.

use fleet::policy::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    mistake::Wrong,
    words::{Lasting, cluster_glob},
};

/// A span of time that comes again. Where any window fits a cluster, remedies begin only while one is open; what has begun is
/// brought to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowEntry {
    /// Patterns of cluster names, with `*` and `?`. Left out: all clusters.
    #[serde(default)]
    #[schemars(example = ["prod-*"])]
    pub clusters: Vec<String>,
    /// When it opens: cron with five fields, minute, hour, day of month, month, day of week.
    #[schemars(example = &"0 9 * * MON-FRI")]
    pub opens: String,
    /// How long it stays open: 90m, 8h, at most 14d.
    #[schemars(example = &"8h")]
    pub lasts: Lasting,
    /// IANA name of the time zone that `opens` is in.
    #[serde(default = "utc")]
    #[schemars(example = &"Europe/Berlin")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl WindowEntry {
    /// As the core wants it.
    pub(super) fn window(&self) -> Window {
        Window {
            clusters: self.clusters.clone(),
            opens: self.opens.clone(),
            lasts_secs: self.lasts.0,
            time_zone: self.time_zone.clone(),
        }
    }
}

pub(super) fn check(windows: &[WindowEntry], wrong: &mut Vec<Wrong>) {
    for (index, entry) in windows.iter().enumerate() {
        let place = format!("window.{index}");
        for glob in &entry.clusters {
            if let Err(why) = cluster_glob(glob) {
                wrong.push(Wrong::of(&place, "clusters", why));
            }
        }
        if let Err(why) = entry.window().check() {
            // The time zone is looked at last: a window that is good in UTC has a bad zone.
            let in_utc = Window { time_zone: utc(), ..entry.window() };
            let for_an_hour = Window { lasts_secs: 3600, ..in_utc.clone() };
            let option = match (in_utc.check(), for_an_hour.check()) {
                (Ok(()), _) => "time_zone",
                (Err(_), Ok(())) => "lasts",
                _ => "opens",
            };
            wrong.push(Wrong::of(&place, option, why));
        }
    }
}
