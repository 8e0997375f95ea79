//! `[policy]`: the options of [`fleet::policy::Policy`], worded for the file.

use fleet::policy::Policy;
use schemars::JsonSchema;
use serde::Serialize;

use super::mistake::Wrong;

/// The options of the section. The core knows nothing of schemas; a test keeps the two alike.
#[derive(Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyOptions {
    /// How long an agent may be away before its host is looked at again and believed lost. Agents reconnect about
    /// twice an hour by design and are back within seconds.
    #[schemars(range(min = 1))]
    grace_secs: u32,
    /// How long an agent must have been away before muster says what it would do. Must be more than grace_secs.
    #[schemars(range(min = 1))]
    act_after_secs: u32,
    /// How many looks in a row must fail, besides the time, before muster says what it would do.
    #[schemars(range(min = 1))]
    fail_after: u32,
    /// Disconnects within an hour from which a host that answers is called flapping. Two are routine.
    #[schemars(range(min = 3))]
    flapping_per_hour: u32,
    /// How long a machine of a cluster's Auto Scaling group may take to register.
    #[schemars(range(min = 1))]
    launch_grace_secs: u32,
    /// How long a host may drain before it is called stuck.
    #[schemars(range(min = 1))]
    drain_stuck_secs: u32,
    /// Share of a cohort (cluster, zone, group, AMI, agent version) that must be missing at once before muster doubts
    /// its own eyes and decides nothing about single hosts. 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    doubt_share: f64,
    /// And how many hosts at least.
    #[schemars(range(min = 1))]
    doubt_min_hosts: u32,
    /// How long they must have been missing together: a control plane that recycles connections is no incident.
    doubt_after_secs: u32,
    /// How old the last look may be before a host that nobody has heard of is called unknown instead of present.
    /// Should be at least two sweeps.
    #[schemars(range(min = 1))]
    stale_after_secs: u32,
    /// How old a look may be to decide on it.
    #[schemars(range(min = 1))]
    fresh_secs: u32,
    /// How long after a gap in the versions of a host or task it is looked up, if nothing newer has come.
    #[schemars(range(min = 1))]
    gap_look_secs: u32,
}

impl Default for PolicyOptions {
    fn default() -> Self {
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
            ..
        } = Policy::default();
        Self {
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
        }
    }
}

pub(super) fn check(policy: &Policy, wrong: &mut Vec<Wrong>) {
    let above_zero = [
        ("policy.grace_secs", policy.grace_secs),
        ("policy.act_after_secs", policy.act_after_secs),
        ("policy.fail_after", policy.fail_after),
        ("policy.launch_grace_secs", policy.launch_grace_secs),
        ("policy.drain_stuck_secs", policy.drain_stuck_secs),
        ("policy.doubt_min_hosts", policy.doubt_min_hosts),
        ("policy.stale_after_secs", policy.stale_after_secs),
        ("policy.fresh_secs", policy.fresh_secs),
        ("policy.gap_look_secs", policy.gap_look_secs),
    ];
    for (path, value) in above_zero {
        if value == 0 {
            wrong.push(Wrong::at(path, "0 is out of range: must be at least 1"));
        }
    }
    if policy.act_after_secs <= policy.grace_secs && policy.act_after_secs > 0 {
        wrong.push(Wrong {
            paths: vec!["policy.act_after_secs", "policy.grace_secs"],
            what: format!(
                "act_after_secs ({}) must be more than grace_secs ({}): nothing is decided before the grace is over",
                policy.act_after_secs, policy.grace_secs
            ),
        });
    }
    if policy.flapping_per_hour < 3 {
        wrong.push(Wrong::at(
            "policy.flapping_per_hour",
            format!(
                "{} is out of range: must be at least 3, as two reconnects an hour are routine",
                policy.flapping_per_hour
            ),
        ));
    }
    if !(0.0..=1.0).contains(&policy.doubt_share) {
        wrong.push(Wrong::at(
            "policy.doubt_share",
            format!("{} is out of range: a share lies between 0 and 1 (0.2 is 20 %)", policy.doubt_share),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_shown_are_exactly_the_options_of_the_core() {
        let core = serde_json::to_value(Policy::default()).unwrap();
        assert_eq!(serde_json::to_value(PolicyOptions::default()).unwrap(), core);
    }
}
