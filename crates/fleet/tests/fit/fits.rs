//! One dimension after the other, and the worked examples of ENI accounting (aws-semantics D).

use fleet::{
    capacity::{
        limit::Limit,
        placement::{Constraint, LaunchType, Placement, SubnetRoom},
        query::Expr,
        shape::{Requirement, TaskShape},
    },
    observation::{Fact, Gpus, InstanceStatus, InstanceTypeFact, InterfacesFact, TaskStatus},
};

use crate::account::{Account, CLUSTER, Host, awsvpc, host, shape, tcp};

fn only(account: &Account, shape: &TaskShape, placement: &Placement) -> (u64, Option<Limit>) {
    let answer = account.fit(shape, placement);
    (answer.copies, answer.limiting)
}

fn plain(hosts: &[Host], shape: &TaskShape) -> (u64, Option<Limit>) {
    only(&Account::of(hosts), shape, &Placement::default())
}

#[test]
fn fragments_are_no_room() {
    let half = |number| Host { resources: Some(((2_048, 4_096), (700, 4_096))), ..host(number) };
    assert_eq!(plain(&[half(1), half(2), half(3)], &shape(1_024, 128)), (0, Some(Limit::Cpu)));
    assert_eq!(plain(&[half(1), half(2), half(3)], &shape(512, 128)), (3, Some(Limit::Cpu)));
    assert_eq!(plain(&[half(1)], &shape(1, 2_048)), (2, Some(Limit::Memory)));
}

#[test]
fn the_worked_examples_of_eni_accounting_come_out() {
    for (kind, without, with) in [
        ("c5.large", 2, 10),
        ("m5.xlarge", 3, 20),
        ("m6i.8xlarge", 7, 90),
        ("p4d.24xlarge", 59, 120),
        ("p5.48xlarge", 63, 120),
    ] {
        for (trunk, limit) in [(false, without), (true, with)] {
            let one =
                Host { kind: Some(kind), trunk, resources: Some(((99_999, 99_999), (99_999, 99_999))), ..host(1) };
            let mut account = Account::of(&[one]);
            let answer = account.fit(&awsvpc(1, 1), &Placement::default());
            if kind == "p5.48xlarge" && trunk {
                // What the table says of its branches is not part of the worked examples.
                continue;
            }
            assert_eq!((answer.copies, answer.limiting), (limit, Some(Limit::Interfaces)), "{kind} {trunk}");
            // Slots are held until the task is over, and tasks of other network modes hold none.
            account.task(1, 1, "service:api", true, TaskStatus::Deprovisioning);
            account.task(1, 2, "service:api", true, TaskStatus::Provisioning);
            account.task(1, 3, "service:web", false, TaskStatus::Running);
            assert_eq!(account.fit(&awsvpc(1, 1), &Placement::default()).copies, limit - 2, "{kind} {trunk}");
            account.task(1, 1, "service:api", true, TaskStatus::Stopped);
            assert_eq!(account.fit(&awsvpc(1, 1), &Placement::default()).copies, limit - 1, "{kind} {trunk}");
        }
    }
}

#[test]
fn other_cards_and_interfaces_of_others_make_the_answer_unsure() {
    let mut account = Account::of(&[Host { kind: Some("p4d.24xlarge"), ..host(1) }, host(2)]);
    let answer = account.fit(&awsvpc(1, 1), &Placement::default());
    assert_eq!((answer.hosts[0].copies, answer.hosts[0].sure), (59, 14));
    assert_eq!((answer.hosts[1].copies, answer.hosts[1].sure), (2, 2));
    let seen = InterfacesFact { instance_id: format!("i-{:017x}", 2).into(), attached: 3, on_first_card: 3 };
    account.observe(Fact::Interfaces(seen));
    let answer = account.fit(&awsvpc(1, 1), &Placement::default());
    assert_eq!((answer.hosts[1].copies, answer.hosts[1].sure), (2, 0));
}

