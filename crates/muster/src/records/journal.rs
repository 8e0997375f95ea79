//! muster's own journal as a log, so that queries find in it what was concluded and done beside what hosts and services tell.

use std::{path::PathBuf, sync::Arc, time::Duration};

use engine::{journal::JournalReader, ports::JournalError};
use serde_json::Value;
use telemetry::event::Event;
use tokio_util::sync::CancellationToken;

use super::{batch::batches, made::made};
use crate::logs::port::{Logs, LogsError, Streams, Wanted};

/// The log group.
pub const GROUP: &str = "/muster/journal";
/// The log stream.
pub const STREAM: &str = "entries";

/// Entries that are read at once.
const AT_ONCE: usize = 1_000;
/// The journal is looked at so often.
const PAUSE: Duration = Duration::from_secs(2);

/// Follows the journal of this folder until it is stopped. Whatever is in the log already is not put again.
pub async fn follow(dir: PathBuf, logs: Arc<dyn Logs>, retention_days: u32, stop: CancellationToken) {
    let mut told: Option<i64> = None;
    loop {
        match go_on(&dir, &logs, retention_days, told).await {
            Ok(last) => told = Some(last),
            // It is tried again from the same entry.
            Err(why) => tracing::warn!(why, "the journal could not be put into the logs"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Puts what is new, and gives the number of the last entry that is in the log.
async fn go_on(
    dir: &std::path::Path,
    logs: &Arc<dyn Logs>,
    retention_days: u32,
    told: Option<i64>,
) -> Result<i64, String> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let mut last = match told {
        Some(told) => told,
        None => begin(logs, retention_days, now_ms).await.map_err(|error| error.to_string())?,
    };
    loop {
        let (dir, after) = (dir.to_owned(), last);
        let read = tokio::task::spawn_blocking(move || read(&dir, after)).await;
        let entries = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let count = entries.len();
        // The journal's time never runs backwards.
        let (batches, too_large) = batches(entries);
        for seq in too_large {
            tracing::warn!(seq, "an entry of the journal is larger than a log takes; the journal itself has it");
        }
        for batch in batches {
            let seq = batch.last().map_or(last, |(seq, _)| *seq);
            let events = batch.into_iter().map(|(_, event)| event).collect();
            logs.put(GROUP, STREAM, events, now_ms).await.map_err(|error| error.to_string())?;
            last = seq;
        }
        if count < AT_ONCE {
            return Ok(last);
        }
    }
}

/// Makes group and stream, or finds out how far the log has come.
async fn begin(logs: &Arc<dyn Logs>, retention_days: u32, now_ms: i64) -> Result<i64, LogsError> {
    made(&**logs, GROUP, STREAM, retention_days, now_ms).await?;
    let wanted = Wanted {
        streams: Streams::Named(vec![STREAM.to_owned()]),
        from_ms: 0,
        to_ms: i64::MAX,
        beyond: None,
        newest_first: true,
        count: 1,
    };
    let newest = logs.events(GROUP, &wanted).await?;
    let seq = newest.first().and_then(|event| serde_json::from_str::<Value>(&event.message).ok()?["seq"].as_i64());
    Ok(seq.unwrap_or(0))
}

/// Entries after one of them, as events with their numbers.
fn read(dir: &std::path::Path, after: i64) -> Result<Vec<(i64, Event)>, JournalError> {
    let journal = JournalReader::open(dir)?;
    let mut entries = Vec::new();
    journal.read(after, &mut |entry| {
        if let Ok(message) = serde_json::to_string(&entry) {
            entries.push((entry.seq, Event { timestamp_ms: entry.at.as_millisecond(), message }));
        }
        entries.len() < AT_ONCE
    })?;
    Ok(entries)
}
