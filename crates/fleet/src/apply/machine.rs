//! Machines: EC2, Auto Scaling, SSM.

use super::Road;
use crate::{
    effect::Effect,
    host::Millis,
    key::Key,
    machine::{Interfaces, Membership, Ping, StatusChecks},
    observation::{AutoScalingFact, Ec2State, Ec2StatusFact, InterfacesFact, LifecycleFact, LifecycleStage, SsmFact},
    slab::Slot,
    state::{Fleet, millis},
};

impl Fleet {
    /// The slot of a machine that somebody has spoken of before.
    pub(crate) fn find_machine(&self, id: &str) -> Option<Slot> {
        self.machines.find(&Key::find_machine(&self.names, id)?)
    }

    /// Changes a machine and reviews all that stands on it.
    fn change_machine(
        &mut self,
        slot: Slot,
        road: Road,
        effects: &mut Vec<Effect>,
        change: impl FnOnce(&mut Self, Slot) -> bool,
    ) {
        let hosts = match self.machines.get(slot) {
            Some(machine) => self.hosts_of(machine),
            None => return,
        };
        self.touch_machine(slot);
        let before: Vec<_> = hosts.iter().map(|&host| (host, self.standing(host))).collect();
        if change(self, slot) {
            for &host in &hosts {
                self.review_host(host, effects);
            }
            self.review_machine(slot, effects);
        }
        for (host, before) in before {
            self.recount(host, &before);
        }
        if let Some(looked_at) = road.looked_at {
            self.looked_at_machine(slot, looked_at, effects);
        }
        self.forget_machine_if_gone(slot, effects);
    }

    pub(super) fn apply_ec2_state(&mut self, id: &str, state: Ec2State, road: Road, effects: &mut Vec<Effect>) {
        let Some(slot) = self.find_machine(id) else { return };
        self.change_machine(slot, road, effects, |fleet, slot| {
            fleet.machines.get_mut(slot).is_some_and(|machine| machine.state.believe(state, road.at, road.source))
        });
    }

    pub(super) fn apply_ec2_status(&mut self, fact: &Ec2StatusFact<'_>, road: Road, effects: &mut Vec<Effect>) {
        let Some(slot) = self.find_machine(&fact.instance_id) else { return };
        let checks = StatusChecks { system: fact.system, instance: fact.instance, ebs: fact.ebs };
        self.change_machine(slot, road, effects, |fleet, slot| {
            let Some(machine) = fleet.machines.get_mut(slot) else { return false };
            let state = machine.state.believe(fact.state, road.at, road.source);
            let status = machine.status.believe(checks, road.at, road.source);
            machine.scheduled = fact.scheduled.as_deref().map(Into::into);
            state || status
        });
    }

    /// No trouble hangs on interfaces: nothing is reviewed.
    pub(super) fn apply_interfaces(&mut self, fact: &InterfacesFact<'_>, road: Road) {
        let Some(slot) = self.find_machine(&fact.instance_id) else { return };
        self.touch_machine(slot);
        let Some(machine) = self.machines.get_mut(slot).filter(|machine| machine.interfaces_at <= road.at) else {
            return;
        };
        machine.interfaces = Some(Interfaces::of(fact));
        machine.interfaces_at = road.at;
    }

    pub(super) fn apply_spot(&mut self, id: &str, road: Road, interruption: bool) {
        let Some(machine) = self.find_machine(id).and_then(|slot| self.machines.get_mut(slot)) else { return };
        let held = if interruption { &mut machine.interruption_at } else { &mut machine.rebalance_at };
        *held = (*held).max(road.at);
    }

    pub(super) fn apply_auto_scaling(&mut self, fact: &AutoScalingFact<'_>, road: Road, effects: &mut Vec<Effect>) {
        let membership = Membership {
            group: Some(self.names.keep(&format!("{}/{}", fact.place, fact.group))),
            lifecycle: Some(self.names.keep(&fact.lifecycle)),
            healthy: fact.healthy,
            zone: fact.zone.as_deref().map(|zone| self.names.keep(zone)),
            instance_type: fact.instance_type.as_deref().map(|kind| self.names.keep(kind)),
            launch_template: fact.launch_template.as_deref().map(|template| self.names.keep(template)),
        };
        let launched_at = fact.launched_at.map(millis);
        self.join_group((&fact.instance_id, &fact.place), membership, launched_at, road, effects);
    }

