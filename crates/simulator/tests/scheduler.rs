//! The scheduler, dimension by dimension: where a task goes, and why it does not.
#![allow(clippy::unwrap_used, reason = "tests")]

use simulator::{
    clock::MINUTE,
    courier::Parcel,
    scenario::Scenario,
    simulation::Simulation,
    world::{
        Ask, ClusterId, DefinitionId, HostId, Lack, MachineId, MachineState, PlaceId, Placement, Scaler, ServiceId,
        TaskStatus, What, Who, World,
        change::{PlacementFailure, ServiceAction},
    },
};

fn story(text: &str) -> Simulation {
    let text = format!("# A story.\nlasts = \"6h\"\n{text}");
    Scenario::parse("test", &text).unwrap_or_else(|error| panic!("{error}")).begin(Some(1))
}

/// A cluster `a` with these words, and one service with those.
fn with(cluster: &str, service: &str) -> World {
    story(&format!("[[cluster]]\nname = \"a\"\n{cluster}\n[[cluster.service]]\nname = \"api\"\n{service}")).world
}

/// Fills the cluster with the service's tasks: how many more each host took, and why the next was refused.
fn fill(mut world: World) -> (Vec<u32>, PlacementFailure) {
    let ask = Ask { definition: world.services[0].definition, who: Who::Service(ServiceId(0)) };
    let (placed, refused) = world.fill_cluster(ClusterId(0), &ask, 10_000);
    let count = |host: &HostId| placed.iter().filter(|other| *other == host).count() as u32;
    (world.clusters[0].hosts.iter().map(count).collect(), refused.unwrap().why)
}

fn placed_on(world: &World, service: ServiceId) -> Vec<HostId> {
    world.services[service.index()].tasks.iter().map(|task| world.task(*task).unwrap().host).collect()
}

/// The placement failures that are told until then: why, and how many hosts are named.
fn failures(simulation: &mut Simulation, millis: i64) -> Vec<(PlacementFailure, usize)> {
    let (until, mut ready) = (simulation.now().plus(millis), Vec::new());
    simulation.advance_to(until, &mut ready);
    let failure = |parcel: &Parcel| match parcel {
        Parcel::Change(change) => match change.what {
            What::Service { action: ServiceAction::PlacementFailure(why), closest, .. } => {
                Some((why, closest.into_iter().flatten().count()))
            }
            _ => None,
        },
        Parcel::Bytes(_) => None,
    };
    ready.iter().filter_map(failure).collect()
}

#[test]
fn cpu_and_memory_limit_each_host_by_itself() {
    // m6i.large: 2048 units and 7680 MiB; c5.large: 2048 and 3700. A group takes the next type with each round of zones.
    let world = with("hosts = 4\ntypes = [\"m6i.large\", \"c5.large\"]", "cpu = 100\nmemory = 1000");
    assert_eq!(fill(world), (vec![7, 7, 7, 3], PlacementFailure::Memory));
    let world = with("hosts = 2", "cpu = 1000\nmemory = 10");
    assert_eq!(fill(world), (vec![2, 2], PlacementFailure::Cpu));
}

#[test]
fn gpus_are_given_out_one_by_one_and_come_back() {
    let mut world = with("hosts = 1\ntypes = [\"g4dn.12xlarge\"]", "gpus = 2\ntasks = 1");
    assert_eq!(world.hosts[0].said.gpus_taken, 0b11);
    assert_eq!(fill(world.clone()), (vec![1], PlacementFailure::Gpu));
    let task = world.services[0].tasks[0];
    world.set_desired_count(ServiceId(0), 0).unwrap();
    world.stop_task(task, "").unwrap();
    world.advance_to(world.now.plus(5 * MINUTE));
    assert_eq!(world.hosts[0].said.gpus_taken, 0);
    assert_eq!(fill(with("hosts = 2", "gpus = 1")), (vec![0, 0], PlacementFailure::Gpu));
}

