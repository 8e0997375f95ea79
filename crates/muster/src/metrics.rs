//! Figures as Prometheus reads them: the engine's samples port on one side, the text format on the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
};

use engine::ports::{Sample, Samples};
use jiff::Timestamp;

/// What `/metrics` answers with.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The figures last published.
#[derive(Debug, Default)]
pub struct Metrics {
    families: Mutex<BTreeMap<&'static str, BTreeMap<String, f64>>>,
}

impl Metrics {
    /// Nothing published yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A figure by its name, summed over its labels; `None` when it was never published.
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.families().get(name).map(|series| series.values().sum())
    }

    /// The text format, families in the order of their names.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, series) in &*self.families() {
            let _ = writeln!(text, "# HELP {name} {}", help(name));
            let _ = writeln!(text, "# TYPE {name} {}", kind(name));
            for (labels, value) in series {
                let _ = writeln!(text, "{name}{labels} {}", number(*value));
            }
        }
        text
    }

    /// Takes the current values of families with these prefixes: those that are not among the samples are gone, families
    /// and all. For what can cease to be known altogether.
    pub fn replace(&self, prefixes: &[&str], samples: &[Sample]) {
        let mut families = self.families();
        families.retain(|name, _| !prefixes.iter().any(|prefix| name.starts_with(prefix)));
        for sample in samples {
            families.entry(sample.name).or_default().insert(labels(&sample.labels), sample.value);
        }
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<&'static str, BTreeMap<String, f64>>> {
        // Every insertion leaves the map whole, so a panic elsewhere says nothing about it.
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Samples for Metrics {
    /// A gauge's series that a batch does not name any more are gone: `muster_hosts{verdict="ghost"}` must not stay at
    /// its last value when there is no ghost left. Counters never go.
    fn publish(&self, _at: Timestamp, samples: &[Sample]) {
        let mut families = self.families();
        let named: BTreeSet<&'static str> = samples.iter().map(|sample| sample.name).collect();
        for name in named {
            if kind(name) == "gauge" {
                families.remove(name);
            }
        }
        for sample in samples {
            families.entry(sample.name).or_default().insert(labels(&sample.labels), sample.value);
        }
    }
}

/// Counters end in `_total`, everything else is a gauge.
fn kind(name: &str) -> &'static str {
    if name.ends_with("_total") { "counter" } else { "gauge" }
}

fn labels(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let mut text = String::from("{");
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{name}=\"{value}\"");
    }
    text.push('}');
    text
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

