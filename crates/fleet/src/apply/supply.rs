//! What AWS can supply: instance types and their limits, subnets and their free addresses.

use super::Road;
use crate::{
    capacity::{eni::TypeLimits, placement::Subnet},
    observation::{InstanceTypeFact, SubnetFact},
    slab::Slot,
    state::Fleet,
};

impl Fleet {
    /// What a type can have counts for all hosts of the type.
    pub(super) fn apply_instance_type(&mut self, fact: &InstanceTypeFact<'_>) {
        let name = self.names.keep(&fact.name);
        let limits = TypeLimits::told(fact);
        if self.types.get(&name) == Some(&limits) {
            return;
        }
        let hosts: Vec<Slot> =
            self.hosts.iter().filter(|(_, host)| host.instance_type == Some(name)).map(|(slot, _)| slot).collect();
        for slot in hosts {
            self.touch(slot);
        }
        self.types.insert(name, limits);
    }

    pub(super) fn apply_subnet(&mut self, fact: &SubnetFact<'_>, road: Road) {
        let (id, zone) = (self.names.keep(&fact.id), self.names.keep(&fact.zone));
        let subnet = Subnet { zone, free_addresses: fact.free_addresses, told_at: road.at };
        if self.subnets.get(&id).is_none_or(|held| held.told_at <= road.at) {
            self.subnets.insert(id, subnet);
        }
    }
}