#[test]
fn a_fixed_port_is_taken_once_a_host_and_protocol_and_agents_have_theirs() {
    assert_eq!(fill(with("hosts = 3", "ports = [\"8080\"]")), (vec![1, 1, 1], PlacementFailure::Ports));
    assert_eq!(fill(with("hosts = 2", "ports = [\"51678\"]")), (vec![0, 0], PlacementFailure::Ports));
    assert_eq!(fill(with("hosts = 2", "ports = [\"51678/udp\"]")), (vec![1, 1], PlacementFailure::Ports));
    let windows = "[[cluster.group]]\nname = \"w\"\nhosts = 1\nplatform = \"windows-2022\"";
    assert_eq!(fill(with(windows, "ports = [\"3389\"]")), (vec![0], PlacementFailure::Ports));
    assert_eq!(fill(with(windows, "ports = [\"22\"]")), (vec![1], PlacementFailure::Ports));
    let mut world = with("hosts = 1", "ports = [\"8080\", \"53/udp\"]\ntasks = 1");
    let said = world.hosts[0].said;
    use simulator::world::placement::Protocol::{Tcp, Udp};
    assert_eq!(world.ports_taken(HostId(0), &said, Tcp, true), [22, 2375, 2376, 51678, 51679, 8080]);
    assert_eq!(world.ports_taken(HostId(0), &said, Udp, true), [53]);
    assert_eq!(world.ports_taken(HostId(0), &said, Tcp, false), [22, 2375, 2376, 51678, 51679]);
    world.set_desired_count(ServiceId(0), 0).unwrap();
    world.advance_to(world.now.plus(5 * MINUTE));
    let said = world.hosts[0].said;
    assert_eq!(world.ports_taken(HostId(0), &said, Udp, true), Vec::<u16>::new());
}

#[test]
fn interfaces_are_counted_by_type_and_trunk() {
    let service = "network = \"awsvpc\"\ncpu = 1\nmemory = 1";
    let eni = PlacementFailure::Eni;
    // The worked examples of D.1: c5.large 10, m5.xlarge 20 with a trunk, p4d.24xlarge 120; 2, 3 and 59 without.
    for (kind, with_trunk, without) in [("c5.large", 10, 2), ("m5.xlarge", 20, 3), ("p4d.24xlarge", 120, 59)] {
        let types = format!("hosts = 1\ntypes = [\"{kind}\"]\n");
        assert_eq!(fill(with(&format!("{types}trunking = true"), service)), (vec![with_trunk], eni), "{kind}");
        assert_eq!(fill(with(&types, service)), (vec![without], eni), "{kind}");
    }
    // A type that cannot have a trunk has none, whatever its cluster says.
    let types = "hosts = 1\ntrunking = true\ntypes = [\"t3.medium\"]";
    assert_eq!(fill(with(types, service)), (vec![2], eni));
    assert_eq!(fill(with("hosts = 1\ntypes = [\"q9z.nano\"]", service)), (vec![0], eni));
    let groups = "trunking = true\n[[cluster.group]]\nname = \"off\"\nhosts = 1\ntrunking = false\n\
                  [[cluster.group]]\nname = \"on\"\nhosts = 1";
    assert_eq!(fill(with(groups, service)), (vec![2, 10], eni));
    let windows = "trunking = true\n[[cluster.group]]\nname = \"w\"\nhosts = 1\nplatform = \"windows-2019\"";
    assert_eq!(fill(with(windows, service)), (vec![2], eni));
}

#[test]
fn a_slot_is_held_until_the_task_has_stopped() {
    let mut world = with(
        "hosts = 1\ntypes = [\"c5.large\"]",
        "network = \"awsvpc\"\ntasks = 2\ndeactivating = \"10m\"\ncpu = 1\nmemory = 1",
    );
    let ask = Ask { definition: world.services[0].definition, who: Who::Service(ServiceId(0)) };
    world.set_desired_count(ServiceId(0), 1).unwrap();
    world.advance_to(world.now.plus(5 * MINUTE));
    let stopping = world.services[0].tasks.iter().filter(|task| !world.task(**task).unwrap().said.desired_running);
    assert_eq!(stopping.count(), 1);
    assert_eq!(world.lacks(HostId(0), &ask), Some(Lack::Interfaces));
    world.advance_to(world.now.plus(10 * MINUTE));
    assert_eq!(world.lacks(HostId(0), &ask), None);
}