#[test]
fn an_unknown_type_is_said_to_be_unknown_until_ec2_tells() {
    let mut account = Account::of(&[Host { kind: Some("x9.mega"), ..host(1) }]);
    let answer = account.fit(&awsvpc(1_024, 1), &Placement::default());
    assert_eq!((answer.copies, answer.at_most), (0, 2));
    assert!(matches!(answer.limiting, Some(Limit::Unknown(_))));
    let told = |max_interfaces| InstanceTypeFact {
        name: "x9.mega".into(),
        max_interfaces,
        cards: Vec::new(),
        vcpus: None,
        memory_mib: None,
        gpus: 0,
    };
    account.observe(Fact::InstanceType(told(0)));
    assert_eq!(account.fit(&awsvpc(1_024, 1), &Placement::default()).copies, 0, "a limit of nothing makes no sense");
    account.observe(Fact::InstanceType(told(2)));
    assert_eq!(account.fit(&awsvpc(1_024, 1), &Placement::default()).copies, 1);
    account.observe(Fact::InstanceType(told(u32::MAX)));
    assert_eq!(account.fit(&awsvpc(1_024, 1), &Placement::default()).copies, 2);
}

#[test]
fn ports_gpus_and_distinct_instances_count() {
    let mut account = Account::of(&[
        Host { ports: Some(vec![22, 8080]), gpus: Some(Gpus { registered: 4, remaining: 3 }), ..host(1) },
        Host { gpus: Some(Gpus { registered: 4, remaining: 9 }), ..host(2) },
    ]);
    let with_port = TaskShape { ports: vec![tcp(8080)], ..shape(1, 1) };
    assert_eq!(only(&account, &with_port, &Placement::default()), (1, Some(Limit::Port(tcp(8080)))));
    let with_gpus = TaskShape { gpus: 2, ..shape(1, 1) };
    assert_eq!(only(&account, &with_gpus, &Placement::default()), (3, Some(Limit::Gpu)));
    let distinct = Placement {
        constraints: vec![Constraint::DistinctInstance],
        group: Some("service:api".into()),
        ..Placement::default()
    };
    assert_eq!(only(&account, &shape(1, 1), &distinct), (2, Some(Limit::DistinctInstance)));
    account.task(1, 1, "service:api", false, TaskStatus::Deprovisioning);
    account.task(2, 2, "service:web", false, TaskStatus::Running);
    assert_eq!(only(&account, &shape(1, 1), &distinct), (1, Some(Limit::DistinctInstance)));
    let twin = fleet::capacity::twin::Twin::of(&account.fleet, CLUSTER);
    for _ in 0..3 {
        assert_eq!(twin.fit(&shape(1, 1), &distinct).copies, 1, "the index and the walk agree");
    }
}

#[test]
fn attributes_platforms_providers_and_launch_types_rule_hosts_out() {
    let account = Account::of(&[
        Host { attributes: vec![("stack", "blue"), ("ecs.cpu-architecture", "arm64")], ..host(1) },
        Host { attributes: vec![("ecs.os-family", "WINDOWS_SERVER_2022_CORE")], provider: Some("spot"), ..host(2) },
        Host { external: true, kind: None, zone: None, ..host(3) },
    ]);
    let of = |shape: &TaskShape, placement: &Placement| {
        account.fit(shape, placement).hosts.into_iter().map(|host| host.limit).collect::<Vec<_>>()
    };
    let large = || shape(9_999, 1);
    let (none, short) = (Placement::default(), || Some(Limit::Cpu));
    assert_eq!(of(&large(), &none), [short(), short(), Some(Limit::LaunchType)]);
    let outside = Placement { launch_type: LaunchType::External, ..Placement::default() };
    assert_eq!(of(&large(), &outside), [Some(Limit::LaunchType), Some(Limit::LaunchType), short()]);
    let requires = |value: Option<&str>| TaskShape {
        requires: vec![Requirement { name: "stack".into(), value: value.map(Into::into) }],
        ..large()
    };
    let lacks = || Some(Limit::Attribute("stack".into()));
    assert_eq!(of(&requires(None), &none)[..2], [short(), lacks()]);
    assert_eq!(of(&requires(Some("red")), &none)[..2], [lacks(), lacks()]);
    let on =
        |os: &str, cpu: &str| TaskShape { os_family: Some(os.into()), cpu_architecture: Some(cpu.into()), ..large() };
    assert_eq!(of(&on("LINUX", "ARM64"), &none)[..2], [short(), Some(Limit::Os)]);
    assert_eq!(of(&on("LINUX", "X86_64"), &none)[..2], [Some(Limit::Os), Some(Limit::Os)]);
    assert_eq!(of(&on("WINDOWS_SERVER_2022_CORE", "ARM64"), &none)[..2], [Some(Limit::Os), short()]);
    let spot = Placement { capacity_provider: Some("spot".into()), ..Placement::default() };
    assert_eq!(of(&large(), &spot)[..2], [Some(Limit::Provider), short()]);
    let nobody = Placement { capacity_provider: Some("nobody".into()), ..Placement::default() };
    assert_eq!(of(&large(), &nobody)[..2], [Some(Limit::Provider), Some(Limit::Provider)]);
}

