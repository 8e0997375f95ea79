//! Which figures are published of what room is left, under which names and units.
//!
//! Only hosts that take tasks count: promised room is no room. Counts are counts, shares are percent, memory is bytes; what
//! is not known is left out and never published as nothing.

use fleet::{
    capacity::{
        headroom::{Gauge, Slots, Sums},
        view::{HeadroomView, PartView},
    },
    id::Arn,
};

/// Namespace of the clean set.
pub const NAMESPACE: &str = "Muster/Capacity";
/// Dimension of the legacy set, whose *name* is what the seed calls its sample cluster (seed-behaviour §1b).
pub const LEGACY_DIMENSION: &str = "ecs-autoscaling";

/// The three metrics of monitor-ecs-cluster-enis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyName {
    /// Interfaces for tasks.
    Enis,
    /// CPU, in percent.
    Cpu,
    /// Memory, in percent.
    Memory,
}

impl LegacyName {
    /// As CloudWatch has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Enis => "ecs-remaining-eni's",
            Self::Cpu => "ecs-remaining-cpu",
            Self::Memory => "ecs-remaining-mem",
        }
    }
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name of the metric.
    pub name: &'static str,
    /// Dimensions.
    pub dimensions: Vec<(&'static str, String)>,
    /// Value.
    pub value: f64,
    /// CloudWatch's unit.
    pub unit: &'static str,
}

/// All figures of a cluster, and of its zones and capacity providers.
pub fn of_cluster(view: &HeadroomView) -> Vec<Figure> {
    let cluster = Arn::parse(&view.cluster).map_or(view.cluster.as_str(), |arn| arn.last()).to_owned();
    let whole = vec![("ClusterName", cluster)];
    let mut figures = of_part(&view.whole, &whole);
    for (dimension, parts) in [("AvailabilityZone", &view.zones), ("CapacityProviderName", &view.providers)] {
        // CloudWatch has no empty dimension: hosts without a zone stand in the whole alone.
        for part in parts.iter().filter(|part| !part.name.is_empty()) {
            let mut dimensions = whole.clone();
            dimensions.push((dimension, part.name.clone()));
            figures.extend(of_part(part, &dimensions));
        }
    }
    figures
}

