//! Whether the tasks of a host would find room on the others: a plain sum of CPU, memory and interfaces over the hosts
//! that take tasks (aws-semantics A.4, A.5, D.1). It does not see fragmentation, ports or placement constraints, so it says
//! no only where no is certain. Daemon tasks, which go nowhere, are counted as if they did.

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
}

impl Fleet {
    /// Whether the tasks of a host would find room on the other hosts of its cluster that take tasks: ACTIVE, agent
    /// connected, in no open case, of the same operating system, and both in EC2 or both outside of it. Looks at every
    /// host, and at the tasks of as many as it takes to find the interfaces.
    pub(crate) fn room_elsewhere(&self, slot: Slot) -> Room {
        let Some(host) = self.hosts.get(slot) else { return Room::Unknown };
        let Some(resources) = host.resources else { return Room::Unknown };
        let held = resources.held();
        let needed = Sum {
            cpu_units: u64::from(held.cpu_units),
            memory_mib: u64::from(held.memory_mib),
            interfaces: self.interfaces_held(host),
        };
        let mut free = Sum::default();
        let (mut others, mut silent, mut limit_unknown) = (0_u64, false, false);
        for (other_slot, other) in self.hosts.iter() {
            if other_slot == slot || other.cluster != host.cluster || !self.takes_tasks(other) || !alike(host, other) {
                continue;
            }
            others += 1;
            match other.resources {
                Some(resources) => {
                    free.cpu_units += u64::from(resources.remaining.cpu_units);
                    free.memory_mib += u64::from(resources.remaining.memory_mib);
                }
                None => silent = true,
            }
            if free.interfaces < needed.interfaces {
                match other.instance_type.and_then(|name| task_limit(self.names.text(name), other.trunk)) {
                    Some(limit) => free.interfaces += u64::from(limit).saturating_sub(self.interfaces_held(other)),
                    None => limit_unknown = true,
                }
            }
        }
        let mut lacking = Vec::new();
        let mut compare = |what: &str, needed: u64, free: u64, more_is_possible: bool| {
            if needed > free {
                lacking.push((more_is_possible, format!("{needed} {what}, of which {free} are free")));
            }
        };
        compare("CPU units", needed.cpu_units, free.cpu_units, silent);
        compare("MiB of memory", needed.memory_mib, free.memory_mib, silent);
        compare("interfaces for tasks", needed.interfaces, free.interfaces, limit_unknown);
        if lacking.is_empty() {
            return Room::Enough;
        }
        // A host that has not said what it has left may have all of it: no is certain only of what is lacking anyhow.
        lacking.retain(|(more_is_possible, _)| !more_is_possible);
        if lacking.is_empty() {
            return Room::Unknown;
        }
        let lacking: Vec<String> = lacking.into_iter().map(|(_, lack)| lack).collect();
        let others = match others {
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

    /// Only an ACTIVE host whose agent is connected is given tasks (A.4); one in trouble may soon be given none.
    fn takes_tasks(&self, host: &Host) -> bool {
        host.status == InstanceStatus::Active
            && host.agent == Agent::Connected
            && !host.hearsay
            && host.first_case == NO_CASE
            && self.machine_of(host).is_none_or(|machine| machine.first_case == NO_CASE)
    }
}

/// Whether tasks of one may run on the other, as far as both say what they are.
fn alike(host: &Host, other: &Host) -> bool {
    host.external == other.external && host.os_type.zip(other.os_type).is_none_or(|(one, two)| one == two)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        key::Key,
        names::Name,
        observation::{Amounts, Resources, TaskStatus},
        policy::Policy,
        slab::NONE,
        task::Task,
    };

    fn add(fleet: &mut Fleet, number: u32, used: u32, total: u32) -> Slot {
        let cluster: Name = fleet.names.keep("arn:aws:ecs:eu-west-1:1:cluster/prod");
        let key = Key::keep_arn(&mut fleet.names, &format!("container-instance/prod/{number:032x}"));
        let mut host = Host::new(key, cluster);
        host.hearsay = false;
        host.status = InstanceStatus::Active;
        host.agent = Agent::Connected;
        let amounts = |cpu_units| Amounts { cpu_units, memory_mib: cpu_units };
        host.resources = Some(Resources { registered: amounts(total), remaining: amounts(total - used) });
        fleet.hosts.insert(host)
    }

    /// Makes a host an m6i.large and gives it tasks with an interface each.
    fn give_interfaces(fleet: &mut Fleet, slot: Slot, trunk: bool, tasks: u32) {
        let kind = fleet.names.keep("m6i.large");
        let Some(host) = fleet.hosts.get_mut(slot) else { panic!("it was just added") };
        (host.instance_type, host.trunk) = (Some(kind), trunk);
        let cluster = host.cluster;
        for number in 0..tasks {
            let key = Key::keep_arn(&mut fleet.names, &format!("task/prod/{:032x}", slot * 1_000 + number));
            let Some(host) = fleet.hosts.get_mut(slot) else { panic!("it was just added") };
            let next = host.first_task;
            let task = fleet.tasks.insert(Task {
                key,
                version: 1,
                fact_at: 0,
                host: slot,
                next,
                previous: NONE,
                group: None,
                cluster,
                status: TaskStatus::Running,
                desired_running: true,
                gap: false,
                awsvpc: true,
            });
            if let Some(host) = fleet.hosts.get_mut(slot) {
                host.first_task = task;
            }
        }
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

    #[test]
    fn a_host_that_says_nothing_does_not_hide_that_the_others_have_enough() {
        let mut fleet = Fleet::new(Policy::default());
        let first = add(&mut fleet, 1, 1_000, 2_048);
        let second = add(&mut fleet, 2, 0, 2_048);
        if let Some(host) = fleet.hosts.get_mut(second) {
            host.resources = None;
        }
        add(&mut fleet, 3, 0, 2_048);
        assert_eq!(fleet.room_elsewhere(first), Room::Enough);
    }

    #[test]
    fn interfaces_for_tasks_are_room_too_and_a_trunk_makes_more_of_it() {
        let mut fleet = Fleet::new(Policy::default());
        let (first, second) = (add(&mut fleet, 1, 100, 2_048), add(&mut fleet, 2, 100, 2_048));
        give_interfaces(&mut fleet, first, true, 3);
        give_interfaces(&mut fleet, second, false, 1);
        let Room::TooLittle { why } = fleet.room_elsewhere(first) else { panic!("an m6i.large takes two") };
        assert!(why.contains("3 interfaces for tasks, of which 1 are free"), "{why}");
        give_interfaces(&mut fleet, second, true, 0);
        assert_eq!(fleet.room_elsewhere(first), Room::Enough);
        let odd = fleet.names.keep("x9.mega");
        if let Some(host) = fleet.hosts.get_mut(second) {
            host.instance_type = Some(odd);
        }
        assert_eq!(fleet.room_elsewhere(first), Room::Unknown);
    }

    #[test]
    fn hosts_of_another_system_or_outside_of_ec2_are_no_room() {
        let mut fleet = Fleet::new(Policy::default());
        let (first, second) = (add(&mut fleet, 1, 100, 2_048), add(&mut fleet, 2, 0, 2_048));
        let (linux, windows) = (fleet.names.keep("linux"), fleet.names.keep("windows"));
        let mut be = |slot, os_type, external| {
            let Some(host) = fleet.hosts.get_mut(slot) else { panic!("it was just added") };
            (host.os_type, host.external) = (os_type, external);
            fleet.room_elsewhere(first)
        };
        assert_eq!(be(first, Some(linux), false), Room::Enough);
        assert!(matches!(be(second, Some(windows), false), Room::TooLittle { .. }));
        assert!(matches!(be(second, Some(linux), true), Room::TooLittle { .. }));
        assert_eq!(be(second, Some(linux), false), Room::Enough);
    }

    proptest! {
        /// A plain second opinion: enough exactly when what is free on hosts that answer, take tasks and are in no
        /// trouble sums up to what is held.
        #[test]
        fn only_hosts_that_take_tasks_are_room(
            held in 1_u32..4_096,
            others in prop::collection::vec((0_u32..2_048, 0_u8..6), 0..12),
        ) {
            let mut fleet = Fleet::new(Policy::default());
            let first = add(&mut fleet, 0, held, 4_096);
            let mut free = 0;
            for (number, (left, condition)) in others.into_iter().enumerate() {
                let slot = add(&mut fleet, number as u32 + 1, 2_048 - left, 2_048);
                let elsewhere = fleet.names.keep("arn:aws:ecs:eu-west-1:1:cluster/test");
                let Some(host) = fleet.hosts.get_mut(slot) else { panic!("it was just added") };
                match condition {
                    0 => host.agent = Agent::Disconnected,
                    1 => host.status = InstanceStatus::Draining,
                    2 => host.first_case = 7,
                    3 => host.cluster = elsewhere,
                    _ => free += left,
                }
            }
            prop_assert_eq!(fleet.room_elsewhere(first) == Room::Enough, held <= free);
        }
    }
}
