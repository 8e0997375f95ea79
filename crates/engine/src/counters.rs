//! What a turn counts. Totals since the start of the process.

use fleet::{Fleet, verdict::Verdict};
use jiff::Timestamp;

use crate::ports::Sample;

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counters {
    /// Turns taken.
    pub turns: u64,
    /// Messages given to the engine.
    pub received: u64,
    /// Messages and reports that said nothing new.
    pub duplicates: u64,
    /// Messages and reports older than what is believed.
    pub stale: u64,
    /// Events about clusters that are not watched or machines that are no hosts.
    pub foreign: u64,
    /// Events of a kind that says nothing about hosts: journaled, never evidence.
    pub unknown: u64,
    /// Messages that could not be understood, kept aside.
    pub set_aside: u64,
    /// Answers of sweeps and looks.
    pub answers: u64,
    /// Facts in those answers that changed nothing.
    pub unchanged: u64,
    /// Sweeps and looks that brought nothing.
    pub look_failures: u64,
    /// Deadlines met.
    pub ticks: u64,
    /// Inputs of the core.
    pub inputs: u64,
    /// Records of the core.
    pub records: u64,
    /// Looks the core asked for.
    pub looks: u64,
    /// Notices the core asked for.
    pub notices: u64,
    /// Acts the core asked for.
    pub acts: u64,
    /// Outcomes of acts.
    pub outcomes: u64,
    /// Pages the core asked for.
    pub pages: u64,
    /// Pages of which it was said what became of them.
    pub deliveries: u64,
    /// Requests of operators.
    pub requests: u64,
    /// Entries journaled.
    pub entries: u64,
    /// Snapshots kept.
    pub snapshots: u64,
    /// Snapshots that could not be kept.
    pub snapshot_failures: u64,
    /// Times the clock was found to have gone back.
    pub clock_steps_back: u64,
    /// How old the oldest event of the last turn with events was when it was taken, in seconds.
    pub event_lag_secs: f64,
}

impl Counters {
    /// As samples.
    pub fn samples(&self) -> Vec<Sample> {
        let count = |name, value: u64| Sample { name, labels: Vec::new(), value: value as f64 };
        vec![
            count("muster_turns_total", self.turns),
            count("muster_events_received_total", self.received),
            count("muster_events_duplicate_total", self.duplicates),
            count("muster_events_stale_total", self.stale),
            count("muster_events_foreign_total", self.foreign),
            count("muster_events_unknown_total", self.unknown),
            count("muster_messages_set_aside_total", self.set_aside),
            count("muster_answers_total", self.answers),
            count("muster_facts_unchanged_total", self.unchanged),
            count("muster_look_failures_total", self.look_failures),
            count("muster_ticks_total", self.ticks),
            count("muster_inputs_total", self.inputs),
            count("muster_records_total", self.records),
            count("muster_looks_total", self.looks),
            count("muster_notices_total", self.notices),
            count("muster_intents_total", self.acts),
            count("muster_outcomes_total", self.outcomes),
            count("muster_pages_asked_total", self.pages),
            count("muster_deliveries_total", self.deliveries),
            count("muster_operator_requests_total", self.requests),
            count("muster_journal_entries_total", self.entries),
            count("muster_snapshots_total", self.snapshots),
            count("muster_snapshot_failures_total", self.snapshot_failures),
            count("muster_clock_steps_back_total", self.clock_steps_back),
            Sample { name: "muster_event_lag_seconds", labels: Vec::new(), value: self.event_lag_secs },
        ]
    }
}

/// The fleet in figures. Every verdict is named, also with zero hosts, so that an old value never stands.
pub fn fleet_samples(fleet: &Fleet, now: Timestamp) -> Vec<Sample> {
    let counts = fleet.counts(now);
    let gauge = |name, value: u32| Sample { name, labels: Vec::new(), value: f64::from(value) };
    let mut samples = vec![
        gauge("muster_clusters", counts.clusters),
        gauge("muster_tasks", counts.tasks),
        gauge("muster_open_cases", counts.open_cases),
    ];
    samples.extend(Verdict::ALL.iter().map(|verdict| Sample {
        name: "muster_hosts",
        labels: vec![("verdict", verdict.word().to_owned())],
        value: f64::from(counts.verdicts.get(verdict.word()).copied().unwrap_or(0)),
    }));
    samples
}
