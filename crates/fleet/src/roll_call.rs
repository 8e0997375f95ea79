//! Calling the roll: the beliefs, as people and scripts are shown them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    case::{NO_CASE, Subject},
    host::{Agent, Host},
    journal::{Stage, Trouble},
    machine::Machine,
    names::Name,
    observation::{CheckStatus, InstanceStatus},
    slab::Slot,
    state::{Fleet, millis, stamp},
    verdict::Verdict,
    view::{CaseView, ClusterView, Counts, HostView, RollCall},
};

/// A fleet seen at an instant: verdicts depend on the hour, beliefs do not.
struct At<'a> {
    fleet: &'a Fleet,
    now: i64,
}

impl Fleet {
    /// Calls the roll. With `cluster`, of that cluster ARN alone.
    pub fn roll_call(&self, now: Timestamp, cluster: Option<&str>) -> RollCall {
        let only = cluster.map(|arn| self.names.find(arn));
        let mut hosts: BTreeMap<Name, Vec<HostView>> = BTreeMap::new();
        let at = At { fleet: self, now: millis(now).max(self.now) };
        for (slot, host) in self.hosts.iter().filter(|(_, host)| !host.hearsay) {
            if only.is_none_or(|only| only == Some(host.cluster)) {
                hosts.entry(host.cluster).or_default().push(at.host(slot, host));
            }
        }
        let mut machines: BTreeMap<Name, Vec<HostView>> = BTreeMap::new();
        for (_, machine) in self.machines.iter().filter(|(_, machine)| machine.first_case != NO_CASE) {
            let Some(cluster) = self.cluster_of_machine(machine) else { continue };
            if only.is_none_or(|only| only == Some(cluster)) {
                machines.entry(cluster).or_default().push(at.machine(machine, cluster));
            }
        }
        let mut clusters: Vec<ClusterView> = self
            .clusters
            .values()
            .filter(|cluster| only.is_none_or(|only| only == Some(cluster.arn)))
            .map(|cluster| {
                let mut views = hosts.remove(&cluster.arn).unwrap_or_default();
                views.sort_by(|a, b| a.arn.cmp(&b.arn));
                let mut others = machines.remove(&cluster.arn).unwrap_or_default();
                others.sort_by(|a, b| a.ec2_instance_id.cmp(&b.ec2_instance_id));
                views.extend(others);
                ClusterView {
                    arn: self.names.text(cluster.arn).to_owned(),
                    looked_at: (cluster.looked_at != 0).then(|| stamp(cluster.looked_at)),
                    trouble: cluster.trouble.as_deref().map(str::to_owned),
                    hosts: views,
                }
            })
            .collect();
        clusters.sort_by(|a, b| a.arn.cmp(&b.arn));
        RollCall { at: now, clusters }
    }

    /// Open cases in the order of their numbers, and the most recently closed ones (at most 1,000) with `closed`.
    /// Absences that ended within the grace are not kept among the closed: the journal has them.
    pub fn cases(&self, now: Timestamp, closed: bool) -> Vec<CaseView> {
        let now = millis(now).max(self.now);
        let mut views: Vec<CaseView> = self.cases.iter().filter_map(|(slot, _)| self.case_view(slot, now)).collect();
        if closed {
            views.extend(self.cases.closed().cloned());
        }
        views.sort_by_key(|view| view.case);
        views
    }

    /// Counts by verdict.
    pub fn counts(&self, now: Timestamp) -> Counts {
        let mut by_verdict: BTreeMap<Verdict, u32> = BTreeMap::new();
        let mut hosts = 0;
        let now = millis(now).max(self.now);
        for (_, host) in self.hosts.iter().filter(|(_, host)| !host.hearsay) {
            hosts += 1;
            let verdict =
                if self.plainly_present(host, now) { Verdict::Present } else { self.judge(host, now).verdict };
            *by_verdict.entry(verdict).or_default() += 1;
        }
        let missing = self.cases.iter().filter(|(_, case)| matches!(case.subject, Subject::Machine(_))).count() as u32;
        if missing > 0 {
            *by_verdict.entry(Verdict::NeverRegistered).or_default() += missing;
        }
        Counts {
            clusters: self.clusters.len() as u32,
            hosts,
            tasks: self.tasks.len() as u32,
            verdicts: by_verdict.into_iter().map(|(verdict, count)| (verdict.word().to_owned(), count)).collect(),
            open_cases: self.cases.len() as u32,
        }
    }