fn member_of(text: &str) -> Placement {
    Placement {
        constraints: vec![Constraint::MemberOf(Expr::parse(text).unwrap())],
        group: Some("service:api".into()),
        ..Placement::default()
    }
}

#[test]
fn constraints_may_ask_for_anything_of_a_host() {
    let mut account = Account::of(&[
        Host { trunk: true, running: 3, ..host(1) },
        Host { attributes: vec![("stack", "blue")], zone: Some("eu-west-1b"), ..host(2) },
    ]);
    account.task(1, 1, "service:db", false, TaskStatus::Running);
    for (text, fits) in [
        ("attribute:stack == blue", [false, true]),
        ("attribute:ecs.awsvpc-trunk-id exists", [true, false]),
        ("attribute:ecs.availability-zone in [eu-west-1a]", [true, false]),
        ("attribute:ecs.instance-type =~ m6i.*", [true, true]),
        ("runningTasksCount < 3", [false, true]),
        ("ec2InstanceId == i-00000000000000002", [false, true]),
        ("agentConnected == true and agentVersion > 1.28", [true, true]),
        ("registeredAt > 2030-01-01", [false, false]),
        ("registeredAt == 2026-09-21T14:13:20Z", [true, true]),
        ("task:group == service:db", [true, false]),
        ("not(task:group == service:db)", [false, true]),
    ] {
        let answer = account.fit(&shape(1_024, 1), &member_of(text));
        assert_eq!([answer.hosts[0].copies > 0, answer.hosts[1].copies > 0], fits, "{text}");
    }
    // A constraint against its own group lets one copy in.
    let answer = account.fit(&shape(1, 1), &member_of("not(task:group == service:api)"));
    assert_eq!((answer.copies, answer.hosts[0].limit.as_ref().map(Limit::closeness)), (2, Some(5)));
}

#[test]
fn constraints_are_asked_as_they_are_written_those_of_the_task_definition_first() {
    let mut account = Account::of(&[host(1)]);
    account.task(1, 1, "service:api", false, TaskStatus::Running);
    let expression = |text: &str| Expr::parse(text).unwrap();
    let (attribute, running) = ("attribute:stack == blue", "runningTasksCount > 9");
    let member = |text: &str| Constraint::MemberOf(expression(text));
    let first = |own: &[&str], constraints: Vec<Constraint>| {
        let shape = TaskShape { constraints: own.iter().map(|text| expression(text)).collect(), ..shape(1, 1) };
        let placement = Placement { constraints, group: Some("service:api".into()), ..Placement::default() };
        account.fit(&shape, &placement).closest
    };
    let named = |text: &str| Some(Limit::MemberOf(text.into()));
    assert_eq!(first(&[running], vec![member(attribute)]), named(running));
    assert_eq!(first(&[], vec![member(attribute), member(running)]), named(attribute));
    assert_eq!(first(&[], vec![Constraint::DistinctInstance, member(attribute)]), Some(Limit::DistinctInstance));
    assert_eq!(first(&[attribute], vec![Constraint::DistinctInstance]), named(attribute));
}

