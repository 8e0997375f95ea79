//! What the cases have met, so that no reason goes without a test.

use std::{collections::BTreeMap, fmt};

/// Counts of what was met.
#[derive(Default)]
pub(crate) struct Coverage {
    /// Cases in which at least one copy fits.
    pub(crate) fit: u64,
    /// Cases in which none does.
    pub(crate) none_fits: u64,
    /// Cases in which more fit than were tried.
    pub(crate) more_than_tried: u64,
    /// Copies that both placed.
    pub(crate) copies: u64,
    /// Hosts that were compared by themselves.
    pub(crate) hosts: u64,
    /// Cases with hosts of which the twin says that it cannot know.
    pub(crate) unknown: u64,
    /// Cases by what ECS would say of the next copy.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    /// Hosts by what they lack.
    pub(crate) limits: BTreeMap<&'static str, u64>,
    /// Cases walked copy by copy, by the strategies.
    pub(crate) walks: BTreeMap<String, u64>,
    /// Copies walked.
    pub(crate) walked: u64,
}

/// What hosts must be seen to lack.
const LIMITS: [&str; 16] = [
    "status",
    "agent",
    "provider",
    "launch type",
    "attribute",
    "operating system",
    "location",
    "memberOf",
    "distinctInstance",
    "CPU",
    "memory",
    "port",
    "GPU",
    "interfaces",
    "addresses",
    "unknown",
];

const REASONS: [&str; 12] = [
    "NO ACTIVE INSTANCES",
    "AGENT",
    "EMPTY CAPACITY PROVIDER",
    "ATTRIBUTE",
    "LOCATION",
    "MemberOf placement constraint unsatisfied",
    "DistinctInstance placement constraint unsatisfied",
    "RESOURCE:CPU",
    "RESOURCE:MEMORY",
    "RESOURCE:PORTS",
    "RESOURCE:GPU",
    "RESOURCE:ENI",
];

impl Coverage {
    pub(crate) fn reason(&mut self, reason: &'static str) {
        *self.reasons.entry(reason).or_default() += 1;
    }

    pub(crate) fn limit(&mut self, limit: &'static str) {
        *self.limits.entry(limit).or_default() += 1;
    }

    /// What no case has met.
    pub(crate) fn never_met(&self) -> Vec<&'static str> {
        let limits = LIMITS.into_iter().filter(|limit| !self.limits.contains_key(limit));
        let reasons = REASONS.into_iter().filter(|reason| !self.reasons.contains_key(reason));
        limits.chain(reasons).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fit, none_fits, more_than_tried, copies, hosts, unknown, walked, .. } = self;
        writeln!(formatter, "a copy fits in {fit}, none in {none_fits}; more than were tried in {more_than_tried}")?;
        writeln!(formatter, "{copies} copies placed by both, {hosts} hosts compared, {unknown} cases with unknowns")?;
        writeln!(formatter, "what ECS says of the next copy, by case: {:?}", self.reasons)?;
        writeln!(formatter, "what a host lacks for the next copy: {:?}", self.limits)?;
        write!(formatter, "{walked} copies walked, cases by strategy: {:?}", self.walks)
    }
}
