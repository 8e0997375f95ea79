//! How the pretend account behaves, told by what ECS, EC2 and Auto Scaling would say of it.
#![allow(clippy::unwrap_used, reason = "what does not hold fails the test")]

use simulator::{
    clock::{HOUR, MINUTE, Moment, SECOND},
    courier::Parcel,
    scenario::Scenario,
    simulation::Simulation,
    world::{
        CheckStatus, ClusterId, HostId, HostStatus, MachineId, MachineState, ServiceId, TaskStatus, What, World,
        change::{PlacementFailure, ServiceAction, Stage},
    },
};

fn story(text: &str) -> Simulation {
    Scenario::parse("test", text).unwrap_or_else(|error| panic!("{error}")).begin(None)
}

fn small() -> Simulation {
    story(
        "[[cluster]]\nname = \"a\"\nhosts = 3\n[[cluster.service]]\nname = \"api\"\ntasks = 6\nnetwork = \"awsvpc\"\n",
    )
}

fn changes(simulation: &mut Simulation, for_ms: i64) -> Vec<What> {
    let mut ready = Vec::new();
    let until = simulation.now().plus(for_ms);
    simulation.advance_to(until, &mut ready);
    assert_eq!(simulation.now(), until);
    let whats = ready.into_iter().filter_map(|parcel| match parcel {
        Parcel::Change(change) => Some(change.what),
        Parcel::Bytes(_) => None,
    });
    whats.collect()
}

fn machine_of(world: &World, host: u32) -> MachineId {
    world.hosts[host as usize].machine
}

#[test]
fn agents_reconnect_about_twice_an_hour_and_are_back_within_seconds() {
    let mut simulation = story("[[cluster]]\nname = \"a\"\nhosts = 200\n");
    let mut left = vec![None; 200];
    let (mut reconnects, mut longest) = (0, 0);
    let mut ready = Vec::new();
    simulation.advance_to(Moment::DEFAULT_START.plus(12 * HOUR), &mut ready);
    for parcel in ready {
        let Parcel::Change(change) = parcel else { panic!("nothing is torn in a world without faults") };
        let What::Host { host, state } = change.what else { panic!("{change:?} in a world of reconnects") };
        if state.connected {
            let since: Moment = left[host.index()].take().unwrap();
            longest = longest.max(change.at.since(since));
            reconnects += 1;
        } else {
            assert!(left[host.index()].replace(change.at).is_none(), "it left twice");
        }
    }
    let per_host_hour = f64::from(reconnects) / (200.0 * 12.0);
    assert!((1.7..2.0).contains(&per_host_hour), "{per_host_hour}");
    assert!(longest <= 45 * SECOND, "{longest}");
}