    /// Absences that ended within the grace so far: routine reconnects that raised nothing.
    pub fn routine_reconnects(&self) -> u64 {
        self.cases.routine
    }

    /// How many cases of absence wait out their grace now.
    pub fn waiting(&self) -> u32 {
        self.cases
            .iter()
            .filter(|(_, case)| case.trouble == Trouble::AgentAway && case.stage == Stage::Suspected)
            .count() as u32
    }

    /// A host about which nothing at all has to be weighed: the shortcut of counting.
    fn plainly_present(&self, host: &Host, now: i64) -> bool {
        host.first_case == NO_CASE
            && host.agent == Agent::Connected
            && host.status == InstanceStatus::Active
            && host.checks.iter().all(|check| check.status != CheckStatus::Impaired)
            && self.machine_of(host).is_none_or(|machine| {
                !machine.is_down() && !machine.status.value.is_some_and(|checks| checks.impaired())
            })
            && now - self.heard_at(host) <= i64::from(self.policy.stale_after_secs) * 1000
            && host.departures.within_hour(now) < self.policy.flapping_per_hour
    }
}

impl At<'_> {
    fn host(&self, slot: Slot, host: &Host) -> HostView {
        let fleet = self.fleet;
        let judgement = fleet.judge(host, self.now);
        let machine = fleet.machine_of(host);
        let membership = machine.and_then(|machine| machine.membership.value);
        HostView {
            arn: Some(host.key.text(&fleet.names)),
            cluster: fleet.names.text(host.cluster).to_owned(),
            ec2_instance_id: machine.map(|machine| machine.key.text(&fleet.names)),
            verdict: judgement.verdict,
            confidence: judgement.confidence,
            reasons: judgement.reasons,
            witnesses: fleet.testimonies(host),
            since: stamp(judgement.since),
            zone: fleet.names.owned(host.zone.or(membership.and_then(|membership| membership.zone))),
            instance_type: fleet.names.owned(host.instance_type),
            ami: fleet.names.owned(host.ami),
            agent_version: fleet.names.owned(host.agent_version),
            group: membership.and_then(|membership| membership.group).map(|group| fleet.group_name(group).to_owned()),
            running_tasks: host.running_tasks,
            zombie_tasks: if judgement.verdict.answers() { Vec::new() } else { fleet.zombies(slot) },
            case: fleet.case_number(host.first_case),
        }
    }

    fn machine(&self, machine: &Machine, cluster: Name) -> HostView {
        let fleet = self.fleet;
        let judgement = fleet.judge_machine(machine, self.now);
        let membership = machine.membership.value;
        let mut witnesses = Vec::new();
        fleet.machine_testimonies(machine, &mut witnesses);
        HostView {
            arn: None,
            cluster: fleet.names.text(cluster).to_owned(),
            ec2_instance_id: Some(machine.key.text(&fleet.names)),
            verdict: judgement.verdict,
            confidence: judgement.confidence,
            reasons: judgement.reasons,
            witnesses,
            since: stamp(judgement.since),
            zone: fleet.names.owned(membership.and_then(|membership| membership.zone)),
            instance_type: fleet.names.owned(membership.and_then(|membership| membership.instance_type)),
            ami: None,
            agent_version: None,
            group: membership.and_then(|membership| membership.group).map(|group| fleet.group_name(group).to_owned()),
            running_tasks: 0,
            zombie_tasks: Vec::new(),
            case: fleet.case_number(machine.first_case),
        }
    }
}
