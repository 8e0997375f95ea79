//! The ledger of calls: what it costs to keep figures of a cluster's room current for a day, counted by the simulator's own
//! buckets in virtual time. muster hears the events and sweeps; the seed that it replaces (monitor-ecs-cluster-enis) asks
//! for everything at each event (seed-behaviour §1d).

use std::collections::BTreeMap;

use engine::{
    cadence::Told,
    recover,
    turn::{Taken, Turn},
};
use muster::{
    config::publish::PublishSection,
    publish::figures::{self, Figure},
};
use simulator::{
    clock::{HOUR, Moment, SECOND},
    courier::Parcel,
    direct::{Drive, Watcher, drive, forgetful::Forgetful},
    scenario::Scenario,
    simulation::Simulation,
    throttle::Category,
    world::PlaceId,
};

/// Hosts of the cluster.
pub const HOSTS: u64 = 300;
/// The default of `[sweep] every_secs`.
const SWEEP_EVERY_MS: i64 = 900 * SECOND;
/// How often the publisher looks at what is believed.
const POLL_MS: i64 = 5 * SECOND;
/// Calls of the seed at an event that are no List and no Describe: one PutMetricData a metric.
const SEED_PUTS: u64 = 3;
/// What ECS lists and describes at once.
const PAGE: u64 = 100;

/// How lively the day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// Some 2,000 events: agents keep their connections, and tasks come and go.
    Calm,
    /// The same, with the reconnects that agents make by design: some 45 a host.
    Ordinary,
}

/// What a day costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Events that were handed over.
    pub events: u64,
    /// muster's calls of ECS: sweeps with an audit of all tasks, and looks.
    pub ecs: u64,
    /// Its calls of EC2, Auto Scaling and SSM.
    pub others: u64,
    /// Its calls of PutMetricData, as `[publish] to = "cloudwatch"` makes them by default.
    pub puts: u64,
    /// Of all of its calls, those that the buckets refused.
    pub refused: u64,
    /// The seed's calls as it is: the first page alone, 100 of the hosts.
    pub seed: u64,
    /// The seed's calls if it read all pages.
    pub seed_paged: u64,
    /// Of those, calls that the buckets would have refused had they been made when the events arrived.
    pub seed_refused: u64,
}

impl Ledger {
    /// All of muster's calls where figures go to CloudWatch.
    pub fn all(&self) -> u64 {
        self.ecs + self.others + self.puts
    }

    /// How many times as many the seed makes, with all pages read.
    pub fn ratio(&self) -> f64 {
        self.seed_paged as f64 / self.all() as f64
    }

    /// The same of calls that ask; Prometheus fetches figures, so that none are put.
    pub fn asking_ratio(&self) -> f64 {
        let seed = self.seed_paged - self.events * SEED_PUTS;
        seed as f64 / (self.ecs + self.others) as f64
    }

    /// The same beside the seed as it is, which sees a third of the hosts.
    pub fn first_page_ratio(&self) -> f64 {
        self.seed as f64 / self.all() as f64
    }
}

/// Lives through a day.
///
/// # Errors
/// Only when this program is wrong.
pub fn live(day: Day) -> Result<Ledger, Box<dyn std::error::Error>> {
    let mut simulation = story(day)?;
    let began = simulation.now();
    let mut turn = recover(Box::new(Forgetful::default()), Default::default(), "ledger", began.timestamp())?.turn;
    turn.snapshot_every(u32::MAX);
    let mut publishing = Publishing::default();
    let how = Drive { sweep_every_ms: SWEEP_EVERY_MS, audit_tasks: true, ..Drive::default() };
    let until = began.plus(24 * HOUR);
    let driven = drive(&mut simulation, &mut turn, until, &how, &mut publishing)?;
    publishing.poll(until);
    let (ecs, others) = (simulation.throttle.used_of_ecs(), simulation.throttle.used(PlaceId(0), Category::Other));
    let (seed_paged, seed_refused) = seed(day)?;
    Ok(Ledger {
        events: driven.events,
        ecs: ecs.asked,
        others: others.asked,
        puts: publishing.puts,
        refused: ecs.refused + others.refused,
        seed: driven.events * (2 + SEED_PUTS),
        seed_paged,
        seed_refused,
    })
}

