//! Who may be helped, how far, and by which ladder: rules by cluster and by kind of trouble.

use serde::{Deserialize, Serialize};

use crate::{journal::Trouble, remedy::Remedy};

/// How far muster goes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Watches and tells; does not even say what it would do.
    Observe,
    /// Says what it would do.
    #[default]
    DryRun,
    /// Does it once a person has approved.
    Approve,
    /// Does it.
    Act,
}

impl Mode {
    /// The kebab-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::DryRun => "dry-run",
            Self::Approve => "approve",
            Self::Act => "act",
        }
    }
}

/// What holds for some clusters and some troubles. Of all rules that fit, the last one that says something wins, option
/// by option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Globs over cluster names; empty: all clusters.
    pub clusters: Vec<String>,
    /// Troubles; empty: all.
    pub troubles: Vec<Trouble>,
    /// How far muster goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Instead of the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_secs: Option<u32>,
    /// Instead of the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act_after_secs: Option<u32>,
    /// Instead of the policy's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_after: Option<u32>,
    /// The remedies in the order in which they are tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Vec<Rung>>,
}

/// One remedy of a ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// What is tried.
    pub remedy: Remedy,
    /// How long it may take until the trouble must be over; then the next rung. For a drain, when it is undone.
    #[serde(default)]
    pub deadline_secs: Option<u32>,
    /// The operator's action, for a custom rung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<String>,
}
