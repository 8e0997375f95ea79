//! "How many" against brute force: every way to spread copies over a small cluster is tried.

use std::collections::BTreeMap;

use fleet::{
    capacity::{
        placement::{Constraint, Placement, SubnetRoom},
        query::Expr,
        shape::{Requirement, TaskShape},
    },
    observation::{Gpus, InstanceStatus, TaskStatus},
};
use proptest::prelude::*;

use crate::account::{Account, Host, host, shape, tcp};

const ZONES: [&str; 2] = ["eu-west-1a", "eu-west-1b"];

/// Types with few slots, and how many those are without and with a trunk.
const KINDS: [(&str, u32, u32); 3] = [("c5.large", 2, 10), ("m6i.large", 2, 10), ("a1.medium", 1, 10)];

#[derive(Clone, Debug)]
struct Drawn {
    host: Host,
    kind: usize,
    own_tasks: u32,
    other_tasks: u32,
}

#[derive(Clone, Debug)]
struct Task {
    cpu: u32,
    memory: u32,
    gpus: u32,
    ports: Vec<u16>,
    awsvpc: bool,
    blue: bool,
    distinct: bool,
    shy: bool,
    subnets: Option<(u32, u32)>,
}

fn a_host(number: u32) -> impl Strategy<Value = Drawn> {
    let conditions = (0_u8..12, any::<bool>(), any::<bool>(), 0_usize..2, 0_usize..3);
    let amounts = (0_u32..9, 0_u32..9, 0_u16..4, 0_u16..4);
    (conditions, amounts, prop::collection::vec(80_u16..83, 0..2), 0_u32..2, 0_u32..2).prop_map(
        move |((condition, trunk, blue, zone, kind), (cpu, memory, gpus, more), ports, own_tasks, other_tasks)| Drawn {
            host: Host {
                kind: Some(KINDS[kind].0),
                zone: Some(ZONES[zone]),
                trunk,
                status: if condition == 0 { InstanceStatus::Draining } else { InstanceStatus::Active },
                connected: Some(condition != 1),
                resources: Some(((8, 8), (cpu, memory))),
                gpus: Some(Gpus { registered: gpus + more, remaining: gpus }),
                ports: Some(ports),
                attributes: if blue { vec![("stack", "blue")] } else { Vec::new() },
                ..host(number)
            },
            kind,
            own_tasks,
            other_tasks,
        },
    )
}

fn a_task() -> impl Strategy<Value = Task> {
    let needs = (1_u32..4, 0_u32..4, 0_u32..3, prop::collection::btree_set(80_u16..83, 0..2));
    let rules = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (needs, rules, prop::option::weighted(0.3, (0_u32..4, 0_u32..4))).prop_map(
        |((cpu, memory, gpus, ports), (awsvpc, blue, distinct, shy), subnets)| Task {
            cpu,
            memory,
            gpus,
            ports: ports.into_iter().collect(),
            awsvpc,
            blue,
            distinct,
            shy,
            subnets,
        },
    )
}

/// Whether a host holds so many copies, by the rules as the documentation tells them.
fn holds(drawn: &Drawn, task: &Task, copies: u32) -> bool {
    let Drawn { host, kind, own_tasks, other_tasks } = drawn;
    let Some((_, (cpu, memory))) = host.resources else { return false };
    if copies == 0 {
        return true;
    }
    let (_, without, with) = KINDS[*kind];
    let slots = if host.trunk { with } else { without };
    let taken = host.ports.clone().unwrap_or_default();
    host.status == InstanceStatus::Active
        && host.connected == Some(true)
        && (!task.blue || host.attributes.contains(&("stack", "blue")))
        && (!task.distinct || (*own_tasks == 0 && copies == 1))
        && (!task.shy || (*own_tasks == 0 && copies == 1))
        && copies * task.cpu <= cpu
        && copies * task.memory <= memory
        && copies * task.gpus <= u32::from(host.gpus.unwrap().remaining)
        && (task.ports.is_empty() || (copies == 1 && !task.ports.iter().any(|port| taken.contains(port))))
        && (!task.awsvpc || copies + own_tasks + other_tasks <= slots)
}

