//! `[publish]`: what room is left, told to CloudWatch.

use engine::cadence::Cadence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;
use crate::publish::figures::NAMESPACE;

/// Where figures go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    /// Nowhere but to /metrics.
    #[default]
    Nowhere,
    /// To CloudWatch by PutMetricData, in each cluster's own account and region.
    Cloudwatch,
    /// To standard output, one line of embedded metric format each, for whoever takes muster's log to CloudWatch.
    Emf,
}

/// What room is left on hosts that take tasks, in all, by zone and by capacity provider. /metrics has it for Prometheus in any
/// case; of the network interfaces that tasks hold only with audit_tasks of [sweep], which publishing turns on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PublishSection {
    /// Where it is published. CloudWatch needs the action cloudwatch:PutMetricData (deploy/iam/publish.json).
    pub to: To,
    /// Namespace in CloudWatch. Those that begin with AWS/ are AWS's own.
    pub namespace: String,
    /// Also the three metrics of monitor-ecs-cluster-enis, with their names, dimension and unit, for alarms that have them.
    pub legacy: bool,
    /// What has changed is published at once, but no more often than every so many seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub floor_secs: u32,
    /// What has not changed is published again after so many seconds. Alarms want a point in each of their periods.
    #[schemars(range(min = 10, max = 3600))]
    pub ceiling_secs: u32,
}

impl Default for PublishSection {
    fn default() -> Self {
        Self { to: To::Nowhere, namespace: NAMESPACE.to_owned(), legacy: false, floor_secs: 15, ceiling_secs: 60 }
    }
}

/// PutMetricData's rule: 1 to 255 letters, digits and some marks, no colon at the beginning.
pub fn is_namespace(text: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-/#:".contains(letter);
    (1..=255).contains(&text.len()) && !text.starts_with(':') && text.chars().all(allowed)
}

impl PublishSection {
    /// How often it is published.
    pub fn cadence(&self) -> Cadence {
        Cadence { floor_secs: self.floor_secs, ceiling_secs: self.ceiling_secs }
    }

    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        let namespace = &self.namespace;
        if !is_namespace(namespace) {
            wrong.push(Wrong::at(
                "publish.namespace",
                "a namespace has 1 to 255 letters, digits, `.`, `_`, `-`, `/`, `#` and `:`",
            ));
        }
        if namespace.to_ascii_uppercase().starts_with("AWS/") {
            wrong.push(Wrong::at("publish.namespace", "namespaces that begin with AWS/ are AWS's own: choose another"));
        }
        for (name, value, least) in [("floor_secs", self.floor_secs, 1), ("ceiling_secs", self.ceiling_secs, 10)] {
            if !(least..=3_600).contains(&value) {
                let range = format!("{value} is out of range: {least} s to an hour (3600)");
                wrong.push(Wrong::at(format!("publish.{name}"), range));
            }
        }
        if self.floor_secs > self.ceiling_secs {
            wrong.push(Wrong::at(
                "publish.floor_secs",
                "the floor lies above the ceiling: ceiling_secs must not be less",
            ));
        }
        if self.legacy && self.to == To::Nowhere {
            wrong.push(Wrong::at(
                "publish.legacy",
                "legacy metrics go to CloudWatch: say to = \"cloudwatch\" or \"emf\"",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn told(text: &str) -> String {
        Config::parse("muster.toml", text).map_or_else(|mistakes| mistakes.to_string(), |_| String::new())
    }

    #[test]
    fn nonsense_is_refused_where_it_stands() {
        assert_eq!(told("[publish]\nto = \"cloudwatch\"\nlegacy = true\nfloor_secs = 60\n"), "");
        for (text, says) in [
            ("namespace = \"AWS/ECS\"", "AWS's own"),
            ("namespace = \"a b\"", "1 to 255 letters"),
            ("floor_secs = 120", "above the ceiling"),
            ("ceiling_secs = 5", "out of range"),
            ("legacy = true", "to = \"cloudwatch\""),
            ("to = \"cloud-watch\"", "cloudwatch"),
        ] {
            let told = told(&format!("[publish]\n{text}\n"));
            assert!(told.contains(says), "{text}: {told}");
        }
    }
}
