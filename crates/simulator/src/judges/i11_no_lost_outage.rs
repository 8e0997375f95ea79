//! I11 as a case: every true outage that lasts has one.

use super::{Conditions, History, TruthLog, Violation};
use crate::{
    clock::{MINUTE, Moment, SECOND},
    world::{HostStatus, World},
};

/// Three minutes of grace, two until ECS notices a silent agent, one for everything else.
const THRESHOLD_MS: i64 = 6 * MINUTE;

/// Judges every outage longer than the threshold.
pub fn judge(world: &World, truth: &TruthLog, history: &History, conditions: &Conditions) -> Vec<Violation> {
    // A lost event is made good by the next sweep, a failed sweep by the one after it.
    let mut threshold = THRESHOLD_MS;
    if conditions.events_unreliable {
        threshold += conditions.sweep_every_ms + MINUTE;
    }
    if conditions.calls_unreliable {
        threshold += 4 * conditions.sweep_every_ms;
    }
    let cases: Vec<_> = history.cases().into_values().collect();
    let mut found = Vec::new();
    for outage in truth.outages(world) {
        let due = outage.began.plus(threshold);
        let over = outage.ended.unwrap_or(Moment(i64::MAX)).min(conditions.ended);
        let Some(host) = world.host(outage.host) else { continue };
        // A registration that failed was never there to be lost.
        if over <= due || host.said.status == HostStatus::RegistrationFailed {
            continue;
        }
        let arn = world.host_arn(outage.host);
        let told = cases.iter().any(|life| {
            (life.subject == arn || life.trouble == "doubt")
                && life.opened <= due
                && life.closed.is_none_or(|closed| closed >= outage.began.plus(SECOND))
        });
        if !told {
            let secs = over.since(outage.began) / SECOND;
            let what = format!("{arn} was away for {secs} s since {} and had no case", outage.began.iso_secs());
            found.push(Violation { invariant: "I11", at: due, what });
        }
    }
    found
}