fn of_part(part: &PartView, dimensions: &[(&'static str, String)]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let mut figure = |name, value: f64, unit| {
        figures.push(Figure { name, dimensions: dimensions.to_vec(), value, unit });
    };
    let Sums { hosts, silent_hosts, cpu_units, memory_mib, gpus, slots } = part.open;
    figure("OpenHosts", hosts as f64, "Count");
    figure("ApartHosts", part.apart.iter().map(|apart| apart.holds.hosts).sum::<u64>() as f64, "Count");
    // Hosts that have told nothing are no hosts without room; without any host there is none.
    if hosts == 0 || silent_hosts < hosts {
        figure("FreeCpuUnits", cpu_units.free as f64, "Count");
        figure("FreeMemory", (memory_mib.free * (1 << 20)) as f64, "Bytes");
    }
    let mut percent = |name, gauge: Gauge| {
        if let Some(percent) = gauge.percent_free() {
            figure(name, percent, "Percent");
        }
    };
    percent("FreeCpuPercent", cpu_units);
    percent("FreeMemoryPercent", memory_mib);
    percent("FreeEniSlotsPercent", slots.scheduler);
    percent("FreeGpusPercent", gpus);
    if knows_slots(&slots, hosts) {
        figure("FreeEniSlots", slots.scheduler.free as f64, "Count");
    }
    if slots.unknown_hosts > 0 {
        figure("HostsWithUnknownEniSlots", slots.unknown_hosts as f64, "Count");
    }
    if gpus.total > 0 {
        figure("FreeGpus", gpus.free as f64, "Count");
    }
    figures
}

fn knows_slots(slots: &Slots, hosts: u64) -> bool {
    hosts == 0 || slots.unknown_hosts < hosts
}

/// The three figures of monitor-ecs-cluster-enis, with its names, its dimension, and its unit, which its users' alarms may
/// ask for: Count, for percentages too. The values are muster's.
pub fn legacy(view: &HeadroomView) -> Vec<Figure> {
    let cluster = Arn::parse(&view.cluster).map_or(view.cluster.as_str(), |arn| arn.last()).to_owned();
    let open = &view.whole.open;
    let slots = knows_slots(&open.slots, open.hosts).then_some(open.slots.scheduler.free as f64);
    // Without hosts nothing is left: that is when more of them are needed.
    let percent = |percent: Option<f64>| percent.or((open.hosts == 0).then_some(0.0));
    let values = [
        (LegacyName::Enis, slots),
        (LegacyName::Cpu, percent(view.whole.cpu_percent_free)),
        (LegacyName::Memory, percent(view.whole.memory_percent_free)),
    ];
    let figure = |(name, value): (LegacyName, Option<f64>)| {
        let dimensions = vec![(LEGACY_DIMENSION, cluster.clone())];
        Some(Figure { name: name.word(), dimensions, value: value?, unit: "Count" })
    };
    values.into_iter().filter_map(figure).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use fleet::capacity::{headroom::Availability, view::Apart};
    use jiff::Timestamp;

    use super::*;

    pub(crate) fn view(open: Sums) -> HeadroomView {
        let part = |name: &str, open: Sums, apart| PartView {
            name: name.into(),
            open,
            cpu_percent_free: open.cpu_units.percent_free(),
            memory_percent_free: open.memory_mib.percent_free(),
            slots_percent_free: open.slots.scheduler.percent_free(),
            apart,
        };
        let lost = Apart { because: Availability::AgentLost, holds: Sums { hosts: 2, ..Sums::default() } };
        HeadroomView {
            cluster: "arn:aws:ecs:eu-central-1:210987654321:cluster/prod".into(),
            at: Timestamp::UNIX_EPOCH,
            whole: part("", open, vec![lost]),
            zones: vec![part("eu-central-1a", open, Vec::new()), part("", open, Vec::new())],
            providers: Vec::new(),
            hosts: Vec::new(),
            subnets: Vec::new(),
        }
    }

    fn sums() -> Sums {
        Sums {
            hosts: 3,
            cpu_units: Gauge { free: 512, total: 2_048 },
            memory_mib: Gauge { free: 1, total: 4 },
            slots: Slots { scheduler: Gauge { free: 5, total: 6 }, ..Slots::default() },
            ..Sums::default()
        }
    }

    fn value(figures: &[Figure], name: &str) -> Option<(f64, &'static str)> {
        figures.iter().find(|it| it.name == name && it.dimensions.len() == 1).map(|it| (it.value, it.unit))
    }

    #[test]
    fn counts_are_counts_shares_are_percent_and_memory_is_bytes() {
        let figures = of_cluster(&view(sums()));
        assert_eq!(value(&figures, "FreeEniSlots"), Some((5.0, "Count")));
        assert_eq!(value(&figures, "FreeCpuPercent"), Some((25.0, "Percent")));
        assert_eq!(value(&figures, "FreeMemory"), Some((1_048_576.0, "Bytes")));
        assert_eq!(value(&figures, "ApartHosts"), Some((2.0, "Count")));
        assert_eq!(value(&figures, "FreeGpus"), None, "a cluster without GPUs has no series of them");
        let zones: Vec<_> = figures.iter().filter(|it| it.dimensions.len() == 2).collect();
        assert!(!zones.is_empty() && zones.iter().all(|it| it.dimensions[1].1 == "eu-central-1a"));
    }

    #[test]
    fn an_empty_cluster_has_no_room_and_no_percentage_and_its_legacy_figures_say_so() {
        let figures = of_cluster(&view(Sums::default()));
        assert_eq!(value(&figures, "FreeEniSlots"), Some((0.0, "Count")));
        assert_eq!(value(&figures, "FreeCpuPercent"), None);
        let legacy: Vec<f64> = legacy(&view(Sums::default())).iter().map(|it| it.value).collect();
        assert_eq!(legacy, [0.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_not_known_is_not_published_as_nothing() {
        let slots = Slots { unknown_hosts: 3, ..Slots::default() };
        let unknown = Sums { slots, silent_hosts: 3, cpu_units: Gauge::default(), ..sums() };
        let figures = of_cluster(&view(unknown));
        assert_eq!(value(&figures, "FreeEniSlots"), None);
        assert_eq!(value(&figures, "FreeCpuUnits"), None);
        assert_eq!(value(&figures, "HostsWithUnknownEniSlots"), Some((3.0, "Count")));
        assert!(legacy(&view(unknown)).iter().all(|it| it.name != LegacyName::Enis.word()));
    }

    #[test]
    fn the_legacy_set_has_the_seeds_names_and_dimension() {
        let figures = legacy(&view(sums()));
        let names: Vec<&str> = figures.iter().map(|it| it.name).collect();
        assert_eq!(names, ["ecs-remaining-eni's", "ecs-remaining-cpu", "ecs-remaining-mem"]);
        assert!(figures.iter().all(|it| it.dimensions == [("ecs-autoscaling", "prod".to_owned())]));
        assert_eq!(figures[0].value, 5.0);
    }
}