#[test]
fn a_subnet_without_addresses_takes_no_task_of_its_zone() {
    let few = "hosts = 3\ntrunking = true\n[[subnet]]\nzone = \"eu-central-1a\"\nfree = 2\n";
    let text = format!(
        "[[cluster]]\nname = \"a\"\n[[cluster.service]]\nname = \"api\"\nnetwork = \"awsvpc\"\ncpu = 1\nmemory = 1\n\
         [[cluster.group]]\nname = \"g\"\n{few}"
    );
    let world = story(&text.replace("trunking = true\n[[subnet]]", "trunking = true\n\n[[subnet]]")).world;
    assert_eq!(world.free_addresses(PlaceId(0), 0), 2);
    assert_eq!(fill(world), (vec![2, 10, 10], PlacementFailure::Eni));
}

#[test]
fn a_host_in_a_zone_without_a_subnet_of_the_service_is_elsewhere() {
    let service = "network = \"awsvpc\"\ncpu = 1\nmemory = 1\nzones = [\"eu-central-1b\"]";
    let world = with("hosts = 3", service);
    let ask = Ask { definition: DefinitionId(0), who: Who::Service(ServiceId(0)) };
    assert_eq!(world.lacks(HostId(0), &ask), Some(Lack::Location));
    assert_eq!(fill(world), (vec![0, 2, 0], PlacementFailure::Eni));
    let only_a = with("hosts = 1", service);
    assert_eq!(fill(only_a), (vec![0], PlacementFailure::Location));
}

#[test]
fn hosts_that_drain_or_have_no_agent_take_nothing() {
    let mut world = with("hosts = 3", "cpu = 2048\nmemory = 1");
    world.set_draining(HostId(0), true).unwrap();
    world.stop(MachineId(1));
    assert_eq!(fill(world.clone()), (vec![0, 0, 1], PlacementFailure::Cpu));
    world.set_draining(HostId(2), true).unwrap();
    assert_eq!(fill(world.clone()), (vec![0, 0, 0], PlacementFailure::Agent));
    world.deregister(HostId(1), true).unwrap();
    assert_eq!(fill(world), (vec![0, 0], PlacementFailure::NoActiveInstances));
    assert_eq!(fill(with("", "cpu = 1")), (vec![], PlacementFailure::NoActiveInstances));
}

#[test]
fn launch_type_provider_attributes_and_platform_choose_the_hosts() {
    let hosts = "external = 1\n[[cluster.group]]\nname = \"x86\"\nhosts = 1\nattributes = { stack = \"blue\", fast = \"\" }\n\
                 [[cluster.group]]\nname = \"arm\"\nhosts = 1\ntypes = [\"m7g.large\"]\n\
                 [[cluster.group]]\nname = \"win\"\nhosts = 1\nplatform = \"windows-2022\"";
    let takes = |service: &str| {
        let (counts, why) = fill(with(hosts, &format!("cpu = 2048\nmemory = 1\n{service}")));
        (counts.iter().map(|count| u8::from(*count > 0)).collect::<Vec<_>>(), why)
    };
    let (cpu, attribute) = (PlacementFailure::Cpu, PlacementFailure::Attribute);
    assert_eq!(takes(""), (vec![1, 1, 1, 1], cpu));
    assert_eq!(takes("launch-type = \"EXTERNAL\""), (vec![0, 0, 0, 1], cpu));
    assert_eq!(takes("launch-type = \"EC2\""), (vec![1, 1, 1, 0], cpu));
    assert_eq!(takes("provider = \"arm\""), (vec![0, 1, 0, 0], cpu));
    assert_eq!(takes("requires = [\"stack\"]"), (vec![1, 0, 0, 0], cpu));
    assert_eq!(takes("requires = [\"stack=blue\"]"), (vec![1, 0, 0, 0], cpu));
    assert_eq!(takes("requires = [\"fast\"]"), (vec![1, 0, 0, 0], cpu));
    assert_eq!(takes("requires = [\"stack=red\"]"), (vec![0, 0, 0, 0], attribute));
    assert_eq!(takes("os-family = \"WINDOWS_SERVER_2022_CORE\""), (vec![0, 0, 1, 0], cpu));
    assert_eq!(takes("os-family = \"LINUX\"\narchitecture = \"ARM64\""), (vec![0, 1, 0, 0], cpu));
    assert_eq!(takes("os-family = \"WINDOWS_SERVER_2019_FULL\""), (vec![0, 0, 0, 0], attribute));
    assert_eq!(takes("launch-type = \"EXTERNAL\"\nnetwork = \"awsvpc\""), (vec![0, 0, 0, 0], attribute));
}

