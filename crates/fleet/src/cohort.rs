//! Hosts that share something, counted as facts change: how many there are, how many are away and undecided, how many
//! of those a doubt already covers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    case::NO_CASE,
    host::Host,
    journal::{Stage, Trouble},
    names::Name,
    slab::Slot,
    state::Fleet,
};

/// What hosts can share, widest first. Of two cohorts that explain a loss equally well, the earlier one is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trait {
    /// Account and region: one control plane.
    Place,
    /// Cluster.
    Cluster,
    /// Availability zone.
    Zone,
    /// ECS agent version.
    AgentVersion,
    /// AMI.
    Ami,
    /// Launch template and version.
    LaunchTemplate,
    /// Auto Scaling group.
    Group,
    /// Subnet.
    Subnet,
    /// Instance type.
    InstanceType,
}

impl Trait {
    /// All of them, widest first.
    pub const ALL: [Self; 9] = [
        Self::Place,
        Self::Cluster,
        Self::Zone,
        Self::AgentVersion,
        Self::Ami,
        Self::LaunchTemplate,
        Self::Group,
        Self::Subnet,
        Self::InstanceType,
    ];

    /// As people say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Place => "account and region",
            Self::Cluster => "cluster",
            Self::Zone => "zone",
            Self::AgentVersion => "agent version",
            Self::Ami => "AMI",
            Self::LaunchTemplate => "launch template",
            Self::Group => "Auto Scaling group",
            Self::Subnet => "subnet",
            Self::InstanceType => "instance type",
        }
    }
}

/// One cohort: a trait and its value.
pub type CohortKey = (Trait, Name);

/// How many hosts of a cohort there are and answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Hosts that ought to answer and whose machine is not known to be down.
    pub members: u32,
    /// Of those, away, whatever is thought of it.
    pub away: u32,
    /// Of those, in a case that is not decided yet.
    pub missing: u32,
    /// Of those, covered by a doubt.
    pub held: u32,
}

/// All cohorts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cohorts {
    tallies: BTreeMap<CohortKey, Tally>,
    /// Members by cluster and zone: zones are shared by clusters, budgets for zones are not. Those without a zone stand
    /// together.
    zones: BTreeMap<(Name, Option<Name>), u32>,
    /// Members by cluster that no Auto Scaling group has.
    ungrouped: BTreeMap<Name, u32>,
}

impl Cohorts {
    /// The tally of a cohort.
    pub fn tally(&self, key: CohortKey) -> Tally {
        self.tallies.get(&key).copied().unwrap_or_default()
    }

    /// Hosts of a cluster that ought to answer in one zone, or in none, without those whose machine is known to be down.
    pub fn members_in_zone(&self, cluster: Name, zone: Option<Name>) -> u32 {
        self.zones.get(&(cluster, zone)).copied().unwrap_or_default()
    }

    /// The same of hosts that no Auto Scaling group has.
    pub fn members_without_group(&self, cluster: Name) -> u32 {
        self.ungrouped.get(&cluster).copied().unwrap_or_default()
    }

    /// All cohorts in order.
    pub fn iter(&self) -> impl Iterator<Item = (CohortKey, Tally)> {
        self.tallies.iter().map(|(key, tally)| (*key, *tally))
    }

    /// Counts one host in: for a recount from nothing.
    pub(crate) fn include(&mut self, standing: &Standing) {
        self.add(standing);
    }

    /// Whether two counts agree.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.tallies == other.tallies && self.zones == other.zones && self.ungrouped == other.ungrouped
    }

    fn add(&mut self, standing: &Standing) {
        if let Some(cluster) = standing.cluster() {
            *self.zones.entry((cluster, standing.zone())).or_default() += 1;
            if standing.group().is_none() {
                *self.ungrouped.entry(cluster).or_default() += 1;
            }
        }
        for key in standing.keys() {
            let tally = self.tallies.entry(key).or_default();
            tally.members += 1;
            tally.away += u32::from(standing.away);
            tally.missing += u32::from(standing.missing);
            tally.held += u32::from(standing.held);
        }
    }

    /// A host that stays in its cohorts and changes its standing there, as it does with each reconnect.
    fn shift(&mut self, before: &Standing, after: &Standing) {
        let moved = |count: u32, before: bool, after: bool| {
            count.saturating_sub(u32::from(before)).saturating_add(u32::from(after))
        };
        for key in after.keys() {
            let tally = self.tallies.entry(key).or_default();
            tally.away = moved(tally.away, before.away, after.away);
            tally.missing = moved(tally.missing, before.missing, after.missing);
            tally.held = moved(tally.held, before.held, after.held);
        }
    }

    fn subtract(&mut self, standing: &Standing) {
        if let Some(cluster) = standing.cluster() {
            count_out(&mut self.zones, (cluster, standing.zone()));
            if standing.group().is_none() {
                count_out(&mut self.ungrouped, cluster);
            }
        }
        for key in standing.keys() {
            if let Some(tally) = self.tallies.get_mut(&key) {
                tally.members = tally.members.saturating_sub(1);
                tally.away = tally.away.saturating_sub(u32::from(standing.away));
                tally.missing = tally.missing.saturating_sub(u32::from(standing.missing));
                tally.held = tally.held.saturating_sub(u32::from(standing.held));
                if tally.members == 0 {
                    self.tallies.remove(&key);
                }
            }
        }
    }
}

