//! Who may be helped, how far, and by which ladder: rules by cluster and by kind of trouble.

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::{glob, journal::Trouble, remedy::Remedy};

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
    pub mode: Option<Mode>,
    /// Instead of the policy's.
    pub grace_secs: Option<u32>,
    /// Instead of the policy's.
    pub act_after_secs: Option<u32>,
    /// Instead of the policy's.
    pub fail_after: Option<u32>,
    /// The remedies in the order in which they are tried.
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
    #[serde(default)]
    pub custom: Option<String>,
}

/// What holds for one trouble of one cluster, all rules heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms<'p> {
    /// How far muster goes.
    pub mode: Mode,
    /// How long the trouble may last before anybody looks.
    pub grace_secs: u32,
    /// How long it must have lasted before anything is decided.
    pub act_after_secs: u32,
    /// How many looks in a row must have agreed.
    pub fail_after: u32,
    /// The remedies in order.
    pub ladder: &'p [Rung],
}

const fn rung(remedy: Remedy, deadline_secs: u32) -> Rung {
    Rung { remedy, deadline_secs: Some(deadline_secs), custom: None }
}

static AWAY: [Rung; 3] = [rung(Remedy::RestartAgent, 180), rung(Remedy::Replace, 900), rung(Remedy::Deregister, 300)];
static RUNTIME: [Rung; 1] = [rung(Remedy::RestartRuntime, 300)];
static UNREGISTERED: [Rung; 1] = [rung(Remedy::Replace, 900)];

/// The ladder of a trouble when no rule gives one. After its last rung a person is told.
pub fn default_ladder(trouble: Trouble) -> &'static [Rung] {
    match trouble {
        Trouble::AgentAway => &AWAY,
        Trouble::Runtime => &RUNTIME,
        Trouble::NeverRegistered => &UNREGISTERED,
        Trouble::HostImpaired
        | Trouble::Flapping
        | Trouble::RegistrationFailed
        | Trouble::DrainStuck
        | Trouble::Doubt
        | Trouble::NoRoom
        | Trouble::MuchRoom => &[],
    }
}

impl Policy {
    /// What holds for a trouble of a cluster. A cluster is known by its name, the last segment of its ARN.
    pub fn terms(&self, cluster: &str, trouble: Trouble) -> Terms<'_> {
        let mut terms = Terms {
            mode: self.mode,
            grace_secs: self.grace_secs,
            act_after_secs: self.act_after_secs,
            fail_after: self.fail_after,
            ladder: default_ladder(trouble),
        };
        for rule in &self.rules {
            let fits = (rule.troubles.is_empty() || rule.troubles.contains(&trouble))
                && glob::fits_any(&rule.clusters, cluster);
            if !fits {
                continue;
            }
            terms.mode = rule.mode.unwrap_or(terms.mode);
            terms.grace_secs = rule.grace_secs.unwrap_or(terms.grace_secs);
            terms.act_after_secs = rule.act_after_secs.unwrap_or(terms.act_after_secs);
            terms.fail_after = rule.fail_after.unwrap_or(terms.fail_after);
            terms.ladder = rule.ladder.as_deref().unwrap_or(terms.ladder);
        }
        terms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_says_something_wins_option_by_option() {
        let rule = |clusters: &[&str], troubles: &[Trouble]| Rule {
            clusters: clusters.iter().map(|&glob| glob.to_owned()).collect(),
            troubles: troubles.to_vec(),
            ..Rule::default()
        };
        let policy = Policy {
            rules: vec![
                Rule { mode: Some(Mode::Act), grace_secs: Some(60), ..rule(&[], &[]) },
                Rule { mode: Some(Mode::Approve), ..rule(&["prod-*"], &[Trouble::AgentAway]) },
                Rule { ladder: Some(vec![rung(Remedy::Reboot, 600)]), ..rule(&["prod-eu"], &[]) },
            ],
            ..Policy::default()
        };
        let terms = policy.terms("prod-eu", Trouble::AgentAway);
        assert_eq!((terms.mode, terms.grace_secs, terms.act_after_secs), (Mode::Approve, 60, 600));
        assert_eq!(terms.ladder, [rung(Remedy::Reboot, 600)]);
        assert_eq!(policy.terms("prod-us", Trouble::Runtime).mode, Mode::Act);
        assert_eq!(policy.terms("prod-us", Trouble::Runtime).ladder, default_ladder(Trouble::Runtime));
        assert_eq!(Policy::default().terms("any", Trouble::AgentAway).mode, Mode::DryRun);
    }
}
