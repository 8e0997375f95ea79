//! What room is always to be kept: "room for 4 more of api in each zone".

use serde::{Deserialize, Serialize};

use super::{Mode, Policy};
use crate::{capacity::keeper::Declared, glob};

/// One declared headroom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    /// Globs over cluster names; empty: all clusters.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// Whose copies: `service:NAME`, or `family:NAME` of a task definition.
    pub of: String,
    /// In each zone that the group launches in, and not only in all.
    #[serde(default)]
    pub each_zone: bool,
    /// Globs over names of the Auto Scaling groups that may be made larger or smaller; empty: whichever feeds the cluster.
    #[serde(default)]
    pub groups: Vec<String>,
    /// How far muster goes; `None`: as the policy says.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// A scaling policy of the group by which hosts are added, instead of setting its size.
    #[serde(default)]
    pub scale_out_policy: Option<String>,
    /// How much, and within which limits.
    #[serde(default)]
    pub declared: Declared,
}

impl Keep {
    /// Whether it is about a cluster, by its name.
    pub fn is_about(&self, cluster: &str) -> bool {
        glob::fits_any(&self.clusters, cluster)
    }

    /// `api` of `service:api`.
    pub fn short_of(&self) -> &str {
        self.of.split_once(':').map_or(self.of.as_str(), |(_, name)| name)
    }
}

impl Policy {
    /// The headroom that is declared for these copies in a cluster; the first that fits.
    pub fn keep_of(&self, cluster: &str, of: &str) -> Option<&Keep> {
        self.headroom.iter().find(|keep| keep.of == of && keep.is_about(cluster))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_declaration_that_fits_holds() {
        let keep = |clusters: &[&str], copies| Keep {
            clusters: clusters.iter().map(|&glob| glob.to_owned()).collect(),
            of: "service:api".to_owned(),
            each_zone: false,
            groups: Vec::new(),
            mode: None,
            scale_out_policy: None,
            declared: Declared { copies, ..Declared::default() },
        };
        let policy = Policy { headroom: vec![keep(&["prod-*"], 4), keep(&[], 1)], ..Policy::default() };
        let copies = |cluster| policy.keep_of(cluster, "service:api").map(|keep| keep.declared.copies);
        assert_eq!((copies("prod-a"), copies("dev")), (Some(4), Some(1)));
        assert_eq!(policy.keep_of("dev", "service:web"), None);
        assert_eq!(policy.headroom[0].short_of(), "api");
    }
}
