//! Gauges for Prometheus: amounts that are free and amounts that there are, so that shares are a division away.

use engine::ports::Sample;
use fleet::{
    capacity::{
        foresight::Foreseen,
        headroom::Sums,
        view::{HeadroomView, PartView},
    },
    id::Arn,
};

use jiff::Timestamp;

use crate::render::roll_call::word;

/// Names of one kind of part: zones and providers have names of their own, so that a sum over one family counts nothing
/// twice.
struct Names {
    open_hosts: &'static str,
    apart_hosts: &'static str,
    amounts: [(&'static str, &'static str); 3],
    slots: (&'static str, &'static str),
    unknown_slots: &'static str,
}

macro_rules! names {
    ($prefix:literal) => {
        Names {
            open_hosts: concat!($prefix, "_open_hosts"),
            apart_hosts: concat!($prefix, "_apart_hosts"),
            amounts: [
                (concat!($prefix, "_free_cpu_units"), concat!($prefix, "_cpu_units")),
                (concat!($prefix, "_free_memory_bytes"), concat!($prefix, "_memory_bytes")),
                (concat!($prefix, "_free_gpus"), concat!($prefix, "_gpus")),
            ],
            slots: (concat!($prefix, "_free_eni_slots"), concat!($prefix, "_eni_slots")),
            unknown_slots: concat!($prefix, "_hosts_with_unknown_eni_slots"),
        }
    };
}

/// What all names begin with.
pub const PREFIXES: [&str; 3] = ["muster_capacity_", "muster_zone_capacity_", "muster_provider_capacity_"];

const WHOLE: Names = names!("muster_capacity");
const ZONE: Names = names!("muster_zone_capacity");
const PROVIDER: Names = names!("muster_provider_capacity");

/// Gauges of clusters. `audited`: the tasks are known, and so the interfaces that they hold; else nothing is said of those.
pub fn samples(views: &[HeadroomView], audited: bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    for view in views {
        let labels = labels(&view.cluster);
        of_part(&WHOLE, &view.whole, &labels, audited, &mut samples);
        for (names, label, parts) in [(&ZONE, "zone", &view.zones), (&PROVIDER, "provider", &view.providers)] {
            for part in parts {
                let mut labels = labels.clone();
                labels.push((label, part.name.clone()));
                of_part(names, part, &labels, audited, &mut samples);
            }
        }
    }
    samples
}

fn labels(cluster: &str) -> Vec<(&'static str, String)> {
    let arn = Arn::parse(cluster);
    vec![
        ("cluster", arn.map_or(cluster, |arn| arn.last()).to_owned()),
        ("region", arn.map_or("", |arn| arn.region).to_owned()),
        ("account", arn.map_or("", |arn| arn.account).to_owned()),
    ]
}

/// Seconds until something runs out, at the earliest and at the latest. Of what the samples say nothing about there is no
/// series; nor of the latest where it lies further away than can be foretold.
pub fn foreseen(found: &[Foreseen], now: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    for out in found {
        let mut labels = labels(&out.cluster);
        let names = if out.zone.is_empty() {
            ["muster_capacity_runs_out_earliest_secs", "muster_capacity_runs_out_latest_secs"]
        } else {
            labels.push(("zone", out.zone.clone()));
            ["muster_zone_capacity_runs_out_earliest_secs", "muster_zone_capacity_runs_out_latest_secs"]
        };
        labels.push(("of", out.of.word().to_owned()));
        for (name, at) in names.into_iter().zip([Some(out.earliest), out.latest]) {
            let Some(at) = at else { continue };
            let value = (at.as_second() - now.as_second()).max(0) as f64;
            samples.push(Sample { name, labels: labels.clone(), value });
        }
    }
    samples
}

