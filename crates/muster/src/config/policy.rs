//! `[policy]`: how much is waited and tolerated, and how far muster goes. The numbers are those of
//! [`fleet::policy::Policy`], worded for the file.

use fleet::policy::{Mode, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{mistake::Wrong, preset::Preset, words};

/// The options of the section, each with its value: as written, else as the preset says, else the default.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySection {
    /// How far muster goes where no `[[ladder]]` says otherwise: observe (watch and tell), dry-run (say what it would do),
    /// approve (do it once a person has approved), act (do it).
    #[schemars(schema_with = "words::mode")]
    pub mode: Mode,
    /// Numbers and ladder of a tool that you come from: agent-monitor (replace after fail_after failed looks and one more) or
    /// connection-monitoring (one look after 60 s, tell, do nothing). What is written besides goes before it.
    #[schemars(example = &"agent-monitor")]
    pub preset: Option<Preset>,
    /// How long an agent may be away before its host is looked at again and believed lost. Agents reconnect about
    /// twice an hour by design and are back within seconds.
    #[schemars(range(min = 1))]
    pub grace_secs: u32,
    /// How long an agent must have been away before muster decides what to do. Must be more than grace_secs.
    #[schemars(range(min = 1))]
    pub act_after_secs: u32,
    /// How many looks in a row must fail, besides the time, before muster decides. With preset = "agent-monitor", so many
    /// failed looks are only told, and the next one decides.
    #[schemars(range(min = 1))]
    pub fail_after: u32,
    /// Disconnects within an hour from which a host that answers is called flapping. Two are routine.
    #[schemars(range(min = 3))]
    pub flapping_per_hour: u32,
    /// How long a machine of a cluster's Auto Scaling group may take to register.
    #[schemars(range(min = 1))]
    pub launch_grace_secs: u32,
    /// How long a host may drain before it is called stuck.
    #[schemars(range(min = 1))]
    pub drain_stuck_secs: u32,
    /// Share of a cohort (cluster, zone, group, AMI, agent version) that must be missing at once before muster doubts
    /// its own eyes and decides nothing about single hosts. 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub doubt_share: f64,
    /// And how many hosts at least.
    #[schemars(range(min = 1))]
    pub doubt_min_hosts: u32,
    /// How long they must have been missing together: a control plane that recycles connections is no incident.
    pub doubt_after_secs: u32,
    /// How old the last look may be before a host that nobody has heard of is called unknown instead of present.
    /// Should be at least two sweeps.
    #[schemars(range(min = 1))]
    pub stale_after_secs: u32,
    /// How old a look may be to decide on it.
    #[schemars(range(min = 1))]
    pub fresh_secs: u32,
    /// How long after a gap in the versions of a host or task it is looked up, if nothing newer has come.
    #[schemars(range(min = 1))]
    pub gap_look_secs: u32,
}

/// The section as it is written: what is left out is taken from the preset or the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    mode: Option<Mode>,
    preset: Option<Preset>,
    grace_secs: Option<u32>,
    act_after_secs: Option<u32>,
    fail_after: Option<u32>,
    flapping_per_hour: Option<u32>,
    launch_grace_secs: Option<u32>,
    drain_stuck_secs: Option<u32>,
    doubt_share: Option<f64>,
    doubt_min_hosts: Option<u32>,
    doubt_after_secs: Option<u32>,
    stale_after_secs: Option<u32>,
    fresh_secs: Option<u32>,
    gap_look_secs: Option<u32>,
}

impl Default for PolicySection {
    fn default() -> Self {
        Self::resting_on(None)
    }
}

impl<'de> Deserialize<'de> for PolicySection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let base = Self::resting_on(written.preset);
        Ok(Self {
            mode: written.mode.unwrap_or(base.mode),
            preset: written.preset,
            grace_secs: written.grace_secs.unwrap_or(base.grace_secs),
            act_after_secs: written.act_after_secs.unwrap_or(base.act_after_secs),
            fail_after: written.fail_after.unwrap_or(base.fail_after),
            flapping_per_hour: written.flapping_per_hour.unwrap_or(base.flapping_per_hour),
            launch_grace_secs: written.launch_grace_secs.unwrap_or(base.launch_grace_secs),
            drain_stuck_secs: written.drain_stuck_secs.unwrap_or(base.drain_stuck_secs),
            doubt_share: written.doubt_share.unwrap_or(base.doubt_share),
            doubt_min_hosts: written.doubt_min_hosts.unwrap_or(base.doubt_min_hosts),
            doubt_after_secs: written.doubt_after_secs.unwrap_or(base.doubt_after_secs),
            stale_after_secs: written.stale_after_secs.unwrap_or(base.stale_after_secs),
            fresh_secs: written.fresh_secs.unwrap_or(base.fresh_secs),
            gap_look_secs: written.gap_look_secs.unwrap_or(base.gap_look_secs),
        })
    }
}