#[test]
fn constraints_of_the_definition_and_of_the_service_both_hold() {
    let hosts = "hosts = 2\n[[cluster.group]]\nname = \"big\"\nhosts = 2\ntypes = [\"m6i.xlarge\"]";
    let takes = |service: &str| fill(with(hosts, &format!("cpu = 2048\nmemory = 1\n{service}")));
    let member = PlacementFailure::MemberOf;
    let big = "attribute:ecs.instance-type =~ m6i.x.*";
    assert_eq!(takes(&format!("member-of = [\"{big}\"]")), (vec![0, 0, 2, 2], PlacementFailure::Cpu));
    let both = format!(
        "member-of = [\"{big}\"]\ndefinition-member-of = [\"attribute:ecs.availability-zone == eu-central-1b\"]"
    );
    assert_eq!(takes(&both), (vec![0, 0, 0, 2], PlacementFailure::Cpu));
    assert_eq!(takes("member-of = [\"runningTasksCount > 3\"]"), (vec![0, 0, 0, 0], member));
    // The first task may go anywhere with no other; the second finds the first.
    assert_eq!(takes("member-of = [\"task:group != service:api\"]"), (vec![1, 1, 1, 1], member));
}

#[test]
fn distinct_instance_means_one_task_of_the_group_a_host() {
    let world = with("hosts = 3", "distinct-instance = true\ntasks = 2");
    assert_eq!(fill(world), (vec![0, 0, 1], PlacementFailure::DistinctInstance));
    // Another family does not count; a task that is being stopped does.
    let mut world = with("hosts = 1\nstandalone = 1", "distinct-instance = true\ntasks = 1\ndeactivating = \"10m\"");
    let task = world.services[0].tasks[0];
    let ask = Ask { definition: DefinitionId(0), who: Who::Service(ServiceId(0)) };
    world.stop_task(task, "").unwrap();
    world.advance_to(world.now.plus(2 * MINUTE));
    assert_eq!(world.task(task).map(|task| task.said.last), Some(TaskStatus::Deactivating));
    assert_eq!(world.lacks(HostId(0), &ask), Some(Lack::DistinctInstance));
}

