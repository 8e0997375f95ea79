//! Clusters and tasks by chance: few hosts, many kinds of trouble.

use super::{Case, expression};
use crate::{
    clock::{Moment, SECOND},
    seed::Random,
    world::{
        Boots, ClusterId, HostId, KindId, Outfit, PlaceId, Placement, Platform, ServiceId, Strategy, TaskDefinition,
        World, kind,
        placement::{Constraint, Expression, HostPort, LaunchType, NetworkMode, PlacementStrategy, Protocol, Required},
    },
};

/// Types that are drawn, the common ones more often.
const TYPES: [&str; 17] = [
    "m6i.large",
    "m6i.large",
    "m6i.large",
    "m6i.xlarge",
    "c5.large",
    "c5.large",
    "r6i.large",
    "m5.xlarge",
    "t3.medium",
    "t3.large",
    "m7g.large",
    "c7g.xlarge",
    "g4dn.xlarge",
    "g4dn.12xlarge",
    "q9z.large",
    "q9z.nano",
    "n0n.sense",
];

/// Agent versions.
const AGENTS: [&str; 3] = ["1.105.1", "1.99.0", "1.104.2"];

/// The case of a seed.
pub fn draw(seed: u64) -> Case {
    let mut random = Random::new(seed ^ 0x7477_696e_0000);
    let mut world = World::new(seed, Moment::DEFAULT_START);
    world.silent = true;
    world.habits.zone_spread = random.chance(0.7);
    let zones = random.between(1, 4) as u8;
    let place = world.add_place("210987654321", "eu-central-1", zones);
    let cluster = world.add_cluster(place, "twin");
    world.clusters[cluster.index()].trunking = random.chance(0.4);
    hosts(&mut random, &mut world, place, cluster);
    let background = random.between(0, 4);
    for number in 0..background {
        let task = task(&mut random, place, &format!("other-{number}"), &pool(&world, cluster), 0.15);
        let placement = placement(&mut random, &world, cluster, task.awsvpc(), 0.1);
        let definition = world.register_definition(task);
        let strategy = if random.chance(0.15) { Strategy::Daemon } else { Strategy::Replica };
        let tasks = random.between(0, 24) as u32;
        world.add_placed_service(cluster, &format!("other-{number}"), strategy, tasks, definition, placement);
    }
    // In most cases little is asked, so that the numbers decide.
    let odd = pick(&mut random, &[0.0, 0.05, 0.05, 0.15, 0.3], 0.05);
    let wanted = task(&mut random, place, "wanted", &pool(&world, cluster), odd);
    let placement = placement(&mut random, &world, cluster, wanted.awsvpc(), odd);
    let definition = world.register_definition(wanted);
    let there = if random.chance(0.5) { random.between(0, 8) as u32 } else { 0 };
    let service = world.add_placed_service(cluster, "wanted", Strategy::Replica, there, definition, placement);
    trouble(&mut random, &mut world, place, cluster);
    Case { seed, world, place, cluster, service, definition }
}

fn kinds(random: &mut Random) -> Vec<KindId> {
    let count = if random.chance(0.7) { 1 } else { 2 };
    (0..count).filter_map(|_| kind::find(random.pick(&TYPES)?)).collect()
}

fn hosts(random: &mut Random, world: &mut World, place: PlaceId, cluster: ClusterId) {
    let most = match random.below(10) {
        0 => 0,
        1..=5 => 6,
        6..=8 => 15,
        _ => 30,
    };
    let mut left = random.between(0, most) as u32;
    let mut number = 0;
    while left > 0 {
        number += 1;
        let count = random.between(1, i64::from(left)) as u32;
        left -= count;
        let agent = random.pick(&AGENTS).copied().unwrap_or("1.105.1");
        let template = world.add_template(place, &format!("t-{number}"), agent, Boots::Well);
        let kinds = kinds(random);
        if random.chance(0.1) {
            for _ in 0..count {
                world.add_external_host(cluster);
            }
            continue;
        }
        if random.chance(0.1) {
            let zones = world.place(place).map_or(1, |place| place.zones.len() as u64);
            for _ in 0..count {
                let kind = random.pick(&kinds).copied().unwrap_or_default();
                world.add_lone_host(cluster, random.below(zones) as u8, kind, template);
            }
            continue;
        }
        let group = world.add_group(cluster, &format!("g-{number}"), &kinds, template, count, false);
        let outfit = outfit(random);
        world.outfit(group, outfit);
    }
}

