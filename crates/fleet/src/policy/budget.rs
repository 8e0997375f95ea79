//! How much may be disturbed at once, and within an hour.

use serde::{Deserialize, Serialize};

/// One limit. All limits that fit a host hold at once, so the most restrictive one wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Globs over cluster names; empty: all clusters.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// Counted apart for each of these.
    pub per: Per,
    /// Hosts that may be disturbed at the same time.
    #[serde(default)]
    pub at_once: Option<Limit>,
    /// Hosts whose disturbance may begin within one hour.
    #[serde(default)]
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

impl Per {
    /// As people say it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fleet => "in the whole fleet",
            Self::Cluster => "in the cluster",
            Self::Zone => "in the zone",
            Self::Group => "in the Auto Scaling group",
        }
    }
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

impl Limit {
    /// How many of so many hosts.
    pub fn of(self, hosts: u32) -> u32 {
        match self {
            Self::Hosts(most) => most,
            // A hair less before rounding up: 10 % of 30 hosts are 3 and not 4.
            Self::Percent(percent) => (f64::from(hosts) * percent / 100.0 - 1e-9).ceil().max(0.0) as u32,
        }
    }

    /// What is wrong with it, if anything.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(self) -> Result<(), String> {
        match self {
            Self::Hosts(0) => Err("a budget of 0 lets nothing ever happen; use mode = \"dry-run\" for that".to_owned()),
            Self::Percent(percent) if percent <= 0.0 || percent.is_nan() => {
                Err(format!("a budget of {percent} % lets nothing ever happen; use mode = \"dry-run\" for that"))
            }
            Self::Percent(percent) if percent > 100.0 => {
                Err(format!("{percent} % is more than all hosts; a percentage lies above 0 and up to 100"))
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hosts(most) => write!(f, "{most}"),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

/// One at a time in each cluster, and no more than a tenth of it.
pub fn default_budgets() -> Vec<Budget> {
    let cluster = |limit| Budget { clusters: Vec::new(), per: Per::Cluster, at_once: Some(limit), per_hour: None };
    vec![cluster(Limit::Hosts(1)), cluster(Limit::Percent(10.0))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_to_whole_hosts() {
        assert_eq!([1, 9, 10, 11, 30].map(|hosts| Limit::Percent(10.0).of(hosts)), [1, 1, 1, 2, 3]);
        assert_eq!((Limit::Percent(10.0).of(0), Limit::Hosts(4).of(2)), (0, 4));
    }

    #[test]
    fn budgets_of_nothing_and_of_more_than_all_are_told() {
        for limit in [Limit::Hosts(0), Limit::Percent(0.0), Limit::Percent(-1.0), Limit::Percent(100.1)] {
            assert!(limit.check().is_err(), "{limit}");
        }
        assert!(Limit::Hosts(1).check().is_ok() && Limit::Percent(100.0).check().is_ok());
    }
}