fn story(day: Day) -> Result<Simulation, Box<dyn std::error::Error>> {
    let habits = match day {
        Day::Calm => "[habits]\nrecycle = [\"2000h\", \"4000h\"]\n",
        Day::Ordinary => "",
    };
    let story = format!(
        "lasts = \"24h\"\nzones = 3\n{habits}\n[[cluster]]\nname = \"prod\"\nhosts = {HOSTS}\n\
         types = [\"m6i.large\", \"m6i.xlarge\"]\ntrunking = true\n\
         [[cluster.service]]\nname = \"api\"\ntasks = 600\nnetwork = \"awsvpc\"\nchurn-per-hour = 0.0092\n\
         [[at]]\ntime = \"5h\"\ndo = \"machine-break\"\nhost = \"prod/101\"\n\
         [[at]]\ntime = \"9h\"\ndo = \"agent-crash\"\ncluster = \"prod\"\ncount = 6\n\
         [[at]]\ntime = \"18h\"\ndo = \"drain\"\nhost = \"prod/77\"\nfor = \"90m\"\n"
    );
    Ok(Scenario::parse("ledger", &story)?.begin(Some(1)))
}

/// The same day, and the seed in it: at each event two lists of all hosts, page by page, and three figures.
fn seed(day: Day) -> Result<(u64, u64), Box<dyn std::error::Error>> {
    let mut simulation = story(day)?;
    let until = simulation.now().plus(24 * HOUR);
    let mut puts = 0;
    let mut parcels: Vec<Parcel> = Vec::new();
    while simulation.now() < until {
        parcels.clear();
        simulation.advance_to_parcel(until, &mut parcels);
        for _ in &parcels {
            for _ in 0..HOSTS.div_ceil(PAGE) {
                simulation.call(PlaceId(0), "ecs:ListContainerInstances");
                simulation.call(PlaceId(0), "ecs:DescribeContainerInstances");
            }
            puts += SEED_PUTS;
        }
    }
    let used = simulation.throttle.used_of_ecs();
    Ok((used.asked + puts, used.refused))
}

/// What `muster serve` publishes: it looks at its own beliefs every few seconds.
#[derive(Default)]
struct Publishing {
    clusters: BTreeMap<String, (Vec<Figure>, Told<Vec<Figure>>)>,
    polled: Option<Moment>,
    puts: u64,
}

impl Publishing {
    /// The polls until now, which found what was believed after the last turn.
    fn poll(&mut self, now: Moment) {
        let section = PublishSection::default();
        let mut at = self.polled.unwrap_or(now);
        while at <= now {
            for (figures, told) in self.clusters.values_mut() {
                if told.is_due(section.cadence(), at.timestamp(), figures) {
                    told.tries(at.timestamp());
                    told.arrived(at.timestamp(), figures.clone());
                    self.puts += 1;
                }
            }
            at = at.plus(POLL_MS);
        }
        self.polled = Some(at);
    }
}

impl Watcher for Publishing {
    fn turned(&mut self, now: Moment, _: &Simulation, turn: &Turn, _: &Taken) {
        self.poll(now);
        for view in turn.fleet().headroom_views(now.timestamp(), 2 * SWEEP_EVERY_MS / SECOND) {
            self.clusters.entry(view.cluster.clone()).or_default().0 = figures::of_cluster(&view);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_two_thousand_events_costs_a_fraction_of_the_calls_that_the_seed_makes() {
        let ledger = live(Day::Calm).unwrap_or_else(|error| panic!("{error}"));
        assert!((1_800..=2_200).contains(&ledger.events), "{ledger:?}");
        assert_eq!(ledger.seed_paged, ledger.events * 9, "three pages listed and described, three figures put");
        assert_eq!(ledger.refused, 0);
        assert!(ledger.ratio() > 3.5 && ledger.asking_ratio() > 3.5, "{ledger:?}");
    }
}
