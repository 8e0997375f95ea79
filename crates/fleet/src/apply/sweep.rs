//! The answer of a look over a scope, and the lack of one.

use super::Road;
use crate::{
    effect::Effect,
    input::{LookFailure, Scope, Sweep},
    key::Key,
    observation::{Ec2State, Fact, Source},
    slab::Slot,
    state::{Fleet, millis},
};

impl Fleet {
    /// Believes a digested sweep.
    pub(crate) fn sweep(&mut self, sweep: &Sweep<'_>, effects: &mut Vec<Effect>) {
        let started_at = millis(sweep.started_at);
        if let Scope::Clusters(place) = &sweep.scope
            && sweep.complete
        {
            self.watch(place, sweep);
        }
        for observation in &sweep.found {
            self.observe(observation, Some(started_at), effects);
        }
        let road = Road { at: started_at, source: Source::Sweep, looked_at: Some(started_at) };
        for absent in &sweep.absent {
            self.believe_absent(&sweep.scope, absent, road, effects);
        }
        if let Scope::ClusterHosts(arn) = &sweep.scope {
            let cluster = self.cluster_mut(arn);
            cluster.trouble = None;
            if sweep.complete {
                cluster.looked_at = cluster.looked_at.max(started_at);
            }
            let name = cluster.arn;
            self.looked_at_cluster(name, started_at, effects);
        }
    }

    /// From now on, clusters of this place that were not named are foreign.
    fn watch(&mut self, place: &str, sweep: &Sweep<'_>) {
        let place = self.names.keep(place);
        let named: Vec<_> = sweep
            .found
            .iter()
            .filter_map(|observation| match &observation.fact {
                Fact::Cluster(fact) => Some(self.cluster_mut(&fact.arn).arn),
                _ => None,
            })
            .collect();
        self.watched.entry(place).or_default().extend(named);
    }

    /// Machines that ought to be hosts of the cluster were looked for in it.
    fn looked_at_cluster(&mut self, cluster: crate::names::Name, started_at: i64, effects: &mut Vec<Effect>) {
        let cases: Vec<Slot> = self
            .cases
            .iter()
            .filter_map(|(_, case)| match case.subject {
                crate::case::Subject::Machine(slot) => Some(slot),
                _ => None,
            })
            .filter(|slot| {
                self.machines.get(*slot).is_some_and(|machine| self.cluster_of_machine(machine) == Some(cluster))
            })
            .collect();
        for slot in cases {
            self.review_machine(slot, effects);
            self.looked_at_machine(slot, started_at, effects);
        }
    }

    fn believe_absent(&mut self, scope: &Scope<'_>, id: &str, road: Road, effects: &mut Vec<Effect>) {
        match scope {
            Scope::Clusters(_) => self.apply_cluster_missing(id, effects),
            Scope::ClusterHosts(_) => {
                if let Some(slot) = self.find_host(id) {
                    self.remove_host(slot, "ECS does not list the container instance any more", effects);
                }
            }
            Scope::ClusterTasks(_) => {
                if let Some(slot) = Key::find_arn(&self.names, id).and_then(|key| self.tasks.find(&key)) {
                    self.remove_task(slot, None);
                }
            }
            Scope::Machines(_) => self.apply_ec2_state(id, Ec2State::Gone, road, effects),
            Scope::Groups(_) => self.leave_group(id, road, effects),
            Scope::Pings(_) | Scope::Hosts { .. } | Scope::Tasks { .. } | Scope::Demand { .. } => {}
        }
    }

    /// A look brought nothing: beliefs stay, and grow old.
    pub(crate) fn look_failed(&mut self, failure: &LookFailure<'_>) {
        if let Scope::ClusterHosts(arn) | Scope::Hosts { cluster: arn } = &failure.scope {
            let message = failure.message.as_ref().into();
            self.cluster_mut(arn).trouble = Some(message);
        }
    }
}
