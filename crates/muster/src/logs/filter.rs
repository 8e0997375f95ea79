//! FilterLogEvents: the events of a group that a pattern matches.

use std::time::{Duration, Instant};

use insights::FilterPattern;
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
/// Streams that can be named.
const STREAMS_MAX: usize = 100;
/// A page is given after so long, with what was found until then, if only a token.
const PAGE_TIME: Duration = Duration::from_secs(5);

pub(super) async fn events(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let group = names::group_or_identifier(body)?;
    let streams = streams(body)?;
    let from_ms = request::natural(body, "startTime")?.unwrap_or(0);
    let to_ms = request::natural(body, "endTime")?.unwrap_or(i64::MAX);
    if from_ms > to_ms {
        return Err(ApiError::invalid("startTime is after endTime: no event can lie between them."));
    }
    let limit = request::count(body, "limit", EVENTS_MAX as usize, EVENTS_MAX)?;
    let newest_first = !request::flag(body, "startFromHead", true)?;
    let text = request::text(body, "filterPattern")?.unwrap_or_default();
    request::no_longer_than(text, "filterPattern", insights::limits::PATTERN_CHARS_MAX)?;
    let pattern = FilterPattern::parse(text)
        .map_err(|error| ApiError::invalid(format!("Invalid filter pattern: {error}\n{}", error.pointed())))?;
    let list = format!("FilterLogEvents {group} {streams:?} {from_ms} {to_ms} {newest_first} {text}");
    let told = request::text(body, "nextToken")?;
    let mut beyond = told.map(|told| token::read_place(&list, told, asking.now_ms)).transpose()?;

    asking.api.logs.group(group).await?;
    let began = Instant::now();
    let (mut shown, mut bytes) = (Vec::new(), 0);
    // Whoever wants everything needs one event more than a page holds, to know that there is more.
    let mut chunk = Chunk::first(if text.trim().is_empty() { limit + 1 } else { usize::MAX });
    let more = 'pages: loop {
        let count = chunk.count();
        let wanted = Wanted { streams: streams.clone(), from_ms, to_ms, beyond, newest_first, count };
        let read = asking.api.logs.events(group, &wanted).await?;
        let last = read.len() < count;
        chunk = chunk.after(read.iter().map(|event| event.message.len()).sum());
        for event in read {
            if pattern.is_match(&event.message) {
                bytes += event.message.len();
                if shown.len() == limit || (bytes > PAGE_BYTES_MAX && !shown.is_empty()) {
                    break 'pages true;
                }
                shown.push(written(&event));
            }
            beyond = Some(event.place);
        }
        if last {
            break false;
        }
        if began.elapsed() > PAGE_TIME {
            break true;
        }
    };
    let mut answer = json!({ "events": shown, "searchedLogStreams": [] });
    if let Some(place) = beyond.filter(|_| more) {
        answer["nextToken"] = token::of_place(&list, place, asking.now_ms).into();
    }
    Ok(answer)
}

fn streams(body: &Value) -> Result<Streams, ApiError> {
    let named = request::texts(body, "logStreamNames")?;
    let prefix = request::text(body, "logStreamNamePrefix")?;
    match (named.is_empty(), prefix) {
        (false, Some(_)) => Err(ApiError::invalid(
            "logStreamNames and logStreamNamePrefix cannot both be given: name the streams, or their beginning",
        )),
        (false, None) if named.len() > STREAMS_MAX => {
            let rule = format!("Member must have length less than or equal to {STREAMS_MAX}");
            Err(ApiError::constraint(&format!("[{} names]", named.len()), "logStreamNames", &rule))
        }
        (false, None) => Ok(Streams::Named(named)),
        (true, Some(prefix)) => Ok(Streams::Prefix(prefix.to_owned())),
        (true, None) => Ok(Streams::All),
    }
}

fn written(event: &StoredEvent) -> Value {
    let StoredEvent { place, stream, message } = event;
    json!({
        "logStreamName": stream,
        "timestamp": place.timestamp_ms,
        "message": message,
        "ingestionTime": place.ingestion_ms,
        "eventId": event_id(*place),
    })
}

/// 56 digits, as long as AWS's, that grow with time.
fn event_id(place: Place) -> String {
    format!("{:020}{:036}", place.timestamp_ms.max(0), place.number)
}
