//! Cases for holding another's answer about placement against the scheduler's: a small cluster and a task, drawn from a
//! seed, and what the scheduler says of them by placing copies one after the other.
//!
//! | to learn | read |
//! |---|---|
//! | clusters and tasks by chance | [`draw`] |
//! | expressions of the cluster query language by chance | [`expression`] |
//! | the case as an observer gets to know it | [`wire`] |

pub mod draw;
pub mod expression;
pub mod wire;

pub use draw::draw;

use crate::world::{
    Ask, ClusterId, DefinitionId, HostId, Lack, PlaceId, Placement, Refused, Service, ServiceId, TaskDefinition, Who,
    World,
};

/// A cluster and a task that wants to be placed in it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The seed it was drawn from.
    pub seed: u64,
    /// The account.
    pub world: World,
    /// The account's only place.
    pub place: PlaceId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The service whose tasks are to be placed; some may be there.
    pub service: ServiceId,
    /// Its task definition.
    pub definition: DefinitionId,
}

/// What the scheduler says of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAnswer {
    /// Which.
    pub host: HostId,
    /// Copies that it would take if all went there.
    pub copies: u32,
    /// What it lacks for the next; `None` when it took as many as were asked.
    pub lack: Option<Lack>,
}

/// What the scheduler says of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where the copies went, one after the other, as the strategies would have it.
    pub placed: Vec<HostId>,
    /// Why there was no more; `None` when there were as many as were asked.
    pub refused: Option<Refused>,
    /// Each host for itself, in the order of the cluster.
    pub hosts: Vec<HostAnswer>,
    /// Why not even one fits, with the cluster as it is; `None` when one does.
    pub first_refusal: Option<Refused>,
}

impl Case {
    /// What is asked.
    pub fn ask(&self) -> Ask<'_> {
        Ask { definition: self.definition, who: Who::Service(self.service) }
    }

    /// The placement of the service.
    pub fn placement(&self) -> Option<&Placement> {
        self.world.service(self.service).map(|service: &Service| &service.placement)
    }

    /// The task definition.
    pub fn task(&self) -> Option<&TaskDefinition> {
        self.world.definition(self.definition)
    }

    /// Asks the scheduler, at most `most` copies a host and in all.
    pub fn answer(&self, most: u32) -> Answer {
        let (placed, refused) = self.world.clone().fill_cluster(self.cluster, &self.ask(), most);
        let first_refusal = refused.filter(|_| placed.is_empty());
        let hosts = self.world.cluster(self.cluster).map_or(&[][..], |cluster| &cluster.hosts);
        let alone = |host: &HostId| {
            // A host that takes none needs no clone.
            let (copies, lack) = match self.world.lacks(*host, &self.ask()) {
                Some(lack) => (0, Some(lack)),
                None => self.world.clone().fill_host(*host, &self.ask(), most),
            };
            HostAnswer { host: *host, copies, lack }
        };
        Answer { placed, refused, hosts: hosts.iter().map(alone).collect(), first_refusal }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_case_and_the_same_answer_every_time() {
        for seed in 0..40 {
            assert_eq!(draw(seed).answer(50), draw(seed).answer(50), "seed {seed}");
        }
    }

    #[test]
    fn the_cases_meet_every_lack_and_many_a_task_fits() {
        let (mut lacks, mut fits, mut partly) = (BTreeMap::<u8, u32>::new(), 0, 0);
        for seed in 0..1_500 {
            let case = draw(seed);
            let answer = case.answer(60);
            for lack in answer.hosts.iter().filter_map(|host| host.lack) {
                *lacks.entry(lack.rank()).or_default() += 1;
            }
            fits += u32::from(!answer.placed.is_empty());
            partly += u32::from(answer.hosts.iter().any(|host| host.copies == 0) && !answer.placed.is_empty());
        }
        let met: Vec<u8> = lacks.keys().copied().collect();
        assert_eq!(met, (0..=10).collect::<Vec<_>>(), "{lacks:?}");
        assert!(fits > 300 && partly > 200, "{fits} fit, {partly} partly; {lacks:?}");
    }

    #[test]
    fn all_that_fit_are_no_more_than_the_hosts_take_one_by_one() {
        for seed in 0..300 {
            let answer = draw(seed).answer(200);
            let sum: u32 = answer.hosts.iter().map(|host| host.copies).sum();
            assert!(answer.placed.len() as u32 <= sum, "seed {seed}");
            let count = |host: HostId| answer.placed.iter().filter(|other| **other == host).count() as u32;
            assert!(answer.hosts.iter().all(|host| count(host.host) <= host.copies), "seed {seed}");
            assert_eq!(answer.placed.is_empty(), sum == 0, "seed {seed}");
        }
    }
}