#[test]
fn versions_only_go_up_by_one_with_every_change_of_a_host() {
    let mut simulation = Scenario::load("quiet-day").unwrap().begin(None);
    let mut versions: Vec<u32> = simulation.world.hosts.iter().map(|host| host.said.version).collect();
    let mut seen = 0;
    for what in changes(&mut simulation, 6 * HOUR) {
        let What::Host { host, state } = what else { continue };
        assert_eq!(state.version, versions[host.index()] + 1);
        versions[host.index()] = state.version;
        seen += 1;
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_others() {
    let events = |seed: u64| {
        let mut simulation = Scenario::load("poison").unwrap().begin(Some(seed));
        let mut ready = Vec::new();
        simulation.advance_to(Moment::DEFAULT_START.plus(HOUR), &mut ready);
        let mut text = Vec::new();
        ready.iter().for_each(|parcel| parcel.write(&simulation.world, &mut text));
        text
    };
    assert!(events(4) == events(4));
    assert!(events(4) != events(5));
}

#[test]
fn a_crashed_agent_is_seen_at_once_and_a_hung_one_when_its_heartbeat_is_missed() {
    let mut simulation = small();
    let machine = machine_of(&simulation.world, 0);
    simulation.world.crash_agent(machine, false);
    assert!(!simulation.world.hosts[0].said.connected);
    let machine = machine_of(&simulation.world, 1);
    simulation.world.hang_agent(machine);
    assert!(simulation.world.hosts[1].said.connected);
    changes(&mut simulation, 121 * SECOND);
    assert!(!simulation.world.hosts[1].said.connected);
    changes(&mut simulation, 20 * MINUTE);
    assert!(!simulation.world.hosts[0].said.connected, "nobody restarted it");
    assert_eq!(simulation.world.hosts[0].connectivity.status, CheckStatus::Impaired);
    simulation.world.restart_agent(machine_of(&simulation.world, 0));
    changes(&mut simulation, 30 * SECOND);
    assert!(simulation.world.hosts[0].said.connected);
    assert_eq!(simulation.world.hosts[0].connectivity.status, CheckStatus::Ok);
}

#[test]
fn an_agent_that_ends_behind_a_cut_network_is_missed_like_any_silent_one() {
    for comes_back in [false, true] {
        let mut simulation = small();
        let machine = machine_of(&simulation.world, 0);
        simulation.world.cut_network(machine);
        changes(&mut simulation, 10 * SECOND);
        simulation.world.crash_agent(machine, comes_back);
        assert!(simulation.world.hosts[0].said.connected, "nobody closed the connection");
        changes(&mut simulation, 5 * MINUTE);
        assert!(!simulation.world.hosts[0].said.connected);
        simulation.world.restore_network(machine);
        changes(&mut simulation, 5 * MINUTE);
        assert_eq!(simulation.world.hosts[0].said.connected, comes_back);
    }
}

#[test]
fn a_machine_terminated_while_connected_is_deregistered_and_one_that_was_away_stays_as_a_ghost() {
    let mut simulation = small();
    let (connected, away) = (machine_of(&simulation.world, 0), machine_of(&simulation.world, 1));
    simulation.world.crash_agent(away, false);
    simulation.world.terminate(connected);
    simulation.world.terminate(away);
    changes(&mut simulation, 10 * MINUTE);
    let world = &simulation.world;
    assert_eq!(world.hosts[0].said.status, HostStatus::Inactive);
    assert_eq!((world.hosts[1].said.status, world.hosts[1].said.connected), (HostStatus::Active, false));
    assert_eq!(world.machines[away.index()].state, MachineState::Terminated);
    assert!(world.hosts[1].said.running > 0, "the tasks of a ghost still count as running");
    assert_eq!(world.clusters[0].hosts.len(), 4, "two replacements, one survivor, one ghost");
}

#[test]
fn a_group_keeps_its_desired_capacity_and_says_so() {
    let mut simulation = small();
    let machine = machine_of(&simulation.world, 2);
    simulation.world.terminate(machine);
    let heard = changes(&mut simulation, 10 * MINUTE);
    let stage = |wanted: Stage| {
        heard.iter().filter(|what| matches!(what, What::Lifecycle { stage, .. } if *stage == wanted)).count()
    };
    assert_eq!((stage(Stage::Launched), stage(Stage::Terminated)), (1, 1));
    let members = &simulation.world.groups[0].members;
    assert_eq!(members.len(), 3);
    let newest = &simulation.world.machines[members[2].index()];
    let host = simulation.world.host(newest.host.unwrap()).unwrap();
    assert_eq!((host.said.status, host.said.connected), (HostStatus::Active, true));
    let lost_zone = simulation.world.machines[machine.index()].zone;
    assert_eq!(newest.zone, lost_zone, "the emptiest zone gets the replacement");
}

#[test]
fn tasks_lost_with_their_host_are_placed_elsewhere_step_by_step() {
    let mut simulation = small();
    let machine = machine_of(&simulation.world, 0);
    simulation.world.terminate(machine);
    let heard = changes(&mut simulation, 15 * MINUTE);
    let statuses: Vec<TaskStatus> = heard
        .iter()
        .filter_map(|what| match what {
            What::Task { task, now } if task.generation == 0 && now.said.version < 10 => Some(now.said.last),
            _ => None,
        })
        .collect();
    for wanted in [TaskStatus::Stopped, TaskStatus::Provisioning, TaskStatus::Pending, TaskStatus::Running] {
        assert!(statuses.contains(&wanted), "{wanted:?} in {statuses:?}");
    }
    let service = &simulation.world.services[0];
    assert_eq!((service.running, service.pending, service.tasks.len()), (6, 0, 6));
    assert_eq!(simulation.world.recount(ClusterId(0)), (6, 0));
}

#[test]
fn the_books_of_hosts_services_and_clusters_agree_after_a_stormy_day() {
    for name in ["day-300-hosts", "zone-loss", "bad-ami", "ghosts", "poison"] {
        let mut simulation = Scenario::load(name).unwrap().begin(Some(11));
        let ends = simulation.ends().min(simulation.now().plus(12 * HOUR));
        let mut ready = Vec::new();
        simulation.advance_to(ends, &mut ready);
        let world = &simulation.world;
        for (number, cluster) in world.clusters.iter().enumerate() {
            let counted = (cluster.running_tasks, cluster.pending_tasks);
            assert_eq!(counted, world.recount(ClusterId(number as u32)), "{name}");
        }
        for (number, host) in world.hosts.iter().enumerate() {
            let kind = world.machines[host.machine.index()].kind.get();
            let on_host =
                world.host_tasks(HostId(number as u32)).filter(|(_, task)| task.said.last != TaskStatus::Stopped);
            let (mut cpu, mut enis, mut running) = (kind.cpu, 0, 0);
            for (_, task) in on_host {
                cpu -= world.definitions[task.definition.index()].cpu;
                enis += u16::from(task.said.eni.is_some());
                running += u16::from(task.said.desired_running && task.said.last == TaskStatus::Running);
            }
            assert_eq!(
                (host.said.cpu_left, host.said.enis, host.said.running),
                (cpu, enis, running),
                "{name}, host {number}"
            );
        }
        for (number, service) in world.services.iter().enumerate() {
            assert!(service.tasks.iter().all(|task| world.task(*task).is_some()), "{name}, service {number}");
        }
    }
}

#[test]
fn a_service_that_finds_no_room_says_why_once() {
    let mut simulation = small();
    simulation.world.set_desired_count(ServiceId(0), 50).unwrap();
    let heard = changes(&mut simulation, 30 * MINUTE);
    let failures: Vec<PlacementFailure> = heard
        .iter()
        .filter_map(|what| match what {
            What::Service { action: ServiceAction::PlacementFailure(why), .. } => Some(*why),
            _ => None,
        })
        .collect();
    assert_eq!(failures, [PlacementFailure::Eni], "m6i.large without a trunk has room for two awsvpc tasks");
    assert!(simulation.world.services[0].events[0].message.contains("RESOURCE:ENI"));
}

#[test]
fn a_draining_host_empties_into_the_others() {
    let mut simulation = story(
        "[[cluster]]\nname = \"a\"\nhosts = 4\ntrunking = true\n[[cluster.service]]\nname = \"api\"\ntasks = 8\nnetwork = \"awsvpc\"\n",
    );
    simulation.world.set_draining(HostId(0), true).unwrap();
    changes(&mut simulation, 20 * MINUTE);
    let world = &simulation.world;
    assert_eq!((world.hosts[0].said.status, world.hosts[0].said.running), (HostStatus::Draining, 0));
    assert_eq!(world.services[0].running, 8);
    assert!(simulation.world.set_draining(HostId(0), false).is_ok());
}

#[test]
fn a_control_plane_outage_drops_every_agent_and_takes_them_back() {
    let mut simulation = Scenario::load("control-plane-blip").unwrap().begin(None);
    changes(&mut simulation, 31 * MINUTE);
    assert!(simulation.world.hosts.iter().all(|host| !host.said.connected));
    changes(&mut simulation, 10 * MINUTE);
    let connected = simulation.world.hosts.iter().filter(|host| host.said.connected).count();
    assert!(connected >= simulation.world.hosts.len() - 2, "{connected}");
}

#[test]
fn stale_reads_show_an_earlier_state_and_no_later_one() {
    let mut simulation = small();
    simulation.world.remember_for(60_000);
    let machine = machine_of(&simulation.world, 0);
    let before = simulation.world.hosts[0].said;
    simulation.world.crash_agent(machine, false);
    let after = simulation.world.hosts[0].said;
    changes(&mut simulation, 20 * SECOND);
    assert_eq!(simulation.world.host_as_of(HostId(0), 30_000), Some(before));
    assert_eq!(simulation.world.host_as_of(HostId(0), 10_000), Some(after));
    assert_eq!(simulation.world.host_as_of(HostId(0), 0), Some(after));
}

#[test]
fn every_event_of_a_stormy_day_is_json_with_its_envelope() {
    let mut simulation = Scenario::load("day-300-hosts").unwrap().begin(None);
    let mut kinds = std::collections::BTreeMap::new();
    let mut ready = Vec::new();
    simulation.advance_to(Moment::DEFAULT_START.plus(10 * HOUR), &mut ready);
    for parcel in &ready {
        let mut text = Vec::new();
        parcel.write(&simulation.world, &mut text);
        let event: serde_json::Value =
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
        for field in ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"] {
            assert!(event.get(field).is_some(), "{field} in {event}");
        }
        *kinds.entry(event["detail-type"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    for kind in [
        "ECS Container Instance State Change",
        "ECS Task State Change",
        "ECS Container Instance Health Change",
        "ECS Deployment State Change",
        "ECS Service Action",
        "EC2 Instance State-change Notification",
        "EC2 Spot Instance Interruption Warning",
        "EC2 Instance Launch Successful",
    ] {
        assert!(kinds.contains_key(kind), "{kind} in {kinds:?}");
    }
}