#[test]
fn binpack_fills_the_fullest_and_spread_the_emptiest() {
    let tasks = |strategies: &str| {
        let world = with("hosts = 4", &format!("tasks = 6\nstrategies = [{strategies}]"));
        let on = placed_on(&world, ServiceId(0));
        let mut counts: Vec<usize> = (0..4).map(|host| on.iter().filter(|on| on.0 == host).count()).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(tasks("\"binpack(memory)\""), [0, 0, 0, 6]);
    assert_eq!(tasks("\"binpack(cpu)\""), [0, 0, 0, 6]);
    assert_eq!(tasks("\"spread(instanceId)\""), [1, 1, 2, 2]);
    // Four hosts in three zones: two tasks a zone, packed on one host each.
    assert_eq!(tasks("\"spread(attribute:ecs.availability-zone)\", \"binpack(cpu)\""), [0, 2, 2, 2]);
    assert_eq!(tasks("\"random\"").iter().sum::<usize>(), 6);
    assert_eq!(tasks("\"random\""), tasks("\"random\""), "chance can be repeated");
}

#[test]
fn services_spread_over_zones_by_themselves_where_ecs_does_it() {
    let text = "[habits]\nzone-spread = true\n[[cluster]]\nname = \"a\"\nhosts = 4\n[[cluster.service]]\nname = \"api\"\ntasks = 9\n";
    let world = story(text).world;
    let zone = |host: HostId| world.machines[world.hosts[host.index()].machine.index()].zone;
    let zones: Vec<u8> = placed_on(&world, ServiceId(0)).into_iter().map(zone).collect();
    assert_eq!((0..3).map(|zone| zones.iter().filter(|z| **z == zone).count()).collect::<Vec<_>>(), [3, 3, 3]);
}

#[test]
fn a_daemon_wants_a_task_on_every_host_that_may_have_one() {
    let hosts = "hosts = 3\n[[cluster.group]]\nname = \"big\"\nhosts = 2\ntypes = [\"m6i.xlarge\"]";
    let mut world = with(hosts, "daemon = true\nmember-of = [\"attribute:ecs.instance-type == m6i.xlarge\"]");
    world.advance_to(world.now.plus(5 * MINUTE));
    assert_eq!((world.services[0].desired, world.services[0].running), (2, 2));
    assert!(placed_on(&world, ServiceId(0)).iter().all(|host| host.0 >= 3));
}

#[test]
fn the_closest_hosts_are_named_with_what_most_of_them_lack() {
    let text = "[[cluster]]\nname = \"a\"\nhosts = 5\ntypes = [\"t3.medium\"]\n[[cluster.service]]\nname = \"api\"\n\
                network = \"awsvpc\"\ntasks = 10\n";
    let mut simulation = story(text);
    simulation.world.set_draining(HostId(4), true).unwrap();
    simulation.world.set_desired_count(ServiceId(0), 12).unwrap();
    assert_eq!(failures(&mut simulation, 10 * MINUTE), [(PlacementFailure::Eni, 3)]);
    let message = &simulation.world.services[0].events[0].message;
    assert!(message.contains("closest matching (container-instance ") && message.contains("RESOURCE:ENI"), "{message}");
}

#[test]
fn the_words_of_a_failure_are_those_of_ecs() {
    let said = |cluster: &str, service: &str| {
        let mut world = with(cluster, service);
        world.set_desired_count(ServiceId(0), 3).unwrap();
        world.advance_to(world.now.plus(3 * MINUTE));
        world.services[0].events[0].message.clone()
    };
    for (cluster, service, words) in [
        ("hosts = 1", "cpu = 2000", "has insufficient CPU units available."),
        ("hosts = 1", "memory = 5000", "has insufficient memory available."),
        ("hosts = 1", "ports = [\"80\"]", "is already using a port required by your task."),
        ("hosts = 1", "requires = [\"x\"]", "is missing an attribute required by your task."),
        ("hosts = 1", "gpus = 1", "encountered error \"RESOURCE:GPU\"."),
        ("hosts = 1", "member-of = [\"attribute:x exists\"]", "\"MemberOf placement constraint unsatisfied\"."),
        ("", "cpu = 1", "Reason: No Container Instances were found in your cluster."),
        (
            "hosts = 1\n[[cluster.group]]\nname = \"none\"",
            "provider = \"none\"",
            "encountered error \"EMPTY CAPACITY PROVIDER\".",
        ),
    ] {
        let message = said(cluster, service);
        assert!(message.ends_with(words), "{message}");
    }
}

#[test]
fn an_interface_attached_by_hand_makes_tasks_fail_that_the_scheduler_placed() {
    let text = "[[cluster]]\nname = \"a\"\n[[cluster.group]]\nname = \"g\"\nhosts = 1\nextra-interfaces = 1\n\
                [[cluster.service]]\nname = \"api\"\nnetwork = \"awsvpc\"\ntasks = 1\n";
    let mut simulation = story(text);
    simulation.world.set_desired_count(ServiceId(0), 2).unwrap();
    let until = simulation.now().plus(30 * MINUTE);
    simulation.world.advance_to(until);
    let world = &simulation.world;
    let failed: Vec<&str> = world
        .host_tasks(HostId(0))
        .filter(|(_, task)| task.present && task.said.last == TaskStatus::Stopped)
        .filter_map(|(_, task)| task.stopped_reason.map(|reason| world.text(reason)))
        .collect();
    assert!((2..=9).contains(&failed.len()), "the tries come later and later: {}", failed.len());
    assert!(failed.iter().all(|reason| reason.contains("unused device index")), "{failed:?}");
    assert_eq!(world.services[0].running, 1);
}

#[test]
fn managed_scaling_makes_room_once_for_a_shortage_and_not_beyond_the_maximum() {
    let text = "[[cluster]]\nname = \"a\"\n[[cluster.group]]\nname = \"g\"\nhosts = 2\nmax = 5\n\
                managed-scaling = { most = 2 }\n\
                [[cluster.service]]\nname = \"api\"\nprovider = \"g\"\ncpu = 1024\nmemory = 64\ntasks = 4\n";
    let mut simulation = story(text);
    simulation.world.set_desired_count(ServiceId(0), 40).unwrap();
    let until = simulation.now().plus(60 * MINUTE);
    simulation.world.advance_to(until);
    let world = &simulation.world;
    let steps: Vec<(u32, u32)> = world.scaled.iter().map(|scaled| (scaled.from, scaled.to)).collect();
    assert_eq!(steps, [(2, 4), (4, 5)]);
    assert!(world.scaled.iter().all(|scaled| scaled.by == Scaler::Provider));
    assert_eq!(world.services[0].running, 10);
    let running = world.machines.iter().filter(|machine| machine.state == MachineState::Running);
    assert_eq!(running.count(), 5);
}

#[test]
fn a_service_stuck_on_interfaces_says_so_and_is_placed_when_its_group_is_scaled_out() {
    let mut simulation = Scenario::load("stuck-on-eni").unwrap().begin(None);
    let began = simulation.now();
    let stuck = failures(&mut simulation, 24 * MINUTE);
    assert_eq!(stuck, [(PlacementFailure::Eni, 3)], "said once, with the hosts that came closest");
    let service = &simulation.world.services[0];
    assert_eq!((service.desired, service.running, service.pending), (9, 6, 0));
    let message = &service.events[0].message;
    let begins = "(service api) was unable to place a task because no container instance met all of its requirements. \
                  The closest matching (container-instance ";
    assert!(message.starts_with(begins) && message.ends_with("encountered error \"RESOURCE:ENI\"."), "{message}");
    let hosts = &simulation.world.hosts;
    assert!(hosts.iter().all(|host| host.said.cpu_left > 512), "it is not CPU that is short");
    assert_eq!(failures(&mut simulation, 16 * MINUTE), []);
    let world = &simulation.world;
    assert_eq!((world.services[0].running, world.clusters[0].hosts.len()), (9, 5));
    assert!(world.services[0].tasks.iter().all(|task| world.task(*task).unwrap().created_at < began.plus(35 * MINUTE)));
    let launched: Vec<&str> = world.groups[0].activities.iter().map(|activity| activity.status).collect();
    assert_eq!(launched, ["Successful", "Successful"]);
}

#[test]
fn a_caller_without_a_service_places_by_its_own_constraints() {
    use simulator::world::placement::{Constraint, PlacementStrategy};
    let mut world = with("hosts = 3", "cpu = 1\nmemory = 1");
    let placement = Placement {
        constraints: vec![Constraint::DistinctInstance],
        strategies: vec![PlacementStrategy::parse("binpack(cpu)").unwrap()],
        ..Placement::default()
    };
    let group = Some(world.intern("batch"));
    let mut outcomes = (0..4).map(|_| world.run_task(ClusterId(0), DefinitionId(0), group, &placement));
    assert!(outcomes.by_ref().take(3).all(|outcome| outcome.is_ok()));
    let refused = outcomes.next().unwrap().unwrap_err();
    assert_eq!(refused.why, PlacementFailure::DistinctInstance);
    let other = world.run_task(ClusterId(0), DefinitionId(0), None, &placement);
    assert!(other.is_ok(), "another group may go there");
}
