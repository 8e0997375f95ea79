//! Counting against the budgets: what is under way, what has not arrived yet, and what began within the hour (I1).

use super::{Begun, Locality};
use crate::{
    case::{Subject, duration_words},
    charge::HOUR_MS,
    cohort::Trait,
    id::CaseId,
    policy::{Budget, Limit, Per},
    slab::NONE,
    state::Fleet,
};

impl Fleet {
    /// Where the subject of a case stands.
    pub(crate) fn locality(&self, subject: Subject) -> Locality {
        match subject {
            Subject::Host(slot) => {
                let Some(host) = self.hosts.get(slot) else { return Locality::default() };
                let membership = self.machine_of(host).and_then(|machine| machine.membership.value);
                Locality {
                    cluster: Some(host.cluster),
                    zone: host.zone.or(membership.and_then(|membership| membership.zone)),
                    group: membership.and_then(|membership| membership.group),
                }
            }
            Subject::Machine(slot) if slot != NONE => {
                let Some(machine) = self.machines.get(slot) else { return Locality::default() };
                let membership = machine.membership.value;
                Locality {
                    cluster: self.cluster_of_machine(machine),
                    zone: membership.and_then(|membership| membership.zone),
                    group: machine.group(),
                }
            }
            Subject::Pool(key) => Locality { cluster: Some(key.cluster), zone: None, group: key.group },
            _ => Locality::default(),
        }
    }

    /// The sentence that forbids one more disturbance at a place because a budget is used up. What is under way counts
    /// even when the budget has shrunk since.
    pub(crate) fn budget_sentence(&self, place: Locality) -> Option<String> {
        let cluster = place.cluster.map(|cluster| self.short(cluster).to_owned()).unwrap_or_default();
        self.policy.budgets.iter().filter(|budget| crate::glob::fits_any(&budget.clusters, &cluster)).find_map(
            |budget| {
                let hosts = self.hosts_within(budget, place)?;
                let over = |used: u32, limit: Limit, when: &str| {
                    let most = limit.of(hosts);
                    (used >= most).then(|| {
                        format!(
                            "the budget is used up: {used} of at most {most} ({limit} of {hosts}) disturbed {when} {}",
                            budget.per.words()
                        )
                    })
                };
                let at_once = budget.at_once.and_then(|limit| {
                    if let Some(ago) = self.took_over_within(self.others_acts_ms()) {
                        return Some(format!(
                            "another muster was in charge until {} ago, and what it began is not known here and may be under \
                             way: budgets wait until that must be over",
                            duration_words(ago / 1000)
                        ));
                    }
                    over(self.under_way(budget, place), limit, "at once")
                });
                at_once.or_else(|| {
                    let limit = budget.per_hour?;
                    if let Some(ago) = self.took_over_within(HOUR_MS) {
                        return Some(format!(
                            "another muster was in charge until {} ago, and what it began within the last hour is not known \
                             here: budgets that count by the hour wait until an hour is over",
                            duration_words(ago / 1000)
                        ));
                    }
                    over(self.begun_within_hour(budget, place), limit, "within the last hour")
                })
            },
        )
    }

    /// How many hosts a budget speaks of; `None` when the place does not say, so the budget does not apply.
    fn hosts_within(&self, budget: &Budget, place: Locality) -> Option<u32> {
        let tally = |key| self.cohorts.tally(key).members;
        match budget.per {
            Per::Fleet => {
                let counts = |cluster| crate::glob::fits_any(&budget.clusters, self.short(cluster));
                let clusters = self.cohorts.iter().filter(|((shared, it), _)| *shared == Trait::Cluster && counts(*it));
                Some(clusters.map(|(_, it)| it.members).sum())
            }
            Per::Cluster => place.cluster.map(|cluster| tally((Trait::Cluster, cluster))),
            Per::Zone => {
                // Hosts without a zone, as those outside of EC2 are, count as one zone: no host is free of a budget.
                place.cluster.map(|cluster| self.cohorts.members_in_zone(cluster, place.zone))
            }
            Per::Group => match place.group {
                Some(group) => Some(tally((Trait::Group, group))),
                None => place.cluster.map(|cluster| self.cohorts.members_without_group(cluster)),
            },
        }
    }

    fn under_way(&self, budget: &Budget, place: Locality) -> u32 {
        let active = self.repairs.active.iter().filter_map(|&slot| {
            let case = self.cases.get(slot)?;
            case.repair()?.remedy.disturbs().then(|| self.locality(case.subject))
        });
        let arriving = self.repairs.arrivals.iter().map(|arrival| arrival.place);
        active.chain(arriving).filter(|other| self.same(budget, place, *other)).count() as u32
    }

    fn begun_within_hour(&self, budget: &Budget, place: Locality) -> u32 {
        self.repairs
            .begun
            .iter()
            .filter(|begun| self.now - begun.at < HOUR_MS && self.same(budget, place, begun.place))
            .count() as u32
    }

    fn same(&self, budget: &Budget, one: Locality, other: Locality) -> bool {
        match budget.per {
            // A budget for some clusters counts what goes on in those.
            Per::Fleet => {
                let name = other.cluster.map(|cluster| self.short(cluster)).unwrap_or_default();
                crate::glob::fits_any(&budget.clusters, name)
            }
            Per::Cluster => one.cluster == other.cluster,
            Per::Zone => one.cluster == other.cluster && one.zone == other.zone,
            Per::Group => one.group == other.group && (one.group.is_some() || one.cluster == other.cluster),
        }
    }

    /// Writes a disturbance down that begins now.
    pub(crate) fn spend(&mut self, case: CaseId, place: Locality) {
        let now = self.now;
        let begun = &mut self.repairs.begun;
        while begun.front().is_some_and(|begun| now - begun.at >= HOUR_MS) {
            begun.pop_front();
        }
        begun.push_back(Begun { at: now, case, place });
    }

    /// Evidence, or room made first, may have taken minutes of the hour in which a host counts: it counts from here on.
    pub(crate) fn lay_hands_on(&mut self, case: CaseId) {
        let now = self.now;
        let begun = &mut self.repairs.begun;
        let last = begun.iter().rposition(|begun| begun.case == case);
        if let Some(last) = last.and_then(|at| begun.remove(at)) {
            begun.push_back(Begun { at: now, ..last });
        }
    }
}
