//! When the room of each cluster and zone runs out: samples of what is free, taken now and then from what is told anyway,
//! and the [`Trend`] of each. No belief of the core: whoever shows room keeps it, and loses only time by losing it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    forecast::{KEPT, RunsOut, Trend},
    headroom::Sums,
    view::{HeadroomView, PartView},
};

/// How often what is free is sampled: eight hours are kept.
pub const SAMPLE_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// So many parts of clusters at most are watched: 75 KiB each when they are full.
pub const MOST_PARTS: usize = 2_000;

/// What can run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dimension {
    /// Hosts that take tasks.
    Hosts,
    /// CPU units.
    Cpu,
    /// Memory.
    Memory,
    /// Interfaces for tasks.
    EniSlots,
    /// GPUs.
    Gpus,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::EniSlots, Self::Cpu, Self::Memory, Self::Gpus, Self::Hosts];

    /// As a label has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EniSlots => "eni-slots",
            Self::Gpus => "gpus",
        }
    }

    /// At the beginning of a sentence, before `run out` or `runs out`.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Hosts => ("Hosts", "run"),
            Self::Cpu => ("CPU", "runs"),
            Self::Memory => ("Memory", "runs"),
            Self::EniSlots => ("ENI slots", "run"),
            Self::Gpus => ("GPUs", "run"),
        }
    }

    /// How much of it is free; `None` where there is none at all, or nobody knows.
    fn free(self, sums: &Sums, slots_known: bool) -> Option<f64> {
        let Sums { hosts, silent_hosts, cpu_units, memory_mib, gpus, slots } = sums;
        let told = silent_hosts < hosts;
        let amount = |known: bool, free: u64, total: u64| (known && total > 0).then_some(free as f64);
        match self {
            Self::Hosts => Some(*hosts as f64),
            Self::Cpu => amount(told, cpu_units.free, cpu_units.total),
            Self::Memory => amount(told, memory_mib.free, memory_mib.total),
            Self::Gpus => amount(told, gpus.free, gpus.total),
            Self::EniSlots => {
                amount(slots_known && slots.unknown_hosts == 0, slots.scheduler.free, slots.scheduler.total)
            }
        }
    }
}

/// Something that runs out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Foreseen {
    /// Cluster ARN.
    pub cluster: String,
    /// Zone; empty for the whole cluster.
    pub zone: String,
    /// What.
    pub of: Dimension,
    /// When, by the median of the slopes.
    pub at: Timestamp,
    /// At the earliest: nine times out of ten not before.
    pub earliest: Timestamp,
    /// At the latest; `None`: later than can be foretold.
    pub latest: Option<Timestamp>,
    /// How much less it becomes an hour.
    pub lost_per_hour: f64,
}

/// Samples of what is free in all clusters and zones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Foresight {
    every_secs: i64,
    sampled_at: Option<Timestamp>,
    /// By cluster and zone; the whole has an empty zone. JSON keys are text, so that these are pairs in a list.
    parts: Vec<(String, String, BTreeMap<Dimension, Trend>)>,
}

impl Default for Foresight {
    fn default() -> Self {
        Self::sampling(SAMPLE_EVERY)
    }
}

impl Foresight {
    /// One that takes a sample at most so often.
    pub fn sampling(every: SignedDuration) -> Self {
        Self { every_secs: every.as_secs().max(1), sampled_at: None, parts: Vec::new() }
    }