/// The most copies that any way of spreading them places.
fn most(hosts: &[Drawn], task: &Task) -> u64 {
    fn go(hosts: &[Drawn], task: &Task, free: &mut BTreeMap<&'static str, u32>) -> u64 {
        let Some((first, rest)) = hosts.split_first() else { return 0 };
        let zone = first.host.zone.unwrap();
        let mut best = 0;
        for copies in 0..9 {
            let left = free.get(zone).copied();
            if !holds(first, task, copies) || left.is_some_and(|left| left < copies) {
                continue;
            }
            free.entry(zone).and_modify(|left| *left -= copies);
            best = best.max(u64::from(copies) + go(rest, task, free));
            free.entry(zone).and_modify(|left| *left += copies);
        }
        best
    }
    let mut free = BTreeMap::new();
    if let (true, Some((a, b))) = (task.awsvpc, task.subnets) {
        free.extend([(ZONES[0], a), (ZONES[1], b)]);
    }
    go(hosts, task, &mut free)
}

fn asked(task: &Task) -> (TaskShape, Placement) {
    let shape = TaskShape {
        gpus: task.gpus,
        ports: task.ports.iter().map(|port| tcp(*port)).collect(),
        awsvpc: task.awsvpc,
        requires: task.blue.then(|| Requirement { name: "stack".into(), value: None }).into_iter().collect(),
        ..shape(task.cpu, task.memory)
    };
    let mut placement = Placement { group: Some("service:api".into()), ..Placement::default() };
    if task.distinct {
        placement.constraints.push(Constraint::DistinctInstance);
    }
    if task.shy {
        placement.constraints.push(Constraint::MemberOf(Expr::parse("!(task:group == service:api)").unwrap()));
    }
    if let Some((a, b)) = task.subnets {
        let subnet = |(zone, free_addresses): (&str, u32)| SubnetRoom {
            id: format!("subnet-{zone}"),
            zone: zone.into(),
            free_addresses,
        };
        placement.subnets = [(ZONES[0], a), (ZONES[1], b)].map(subnet).to_vec();
    }
    (shape, placement)
}

fn cluster() -> impl Strategy<Value = Vec<Drawn>> {
    (0_u32..5).prop_flat_map(|count| (0..count).map(a_host).collect::<Vec<_>>())
}

fn told(hosts: &[Drawn]) -> Account {
    let mut account = Account::new();
    for drawn in hosts {
        account.tell(&drawn.host);
        for number in 0..drawn.own_tasks {
            account.task(drawn.host.number, number, "service:api", true, TaskStatus::Deactivating);
        }
        for number in 0..drawn.other_tasks {
            account.task(drawn.host.number, 100 + number, "service:web", true, TaskStatus::Running);
        }
    }
    account
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn how_many_is_exact(hosts in cluster(), task in a_task()) {
        let account = told(&hosts);
        let (shape, placement) = asked(&task);
        let answer = account.fit(&shape, &placement);
        prop_assert_eq!(answer.copies, most(&hosts, &task));
        prop_assert!(answer.sure <= answer.copies && answer.copies <= answer.at_most);
        let placed = account.fleet.place(crate::account::CLUSTER, &shape, &placement, 40, 7);
        prop_assert_eq!(placed.iter().filter(|one| one.is_ok()).count() as u64, answer.copies);
    }

    /// What is said to be enough is, by brute force too; and one less of it is not.
    #[test]
    fn the_smallest_change_is_a_change_that_is_needed(hosts in cluster(), task in a_task(), more in 1_u64..4) {
        let account = told(&hosts);
        let (shape, placement) = asked(&task);
        let wanted = most(&hosts, &task) + more;
        let found = account.fleet.explain(crate::account::CLUSTER, &shape, &placement, wanted, None, account.now);
        for change in &found.changes {
            prop_assert!(change.copies >= wanted, "{}", change.sentence());
            use fleet::capacity::change::Step;
            match &change.step {
                Step::LessMemory { mib, to_mib } => {
                    let with = |memory| Task { memory, ..task.clone() };
                    prop_assert_eq!(most(&hosts, &with(*to_mib)), change.copies);
                    prop_assert!(most(&hosts, &with(to_mib + 1)) < wanted && mib + to_mib == task.memory);
                }
                Step::LessCpu { to_units, .. } => {
                    let with = |cpu| Task { cpu, ..task.clone() };
                    prop_assert_eq!(most(&hosts, &with(*to_units)), change.copies);
                    prop_assert!(most(&hosts, &with(to_units + 1)) < wanted);
                }
                Step::Repair { hosts: arns, .. } => {
                    let mut repaired = hosts.clone();
                    for drawn in &mut repaired {
                        if arns.contains(&crate::account::host_arn(drawn.host.number)) {
                            (drawn.host.status, drawn.host.connected) = (InstanceStatus::Active, Some(true));
                        }
                    }
                    prop_assert_eq!(most(&repaired, &task), change.copies);
                }
                _ => {}
            }
        }
    }
}
