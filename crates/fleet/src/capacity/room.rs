//! Whether the tasks of a host would find room on the others: a plain sum of CPU, memory and interfaces over the hosts
//! that take tasks. It does not see fragmentation, so it says no only where no is certain.

use super::eni::task_limit;
use crate::{
    case::NO_CASE,
    host::{Agent, Host},
    observation::InstanceStatus,
    slab::Slot,
    state::Fleet,
};

/// What a host's tasks would find elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    /// The sum is large enough.
    Enough,
    /// It is not.
    TooLittle {
        /// One sentence with the figures.
        why: String,
    },
    /// The facts do not say.
    Unknown,
}

/// Amounts of what tasks hold.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    cpu_units: u64,
    memory_mib: u64,
    interfaces: u64,
    hosts: u64,
}

impl Fleet {
    /// Whether the tasks of a host would find room on the other hosts of its cluster that take tasks: ACTIVE, agent
    /// connected, in no open case.
    pub(crate) fn room_elsewhere(&self, slot: Slot) -> Room {
        let Some(host) = self.hosts.get(slot) else { return Room::Unknown };
        let Some(resources) = host.resources else { return Room::Unknown };
        let held = resources.held();
        let needed = Sum {
            cpu_units: u64::from(held.cpu_units),
            memory_mib: u64::from(held.memory_mib),
            interfaces: self.interfaces_held(host),
            hosts: 0,
        };
        let mut free = Sum::default();
        let mut interfaces_known = true;
        for (other_slot, other) in self.hosts.iter() {
            if other_slot == slot || other.cluster != host.cluster || !takes_tasks(other) {
                continue;
            }
            let Some(resources) = other.resources else { return Room::Unknown };
            free.hosts += 1;
            free.cpu_units += u64::from(resources.remaining.cpu_units);
            free.memory_mib += u64::from(resources.remaining.memory_mib);
            let limit = other.instance_type.and_then(|name| task_limit(self.names.text(name), other.trunk));
            match limit {
                Some(limit) => free.interfaces += u64::from(limit).saturating_sub(self.interfaces_held(other)),
                None => interfaces_known = false,
            }
        }
        let mut lacking = Vec::new();
        let mut compare = |what: &str, needed: u64, free: u64| {
            if needed > free {
                lacking.push(format!("{needed} {what}, of which {free} are free"));
            }
        };
        compare("CPU units", needed.cpu_units, free.cpu_units);
        compare("MiB of memory", needed.memory_mib, free.memory_mib);
        if interfaces_known {
            compare("interfaces for tasks", needed.interfaces, free.interfaces);
        }
        if lacking.is_empty() {
            return Room::Enough;
        }
        let others = match free.hosts {
            0 => "there are no other hosts that take tasks".to_owned(),
            1 => "1 other host takes tasks".to_owned(),
            many => format!("{many} other hosts take tasks"),
        };
        Room::TooLittle {
            why: format!("its tasks would find no room elsewhere: they need {}; {others}", lacking.join(" and ")),
        }
    }

    /// Tasks here with an interface of their own, those that are being stopped included: they still hold it.
    fn interfaces_held(&self, host: &Host) -> u64 {
        self.tasks_of(host).filter(|(_, task)| task.awsvpc && !task.status.is_over()).count() as u64
    }
}

fn takes_tasks(host: &Host) -> bool {
    host.status == InstanceStatus::Active
        && host.agent == Agent::Connected
        && host.first_case == NO_CASE
        && !host.hearsay
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        names::Name,
        observation::{Amounts, Resources},
        policy::Policy,
    };

    fn add(fleet: &mut Fleet, number: u32, used: u32, total: u32) -> Slot {
        let cluster: Name = fleet.names.keep("arn:aws:ecs:eu-west-1:1:cluster/prod");
        let key = crate::key::Key::keep_arn(&mut fleet.names, &format!("container-instance/prod/{number:032x}"));
        let mut host = Host::new(key, cluster);
        host.hearsay = false;
        host.status = InstanceStatus::Active;
        host.agent = Agent::Connected;
        let amounts = |cpu_units| Amounts { cpu_units, memory_mib: cpu_units };
        host.resources = Some(Resources { registered: amounts(total), remaining: amounts(total - used) });
        fleet.hosts.insert(host)
    }

    #[test]
    fn a_host_whose_tasks_fit_elsewhere_may_be_drained_and_one_whose_tasks_do_not_may_not() {
        let mut fleet = Fleet::new(Policy::default());
        let first = add(&mut fleet, 1, 1_500, 2_048);
        let second = add(&mut fleet, 2, 1_000, 2_048);
        assert!(matches!(fleet.room_elsewhere(first), Room::TooLittle { .. }));
        assert!(matches!(fleet.room_elsewhere(second), Room::TooLittle { .. }));
        add(&mut fleet, 3, 0, 2_048);
        assert_eq!(fleet.room_elsewhere(first), Room::Enough);
        let large = add(&mut fleet, 4, 4_000, 4_096);
        let Room::TooLittle { why } = fleet.room_elsewhere(large) else { panic!("there is no room") };
        assert!(why.contains("4000 CPU units, of which 3644 are free"), "{why}");
    }

    #[test]
    fn room_on_hosts_that_take_no_tasks_is_no_room() {
        let mut fleet = Fleet::new(Policy::default());
        let first = add(&mut fleet, 1, 1_000, 2_048);
        let (lost, draining) = (add(&mut fleet, 2, 0, 2_048), add(&mut fleet, 3, 0, 2_048));
        assert_eq!(fleet.room_elsewhere(first), Room::Enough);
        for (slot, change) in [(lost, 0), (draining, 1)] {
            let Some(host) = fleet.hosts.get_mut(slot) else { panic!("it was just added") };
            match change {
                0 => host.agent = Agent::Disconnected,
                _ => host.status = InstanceStatus::Draining,
            }
        }
        let Room::TooLittle { why } = fleet.room_elsewhere(first) else { panic!("there is no room") };
        assert!(why.contains("there are no other hosts"), "{why}");
    }

    #[test]
    fn a_host_that_does_not_say_what_it_holds_leaves_the_answer_open() {
        let mut fleet = Fleet::new(Policy::default());
        let first = add(&mut fleet, 1, 1_000, 2_048);
        let second = add(&mut fleet, 2, 0, 2_048);
        if let Some(host) = fleet.hosts.get_mut(second) {
            host.resources = None;
        }
        assert_eq!(fleet.room_elsewhere(first), Room::Unknown);
    }
}