fn outfit(random: &mut Random) -> Outfit {
    let platform = match random.below(12) {
        0 => Platform::Windows2019,
        1 => Platform::Windows2022,
        _ => Platform::Linux,
    };
    let mut attributes = Vec::new();
    if random.chance(0.4) {
        let stack = random.pick(&["blue", "red"]).map(|stack| (*stack).to_owned());
        attributes.push(("stack".to_owned(), stack));
    }
    if random.chance(0.2) {
        attributes.push(("fast".to_owned(), None));
    }
    if random.chance(0.3) {
        attributes.push(("level".to_owned(), Some(random.below(14).to_string())));
    }
    Outfit {
        platform,
        attributes,
        trunking: random.chance(0.2).then(|| random.chance(0.5)),
        extra_enis: if random.chance(0.1) { random.between(1, 2) as u8 } else { 0 },
    }
}

/// What expressions may ask for.
fn pool(world: &World, cluster: ClusterId) -> expression::Pool {
    let hosts = world.cluster(cluster).map_or(&[][..], |cluster| &cluster.hosts);
    let machines = hosts.iter().filter_map(|host| world.host(*host)).map(|host| world.machine_id(host.machine));
    let times = hosts.iter().filter_map(|host| world.host(*host)).map(|host| host.registered_at.iso_secs());
    expression::Pool {
        zones: world.places.iter().flat_map(|place| &place.zones).map(|zone| zone.name.clone()).collect(),
        machines: machines.collect(),
        groups: (0..5).map(|number| format!("service:other-{number}")).chain(["service:wanted".to_owned()]).collect(),
        times: times.collect(),
    }
}

fn pick<T: Copy>(random: &mut Random, of: &[T], otherwise: T) -> T {
    random.pick(of).copied().unwrap_or(otherwise)
}