fn count_out<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) {
    if let std::collections::btree_map::Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() = count.get().saturating_sub(1);
        if *count.get() == 0 {
            count.remove();
        }
    }
}

/// Where one host stands in the count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    member: bool,
    away: bool,
    missing: bool,
    held: bool,
    values: [Option<Name>; 9],
}

impl Standing {
    fn cluster(&self) -> Option<Name> {
        if self.member { self.values[Trait::Cluster as usize] } else { None }
    }

    fn zone(&self) -> Option<Name> {
        self.values[Trait::Zone as usize]
    }

    fn group(&self) -> Option<Name> {
        self.values[Trait::Group as usize]
    }

    /// The cohorts it counts in.
    pub fn keys(&self) -> impl Iterator<Item = CohortKey> + '_ {
        let values = if self.member { &self.values[..] } else { &[] };
        Trait::ALL.iter().zip(values).filter_map(|(shared, value)| value.map(|value| (*shared, value)))
    }
}

impl Fleet {
    /// Where a host stands now. Taken before a change and handed to [`recount`](Self::recount) after it.
    pub(crate) fn standing(&self, slot: Slot) -> Standing {
        let Some(host) = self.hosts.get(slot) else { return Standing::default() };
        let machine = self.machine_of(host);
        let member = host.ought_to_answer() && !machine.is_some_and(|machine| machine.is_down());
        if !member {
            return Standing::default();
        }
        let stage = self.away_stage(host);
        Standing {
            member,
            away: host.is_away(),
            missing: stage.is_some_and(|stage| !stage.is_decided()),
            held: stage == Some(Stage::Held),
            values: self.cohort_values(host),
        }
    }

    /// What a host shares, in the order of [`Trait::ALL`].
    pub(crate) fn cohort_values(&self, host: &Host) -> [Option<Name>; 9] {
        let membership = self.machine_of(host).and_then(|machine| machine.membership.value);
        [
            self.clusters.get(&host.cluster).map(|cluster| cluster.place),
            Some(host.cluster),
            host.zone,
            host.agent_version,
            host.ami,
            membership.and_then(|membership| membership.launch_template),
            membership.and_then(|membership| membership.group),
            host.subnet,
            host.instance_type,
        ]
    }

    /// Counts a host anew after a change. Asks for a weighing when a cohort has come to miss too many.
    pub(crate) fn recount(&mut self, slot: Slot, before: &Standing) {
        let after = self.standing(slot);
        if after == *before {
            return;
        }
        if before.member && after.member && before.values == after.values {
            self.cohorts.shift(before, &after);
        } else {
            self.cohorts.subtract(before);
            self.cohorts.add(&after);
        }
        if after.missing && !after.held && !before.missing && after.keys().any(|key| self.misses_too_many(key)) {
            self.weigh_soon();
        }
    }

    /// Takes a host that is about to be forgotten out of the count.
    pub(crate) fn recount_removed(&mut self, before: &Standing) {
        self.cohorts.subtract(before);
    }

    fn away_stage(&self, host: &Host) -> Option<Stage> {
        let mut at = host.first_case;
        while at != NO_CASE {
            let case = self.cases.get(at)?;
            if case.trouble == Trouble::AgentAway {
                return Some(case.stage);
            }
            at = case.next_of_subject;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    #[test]
    fn hosts_of_two_clusters_in_one_zone_are_counted_apart_as_they_come_and_go() {
        let mut names = Names::default();
        let [place, prod, test, zone] = ["place", "prod", "test", "eu-west-1a"].map(|text| names.keep(text));
        let host = |cluster| Standing {
            member: true,
            values: [Some(place), Some(cluster), Some(zone), None, None, None, None, None, None],
            ..Standing::default()
        };
        let mut cohorts = Cohorts::default();
        cohorts.add(&host(prod));
        cohorts.add(&host(test));
        cohorts.add(&host(test));
        assert_eq!(cohorts.tally((Trait::Zone, zone)).members, 3);
        assert_eq!((cohorts.members_in_zone(prod, Some(zone)), cohorts.members_in_zone(test, Some(zone))), (1, 2));
        assert_eq!(cohorts.members_without_group(test), 2);
        cohorts.subtract(&host(prod));
        assert_eq!((cohorts.members_in_zone(prod, Some(zone)), cohorts.members_in_zone(test, Some(zone))), (0, 2));
    }
}