    /// Whether it is time for a sample. A clock that was set back makes it so.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let since = |at: Timestamp| now.as_second() - at.as_second();
        self.sampled_at.is_none_or(|at| since(at) >= self.every_secs || since(at) < 0)
    }

    /// Takes a sample, if it is due; true when one was taken. `slots_known`: the tasks are looked at, and so the interfaces
    /// known that they hold.
    pub fn note(&mut self, now: Timestamp, views: &[HeadroomView], slots_known: bool) -> bool {
        if views.is_empty() || !self.is_due(now) {
            return false;
        }
        self.sampled_at = Some(now);
        for view in views {
            self.note_part(now, &view.cluster, "", &view.whole, slots_known);
            for zone in view.zones.iter().filter(|zone| !zone.name.is_empty()) {
                self.note_part(now, &view.cluster, &zone.name, zone, slots_known);
            }
        }
        // What was not seen for as long as samples are kept is gone.
        let oldest = now.as_second() - self.every_secs * KEPT as i64;
        for (_, _, trends) in &mut self.parts {
            trends.retain(|_, trend| trend.last_at().is_some_and(|at| at.as_second() >= oldest));
        }
        self.parts.retain(|(_, _, trends)| !trends.is_empty());
        true
    }

    fn note_part(&mut self, now: Timestamp, cluster: &str, zone: &str, part: &PartView, slots_known: bool) {
        let place = self.parts.binary_search_by(|(one, two, _)| (one.as_str(), two.as_str()).cmp(&(cluster, zone)));
        let place = match place {
            Ok(place) => place,
            Err(_) if self.parts.len() >= MOST_PARTS => return,
            Err(place) => {
                self.parts.insert(place, (cluster.to_owned(), zone.to_owned(), BTreeMap::new()));
                place
            }
        };
        let Some((_, _, trends)) = self.parts.get_mut(place) else { return };
        for of in Dimension::ALL {
            if let Some(free) = of.free(&part.open, slots_known) {
                trends.entry(of).or_default().note(now, free);
            }
        }
    }

    /// What runs out, as far as the samples say; the clusters in order, the whole before its zones.
    pub fn runs_out(&self, now: Timestamp) -> Vec<Foreseen> {
        let mut found = Vec::new();
        for (cluster, zone, trends) in &self.parts {
            for of in Dimension::ALL {
                let Some(Ok(out)) = trends.get(&of).map(|trend| trend.runs_out(now)) else { continue };
                let RunsOut { at, earliest, latest, lost_per_hour } = out;
                let (cluster, zone) = (cluster.clone(), zone.clone());
                found.push(Foreseen { cluster, zone, of, at, earliest, latest, lost_per_hour });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::headroom::{Gauge, Slots};

    const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod-a";

    fn part(name: &str, open: Sums) -> PartView {
        PartView {
            name: name.into(),
            open,
            cpu_percent_free: None,
            memory_percent_free: None,
            slots_percent_free: None,
            apart: Vec::new(),
        }
    }

    fn view(slots_free: u64, unknown_hosts: u64) -> HeadroomView {
        let cpu_units = Gauge { free: 4_096, total: 8_192 };
        let slots = Slots { scheduler: Gauge { free: slots_free, total: 300 }, unknown_hosts, ..Slots::default() };
        let sums = Sums { hosts: 9, cpu_units, memory_mib: cpu_units, slots, ..Sums::default() };
        HeadroomView {
            cluster: CLUSTER.into(),
            at: Timestamp::UNIX_EPOCH,
            whole: part("", sums),
            zones: vec![part("eu-central-1a", sums), part("", Sums { hosts: 1, ..Sums::default() })],
            providers: Vec::new(),
            hosts: Vec::new(),
            subnets: Vec::new(),
        }
    }

    fn after(mins: i64) -> Timestamp {
        Timestamp::constant(1_790_928_000, 0) + SignedDuration::from_mins(mins)
    }

    /// Two slots less every five minutes, looked at every minute.
    fn lived(mins: i64, slots_known: bool, unknown_hosts: u64) -> Foresight {
        let mut foresight = Foresight::default();
        for minute in 0..=mins {
            let free = 240_u64.saturating_sub(2 * (minute as u64 / 5));
            foresight.note(after(minute), &[view(free, unknown_hosts)], slots_known);
        }
        foresight
    }

    #[test]
    fn what_becomes_less_runs_out_in_the_cluster_and_in_its_zone_and_nothing_else_does() {
        let found = lived(55, true, 0).runs_out(after(55));
        let told: Vec<_> =
            found.iter().map(|out| (out.zone.as_str(), out.of, out.at, out.earliest, out.latest)).collect();
        let out = after(600);
        assert_eq!(
            told,
            [
                ("", Dimension::EniSlots, out, out, Some(out)),
                ("eu-central-1a", Dimension::EniSlots, out, out, Some(out))
            ]
        );
        assert!((found[0].lost_per_hour - 24.0).abs() < 1e-6 && found[0].cluster == CLUSTER);
    }

    #[test]
    fn of_what_is_not_known_and_of_too_little_nothing_is_foretold() {
        for (mins, known, unknown) in [(55, false, 0), (55, true, 1), (30, true, 0)] {
            assert_eq!(lived(mins, known, unknown).runs_out(after(mins)), [], "{mins} {known} {unknown}");
        }
        assert_eq!(lived(55, true, 0).runs_out(after(55 + 60)), [], "nobody has looked since");
    }

    #[test]
    fn samples_are_taken_in_their_time_and_survive_being_written_down() {
        let lived = lived(600, true, 0);
        let samples: Vec<usize> = lived.parts.iter().flat_map(|(_, _, it)| it.values()).map(Trend::len).collect();
        assert!(samples.iter().all(|count| *count == KEPT), "{samples:?}");
        let text = serde_json::to_string(&lived).unwrap();
        let back: Foresight = serde_json::from_str(&text).unwrap();
        assert_eq!(back, lived);
        assert_eq!(back.runs_out(after(598)), lived.runs_out(after(598)));
    }

    #[test]
    fn a_cluster_that_is_gone_is_forgotten_and_their_number_is_bounded() {
        let mut foresight = lived(55, true, 0);
        let other = HeadroomView { cluster: format!("{CLUSTER}-2"), zones: Vec::new(), ..view(9, 0) };
        for step in 0..=KEPT as i64 {
            foresight.note(after(60 + 5 * step), std::slice::from_ref(&other), true);
        }
        let clusters: Vec<&str> = foresight.parts.iter().map(|(cluster, _, _)| cluster.as_str()).collect();
        assert_eq!(clusters, [other.cluster.as_str()]);
        let many: Vec<HeadroomView> =
            (0..MOST_PARTS).map(|number| HeadroomView { cluster: format!("c{number}"), ..other.clone() }).collect();
        foresight.note(after(10_000), &many, true);
        assert!(foresight.parts.len() <= MOST_PARTS);
    }

    #[test]
    fn a_clock_that_goes_back_neither_stops_the_samples_nor_disturbs_them() {
        let mut foresight = lived(55, true, 0);
        assert!(foresight.note(after(20), &[view(1, 0)], true), "a sample is due");
        assert_eq!(foresight.runs_out(after(55)).len(), 2, "and is passed over, since it is not newer");
    }
}