/// What a figure means. A figure without words of its own is named after itself: a missing sentence must not hide it.
fn help(name: &str) -> String {
    if let Some((_, help)) = HELP.iter().find(|(known, _)| *known == name) {
        return (*help).to_owned();
    }
    let words = name.strip_prefix("muster_").unwrap_or(name).replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// What the figures mean.
const HELP: [(&str, &str); 50] = [
    ("muster_build_info", "Version of this muster; always 1."),
    ("muster_may_act", "Whether any cluster is in mode approve or act: 1 yes, 0 no."),
    ("muster_observed_only_accounts", "Accounts where muster is to act and has no leave to: see /healthz."),
    ("muster_hosts", "Hosts by verdict."),
    ("muster_clusters", "Clusters watched."),
    ("muster_tasks", "Tasks believed to be running."),
    ("muster_open_cases", "Cases that are open."),
    ("muster_turns_total", "Turns of the loop, each one flushed to the journal."),
    ("muster_events_received_total", "Messages taken from the event queues."),
    ("muster_events_duplicate_total", "Events that said nothing new."),
    ("muster_events_stale_total", "Events older than what was believed already."),
    ("muster_events_unknown_total", "Events that say nothing about hosts: journaled, never evidence."),
    ("muster_messages_set_aside_total", "Messages that could not be understood, kept aside."),
    ("muster_event_lag_seconds", "Age of the oldest event of the last turn with events when it was taken."),
    ("muster_answers_total", "Answers of sweeps and looks."),
    ("muster_facts_unchanged_total", "Facts in those answers that changed nothing."),
    ("muster_look_failures_total", "Sweeps of a scope and looks that brought nothing."),
    ("muster_ticks_total", "Times that deadlines were met."),
    ("muster_inputs_total", "Inputs of the core."),
    ("muster_records_total", "Conclusions put on the record."),
    ("muster_looks_total", "Looks that the core asked for."),
    ("muster_looks_open", "Looks that wait or are under way."),
    ("muster_notices_total", "Notices to people."),
    ("muster_notice_failures_total", "Notices that could not be handed over."),
    ("muster_journal_entries_total", "Entries written to the journal."),
    ("muster_journal_last_seq", "Number of the newest journal entry."),
    ("muster_snapshots_total", "Snapshots kept."),
    ("muster_snapshot_failures_total", "Snapshots that could not be kept."),
    ("muster_clock_steps_back_total", "Times the clock was found to have gone back."),
    ("muster_queue_up", "Whether the event queues can be read: 1 yes, 0 no."),
    ("muster_queue_failures_total", "Receives that failed."),
    (
        "muster_acknowledge_failures_total",
        "Journaled messages that could not be deleted; they come again and are dropped.",
    ),
    ("muster_sweeps_total", "Sweeps that ended."),
    ("muster_sweeps_given_up_total", "Sweeps that took too long."),
    ("muster_sweep_failed_scopes", "Scopes of the last sweep that could not be looked at."),
    ("muster_events_foreign_total", "Events of clusters that are not watched."),
    ("muster_intents_total", "Intents put on the record."),
    ("muster_intents_open", "Intents that have not ended."),
    ("muster_acts_total", "Intents that have ended, by act and result."),
    ("muster_outcomes_total", "Outcomes of intents taken in."),
    ("muster_leading", "Whether this muster is in charge of acting: 1 yes, 0 no."),
    ("muster_operator_requests_total", "Requests of operators."),
    ("muster_pages_asked_total", "Pages made for receivers."),
    ("muster_pages_open", "Pages that wait or are being sent."),
    ("muster_pages_total", "Pages that were delivered or given up, by receiver and result."),
    ("muster_deliveries_total", "Words on what became of a page."),
    ("muster_last_turn_timestamp_seconds", "When the last turn was journaled."),
    ("muster_last_receive_timestamp_seconds", "When the event queues were last read."),
    ("muster_last_sweep_timestamp_seconds", "When the last sweep ended."),
    ("muster_port_panics_total", "Faults of muster itself that were caught; please report them."),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &'static str, label: Option<&str>, value: f64) -> Sample {
        Sample { name, labels: label.map(|label| ("verdict", label.to_owned())).into_iter().collect(), value }
    }

    fn published(batches: &[&[Sample]]) -> String {
        let metrics = Metrics::new();
        for batch in batches {
            metrics.publish(Timestamp::UNIX_EPOCH, batch);
        }
        metrics.text()
    }

    #[test]
    fn each_family_has_its_help_and_its_type_once() {
        let text = published(&[&[
            sample("muster_hosts", Some("present"), 3.0),
            sample("muster_strange_total", None, 17.0),
            sample("muster_hosts", Some("ghost"), 1.0),
        ]]);
        assert_eq!(
            text,
            "# HELP muster_hosts Hosts by verdict.\n# TYPE muster_hosts gauge\n\
             muster_hosts{verdict=\"ghost\"} 1\nmuster_hosts{verdict=\"present\"} 3\n\
             # HELP muster_strange_total Strange total.\n# TYPE muster_strange_total counter\nmuster_strange_total 17\n"
        );
    }

    #[test]
    fn a_gauge_that_is_not_named_any_more_is_gone_and_a_counter_stays() {
        let text = published(&[
            &[sample("muster_hosts", Some("ghost"), 1.0), sample("muster_x_total", Some("a"), 1.0)],
            &[sample("muster_hosts", Some("present"), 1.0), sample("muster_x_total", Some("b"), 1.0)],
        ]);
        assert!(!text.contains("ghost") && text.contains("verdict=\"a\"") && text.contains("verdict=\"b\""), "{text}");
    }

    #[test]
    fn what_is_not_known_any_more_is_gone_whole() {
        let metrics = Metrics::new();
        metrics.publish(Timestamp::UNIX_EPOCH, &[sample("muster_hosts", None, 1.0)]);
        metrics.replace(&["muster_capacity_"], &[sample("muster_capacity_gpus", None, 1.0)]);
        metrics.replace(&["muster_capacity_"], &[]);
        assert!(!metrics.text().contains("capacity") && metrics.text().contains("muster_hosts 1"));
    }

    #[test]
    fn label_values_cannot_break_out_of_their_quotes() {
        let text = published(&[&[sample("muster_hosts", Some("a\"} 1\nb\\"), f64::INFINITY)]]);
        assert!(text.ends_with("muster_hosts{verdict=\"a\\\"} 1\\nb\\\\\"} +Inf\n"), "{text}");
    }
}
