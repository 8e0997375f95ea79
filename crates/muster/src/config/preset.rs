//! Presets: the numbers and the ladder of two tools that people come from.

use fleet::{
    journal::Trouble,
    policy::{Mode, Rule, Rung},
    remedy::Remedy,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::PolicySection;

/// A tool whose behaviour is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Preset {
    /// Hosts whose agent fails so many looks in a row, and then one more, are replaced.
    AgentMonitor,
    /// One minute after a disconnect one look, and whoever is still away is told.
    ConnectionMonitoring,
}

impl Preset {
    /// Sets what the tool sets; the rest stays as it is.
    pub(super) fn put_into(self, section: &mut PolicySection) {
        match self {
            // Its `fail_after` is 2. It knew no time at all: five minutes keep slow reconnects from being replaced.
            Self::AgentMonitor => {
                section.grace_secs = 60;
                section.act_after_secs = 300;
                section.fail_after = 2;
            }
            Self::ConnectionMonitoring => {
                section.mode = Mode::Observe;
                section.grace_secs = 60;
                section.act_after_secs = 61;
                section.fail_after = 1;
            }
        }
    }

    /// How many looks must fail for the core, when `fail_after` is written as the tool means it: after n warnings the
    /// (n+1)-th failed look acts.
    pub(super) fn looks(self, fail_after: u32) -> u32 {
        match self {
            Self::AgentMonitor => fail_after.saturating_add(1),
            Self::ConnectionMonitoring => fail_after,
        }
    }

    /// Its ladder, which every `[[ladder]]` goes before. A restart comes first: when the agent does not answer after it,
    /// that is the second witness which a replacement needs.
    pub(super) fn rules(self) -> Vec<Rule> {
        let rung = |remedy, deadline_secs| Rung { remedy, deadline_secs: Some(deadline_secs), custom: None };
        match self {
            Self::AgentMonitor => vec![Rule {
                troubles: vec![Trouble::AgentAway],
                ladder: Some(vec![
                    rung(Remedy::RestartAgent, 120),
                    rung(Remedy::Replace, 900),
                    rung(Remedy::Deregister, 300),
                ]),
                ..Rule::default()
            }],
            Self::ConnectionMonitoring => vec![Rule { ladder: Some(Vec::new()), ..Rule::default() }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn policy(text: &str) -> fleet::policy::Policy {
        Config::parse("muster.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes}")).policy()
    }

    #[test]
    fn agent_monitor_warns_so_many_times_and_decides_at_the_next_failed_look() {
        let terms = policy("[policy]\npreset = \"agent-monitor\"\n");
        let terms = terms.terms("any", Trouble::AgentAway);
        assert_eq!((terms.fail_after, terms.act_after_secs, terms.mode), (3, 300, Mode::DryRun));
        assert!(terms.ladder.iter().any(|rung| rung.remedy == Remedy::Replace));
        assert_eq!(policy("[policy]\npreset = \"agent-monitor\"\nfail_after = 5\n").fail_after, 6);
    }

    #[test]
    fn connection_monitoring_looks_once_after_a_minute_and_only_tells() {
        let policy = policy("[policy]\npreset = \"connection-monitoring\"\n");
        let terms = policy.terms("any", Trouble::AgentAway);
        assert_eq!((terms.grace_secs, terms.fail_after, terms.mode), (60, 1, Mode::Observe));
        assert!(terms.ladder.is_empty());
    }

    #[test]
    fn what_is_written_goes_before_the_preset() {
        let policy = policy(
            "[policy]\npreset = \"agent-monitor\"\nmode = \"act\"\ngrace_secs = 90\n\
             [[ladder]]\nclusters = [\"dev-*\"]\nrungs = [{ remedy = \"reboot\" }]\n",
        );
        assert_eq!((policy.mode, policy.grace_secs, policy.act_after_secs), (Mode::Act, 90, 300));
        assert_eq!(policy.terms("dev-a", Trouble::AgentAway).ladder.len(), 1);
        assert_eq!(policy.terms("prod", Trouble::AgentAway).ladder.len(), 3);
    }

    #[test]
    fn a_preset_keeps_budgets_and_protections() {
        let policy = policy("[policy]\npreset = \"agent-monitor\"\n");
        assert_eq!(policy.budgets, fleet::policy::Policy::default().budgets);
        assert_eq!(policy.protection, fleet::policy::Protection::default());
    }
}
