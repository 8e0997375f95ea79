//! The only door into the core.

use jiff::Timestamp;

use crate::{effect::Effect, input::Input, policy::Policy};

/// Everything muster believes.
#[derive(Debug, Default)]
pub struct Fleet {
    policy: Policy,
}

impl Fleet {
    /// An empty fleet under a policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }
    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
    /// Calls the roll. With `cluster`, of that cluster ARN alone.
    pub fn roll_call(&self, now: Timestamp, cluster: Option<&str>) -> crate::view::RollCall {
        let _ = cluster;
        crate::view::RollCall { at: now, clusters: Vec::new() }
    }
    /// Open cases in the order of their numbers, and the most recently closed ones (at most 1,000) with `closed`.
    pub fn cases(&self, now: Timestamp, closed: bool) -> Vec<crate::view::CaseView> {
        let _ = (now, closed);
        Vec::new()
    }
    /// Counts by verdict.
    pub fn counts(&self, now: Timestamp) -> crate::view::Counts {
        let _ = now;
        crate::view::Counts::default()
    }
    /// The earliest deadline, if any.
    pub fn wake_at(&self) -> Option<Timestamp> {
        None
    }
}

/// Takes one input, changes beliefs, and says what the shell should do.
pub fn step(fleet: &mut Fleet, now: Timestamp, input: &Input<'_>) -> Vec<Effect> {
    let _ = (fleet, now, input);
    Vec::new()
}
