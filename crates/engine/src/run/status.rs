//! How the loop is doing, for `/healthz` and for figures about muster itself.

use std::collections::BTreeMap;

use fleet::input::LookFailure;
use jiff::Timestamp;

use crate::ports::Sample;

/// How the loop is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// When the loop began.
    pub started_at: Option<Timestamp>,
    /// When the last turn was journaled.
    pub last_turn_at: Option<Timestamp>,
    /// Number of the newest journal entry.
    pub last_seq: i64,
    /// When the last receive succeeded, with or without messages.
    pub last_receive_at: Option<Timestamp>,
    /// Why the queue cannot be read at present.
    pub queue_trouble: Option<String>,
    /// Failed receives since the start.
    pub queue_failures: u64,
    /// Messages that are in the journal but could not be deleted from the queue; they come again and are dropped.
    pub acknowledge_failures: u64,
    /// A sweep is under way since.
    pub sweeping_since: Option<Timestamp>,
    /// When the last sweep ended, all scopes answered or failed.
    pub last_sweep_at: Option<Timestamp>,
    /// Sweeps that ended.
    pub sweeps: u64,
    /// Sweeps given up because they took too long or panicked.
    pub sweeps_given_up: u64,
    /// Scopes of the last or current sweep that failed.
    pub sweep_failures: Vec<LookFailure<'static>>,
    /// Looks that wait or are under way.
    pub looks_open: usize,
    /// Port calls that panicked.
    pub panics: u64,
    /// Notices that the notifier did not take in time or panicked over.
    pub notice_failures: u64,
    /// This muster is in charge of acting.
    pub leading: bool,
    /// Intents that have not ended.
    pub intents_open: usize,
    /// Intents that have ended, by act and result.
    pub acts: BTreeMap<(&'static str, &'static str), u64>,
    /// Pages held ready for sending or being sent.
    pub pages_open: usize,
    /// Pages that were delivered or given up, by receiver and result.
    pub pages: BTreeMap<(String, &'static str), u64>,
}

impl Status {
    /// As samples.
    pub fn samples(&self) -> Vec<Sample> {
        let value = |name, value: f64| Sample { name, labels: Vec::new(), value };
        let mut samples = vec![
            value("muster_journal_last_seq", self.last_seq as f64),
            value("muster_queue_failures_total", self.queue_failures as f64),
            value("muster_acknowledge_failures_total", self.acknowledge_failures as f64),
            value("muster_sweeps_total", self.sweeps as f64),
            value("muster_sweeps_given_up_total", self.sweeps_given_up as f64),
            value("muster_sweep_failed_scopes", self.sweep_failures.len() as f64),
            value("muster_looks_open", self.looks_open as f64),
            value("muster_port_panics_total", self.panics as f64),
            value("muster_notice_failures_total", self.notice_failures as f64),
            value("muster_queue_up", f64::from(u8::from(self.queue_trouble.is_none()))),
            value("muster_leading", f64::from(u8::from(self.leading))),
            value("muster_intents_open", self.intents_open as f64),
            value("muster_pages_open", self.pages_open as f64),
        ];
        samples.extend(self.acts.iter().map(|((act, result), count)| Sample {
            name: "muster_acts_total",
            labels: vec![("act", (*act).to_owned()), ("result", (*result).to_owned())],
            value: *count as f64,
        }));
        samples.extend(self.pages.iter().map(|((receiver, result), count)| Sample {
            name: "muster_pages_total",
            labels: vec![("receiver", receiver.clone()), ("result", (*result).to_owned())],
            value: *count as f64,
        }));
        let times = [
            ("muster_last_turn_timestamp_seconds", self.last_turn_at),
            ("muster_last_receive_timestamp_seconds", self.last_receive_at),
            ("muster_last_sweep_timestamp_seconds", self.last_sweep_at),
        ];
        samples
            .extend(times.iter().filter_map(|(name, at)| at.map(|at| value(name, at.as_millisecond() as f64 / 1e3))));
        samples
    }
}
