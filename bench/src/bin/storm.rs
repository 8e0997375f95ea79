//! A storm: so many agents disconnect within ten seconds and come back half an hour later. How many pages that makes, and
//! what telling people costs in memory: the same storm is lived with routes and without, each in a process of its own.
//!
//! `storm` measures 5,000 and 100,000 hosts; `storm HOSTS routes|none` one of them. One JSON object a line.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::{error::Error, process::Command};

use fleet::{
    Fleet,
    effect::Effect,
    input::{Input, Scope, Sweep},
    notice::{
        page::{Delivery, DeliveryResult, PageKind},
        route::{Route, Routing},
    },
    observation::{Attributes, Fact, HostAttributes, InstanceFact, InstanceStatus, Observation, Source},
    policy::Policy,
    step,
};
use jiff::{SignedDuration, Timestamp};
use peers::{corpus, usage};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The storm strikes hosts of this one cluster.
const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/storm";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => {
            for hosts in ["5000", "100000"] {
                for routes in ["none", "routes"] {
                    let status = Command::new(std::env::current_exe()?).args([hosts, routes]).status()?;
                    if !status.success() {
                        return Err(format!("{hosts} {routes} ended with {status}").into());
                    }
                }
            }
            Ok(())
        }
        [hosts, routes] => live(hosts.parse()?, routes == "routes"),
        _ => Err("storm [HOSTS routes|none]".into()),
    }
}

struct Storm {
    fleet: Fleet,
    now: Timestamp,
    pages: Vec<(Timestamp, PageKind, u32)>,
}

impl Storm {
    fn take(&mut self, input: &Input<'_>) {
        let mut owed = Vec::new();
        for effect in step(&mut self.fleet, self.now, input) {
            if let Effect::Page(page) = effect {
                self.pages.push((self.now, page.kind, page.hosts));
                owed.push(page.id);
            }
        }
        for page in owed {
            let delivery = Delivery { page, result: DeliveryResult::Delivered };
            step(&mut self.fleet, self.now, &Input::Told(delivery));
        }
    }

    /// Lets time pass, waking the core whenever it wants to be woken.
    fn until(&mut self, until: Timestamp) {
        while let Some(at) = self.fleet.wake_at().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.take(&Input::Ticked);
        }
        self.now = until;
    }

    fn fact(&self, host: u32, version: i64, connected: bool) -> Observation<'static> {
        Observation { at: self.now, source: Source::Event, fact: instance(host, version, connected) }
    }
}

fn instance(host: u32, version: i64, connected: bool) -> Fact<'static> {
    let zone = ["eu-central-1a", "eu-central-1b", "eu-central-1c"][(host % 3) as usize];
    Fact::Instance(InstanceFact {
        ec2_instance_id: Some(corpus::machine_id(host).into()),
        version: Some(version),
        agent_connected: Some(connected),
        agent_version: Some("1.105.1".into()),
        running_tasks: Some(0),
        pending_tasks: Some(0),
        attributes: Attributes::Known(Box::new(HostAttributes {
            zone: Some(zone.into()),
            instance_type: Some("m6i.large".into()),
            ..HostAttributes::default()
        })),
        ..InstanceFact::bare(corpus::host_arn(host), CLUSTER, InstanceStatus::Active)
    })
}

fn live(hosts: u32, with_routes: bool) -> Outcome<()> {
    let route = Route { receivers: vec!["pager".to_owned()], ..Route::default() };
    let routes = if with_routes { vec![route] } else { Vec::new() };
    let policy = Policy { routing: Routing { routes, ..Routing::default() }, ..Policy::default() };
    let start = Timestamp::constant(1_790_928_000, 0);
    let mut storm = Storm { fleet: Fleet::new(policy), now: start, pages: Vec::new() };
    let found = (0..hosts)
        .map(|host| Observation { at: start, source: Source::Sweep, fact: instance(host, 1, true) })
        .collect();
    let scope = Scope::ClusterHosts(CLUSTER.into());
    storm.take(&Input::Swept(Sweep {
        scope,
        started_at: start,
        found,
        unchanged: 0,
        complete: true,
        absent: Vec::new(),
    }));
    let calm = usage::resident_bytes()?;
    let strikes = start + SignedDuration::from_mins(10);
    storm.until(strikes);
    for host in 0..hosts {
        let at = strikes + SignedDuration::from_millis(i64::from(host) * 10_000 / i64::from(hosts));
        storm.until(at.max(storm.now));
        let fact = storm.fact(host, 2, false);
        storm.take(&Input::Observed(fact));
    }
    storm.until(strikes + SignedDuration::from_mins(30));
    let struck = usage::resident_bytes()?;
    for host in 0..hosts {
        let fact = storm.fact(host, 3, true);
        storm.take(&Input::Observed(fact));
    }
    storm.until(strikes + SignedDuration::from_mins(60));
    let count = |kind| storm.pages.iter().filter(|(_, other, _)| *other == kind).count();
    let first = storm.pages.first();
    let first_after_secs = first.map(|(at, ..)| at.duration_since(strikes).as_secs());
    println!(
        "{}",
        serde_json::json!({
            "hosts": hosts,
            "routes": with_routes,
            "firing": count(PageKind::Firing),
            "updates": count(PageKind::Update),
            "resolved": count(PageKind::Resolved),
            "hosts_named_first": first.map(|(_, _, hosts)| hosts),
            "first_page_after_secs": first_after_secs,
            "growth_by_the_storm_mib": (struck.saturating_sub(calm)) as f64 / 1024.0 / 1024.0,
            "peak_mib": usage::peak_bytes()? as f64 / 1024.0 / 1024.0,
        })
    );
    Ok(())
}
