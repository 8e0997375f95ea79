//! I11, no lost alert: every true outage that lasts has a case in time, and where anybody is to be told, a page about it
//! arrives.

use std::collections::BTreeMap;

use super::{
    Arrived, CaseLife, Conditions, History, TruthLog, Violation,
    history::{self, CaseKey, text},
    truth::Outage,
};
use crate::{
    clock::{MINUTE, Moment, SECOND},
    world::{HostStatus, World},
};

/// Three minutes of grace, two until ECS notices a silent agent, one for everything else.
const THRESHOLD_MS: i64 = 6 * MINUTE;

/// What the catalogue gives a page beyond threshold and wait.
const PAGE_MS: i64 = MINUTE;

/// All cases by their subjects, the doubts apart.
struct Cases {
    of_hosts: BTreeMap<String, Vec<(CaseKey, CaseLife)>>,
    doubts: Vec<(CaseKey, CaseLife)>,
}

impl Cases {
    fn of(history: &History) -> Self {
        let mut cases = Self { of_hosts: BTreeMap::new(), doubts: Vec::new() };
        for (key, life) in history.cases() {
            if life.trouble == "doubt" {
                cases.doubts.push((key, life));
            } else {
                cases.of_hosts.entry(life.subject.clone()).or_default().push((key, life));
            }
        }
        cases
    }

    /// The cases of a host, and all doubts.
    fn about(&self, arn: &str) -> impl Iterator<Item = (CaseKey, &CaseLife)> {
        let own = self.of_hosts.get(arn).map(Vec::as_slice).unwrap_or_default();
        own.iter().chain(&self.doubts).map(|(key, life)| (*key, life))
    }
}

/// Judges every outage longer than the threshold.
pub fn judge(world: &World, truth: &TruthLog, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let threshold = THRESHOLD_MS + slack(conditions);
    let cases = Cases::of(history);
    let mut found = Vec::new();
    for outage in truth.outages(world) {
        let over = outage.ended.unwrap_or(Moment(i64::MAX)).min(conditions.ended);
        let Some(host) = world.host(outage.host) else { continue };
        // A registration that failed was never there to be lost.
        if host.said.status == HostStatus::RegistrationFailed {
            continue;
        }
        let arn = world.host_arn(outage.host);
        let due = outage.began.plus(threshold);
        if over > due {
            let told = cases.about(&arn).any(|(_, life)| {
                life.opened <= due && life.closed.is_none_or(|closed| closed >= outage.began.plus(SECOND))
            });
            if !told {
                let secs = over.since(outage.began) / SECOND;
                let what = format!("{arn} was away for {secs} s since {} and had no case", outage.began.iso_secs());
                found.push(Violation { invariant: "I11", at: due, what });
            }
        }
        if conditions.policy.has_routes() && conditions.pages_judged() {
            found.extend(page_missing(world, &outage, &arn, over, (history, &cases), conditions));
        }
    }
    found
}

/// A lost event is made good by the next sweep, a failed sweep by the one after it; a muster that is down sees nothing.
fn slack(conditions: &Conditions) -> i64 {
    let mut slack = conditions.down_ms;
    if conditions.events_unreliable {
        slack += conditions.sweep_every_ms + MINUTE;
    }
    if conditions.calls_unreliable {
        slack += 4 * conditions.sweep_every_ms;
    }
    slack
}

/// The page about an outage that lasted so long that a decision about it was due, if none arrived.
fn page_missing(
    world: &World,
    outage: &Outage,
    arn: &str,
    over: Moment,
    (history, cases): (&History, &Cases),
    conditions: &Conditions,
) -> Option<Violation> {
    let host = world.host(outage.host)?;
    let cluster = world.cluster(host.cluster)?.arn.clone();
    let plain = &conditions.policy;
    let act_after = plain.wait_ms("act_after_secs", 600, &cluster, "agent-away");
    let grace = plain.wait_ms("grace_secs", 180, &cluster, "agent-away");
    // Looks in a row are half a minute apart.
    let looks = plain.fail_after(&cluster, "agent-away") * 35 * SECOND;
    // The first alert of a group waits, the next page of a group that was told already waits longer.
    let wait = plain.routing_secs("wait_secs", 10).max(plain.routing_secs("interval_secs", 300)) * 1000;
    let ceased = conditions.healed.unwrap_or(outage.began).max(outage.began);
    let due = ceased.plus(2 * MINUTE + grace.max(act_after) + looks + wait + PAGE_MS + slack(conditions));
    if over <= due {
        return None;
    }
    let about =
        |arrived: &&Arrived| arrived.at >= outage.began && arrived.at <= due && names(&arrived.page, arn, &cluster);
    if history.arrived.iter().any(|arrived| about(&arrived)) {
        return None;
    }
    // Somebody may have been told before, of the same incident; or nobody was to be told, and that is on the record.
    let own: Vec<(CaseKey, &CaseLife)> = cases.about(arn).filter(|(_, life)| life.opened <= due).collect();
    let known = |case: u64| own.iter().any(|((_, number), _)| *number == case);
    let spared = history.of_kind("not-told").any(|noted| history::case(&noted.record).is_some_and(known));
    let lost = history.of_kind("page-lost").any(|noted| noted.at >= outage.began && noted.at <= due);
    let held = own.iter().any(|(_, life)| life.trouble == "doubt" && life.opened <= due && life.open_at(due));
    if spared || lost || held {
        return None;
    }
    let secs = over.since(outage.began) / SECOND;
    let what = format!("{arn} was away for {secs} s since {} and no page about it arrived", outage.began.iso_secs());
    Some(Violation { invariant: "I11", at: due, what })
}

/// A page names a host among its samples, or is about more hosts of its cluster than it has samples for.
fn names(page: &serde_json::Value, arn: &str, cluster: &str) -> bool {
    let samples = page["samples"].as_array().map(Vec::as_slice).unwrap_or_default();
    let more = page["hosts"].as_u64().unwrap_or(0) > samples.len() as u64;
    let in_cluster = super::plain::texts(&page["clusters"]).iter().any(|it| it == cluster);
    samples.iter().any(|sample| text(sample, "subject") == arn)
        || more && in_cluster
        || text(page, "trouble") == "doubt"
}