#[test]
fn of_equally_close_hosts_the_most_frequent_reason_counts_and_not_the_most_frequent_detail() {
    let (all, mut hosts) = ([("a", ""), ("b", ""), ("c", "")], Vec::new());
    for number in 0..3_usize {
        let others = all.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, pair)| *pair);
        hosts.push(Host { attributes: others.collect(), ..host(number as u32) });
    }
    for number in 3..5 {
        hosts.push(Host { zone: Some("eu-west-1b"), attributes: all.to_vec(), ..host(number) });
    }
    let requires = all.map(|(name, _)| Requirement { name: name.into(), value: None }).to_vec();
    let shape = TaskShape { requires, ..awsvpc(1, 1) };
    let subnets = vec![SubnetRoom { id: "subnet-1".into(), zone: "eu-west-1a".into(), free_addresses: 9 }];
    let placement = Placement { subnets, ..Placement::default() };
    let answer = Account::of(&hosts).fit(&shape, &placement);
    assert_eq!(answer.limiting, Some(Limit::Location("eu-west-1b".into())), "two hosts, and of the others one each");
    assert_eq!(answer.closest.as_ref().map(Limit::reason), Some("ATTRIBUTE"), "three hosts of five");
}

#[test]
fn subnets_limit_by_zone_and_by_their_free_addresses() {
    let account = Account::of(&[host(1), host(2), Host { zone: Some("eu-west-1b"), ..host(3) }]);
    let subnet = |id: &str, zone: &str, free_addresses| SubnetRoom { id: id.into(), zone: zone.into(), free_addresses };
    let within = |subnets| Placement { subnets, ..Placement::default() };
    let answer = account
        .fit(&awsvpc(1, 1), &within(vec![subnet("subnet-1", "eu-west-1a", 2), subnet("subnet-2", "eu-west-1a", 1)]));
    let limits: Vec<_> = answer.hosts.iter().map(|host| (host.copies, host.limit.clone())).collect();
    let dry = Limit::SubnetAddresses("subnet-1, subnet-2".into());
    assert_eq!(
        limits,
        [(2, Some(Limit::Interfaces)), (1, Some(dry)), (0, Some(Limit::Location("eu-west-1b".into()))),]
    );
    assert_eq!(account.fit(&shape(1_024, 1), &within(vec![subnet("subnet-1", "eu-west-1a", 0)])).copies, 6);
}

#[test]
fn only_hosts_that_ecs_gives_tasks_take_any_and_the_reason_is_that_of_the_closest() {
    let mut hosts = vec![
        Host { status: InstanceStatus::Draining, ..host(1) },
        Host { status: InstanceStatus::Registering, ..host(2) },
        Host { connected: Some(false), ..host(3) },
        Host { connected: None, ..host(4) },
    ];
    let answer = Account::of(&hosts).fit(&shape(1, 1), &Placement::default());
    assert_eq!((answer.copies, answer.closest.as_ref().map(Limit::reason)), (0, Some("AGENT")));
    hosts.push(Host { resources: Some(((2_048, 512), (0, 0))), ..host(5) });
    let answer = Account::of(&hosts).fit(&shape(1, 1), &Placement::default());
    assert_eq!(answer.closest.as_ref().map(Limit::reason), Some("RESOURCE:CPU"));
    hosts.push(Host { resources: None, ..host(6) });
    let answer = Account::of(&hosts).fit(&shape(1, 1), &Placement::default());
    assert!(matches!(answer.hosts[5].limit, Some(Limit::Unknown(_))));
    assert_eq!(answer.closest.as_ref().map(Limit::reason), Some("RESOURCE:CPU"));
}

