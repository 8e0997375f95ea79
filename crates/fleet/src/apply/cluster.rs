//! Clusters and their capacity providers.

use crate::{
    cluster::Provider,
    effect::Effect,
    names::Name,
    observation::{CapacityProviderFact, ClusterFact},
    slab::Slot,
    state::Fleet,
};

impl Fleet {
    pub(super) fn apply_cluster(&mut self, fact: &ClusterFact<'_>, effects: &mut Vec<Effect>) {
        if fact.status == "INACTIVE" {
            self.apply_cluster_missing(&fact.arn, effects);
            return;
        }
        let status = self.names.keep(&fact.status);
        let cluster = self.cluster_mut(&fact.arn);
        cluster.status = Some(status);
        cluster.registered_hosts = fact.registered_hosts;
        cluster.providers_told = fact.providers_told;
    }

    pub(super) fn apply_cluster_missing(&mut self, arn: &str, effects: &mut Vec<Effect>) {
        let Some(name) = self.names.find(arn).filter(|name| self.clusters.contains_key(name)) else { return };
        for slot in self.hosts_in(name) {
            self.remove_host(slot, "the cluster does not exist any more", effects);
        }
        if let Some(cluster) = self.clusters.remove(&name)
            && let Some(watched) = self.watched.get_mut(&cluster.place)
        {
            watched.remove(&name);
        }
    }

    /// The hosts of a cluster, by hearsay too, in the order of their slots.
    pub(crate) fn hosts_in(&self, cluster: Name) -> Vec<Slot> {
        self.hosts.iter().filter(|(_, host)| host.cluster == cluster).map(|(slot, _)| slot).collect()
    }

    pub(super) fn apply_capacity_provider(&mut self, fact: &CapacityProviderFact<'_>, effects: &mut Vec<Effect>) {
        let group = self.names.keep(&format!("{}/{}", fact.place, fact.group));
        let cluster = self.cluster_mut(&fact.cluster).arn;
        self.note_group(cluster, group);
        let provider = Provider {
            name: self.names.keep(&fact.name),
            group,
            managed_scaling: fact.managed_scaling,
            managed_termination_protection: fact.managed_termination_protection,
        };
        for slot in self.hosts_in(cluster) {
            self.touch(slot);
        }
        if let Some(cluster) = self.clusters.get_mut(&cluster) {
            match cluster.providers.iter_mut().find(|held| held.name == provider.name) {
                Some(held) => *held = provider,
                None => cluster.providers.push(provider),
            }
        }
        let members: Vec<Slot> =
            self.machines.iter().filter(|(_, machine)| machine.group() == Some(group)).map(|(slot, _)| slot).collect();
        for slot in members {
            self.review_machine(slot, effects);
        }
    }
}
