//! What is free, counted and shown.

use fleet::{
    capacity::headroom::Availability,
    input::{Input, Scope, Sweep},
    observation::{Fact, Gpus, InstanceStatus, InterfacesFact, SubnetFact, TaskStatus},
    policy::Policy,
    snapshot, step,
};
use jiff::SignedDuration;

use crate::account::{Account, CLUSTER, Host, host};

#[test]
fn room_is_counted_by_zone_and_provider_and_apart_where_it_is_no_room() {
    let mut account = Account::of(&[
        Host { provider: Some("spot"), resources: Some(((2_048, 4_096), (1_024, 1_024))), ..host(1) },
        Host {
            zone: Some("eu-west-1b"),
            provider: Some("spot"),
            gpus: Some(Gpus { registered: 2, remaining: 1 }),
            ..host(2)
        },
        Host { status: InstanceStatus::Draining, ..host(3) },
        Host { connected: Some(false), ..host(4) },
        Host { kind: Some("x9.mega"), ..host(5) },
        Host { external: true, kind: None, zone: None, ..host(6) },
    ]);
    account.task(1, 1, "service:api", true, TaskStatus::Deprovisioning);
    let view = account.fleet.headroom_view(CLUSTER, true, account.now);
    let open = view.whole.open;
    assert_eq!((open.hosts, open.cpu_units.free, open.cpu_units.total), (4, 7_168, 8_192));
    assert_eq!((open.gpus.free, open.gpus.total), (1, 2));
    assert_eq!((open.slots.scheduler.free, open.slots.scheduler.total, open.slots.unknown_hosts), (3, 4, 1));
    assert_eq!(view.whole.cpu_percent_free, Some(87.5));
    let apart: Vec<_> = view.whole.apart.iter().map(|apart| (apart.because, apart.holds.hosts)).collect();
    assert_eq!(apart, [(Availability::Draining, 1), (Availability::AgentLost, 1)]);
    let zones: Vec<_> = view.zones.iter().map(|zone| (zone.name.as_str(), zone.open.hosts)).collect();
    assert_eq!(zones, [("", 1), ("eu-west-1a", 2), ("eu-west-1b", 1)]);
    assert_eq!((view.providers.len(), view.providers[0].open.hosts), (1, 2));
    assert_eq!(view.hosts.len(), 6);
    assert_eq!(view.hosts[0].tcp_ports_taken.as_deref(), Some(&[22, 2375, 2376, 51678, 51679][..]));
    assert!(view.hosts[4].slots.is_none() && view.hosts[5].slots.is_some());
}

#[test]
fn interfaces_that_others_attached_are_told_and_a_snapshot_keeps_all_of_it() {
    let mut account = Account::of(&[host(1)]);
    account.observe(Fact::Interfaces(InterfacesFact {
        instance_id: format!("i-{:017x}", 1).into(),
        attached: 3,
        on_first_card: 3,
    }));
    account.observe(Fact::Subnet(SubnetFact { id: "subnet-1".into(), zone: "eu-west-1a".into(), free_addresses: 9 }));
    let view = account.fleet.headroom_view(CLUSTER, true, account.now);
    assert_eq!((view.whole.open.slots.scheduler.free, view.whole.open.slots.physical_free), (2, 0));
    assert!(view.hosts[0].warning.as_deref().is_some_and(|text| text.contains("others")));
    assert_eq!((view.subnets.len(), view.subnets[0].free_addresses), (1, 9));
    let saved = snapshot::save(&account.fleet);
    let back = snapshot::load(&saved, Policy::default()).unwrap();
    assert_eq!(back.headroom_view(CLUSTER, true, account.now), view);
    assert_eq!(snapshot::save(&back), saved);
}

#[test]
fn odd_clusters_have_no_percent_and_nothing_below_nothing() {
    let account = Account::new();
    let view = account.fleet.headroom_view(CLUSTER, true, account.now);
    assert_eq!((view.whole.open.hosts, view.whole.cpu_percent_free), (0, None));
    let mut account = Account::of(&[
        Host { resources: Some(((0, 0), (0, 0))), kind: Some("t3.nano"), ..host(1) },
        Host { resources: Some(((100, 100), (200, 200))), ..host(2) },
        Host { resources: None, ..host(3) },
    ]);
    for number in 0..5 {
        account.task(1, number, "service:api", true, TaskStatus::Running);
    }
    let open = account.fleet.headroom_view(CLUSTER, false, account.now).whole.open;
    assert_eq!((open.cpu_units.free, open.cpu_units.total, open.silent_hosts), (100, 100, 1));
    assert_eq!(open.slots.scheduler.free, 4, "five tasks on a host of one slot take nothing from the others");
}

#[test]
fn hosts_of_one_kind_share_what_is_kept_of_them_and_leave_nothing_behind() {
    let mut account = Account::of(&[]);
    for number in 0..50 {
        account.tell(&host(number));
    }
    assert_eq!(account.fleet.kept_lists(), (1, 1));
    account.tell(&Host { ports: Some(vec![22, 80]), attributes: vec![("stack", "blue")], ..host(7) });
    assert_eq!(account.fleet.kept_lists(), (2, 2));
    account.tell(&Host { status: InstanceStatus::Inactive, ..host(7) });
    assert_eq!(account.fleet.kept_lists(), (1, 1));
}

#[test]
fn only_clusters_that_were_looked_at_lately_are_told_of_as_of_now() {
    let mut account = Account::of(&[host(1)]);
    let looked = account.now;
    let views = |account: &Account, secs: i64| {
        let now = looked + SignedDuration::from_secs(secs);
        account.fleet.headroom_views(now, 600).into_iter().map(|view| view.cluster).collect::<Vec<_>>()
    };
    assert!(views(&account, 0).is_empty(), "hosts heard of one by one are no look");
    let sweep = |complete| {
        Input::Swept(Sweep {
            scope: Scope::ClusterHosts(CLUSTER.into()),
            started_at: looked,
            found: Vec::new(),
            unchanged: 1,
            complete,
            absent: Vec::new(),
        })
    };
    step(&mut account.fleet, looked, &sweep(false));
    assert!(views(&account, 0).is_empty(), "nor is a part of them");
    step(&mut account.fleet, looked, &sweep(true));
    assert_eq!((views(&account, 0), views(&account, 600)), (vec![CLUSTER.to_owned()], vec![CLUSTER.to_owned()]));
    assert!(views(&account, 601).is_empty(), "old room under a new date would be a lie");
}
