//! Where copies go.

use std::collections::BTreeMap;

use fleet::{
    capacity::{
        limit::Limit,
        placement::{Placement, Resource, Strategy, SubnetRoom},
    },
    observation::TaskStatus,
};

use crate::account::{Account, CLUSTER, Host, awsvpc, host, host_arn, shape};

fn zoned() -> Vec<Host> {
    let zones = ["eu-west-1a", "eu-west-1a", "eu-west-1a", "eu-west-1b", "eu-west-1c"];
    zones.into_iter().enumerate().map(|(number, zone)| Host { zone: Some(zone), ..host(number as u32) }).collect()
}

fn by(strategies: Vec<Strategy>) -> Placement {
    Placement { strategies, group: Some("service:api".into()), ..Placement::default() }
}

fn counts(placed: &[Result<String, Limit>]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for arn in placed.iter().flatten() {
        *counts.entry(arn.clone()).or_default() += 1;
    }
    counts
}

fn spread() -> Strategy {
    Strategy::Spread("attribute:ecs.availability-zone".into())
}

#[test]
fn spreading_counts_the_tasks_that_are_there_already() {
    let mut account = Account::of(&zoned());
    for number in 0..2 {
        account.task(3, number, "service:api", false, TaskStatus::Running);
    }
    account.task(4, 9, "service:web", false, TaskStatus::Running);
    let strategies = vec![spread(), Strategy::Spread("instanceId".into())];
    let placed = account.fleet.place(CLUSTER, &shape(128, 1), &by(strategies), 7, 0);
    let counts = counts(&placed);
    let of = |number: u32| counts.get(&host_arn(number)).copied().unwrap_or(0);
    // Nine in all: three in each zone; in the zone of three hosts one on each.
    assert_eq!([of(0), of(1), of(2), of(3), of(4)], [1, 1, 1, 1, 3]);
}

#[test]
fn packing_fills_the_fullest_host_first() {
    let mut hosts = zoned();
    hosts[2].resources = Some(((2_048, 7_680), (300, 7_680)));
    hosts[3].resources = Some(((2_048, 7_680), (2_048, 100)));
    let account = Account::of(&hosts);
    let first = |resource| account.fleet.place(CLUSTER, &shape(128, 10), &by(vec![Strategy::Binpack(resource)]), 3, 0);
    let on = |numbers: [u32; 3]| numbers.map(|number| Ok(host_arn(number))).to_vec();
    assert_eq!(first(Resource::Cpu), on([2, 2, 0]));
    assert_eq!(first(Resource::Memory), on([3, 3, 3]));
}

#[test]
fn chance_is_drawn_from_the_seed_alone_and_what_does_not_fit_says_why() {
    let account = Account::of(&zoned());
    let drawn = |seed| account.fleet.place(CLUSTER, &shape(128, 1), &by(vec![Strategy::Random]), 20, seed);
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
    let full = account.fleet.place(CLUSTER, &shape(1_024, 1), &by(vec![Strategy::Random]), 20, 1);
    assert_eq!((full.len(), full.last()), (11, Some(&Err(Limit::Cpu))));
    assert_eq!(Account::new().fleet.place(CLUSTER, &shape(1, 1), &by(vec![spread()]), 3, 1), []);
}

#[test]
fn a_service_that_names_no_strategy_is_spread_over_zones_and_a_lone_task_is_not() {
    let account = Account::of(&zoned());
    let placed = account.fleet.place(CLUSTER, &shape(128, 1), &by(Vec::new()), 3, 0);
    assert_eq!(placed, [0, 3, 4].map(|number| Ok(host_arn(number))));
    let placed = account.fleet.place(CLUSTER, &shape(128, 1), &Placement::default(), 3, 0);
    assert_eq!(placed, [0, 0, 0].map(|number| Ok(host_arn(number))));
}

#[test]
fn the_last_addresses_of_a_zone_go_to_the_hosts_that_the_strategies_choose() {
    let mut hosts = zoned();
    hosts[2].resources = Some(((2_048, 7_680), (300, 7_680)));
    let account = Account::of(&hosts);
    let subnets = vec![SubnetRoom { id: "subnet-1".into(), zone: "eu-west-1a".into(), free_addresses: 3 }];
    let placement = Placement { subnets, ..by(vec![Strategy::Binpack(Resource::Cpu)]) };
    let placed = account.fleet.place(CLUSTER, &awsvpc(128, 1), &placement, 9, 0);
    let dry = Limit::SubnetAddresses("subnet-1".into());
    assert_eq!(placed, [Ok(host_arn(2)), Ok(host_arn(2)), Ok(host_arn(0)), Err(dry)]);
}