/// A task; `odd` is the chance of each thing that most tasks do not ask for.
fn task(random: &mut Random, place: PlaceId, family: &str, pool: &expression::Pool, odd: f64) -> TaskDefinition {
    let network = match random.below(10) {
        0..=4 => NetworkMode::Awsvpc,
        5..=7 => NetworkMode::Bridge,
        8 => NetworkMode::Host,
        _ => NetworkMode::None,
    };
    let mut ports = Vec::new();
    if matches!(network, NetworkMode::Bridge | NetworkMode::Host) && random.chance(0.1 + odd) {
        for _ in 0..random.between(1, 3) {
            let protocol = if random.chance(0.3) { Protocol::Udp } else { Protocol::Tcp };
            let port = HostPort { port: pick(random, &[80, 443, 8080, 53, 22, 3389, 51678, 9000], 80), protocol };
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
    }
    let mut requires = Vec::new();
    if random.chance(odd / 3.0) {
        let name = pick(random, &["stack", "fast", "level", "ecs.capability.efs", "nobody.has"], "fast");
        let value = (name == "stack" && random.chance(0.5)).then(|| "blue".to_owned());
        requires.push(Required { name: name.to_owned(), value });
    }
    let family_name = ["LINUX", "WINDOWS_SERVER_2019_FULL", "WINDOWS_SERVER_2022_CORE"];
    TaskDefinition {
        place,
        family: family.to_owned(),
        revision: 0,
        cpu: pick(random, &[0, 1, 10, 64, 128, 128, 256, 256, 256, 512, 512, 1_000, 1_024, 2_048, 4_096], 256),
        memory_mib: pick(
            random,
            &[128, 128, 128, 256, 256, 256, 512, 512, 1_000, 1_024, 2_048, 3_700, 7_680, 70_000],
            512,
        ),
        network,
        containers: vec![family.to_owned()],
        gpus: if random.chance(odd / 4.0) { pick(random, &[1, 1, 2, 3, 9], 1) } else { 0 },
        ports,
        requires,
        constraints: if random.chance(odd) { vec![constraint(random, pool)] } else { Vec::new() },
        os_family: random.chance(odd / 3.0).then(|| pick(random, &family_name, "LINUX").to_owned()),
        architecture: random.chance(odd / 3.0).then(|| pick(random, &["X86_64", "ARM64"], "X86_64").to_owned()),
    }
}

fn constraint(random: &mut Random, pool: &expression::Pool) -> Expression {
    let text = expression::draw(random, pool, 2);
    // What is drawn can be read; where it could not, anything that is always true stands in for it.
    let fallback = || Expression::parse("runningTasksCount >= 0").unwrap_or_else(|_| unreachable!("it is documented"));
    Expression::parse(&text).unwrap_or_else(|_| fallback())
}

fn placement(random: &mut Random, world: &World, cluster: ClusterId, awsvpc: bool, odd: f64) -> Placement {
    let pool = pool(world, cluster);
    let mut constraints = Vec::new();
    if random.chance(odd / 1.5) {
        constraints.push(Constraint::DistinctInstance);
    }
    if random.chance(odd) {
        constraints.push(Constraint::MemberOf(constraint(random, &pool)));
    }
    if random.chance(0.5) {
        constraints.reverse();
    }
    let mut strategies = Vec::new();
    for _ in 0..pick(random, &[0, 0, 1, 2, 3], 0) {
        let words = [
            "binpack(cpu)",
            "binpack(memory)",
            "spread(instanceId)",
            "spread(attribute:ecs.availability-zone)",
            "spread(attribute:stack)",
            "random",
        ];
        strategies.extend(random.pick(&words).and_then(|text| PlacementStrategy::parse(text)));
    }
    let zones = world.places.first().map_or(&[][..], |place| &place.zones);
    let subnets = (awsvpc && random.chance(0.3)).then(|| {
        let mut chosen: Vec<String> =
            zones.iter().filter(|_| random.chance(0.6)).map(|zone| zone.subnet.clone()).collect();
        if chosen.is_empty() {
            chosen.extend(zones.first().map(|zone| zone.subnet.clone()));
        }
        chosen
    });
    let providers = world.cluster(cluster).map_or(&[][..], |cluster| &cluster.capacity_providers);
    let provider = if random.chance(odd / 3.0) { random.pick(providers).map(|held| held.name.clone()) } else { None };
    let launch =
        if provider.is_none() && random.chance(0.02 + odd / 5.0) { LaunchType::External } else { LaunchType::Ec2 };
    Placement { constraints, strategies, subnets, launch: Some(launch), provider }
}

/// What happens before the question is asked: hosts drain and lose their agents, tasks are being stopped, addresses run
/// out, somebody gives hosts attributes and interfaces.
fn trouble(random: &mut Random, world: &mut World, place: PlaceId, cluster: ClusterId) {
    let hosts: Vec<HostId> = world.cluster(cluster).map(|cluster| cluster.hosts.clone()).unwrap_or_default();
    if random.chance(0.5) {
        for number in 0..world.services.len() as u32 {
            if random.chance(0.4) {
                let id = ServiceId(number);
                if let Some(service) = world.services.get_mut(id.index()) {
                    service.deactivating_ms = 300 * SECOND;
                }
                let fewer = world.service(id).map_or(0, |service| random.between(0, i64::from(service.desired)) as u32);
                refused(world.set_desired_count(id, fewer));
            }
        }
        let until = world.now.plus(random.between(0, 40_000));
        world.advance_to(until);
    }
    for host in hosts {
        let Some(machine) = world.host(host).map(|host| host.machine) else { continue };
        match random.below(24) {
            0 | 1 => refused(world.set_draining(host, true)),
            2 => world.crash_agent(machine, false),
            3 => world.cut_network(machine),
            4 => world.stop(machine),
            5 => refused(world.deregister(host, true)),
            6 => registering(world, host),
            7 => refused(world.put_attribute(host, "stack", Some("green"))),
            8 => refused(world.put_attribute(host, "level", Some("12"))),
            9 => refused(world.attach_interfaces(machine, random.between(1, 3) as u8)),
            _ => {}
        }
    }
    if random.chance(0.3) {
        let now = world.now;
        world.advance_to(now.plus(random.between(0, 150_000)));
    }
    let zones = world.place(place).map_or(0, |place| place.zones.len() as u8);
    for zone in 0..zones {
        if random.chance(0.2) {
            world.leave_addresses(place, zone, random.between(0, 9) as u32);
        }
    }
}

/// A host that is being registered, or has failed to be.
fn registering(world: &mut World, host: HostId) {
    use crate::world::HostStatus::{Registering, RegistrationFailed};
    let failed = host.0 % 2 == 1;
    world.end_tasks(host, crate::world::StopCode::UserInitiated, "the host registers anew");
    world.change_host(host, |said| {
        said.status = if failed { RegistrationFailed } else { Registering };
        said.connected &= !failed;
    });
}

// What the world refuses here has simply not happened.
fn refused(outcome: Result<(), crate::world::control::Refusal>) {
    if let Err(refusal) = outcome {
        tracing::trace!(%refusal, "a trouble that did not take place");
    }
}