fn of_part(
    names: &Names,
    part: &PartView,
    labels: &[(&'static str, String)],
    audited: bool,
    samples: &mut Vec<Sample>,
) {
    let Sums { hosts, silent_hosts, cpu_units, memory_mib, gpus, slots } = part.open;
    let mut sample = |name, value: u64| samples.push(Sample { name, labels: labels.to_vec(), value: value as f64 });
    sample(names.open_hosts, hosts);
    if hosts == 0 || silent_hosts < hosts {
        for ((free, total), gauge, unit) in
            [(names.amounts[0], cpu_units, 1), (names.amounts[1], memory_mib, 1 << 20), (names.amounts[2], gpus, 1)]
        {
            sample(free, gauge.free * unit);
            sample(total, gauge.total * unit);
        }
    }
    if audited && (hosts == 0 || slots.unknown_hosts < hosts) {
        sample(names.slots.0, slots.scheduler.free);
        sample(names.slots.1, slots.scheduler.total);
    }
    sample(names.unknown_slots, slots.unknown_hosts);
    for apart in &part.apart {
        let mut labels = labels.to_vec();
        labels.push(("because", word(&apart.because)));
        samples.push(Sample { name: names.apart_hosts, labels, value: apart.holds.hosts as f64 });
    }
}

#[cfg(test)]
mod tests {
    use engine::ports::Samples as _;
    use fleet::capacity::headroom::{Gauge, Slots};
    use jiff::Timestamp;

    use super::*;
    use crate::{metrics::Metrics, publish::figures::tests::view};

    fn text(audited: bool) -> String {
        let sums = Sums {
            hosts: 3,
            cpu_units: Gauge { free: 512, total: 2_048 },
            memory_mib: Gauge { free: 1, total: 4 },
            slots: Slots { scheduler: Gauge { free: 5, total: 6 }, ..Slots::default() },
            ..Sums::default()
        };
        let metrics = Metrics::new();
        metrics.publish(Timestamp::UNIX_EPOCH, &samples(&[view(sums)], audited));
        metrics.text()
    }

    #[test]
    fn what_is_free_and_what_there_is_stand_side_by_side() {
        let text = text(true);
        let whole = "{cluster=\"prod\",region=\"eu-central-1\",account=\"210987654321\"}";
        for line in [
            format!("muster_capacity_free_eni_slots{whole} 5"),
            format!("muster_capacity_eni_slots{whole} 6"),
            format!("muster_capacity_free_memory_bytes{whole} 1048576"),
            "# TYPE muster_capacity_free_cpu_units gauge".to_owned(),
        ] {
            assert!(text.contains(&line), "{line}:\n{text}");
        }
        assert!(text.contains("muster_capacity_apart_hosts{") && text.contains("because=\"agent-lost\"} 2"), "{text}");
        assert!(text.contains("muster_zone_capacity_free_cpu_units{") && text.contains("zone=\"eu-central-1a\"} 512"));
    }

    #[test]
    fn what_runs_out_is_told_by_its_earliest_and_latest_and_what_does_not_is_no_series() {
        let out = |zone: &str, latest| Foreseen {
            cluster: "arn:aws:ecs:eu-central-1:210987654321:cluster/prod".into(),
            zone: zone.into(),
            of: fleet::capacity::foresight::Dimension::EniSlots,
            at: Timestamp::UNIX_EPOCH,
            earliest: Timestamp::constant(100, 0),
            latest,
            lost_per_hour: 1.0,
        };
        let metrics = Metrics::new();
        let found = [out("", Some(Timestamp::constant(300, 0))), out("eu-central-1a", None)];
        metrics.replace(&PREFIXES, &foreseen(&found, Timestamp::constant(60, 0)));
        let text = metrics.text();
        let whole = "{cluster=\"prod\",region=\"eu-central-1\",account=\"210987654321\",of=\"eni-slots\"}";
        assert!(text.contains(&format!("muster_capacity_runs_out_earliest_secs{whole} 40\n")), "{text}");
        assert!(text.contains(&format!("muster_capacity_runs_out_latest_secs{whole} 240\n")), "{text}");
        assert!(text.contains("muster_zone_capacity_runs_out_earliest_secs{"), "{text}");
        assert!(!text.contains("muster_zone_capacity_runs_out_latest_secs"), "{text}");
        metrics.replace(&PREFIXES, &foreseen(&[], Timestamp::UNIX_EPOCH));
        assert!(!metrics.text().contains("runs_out"));
    }

    #[test]
    fn without_the_tasks_nothing_is_said_of_the_interfaces_that_they_hold() {
        assert!(!text(false).contains("free_eni_slots"));
    }
}
