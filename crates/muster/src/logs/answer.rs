//! How a request comes in and an answer goes out: awsJson 1.1, one operation a request, told by the header X-Amz-Target.

use axum::{
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde_json::Value;
use wire::{json, sigv4::Authorization};

use super::{
    Api, Asking, definitions,
    error::{ApiError, CONTENT_TYPE},
    filter, get, groups, metric_filter, put, queries, record, streams, tags, unpack,
};
use crate::http::{Served, access};

/// The name before the dot in the target.
const SERVICE: &str = "Logs_20140328";

/// The largest body, packed and unpacked. A batch of a megabyte can take six in JSON, where each of its bytes is escaped.
pub const BODY_BYTES: usize = 8 << 20;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// Fluent Bit takes an answer for broken that does not have these letters in it, large and small as here. Names of headers are
/// written in small letters, so they stand in the value of one that changes nothing.
const REQUEST_ID_AS_AWS_WRITES_IT: HeaderValue = HeaderValue::from_static("x-amzn-RequestId");

/// Answers what is asked at the root.
pub async fn root(State(served): State<Served>, request: Request) -> Response {
    let logs = served.logs.now();
    respond(logs.as_ref().map(|ready| &ready.api), request).await
}

/// Answers one request; without an API, says why there is none.
pub async fn respond(api: Result<&Api, &ApiError>, request: Request) -> Response {
    let request_id = request_id();
    let answered = match api {
        Ok(api) => answer(api, request, &request_id).await,
        Err(why) => Err(why.clone()),
    };
    let mut response = match answered {
        Ok(value) => {
            let mut response = (StatusCode::OK, value.to_string()).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
            response
        }
        Err(error) => error.into_response(),
    };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, REQUEST_ID_AS_AWS_WRITES_IT);
    response
}

async fn answer(api: &Api, request: Request, request_id: &str) -> Result<Value, ApiError> {
    let peer = access::peer(&request);
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let Some((service, operation)) = header(json::TARGET_HEADER).and_then(json::split_target) else {
        return Err(ApiError::of(
            "UnknownOperationException",
            "POST / takes requests of CloudWatch Logs: the header X-Amz-Target has to be Logs_20140328.OPERATION",
        ));
    };
    if service != SERVICE {
        return Err(ApiError::of(
            "UnknownOperationException",
            format!("{service} is not spoken here; muster answers CloudWatch Logs ({SERVICE})"),
        ));
    }
    let encoding = unpack::Encoding::of(&head.headers)?;
    let body = to_bytes(body, BODY_BYTES)
        .await
        .map_err(|_| ApiError::too_large(format!("the body is longer than {BODY_BYTES} bytes, or was cut off")))?;
    let now = Timestamp::now();
    // What is signed are the bytes as they were sent.
    api.keys.admit(&head, &body, peer, operation, now)?;
    let body = read(&encoding.unpack(body, BODY_BYTES)?)?;
    let signed = Authorization::of(&head.headers);
    let region = signed.map(|signed| signed.region).filter(|region| is_region(region)).unwrap_or(&api.region);
    let asking = Asking { api, body: &body, region, now_ms: now.as_millisecond() };
    perform(&asking, operation, request_id).await
}

/// The region stands in ARNs: what could not be one is not repeated.
fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn read(body: &Bytes) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(ApiError::of("SerializationException", "the body has to be a JSON object")),
        Err(error) => Err(ApiError::of("SerializationException", format!("the body is no JSON: {error}"))),
    }
}

async fn perform(asking: &Asking<'_>, operation: &str, request_id: &str) -> Result<Value, ApiError> {
    match operation {
        "CreateLogGroup" => groups::create(asking).await,
        "DeleteLogGroup" => groups::delete(asking).await,
        "DescribeLogGroups" => groups::describe(asking).await,
        "PutRetentionPolicy" => groups::put_retention(asking).await,
        "DeleteRetentionPolicy" => groups::delete_retention(asking).await,
        "TagResource" | "TagLogGroup" => tags::tag(asking).await,
        "UntagResource" | "UntagLogGroup" => tags::untag(asking).await,
        "ListTagsForResource" | "ListTagsLogGroup" => tags::list(asking).await,
        "CreateLogStream" => streams::create(asking).await,
        "DeleteLogStream" => streams::delete(asking).await,
        "DescribeLogStreams" => streams::describe(asking).await,
        "PutLogEvents" => put::events(asking).await,
        "GetLogEvents" => get::events(asking).await,
        "FilterLogEvents" => filter::events(asking).await,
        "GetLogRecord" => record::get(asking).await,
        "GetLogGroupFields" => record::fields(asking).await,
        "StartQuery" => queries::start(asking, request_id).await,
        "GetQueryResults" => queries::results(asking).await,
        "StopQuery" => queries::stop(asking),
        "DescribeQueries" => queries::describe(asking),
        "PutQueryDefinition" => definitions::put(asking),
        "DescribeQueryDefinitions" => definitions::describe(asking),
        "DeleteQueryDefinition" => definitions::delete(asking),
        "TestMetricFilter" => metric_filter::test(asking),
        _ => Err(ApiError::of(
            "UnknownOperationException",
            format!("muster does not answer {operation} of CloudWatch Logs"),
        )),
    }
}

/// A name for a request or a query: in the form of a UUID of chance.
pub(super) fn request_id() -> String {
    let bits = fastrand::u128(..);
    let text = format!("{bits:032x}");
    format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
}
