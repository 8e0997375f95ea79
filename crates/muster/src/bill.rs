//! What Container Insights would cost for a fleet: counted from the metrics that its records carry, times the things there are,
//! times the prices. An estimate: AWS bills what it has seen, by the hour.

use std::collections::BTreeSet;

use serde::Serialize;
use telemetry::{
    emf,
    record::{
        Detail,
        cluster::ClusterRecord,
        container::ContainerRecord,
        service::ServiceRecord,
        task::{TaskIdentity, TaskRecord},
        usage::{Network, Storage, Usage},
    },
};

use crate::config::prices::PricesSection;

/// Minutes in a month of 30 days.
const MINUTES: u64 = 30 * 24 * 60;

/// What there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fleet {
    /// Clusters.
    pub clusters: u64,
    /// Services.
    pub services: u64,
    /// Families of task definitions that run.
    pub families: u64,
    /// Tasks that run.
    pub tasks: u64,
    /// Containers in each task.
    pub containers_per_task: u64,
}

/// One line of the arithmetic: so many things with so many metrics each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Of what.
    pub of: &'static str,
    /// How many of them.
    pub things: u64,
    /// Metrics of each, the least that may be billed.
    pub metrics_each_low: u64,
    /// Metrics of each, by every documented set of dimensions.
    pub metrics_each_high: u64,
}

impl Count {
    fn low(&self) -> u64 {
        self.things * self.metrics_each_low
    }

    fn high(&self) -> u64 {
        self.things * self.metrics_each_high
    }
}

/// The bill of one month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// `enabled` or `enhanced`.
    pub value: &'static str,
    /// For what.
    pub fleet: Fleet,
    /// How the metrics come together.
    pub counts: Vec<Count>,
    /// Metrics, at least.
    pub metrics_low: u64,
    /// Metrics, at most.
    pub metrics_high: u64,
    /// Dollars a month for them, at least.
    pub metrics_usd_low: f64,
    /// Dollars a month for them, at most.
    pub metrics_usd_high: f64,
    /// GB of records a month.
    pub logs_gb: f64,
    /// Dollars a month for them.
    pub logs_usd: f64,
    /// When and where the prices were read.
    pub prices_as_of: String,
}

impl Bill {
    /// Dollars a month, at least.
    pub fn usd_low(&self) -> f64 {
        self.metrics_usd_low + self.logs_usd
    }

    /// Dollars a month, at most.
    pub fn usd_high(&self) -> f64 {
        self.metrics_usd_high + self.logs_usd
    }
}

/// What this fleet would cost a month.
pub fn estimate(fleet: Fleet, detail: Detail, prices: &PricesSection) -> Bill {
    let samples = Samples::of(detail);
    let containers = fleet.tasks * fleet.containers_per_task;
    let per_family = fleet.families * fleet.containers_per_task;
    let per_service = fleet.services * fleet.containers_per_task;
    let one = |of, things, scope| {
        let (low, high) = samples.metrics(scope);
        Count { of, things, metrics_each_low: low, metrics_each_high: high }
    };
    let mut counts = vec![
        one("clusters", fleet.clusters, Scope::Cluster),
        one("services", fleet.services, Scope::Service),
        one("task definition families", fleet.families, Scope::Family),
        one("tasks", fleet.tasks, Scope::Task),
        one("containers of services", per_service, Scope::ContainerOfService),
        one("containers of families", per_family, Scope::ContainerOfFamily),
        one("containers", containers, Scope::Container),
    ];
    counts.retain(|count| count.metrics_each_high > 0);
    let metrics_low = counts.iter().map(Count::low).sum();
    let metrics_high = counts.iter().map(Count::high).sum();
    let priced = |metrics| match detail {
        Detail::Standard => in_steps(metrics, prices),
        Detail::Enhanced => metrics as f64 * prices.enhanced_metric_usd,
    };
    let bytes_a_minute = fleet.clusters * samples.cluster.len() as u64
        + fleet.services * samples.service.len() as u64
        + fleet.tasks * samples.task.len() as u64
        + containers * samples.container.len() as u64;
    let logs_gb = (bytes_a_minute * MINUTES) as f64 / 1e9;
    Bill {
        value: if detail == Detail::Enhanced { "enhanced" } else { "enabled" },
        fleet,
        counts,
        metrics_low,
        metrics_high,
        metrics_usd_low: priced(metrics_low),
        metrics_usd_high: priced(metrics_high),
        logs_gb,
        logs_usd: logs_gb * prices.logs_gb_usd,
        prices_as_of: prices.as_of.clone(),
    }
}

/// The price of so many custom metrics, step by step.
fn in_steps(metrics: u64, prices: &PricesSection) -> f64 {
    let (mut left, mut begun, mut usd) = (metrics, 0, 0.0);
    for step in &prices.metrics {
        let here = step.up_to.map_or(left, |up_to| left.min(up_to.saturating_sub(begun)));
        usd += here as f64 * step.usd;
        left -= here;
        begun = step.up_to.unwrap_or(u64::MAX);
    }
    usd
}

/// Whom a series is about, by its dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Cluster,
    Service,
    Family,
    Task,
    ContainerOfService,
    ContainerOfFamily,
    Container,
}

/// One record of each kind, as this fleet's would be.
struct Samples {
    cluster: String,
    service: String,
    task: String,
    container: String,
}