#[test]
fn odd_clusters_give_plain_answers() {
    let account = Account::new();
    assert_eq!(only(&account, &shape(1, 1), &Placement::default()), (0, None));
    let nothing = Host { resources: Some(((0, 0), (0, 0))), ..host(1) };
    assert_eq!(plain(std::slice::from_ref(&nothing), &shape(1, 0)), (0, Some(Limit::Cpu)));
    let (copies, limit) = plain(&[nothing], &shape(0, 0));
    assert_eq!((copies, limit), (u64::from(u32::MAX), None), "a task that needs nothing always fits");
    let bare = Host { kind: None, zone: None, ports: None, attributes: Vec::new(), ..host(1) };
    let ported = TaskShape { ports: vec![tcp(80)], ..shape(1, 1) };
    assert!(matches!(plain(std::slice::from_ref(&bare), &ported), (0, Some(Limit::Unknown(_)))));
    assert!(matches!(plain(&[bare], &awsvpc(1, 1)), (0, Some(Limit::Unknown(_)))));
    let held = Host { resources: Some(((10, 10), (20, 20))), ..host(1) };
    assert_eq!(plain(&[held], &shape(10, 1)).0, 2, "the scheduler goes by what is left");
    let external = Host { external: true, kind: None, ..host(1) };
    let outside = Placement { launch_type: LaunchType::External, ..Placement::default() };
    assert_eq!(only(&Account::of(&[external]), &awsvpc(1, 1), &outside), (0, Some(Limit::Interfaces)));
}

#[test]
fn what_fits_on_a_host_in_trouble_is_counted_and_not_promised() {
    let mut account = Account::of(&[host(1), host(2)]);
    let stopped =
        Fact::Ec2State { instance_id: format!("i-{:017x}", 2).into(), state: fleet::observation::Ec2State::Stopping };
    account.observe(stopped);
    let answer = account.fit(&shape(1_024, 1), &Placement::default());
    assert_eq!((answer.copies, answer.sure), (4, 2));
}

#[test]
fn a_fresh_windows_host_has_the_ports_that_agents_reserve_there() {
    let windows = Host { windows: true, resources: Some(((2_048, 7_680), (0, 0))), running: 1, ..host(1) };
    let account = Account::of(&[windows]);
    let advice = |port: u16| {
        let shape = TaskShape { ports: vec![tcp(port)], ..shape(1_024, 1_024) };
        let found = account.fleet.explain(CLUSTER, &shape, &Placement::default(), 1, None, account.now);
        found.changes.iter().map(fleet::capacity::change::Change::sentence).collect::<Vec<_>>()
    };
    assert_eq!(advice(3389), Vec::<String>::new(), "no host like it would ever have that port");
    assert_eq!(advice(22), ["add 1 host of type m6i.large"]);
}

#[test]
fn what_was_never_told_of_a_host_is_not_made_up() {
    let mut account = Account::new();
    let told = fleet::observation::InstanceFact {
        attributes: fleet::observation::Attributes::Absent,
        agent_version: None,
        registered_at: None,
        running_tasks: None,
        pending_tasks: None,
        resources: None,
        gpus: None,
        ports: None,
        ..account.instance(&host(1))
    };
    account.observe(Fact::Instance(told));
    assert_eq!(only(&account, &shape(0, 0), &Placement::default()), (u64::from(u32::MAX), None));
    assert!(matches!(only(&account, &shape(1, 1), &Placement::default()), (0, Some(Limit::Unknown(_)))));
    let gpus = TaskShape { gpus: 1, ..shape(0, 0) };
    assert_eq!(only(&account, &gpus, &Placement::default()), (0, Some(Limit::Gpu)));
    for text in ["agentVersion > 1.0", "registeredAt < 2030-01-01", "attribute:ecs.os-type == linux"] {
        assert_eq!(only(&account, &shape(0, 0), &member_of(text)), (0, Some(Limit::MemberOf(text.into()))));
    }
    let view = account.fleet.headroom_view(CLUSTER, true, account.now);
    assert_eq!((view.whole.open.silent_hosts, view.hosts[0].cpu_units, view.hosts[0].slots), (1, None, None));
}
