//! Alerts and silences, for people.

use std::io::{self, Write};

use fleet::{
    journal::Trouble,
    notice::{delivery::AlertView, silence::SilenceView},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Format, colour, json, moment,
    table::{Cell, Table},
};

/// Writes what people are told of.
///
/// # Errors
/// Those of `out`.
pub fn list(out: &mut dyn Write, alerts: &[AlertView], now: Timestamp, format: Format) -> io::Result<()> {
    if format != Format::Table {
        return objects(out, alerts, format);
    }
    if alerts.is_empty() {
        return writeln!(out, "no alerts");
    }
    let mut table = Table::new(0, &["RECEIVER", "STATE", "ALERTS", "SINCE", "PAGED", "CASES", "WHAT"]);
    for alert in alerts {
        let (state, style) = match (&alert.kept_back, alert.fired) {
            (_, true) => ("firing", colour::alarm()),
            (Some(_), false) => ("kept back", colour::quiet()),
            (None, false) => ("gathering", colour::quiet()),
        };
        let cases: Vec<String> = alert.cases.iter().map(ToString::to_string).collect();
        let notes = alert.kept_back.iter().map(|why| Cell::styled(why.as_str(), colour::quiet())).collect();
        table.row(
            vec![
                Cell::plain(alert.receiver.as_str()),
                Cell::styled(state, style),
                Cell::plain(alert.alerts.to_string()),
                Cell::plain(moment::age(alert.since, now)),
                Cell::plain(alert.paged_at.map_or("-".to_owned(), |at| moment::age(at, now))),
                Cell::plain(cases.join(",")),
                Cell::plain(alert.title.clone().unwrap_or_else(|| alert.key.clone())),
            ],
            notes,
        );
    }
    table.write(out)
}

/// Writes silences.
///
/// # Errors
/// Those of `out`.
pub fn silences(out: &mut dyn Write, silences: &[SilenceView], now: Timestamp, format: Format) -> io::Result<()> {
    if format != Format::Table {
        return objects(out, silences, format);
    }
    if silences.is_empty() {
        return writeln!(out, "no silences");
    }
    let mut table = Table::new(0, &["SILENCE", "ENDS", "CLUSTERS", "TROUBLES", "HOSTS", "WHO", "WHY"]);
    let all = |words: Vec<String>| if words.is_empty() { "all".to_owned() } else { words.join(",") };
    for silence in silences {
        let troubles = silence.troubles.iter().map(|trouble| Trouble::word(*trouble).to_owned()).collect();
        table.row(
            vec![
                Cell::plain(silence.silence.to_string()),
                Cell::plain(format!("in {}", moment::age(now, silence.until))),
                Cell::plain(all(silence.clusters.clone())),
                Cell::plain(all(troubles)),
                Cell::plain(all(silence.hosts.clone())),
                Cell::plain(silence.who.as_str()),
                Cell::plain(silence.why.as_str()),
            ],
            Vec::new(),
        );
    }
    table.write(out)
}

fn objects<T: Serialize>(out: &mut dyn Write, items: &[T], format: Format) -> io::Result<()> {
    if format == Format::Json {
        json::write(out, items)?;
        return writeln!(out);
    }
    for item in items {
        json::write(out, item)?;
        writeln!(out)?;
    }
    Ok(())
}
