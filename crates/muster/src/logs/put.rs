//! PutLogEvents

use serde_json::{Value, json};
use telemetry::event::Event;

use super::{Asking, error::ApiError, names, request};

/// Events of one batch.
const EVENTS_MAX: usize = 10_000;
/// Bytes of one batch: those of its messages in UTF-8, and [`EVENT_EXTRA_BYTES`] for each.
const BATCH_BYTES_MAX: usize = 1_048_576;
/// What each event counts beside its message.
const EVENT_EXTRA_BYTES: usize = 26;
/// From the first to the last event of a batch.
const SPAN_MS_MAX: i64 = 24 * 3_600_000;

pub(super) async fn events(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let group = names::group(asking.body, "logGroupName")?;
    let stream = names::stream(asking.body, "logStreamName")?;
    let events = batch(asking.body)?;
    let put = asking.api.logs.put(group, stream, events, asking.now_ms).await?;
    // Nobody needs it any more, and older clients insist on one.
    let mut answer = json!({ "nextSequenceToken": format!("{:056}", asking.now_ms) });
    let rejected = [
        ("tooNewLogEventStartIndex", put.too_new_from),
        ("tooOldLogEventEndIndex", put.too_old_to),
        ("expiredLogEventEndIndex", put.expired_to),
    ];
    for (name, index) in rejected {
        if let Some(index) = index {
            answer["rejectedLogEventsInfo"][name] = index.into();
        }
    }
    Ok(answer)
}

/// The events of a request, within the limits of a batch.
fn batch(body: &Value) -> Result<Vec<Event>, ApiError> {
    let list = match body.get("logEvents") {
        None | Some(Value::Null) => return Err(request::missing("logEvents")),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(ApiError::of("SerializationException", "logEvents has to be a list")),
    };
    if list.is_empty() {
        let rule = "Member must have length greater than or equal to 1";
        return Err(ApiError::constraint("[]", "logEvents", rule));
    }
    if list.len() > EVENTS_MAX {
        let rule = format!("Member must have length less than or equal to {EVENTS_MAX}");
        return Err(ApiError::constraint(&format!("[{} events]", list.len()), "logEvents", &rule));
    }
    let mut events: Vec<Event> = Vec::with_capacity(list.len());
    let mut bytes = 0;
    for (index, one) in list.iter().enumerate() {
        let at = index + 1;
        let member = |name: &str| format!("logEvents.{at}.member.{name}");
        let timestamp_ms = request::natural(one, "timestamp")?.ok_or_else(|| request::missing(&member("timestamp")))?;
        let message = request::text(one, "message")?.ok_or_else(|| request::missing(&member("message")))?;
        if message.is_empty() {
            let rule = "Member must have length greater than or equal to 1";
            return Err(ApiError::constraint("", &member("message"), rule));
        }
        let size = message.len() + EVENT_EXTRA_BYTES;
        if size > BATCH_BYTES_MAX {
            return Err(ApiError::invalid(format!(
                "Log event too large: {size} bytes exceeds limit of {BATCH_BYTES_MAX}"
            )));
        }
        bytes += size;
        if events.last().is_some_and(|last| timestamp_ms < last.timestamp_ms) {
            return Err(ApiError::invalid(
                "Log events in a single PutLogEvents request must be in chronological order.",
            ));
        }
        events.push(Event { timestamp_ms, message: message.to_owned() });
    }
    if bytes > BATCH_BYTES_MAX {
        return Err(ApiError::invalid(format!("Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES_MAX}")));
    }
    let span_ms = match (events.first(), events.last()) {
        (Some(first), Some(last)) => last.timestamp_ms.saturating_sub(first.timestamp_ms),
        _ => 0,
    };
    if span_ms > SPAN_MS_MAX {
        return Err(ApiError::invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: Value) -> String {
        match batch(&json!({ "logEvents": events })) {
            Ok(events) => format!("{} taken", events.len()),
            Err(error) => error.message().to_owned(),
        }
    }

    fn event(timestamp: i64, message: &str) -> Value {
        json!({ "timestamp": timestamp, "message": message })
    }

    #[test]
    fn a_batch_keeps_to_the_limits_of_the_service() {
        let day = 24 * 3_600_000;
        assert_eq!(told(json!([event(5, "a"), event(5, "b"), event(5 + day, "c")])), "3 taken");
        assert!(told(json!([event(5, "a"), event(6 + day, "c")])).contains("more than 24 hours"));
        assert!(told(json!([event(5, "a"), event(4, "b")])).contains("chronological order"));
        assert!(told(json!([])).contains("greater than or equal to 1"));
        assert!(told(json!([event(5, "")])).contains("logEvents.1.member.message"));
        assert!(told(json!([event(-5, "a")])).contains("greater than or equal to 0"));
        assert!(told(json!([{ "message": "a" }])).contains("logEvents.1.member.timestamp"));
        assert!(told(json!([{ "timestamp": 5 }])).contains("logEvents.1.member.message"));
        assert!(told(Value::Null).contains("must not be null"));
        assert_eq!(told(Value::Array(vec![event(5, "a"); 10_000])), "10000 taken");
        assert!(told(Value::Array(vec![event(5, "a"); 10_001])).contains("less than or equal to 10000"));
    }

    #[test]
    fn bytes_are_counted_as_the_service_counts_them() {
        let fits = "x".repeat(BATCH_BYTES_MAX / 2 - EVENT_EXTRA_BYTES);
        assert_eq!(told(json!([event(5, &fits), event(5, &fits)])), "2 taken");
        let over = format!("{fits}x");
        assert!(told(json!([event(5, &fits), event(5, &over)])).contains("Upload too large: 1048577 bytes"));
        let one = "ä".repeat(BATCH_BYTES_MAX / 2);
        assert!(told(json!([event(5, &one)])).contains("Log event too large"));
    }
}