    pub(super) fn apply_lifecycle(&mut self, fact: &LifecycleFact<'_>, road: Road, effects: &mut Vec<Effect>) {
        let lifecycle = match fact.stage {
            LifecycleStage::Launching => "Pending:Wait",
            LifecycleStage::Launched => "InService",
            LifecycleStage::Terminating => "Terminating:Wait",
            LifecycleStage::Terminated => "Terminated",
        };
        let held = self.find_machine(&fact.instance_id).and_then(|slot| self.machines.get(slot));
        let held = held.and_then(|machine| machine.membership.value);
        let over = fact.stage == LifecycleStage::Terminated;
        if over && held.is_none() {
            return;
        }
        let group = (!over).then(|| self.names.keep(&format!("{}/{}", fact.place, fact.group)));
        let membership = Membership {
            group,
            lifecycle: Some(self.names.keep(lifecycle)),
            healthy: held.is_none_or(|held| held.healthy),
            zone: held.and_then(|held| held.zone),
            instance_type: held.and_then(|held| held.instance_type),
            launch_template: held.and_then(|held| held.launch_template),
        };
        self.join_group((&fact.instance_id, &fact.place), membership, None, road, effects);
    }

    fn join_group(
        &mut self,
        (id, place): (&str, &str),
        membership: Membership,
        launched_at: Option<Millis>,
        road: Road,
        effects: &mut Vec<Effect>,
    ) {
        let slot = self.machine_slot(id);
        let place = self.names.keep(place);
        self.change_machine(slot, road, effects, |fleet, slot| {
            let now = fleet.now;
            let Some(machine) = fleet.machines.get_mut(slot) else { return false };
            machine.place.get_or_insert(place);
            if machine.first_seen == 0 {
                machine.first_seen = road.at;
            }
            if let Some(launched_at) = launched_at {
                machine.first_seen = machine.first_seen.min(launched_at.min(now));
            }
            let changed = machine.membership.believe(membership, road.at, road.source);
            let hosts = fleet.machines.get(slot).map(|machine| fleet.hosts_of(machine)).unwrap_or_default();
            if let Some(group) = membership.group {
                for host in hosts {
                    if let Some(cluster) = fleet.hosts.get(host).map(|host| host.cluster) {
                        fleet.note_group(cluster, group);
                    }
                }
            }
            changed
        });
    }

    /// A complete answer of Auto Scaling did not name the machine any more.
    pub(super) fn leave_group(&mut self, id: &str, road: Road, effects: &mut Vec<Effect>) {
        let Some(slot) = self.find_machine(id) else { return };
        self.change_machine(slot, road, effects, |fleet, slot| {
            let Some(machine) = fleet.machines.get_mut(slot) else { return false };
            let Some(held) = machine.membership.value else { return false };
            machine.membership.believe(Membership { group: None, lifecycle: None, ..held }, road.at, road.source)
        });
    }

    pub(super) fn apply_ssm(&mut self, fact: &SsmFact<'_>, road: Road, effects: &mut Vec<Effect>) {
        let Some(slot) = self.find_machine(&fact.instance_id) else { return };
        let ping = Ping {
            online: fact.online,
            last_ping_at: 0,
            platform: fact.platform.as_deref().map(|platform| self.names.keep(platform)),
        };
        let last_ping_at = fact.last_ping_at.map_or(0, millis);
        self.change_machine(slot, road, effects, |fleet, slot| {
            let Some(machine) = fleet.machines.get_mut(slot) else { return false };
            // The time of the last ping changes with every answer; it is no change of mind.
            let held = machine.ping.value.map(|held| held.last_ping_at);
            let ping = Ping { last_ping_at: held.unwrap_or(0), ..ping };
            let changed = machine.ping.believe(ping, road.at, road.source);
            if let Some(value) = &mut machine.ping.value {
                value.last_ping_at = value.last_ping_at.max(last_ping_at);
            }
            changed
        });
    }
}
