//! CreateLogStream, DeleteLogStream, DescribeLogStreams

use serde_json::{Value, json};

use super::{Asking, error::ApiError, names, port::StreamInfo, request, token};

/// Streams on one page.
const PAGE: i64 = 50;

pub(super) async fn create(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let group = names::group(asking.body, "logGroupName")?;
    let stream = names::stream(asking.body, "logStreamName")?;
    asking.api.logs.create_stream(group, stream, asking.now_ms).await?;
    Ok(json!({}))
}

pub(super) async fn delete(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let group = names::group(asking.body, "logGroupName")?;
    let stream = names::stream(asking.body, "logStreamName")?;
    asking.api.logs.delete_stream(group, stream).await?;
    Ok(json!({}))
}

pub(super) async fn describe(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let group = names::group_or_identifier(body)?;
    let prefix = request::text(body, "logStreamNamePrefix")?;
    let descending = request::flag(body, "descending", false)?;
    let by_time = match request::text(body, "orderBy")? {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") => true,
        Some(other) => {
            let rule = "Member must satisfy enum value set: [LogStreamName, LastEventTime]";
            return Err(ApiError::constraint(other, "orderBy", rule));
        }
    };
    if by_time && prefix.is_some() {
        return Err(ApiError::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let count = request::count(body, "limit", PAGE as usize, PAGE)?;
    let mut streams = asking.api.logs.streams(group, prefix).await?;
    if by_time {
        streams.sort_by(|one, other| (one.last_event_ms, &one.name).cmp(&(other.last_event_ms, &other.name)));
    }
    if descending {
        streams.reverse();
    }
    let token = request::text(body, "nextToken")?;
    let list = format!("DescribeLogStreams {group} {by_time} {descending}");
    let (page, next) = token::page(&list, streams, |stream| stream.name.clone(), token, count)?;
    let listed: Vec<Value> = page.iter().map(|stream| written(asking, group, stream)).collect();
    let mut answer = json!({ "logStreams": listed });
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

fn written(asking: &Asking<'_>, group: &str, stream: &StreamInfo) -> Value {
    let mut written = json!({
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": format!("{}:log-stream:{}", asking.group_arn(group), stream.name),
        "storedBytes": 0,
    });
    let times = [
        ("firstEventTimestamp", stream.first_event_ms),
        ("lastEventTimestamp", stream.last_event_ms),
        ("lastIngestionTime", stream.last_ingestion_ms),
    ];
    for (name, at) in times {
        if let Some(at) = at {
            written[name] = at.into();
        }
    }
    written
}
