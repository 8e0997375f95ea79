//! GetLogEvents: the events of one stream, page by page in either direction.

use serde_json::{Value, json};

use super::{
    Asking,
    chunk::Chunk,
    error::ApiError,
    names,
    port::{Place, StoredEvent, Streams, Wanted},
    request, token,
};

/// Events on one page.
const EVENTS_MAX: i64 = 10_000;
/// Bytes of messages on one page.
const PAGE_BYTES_MAX: usize = 1 << 20;

pub(super) async fn events(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let group = names::group_or_identifier(body)?;
    let stream = names::stream(body, "logStreamName")?;
    let from_ms = request::natural(body, "startTime")?.unwrap_or(0);
    // The end is the first moment that is not wanted any more.
    let to_ms = request::natural(body, "endTime")?.map_or(i64::MAX, |end| end.saturating_sub(1));
    let count = request::count(body, "limit", EVENTS_MAX as usize, EVENTS_MAX)?;
    let from_head = request::flag(body, "startFromHead", false)?;
    let list = format!("GetLogEvents {group} {stream}");
    let told = request::text(body, "nextToken")?;
    let (newest_first, beyond) = match told {
        None => (!from_head, None),
        Some(told) => {
            let (way, rest) = told.split_once('/').ok_or_else(token::invalid)?;
            let newest_first = match way {
                "f" => false,
                "b" => true,
                _ => return Err(token::invalid()),
            };
            let words = token::read(&list, rest)?;
            (newest_first, Some(token::place(&words).ok_or_else(token::invalid)?))
        }
    };
    let known = asking.api.logs.streams(group, Some(stream)).await?;
    if !known.iter().any(|known| known.name == stream) {
        return Err(ApiError::not_found("The specified log stream does not exist."));
    }
    let streams = Streams::Named(vec![stream.to_owned()]);
    let mut found: Vec<StoredEvent> = Vec::new();
    let (mut next, mut chunk, mut bytes) = (beyond, Chunk::first(count), 0);
    while from_ms <= to_ms && found.len() < count && bytes <= PAGE_BYTES_MAX {
        let count = chunk.count().min(count - found.len());
        let wanted = Wanted { streams: streams.clone(), from_ms, to_ms, beyond: next, newest_first, count };
        let read = asking.api.logs.events(group, &wanted).await?;
        let last = read.len() < count;
        let read_bytes = read.iter().map(|event| event.message.len()).sum();
        (chunk, bytes) = (chunk.after(read_bytes), bytes + read_bytes);
        next = read.last().map(|event| event.place).or(next);
        found.extend(read);
        if last {
            break;
        }
    }
    cut(&mut found);
    if newest_first {
        found.reverse();
    }
    let shown: Vec<Value> = found
        .iter()
        .map(|event| {
            let StoredEvent { place, message, .. } = event;
            json!({ "timestamp": place.timestamp_ms, "message": message, "ingestionTime": place.ingestion_ms })
        })
        .collect();
    // A page without events leaves both ways where they were: whoever asks again is told what has come meanwhile.
    let ends = match (found.first(), found.last()) {
        (Some(first), Some(last)) => (first.place, last.place),
        _ => beyond.map_or((lowest(from_ms), lowest(from_ms)), |place| (place, place)),
    };
    let written = |way: &str, place: Place| format!("{way}/{}", token::of(&list, &token::words(place)));
    Ok(json!({
        "events": shown,
        "nextForwardToken": written("f", ends.1),
        "nextBackwardToken": written("b", ends.0),
    }))
}

/// Before every event of a moment.
fn lowest(timestamp_ms: i64) -> Place {
    Place { timestamp_ms, ingestion_ms: i64::MIN, number: 0 }
}

/// As many events as a page holds; at least one.
fn cut(events: &mut Vec<StoredEvent>) {
    let mut bytes = 0;
    let fits = events.iter().take_while(|event| {
        bytes += event.message.len();
        bytes <= PAGE_BYTES_MAX
    });
    let fits = fits.count().max(1);
    events.truncate(fits);
}
