//! How long it takes, on one core: `MUSTER_SPEED_HOSTS=5000 cargo nextest run -p fleet --release speed --no-capture`.
//! Without the number only few hosts are asked, so that it keeps working.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::time::Instant;

use fleet::{
    capacity::{
        placement::{Constraint, Placement, Strategy},
        query::Expr,
        shape::Requirement,
        twin::Twin,
    },
    observation::TaskStatus,
};

use crate::account::{Account, CLUSTER, Host, awsvpc, host};

const FEW_HOSTS: u32 = 40;
const TASKS: u32 = 50;

fn hosts() -> u32 {
    std::env::var("MUSTER_SPEED_HOSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(FEW_HOSTS)
}

fn large(hosts: u32) -> Account {
    let mut account = Account::unchecked();
    let zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];
    for number in 0..hosts {
        let attributes =
            vec![("ecs.capability.task-eni", ""), ("stack", if number % 2 == 0 { "blue" } else { "green" })];
        account.tell(&Host {
            kind: Some(["m6i.large", "m6i.8xlarge", "c5.large"][number as usize % 3]),
            zone: Some(zones[number as usize % 3]),
            trunk: true,
            resources: Some(((32_768, 131_072), (number % 3_000, 40_000 + number % 7))),
            attributes,
            ..host(number)
        });
        for task in 0..TASKS {
            account.task(number, task, &format!("service:web-{}", (number + task) % 500), true, TaskStatus::Running);
        }
    }
    account
}

fn middle_ms(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn service(number: u32, distinct: bool) -> Placement {
    let mut constraints = vec![Constraint::MemberOf(
        Expr::parse("attribute:stack =~ bl.* and attribute:ecs.instance-type != t3.nano").unwrap(),
    )];
    if distinct {
        constraints.push(Constraint::DistinctInstance);
    }
    Placement {
        constraints,
        strategies: vec![
            Strategy::Spread("attribute:ecs.availability-zone".into()),
            Strategy::Spread("instanceId".into()),
        ],
        group: Some(format!("service:web-{number}")),
        ..Placement::default()
    }
}

#[test]
fn many_hosts_and_five_hundred_services_are_asked_in_no_time() {
    let hosts = hosts();
    let mut account = large(hosts);
    let mut shape = awsvpc(256, 512);
    shape.requires = vec![Requirement { name: "ecs.capability.task-eni".into(), value: None }];
    for distinct in [false, true] {
        let fit = middle_ms(|| assert!(account.fit(&shape, &service(7, distinct)).hosts.len() == hosts as usize));
        println!("fit, {hosts} hosts, distinctInstance {distinct}: {fit:.2} ms");
        let begun = Instant::now();
        let twin = Twin::of(&account.fleet, CLUSTER);
        let copies: u64 = (0..500).map(|number| twin.fit(&shape, &service(number, distinct)).copies).sum();
        println!(
            "500 services, distinctInstance {distinct}: {:.0} ms ({copies} copies)",
            begun.elapsed().as_secs_f64() * 1e3
        );
    }
    let place = middle_ms(|| assert!(!account.fleet.place(CLUSTER, &shape, &service(7, false), 100, 1).is_empty()));
    println!("place 100 copies: {place:.2} ms");
    let begun = Instant::now();
    let explained = account.fleet.explain(CLUSTER, &shape, &service(7, false), 1_000_000, None, account.now);
    println!("explain: {:.0} ms ({} changes)", begun.elapsed().as_secs_f64() * 1e3, explained.changes.len());
    let view = middle_ms(|| assert!(account.fleet.headroom_view(CLUSTER, false, account.now).whole.open.hosts > 0));
    println!("headroom without hosts: {:.4} ms", view);
    let begun = Instant::now();
    for number in 0..hosts {
        account.tell(&Host { kind: Some("m6i.large"), ..host(number) });
    }
    println!("an event of a host: {:.2} µs", begun.elapsed().as_secs_f64() * 1e6 / f64::from(hosts));
}