impl Samples {
    fn of(detail: Detail) -> Self {
        let identity = TaskIdentity {
            task: "0123456789abcdef0123456789abcdef".to_owned(),
            family: "a-usual-family".to_owned(),
            revision: "12".to_owned(),
            service: Some("a-usual-service".to_owned()),
            container_instance: Some("0123456789abcdef0123456789abcdef".to_owned()),
            ec2_instance: Some("i-0123456789abcdef0".to_owned()),
            cluster: "a-cluster".to_owned(),
        };
        let usage = Usage {
            cpu_used_units: Some(61.4375),
            cpu_reserved_units: Some(256.0),
            memory_used_mib: Some(173),
            memory_reserved_mib: Some(512),
            storage: Some(Storage::default()),
            network: Some(Network::default()),
        };
        let cluster = ClusterRecord {
            cluster: identity.cluster.clone(),
            timestamp_ms: 1_790_000_040_000,
            running_tasks: 10,
            hosts_with_tasks: 10,
            services: 10,
        };
        let service = ServiceRecord {
            service: "a-usual-service".to_owned(),
            cluster: identity.cluster.clone(),
            timestamp_ms: 1_790_000_040_000,
            desired_tasks: 10,
            running_tasks: 10,
            pending_tasks: 0,
            deployments: 1,
            task_sets: 0,
        };
        let task = TaskRecord {
            identity: identity.clone(),
            account: "210987654321".to_owned(),
            region: "eu-central-1".to_owned(),
            zone: Some("eu-central-1a".to_owned()),
            status: "RUNNING".to_owned(),
            launch_type: "EC2".to_owned(),
            pull_started_ms: Some(1_790_000_000_000),
            pull_stopped_ms: Some(1_790_000_000_000),
            created_ms: Some(1_790_000_000_000),
            started_ms: Some(1_790_000_000_000),
            timestamp_ms: 1_790_000_040_000,
            usage,
            ..TaskRecord::default()
        };
        let container = ContainerRecord {
            container: "app".to_owned(),
            identity,
            image: "210987654321.dkr.ecr.eu-central-1.amazonaws.com/a-usual-image:1.8.2".to_owned(),
            status: "RUNNING".to_owned(),
            timestamp_ms: 1_790_000_040_000,
            usage,
            ..ContainerRecord::default()
        };
        Self {
            cluster: cluster.text(),
            service: service.text(),
            task: task.text(detail),
            container: container.text(detail),
        }
    }

    /// Series about one thing of this scope: those that are there if AWS bills only one of the two sets that name a task or
    /// container (by service and by family), and all.
    fn metrics(&self, scope: Scope) -> (u64, u64) {
        let texts = [&self.cluster, &self.service, &self.task, &self.container];
        let samples = texts.into_iter().filter_map(|text| emf::read(text)).flat_map(|read| read.samples);
        let mut all = BTreeSet::new();
        let mut once = BTreeSet::new();
        for sample in samples {
            let keys: Vec<String> = sample.dimensions.into_keys().collect();
            if scope_of(&keys) == scope {
                once.insert(sample.name.clone());
                all.insert((sample.name, keys));
            }
        }
        let high = all.len() as u64;
        let low = if matches!(scope, Scope::Task | Scope::Container) { once.len() as u64 } else { high };
        (low, high)
    }
}

fn scope_of(keys: &[String]) -> Scope {
    let has = |key: &str| keys.iter().any(|known| known == key);
    match (has("ContainerName"), has("TaskId"), has("ServiceName"), has("TaskDefinitionFamily")) {
        (true, true, ..) => Scope::Container,
        (false, true, ..) => Scope::Task,
        (true, false, true, _) => Scope::ContainerOfService,
        (true, false, false, _) => Scope::ContainerOfFamily,
        (false, false, true, _) => Scope::Service,
        (false, false, false, true) => Scope::Family,
        (false, false, false, false) => Scope::Cluster,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(services: u64, tasks: u64, detail: Detail) -> Bill {
        let fleet = Fleet { clusters: 1, services, families: services, tasks, containers_per_task: 1 };
        estimate(fleet, detail, &PricesSection::default())
    }

    #[test]
    fn standard_insights_cost_by_clusters_services_and_families_and_not_by_tasks() {
        let small = bill(30, 300, Detail::Standard);
        // 3 counts and 8 figures of the cluster; 5 counts and 8 figures of each service; 8 figures of each family.
        assert_eq!((small.metrics_low, small.metrics_high), (11 + 30 * 13 + 30 * 8, 11 + 30 * 21));
        assert!((small.metrics_usd_low - 641.0 * 0.30).abs() < 1e-9);
        assert_eq!(bill(30, 3_000, Detail::Standard).metrics_high, small.metrics_high);
        assert!(small.logs_usd > 0.0 && small.usd_high() > small.metrics_usd_high);
    }

    #[test]
    fn enhanced_insights_cost_by_tasks_and_by_which_sets_are_billed() {
        let large = bill(300, 10_000, Detail::Enhanced);
        let of = |what: &str| large.counts.iter().find(|count| count.of == what).unwrap().clone();
        assert_eq!((of("tasks").metrics_each_low, of("tasks").metrics_each_high), (13, 26));
        assert_eq!((of("containers").metrics_each_low, of("containers").metrics_each_high), (8, 16));
        assert_eq!(of("tasks").things + of("containers").things, 20_000);
        let dollars = (large.metrics_usd_low / 1_000.0, large.metrics_usd_high / 1_000.0);
        assert!((14.0..17.0).contains(&dollars.0) && (28.0..32.0).contains(&dollars.1), "{dollars:?}");
    }

    #[test]
    fn custom_metrics_are_priced_step_by_step() {
        let prices = PricesSection::default();
        assert!((in_steps(10_000, &prices) - 3_000.0).abs() < 1e-6);
        assert!((in_steps(11_300, &prices) - 3_130.0).abs() < 1e-6);
        assert!((in_steps(250_001, &prices) - 27_000.05).abs() < 1e-6);
        assert!((in_steps(1_000_001, &prices) - 64_500.02).abs() < 1e-6);
        assert_eq!(in_steps(0, &prices), 0.0);
    }
}