impl PolicySection {
    fn resting_on(preset: Option<Preset>) -> Self {
        let Policy {
            grace_secs,
            act_after_secs,
            fail_after,
            flapping_per_hour,
            launch_grace_secs,
            drain_stuck_secs,
            doubt_share,
            doubt_min_hosts,
            doubt_after_secs,
            stale_after_secs,
            fresh_secs,
            gap_look_secs,
            mode,
            // Sections of their own.
            rules: _,
            budgets: _,
            windows: _,
            protection: _,
            replacement: _,
            routing: _,
            headroom: _,
        } = Policy::default();
        let mut section = Self {
            mode,
            preset,
            grace_secs,
            act_after_secs,
            fail_after,
            flapping_per_hour,
            launch_grace_secs,
            drain_stuck_secs,
            doubt_share,
            doubt_min_hosts,
            doubt_after_secs,
            stale_after_secs,
            fresh_secs,
            gap_look_secs,
        };
        if let Some(preset) = preset {
            preset.put_into(&mut section);
        }
        section
    }

    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        let above_zero = [
            ("policy.grace_secs", self.grace_secs),
            ("policy.act_after_secs", self.act_after_secs),
            ("policy.fail_after", self.fail_after),
            ("policy.launch_grace_secs", self.launch_grace_secs),
            ("policy.drain_stuck_secs", self.drain_stuck_secs),
            ("policy.doubt_min_hosts", self.doubt_min_hosts),
            ("policy.stale_after_secs", self.stale_after_secs),
            ("policy.fresh_secs", self.fresh_secs),
            ("policy.gap_look_secs", self.gap_look_secs),
        ];
        for (path, value) in above_zero {
            if value == 0 {
                wrong.push(Wrong::at(path, "0 is out of range: must be at least 1"));
            }
        }
        if self.act_after_secs <= self.grace_secs && self.act_after_secs > 0 {
            let paths = vec!["policy.act_after_secs".to_owned(), "policy.grace_secs".to_owned()];
            let what = format!(
                "act_after_secs ({}) must be more than grace_secs ({}): nothing is decided before the grace is over",
                self.act_after_secs, self.grace_secs
            );
            wrong.push(Wrong::at_any(paths, what));
        }
        if self.flapping_per_hour < 3 {
            wrong.push(Wrong::at(
                "policy.flapping_per_hour",
                format!(
                    "{} is out of range: must be at least 3, as two reconnects an hour are routine",
                    self.flapping_per_hour
                ),
            ));
        }
        if !(0.0..=1.0).contains(&self.doubt_share) {
            wrong.push(Wrong::at(
                "policy.doubt_share",
                format!("{} is out of range: a share lies between 0 and 1 (0.2 is 20 %)", self.doubt_share),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Options of the policy that have sections of their own.
    const SECTIONS: [&str; 7] = ["rules", "budgets", "windows", "protection", "replacement", "routing", "headroom"];

    #[test]
    fn the_options_of_the_section_are_those_of_the_core_and_the_preset() {
        let core = serde_json::to_value(Policy::default()).unwrap();
        let mut own = serde_json::to_value(PolicySection::default()).unwrap();
        own.as_object_mut().unwrap().remove("preset").unwrap();
        let mut numbers = core.as_object().unwrap().clone();
        numbers.retain(|name, _| !SECTIONS.contains(&name.as_str()));
        assert_eq!(own.as_object().unwrap(), &numbers);
    }

    #[test]
    fn every_option_that_is_written_reaches_the_core() {
        let defaults = serde_json::to_value(PolicySection::default()).unwrap();
        for (option, default) in defaults.as_object().unwrap() {
            let (text, expected) = match default {
                serde_json::Value::Number(number) if number.is_f64() => ("0.5".to_owned(), serde_json::json!(0.5)),
                // Odd enough to be nobody's default, and in every range.
                serde_json::Value::Number(_) if option == "grace_secs" => ("77".to_owned(), serde_json::json!(77)),
                serde_json::Value::Number(_) => ("7777".to_owned(), serde_json::json!(7777)),
                serde_json::Value::String(_) => ("\"act\"".to_owned(), serde_json::json!("act")),
                _ => continue,
            };
            let config = Config::parse("muster.toml", &format!("[policy]\n{option} = {text}\n")).unwrap();
            assert_eq!(serde_json::to_value(config.policy()).unwrap()[option], expected, "{option}");
        }
    }
}
