//! StartQuery, GetQueryResults, StopQuery, DescribeQueries
//!
//! | to learn | read |
//! |---|---|
//! | which groups a query reads | `groups` |
//! | queries under way and their results | [`registry`] |

mod groups;
pub mod registry;

use std::sync::Arc;

use insights::{
    Checked,
    ast::Instant,
    limits::{QUERY_CHARS_MAX, ROWS_MAX},
    period::{Period, Unit},
    rules::Rules,
};
use serde_json::{Value, json};

use super::{
    Asking,
    answer::request_id,
    error::ApiError,
    names,
    port::{Order, Results, Row, Stage, Statistics},
    request, token,
};
pub use registry::Registry;
use registry::{Known, Started};

/// Rows on one page of results.
const PAGE: i64 = 10_000;
/// What the rows of a page may take: wide ones make a page of fewer.
const PAGE_BYTES: usize = 8 << 20;

pub(super) async fn start(asking: &Asking<'_>, failed_id: &str) -> Result<Value, ApiError> {
    let body = asking.body;
    match request::text(body, "queryLanguage")? {
        None | Some("CWLI") => {}
        Some(language @ ("SQL" | "PPL")) => {
            return Err(ApiError::invalid(format!(
                "{language} is not spoken here; write the query in the language of Logs Insights (CWLI)"
            )));
        }
        Some(other) => {
            let rule = "Member must satisfy enum value set: [CWLI, SQL, PPL]";
            return Err(ApiError::constraint(other, "queryLanguage", rule));
        }
    }
    let text = request::required(body, "queryString")?;
    request::no_longer_than(text, "queryString", QUERY_CHARS_MAX)?;
    let limit = request::int(body, "limit")?.map(|_| request::count(body, "limit", 1, ROWS_MAX as i64)).transpose()?;
    let checked = compiled(text.to_owned()).await?;
    let source = checked.query.source.as_ref();
    let secs = |member: &str| -> Result<i64, ApiError> {
        let told = request::natural(body, member)?;
        told.ok_or_else(|| request::missing(member))
    };
    let (start, end) = (secs("startTime")?, secs("endTime")?);
    let instant = |instant: Option<Instant>| {
        instant.map(|instant| match instant {
            Instant::Now => asking.now_ms,
            Instant::Ago(period) => asking.now_ms.saturating_sub(length_ms(period)),
            Instant::At(ms) => i64::try_from(ms).unwrap_or(i64::MAX),
        })
    };
    // Both ends count, and a second has a thousand milliseconds.
    let from_ms = instant(source.and_then(|source| source.start)).unwrap_or(start.saturating_mul(1_000));
    let to_ms = instant(source.and_then(|source| source.end)).unwrap_or(end.saturating_mul(1_000).saturating_add(999));
    if from_ms > to_ms {
        return Err(ApiError::invalid(format!("The end time ({end}) lies before the start time ({start}).")));
    }
    let groups = groups::of(asking, source, failed_id).await?;
    let id = request_id();
    let order = Order {
        text: text.to_owned(),
        checked,
        groups: groups.clone(),
        from_ms,
        to_ms,
        now_ms: asking.now_ms,
        limit: limit.map(|limit| limit as u64),
    };
    let started = Started { text: text.to_owned(), groups, from_ms, to_ms, created_ms: asking.now_ms };
    asking.api.queries.start(&id, started, order).await?;
    Ok(json!({ "queryId": id }))
}

/// Reads and checks a query, away from the threads that watch the fleet: its regular expressions may be large.
async fn compiled(text: String) -> Result<Checked, ApiError> {
    let compiled = tokio::task::spawn_blocking(move || insights::compile(&text, &Rules::default())).await;
    let compiled = compiled.map_err(|error| ApiError::unavailable(format!("the query could not be read: {error}")))?;
    compiled.map_err(|error| ApiError::malformed(&error))
}

/// Months and what is made of them have the lengths of the usual ones.
fn length_ms(period: Period) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    let amount = i64::from(period.amount);
    period.millis().unwrap_or_else(|| {
        amount.saturating_mul(match period.unit {
            Unit::Year => 365 * DAY_MS,
            Unit::Quarter => 91 * DAY_MS,
            _ => 30 * DAY_MS,
        })
    })
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!("Query with ID '{id}' does not exist"))
}

pub(super) async fn results(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let id = request::required(body, "queryId")?;
    let count = request::count(body, "maxItems", PAGE as usize, PAGE)?;
    let token = request::text(body, "nextToken")?;
    let list = format!("GetQueryResults {id}");
    let from = token.map(|token| token::read(&list, token)?.parse::<usize>().map_err(|_| token::invalid()));
    let from = from.transpose()?.unwrap_or(0);
    let found = asking.api.queries.results(id, asking.now_ms).await.ok_or_else(|| unknown(id))?;
    let results = found.results;
    let rows = page(Arc::clone(&results), from, count).await?;
    let on_page = rows.len();
    let mut answer = json!({
        "queryLanguage": "CWLI",
        "results": rows,
        "statistics": statistics(&results.statistics, results.rows.count()),
        "status": found.stage.word(),
    });
    let next = from.saturating_add(on_page);
    // A page of a running query has none after it: rows may yet change.
    if found.stage.is_over() && results.rows.count() > next {
        answer["nextToken"] = token::of(&list, &next.to_string()).into();
    }
    if let Some(why) = results.failure.as_deref() {
        tracing::warn!(id, why, "a query has failed");
        // AWS says no more than Failed; whoever reads the answer itself is told why.
        answer["failureReason"] = why.into();
    }
    Ok(answer)
}

/// Some of the rows, as JSON, written away from the threads that watch the fleet.
async fn page(results: Arc<Results>, from: usize, count: usize) -> Result<Vec<Value>, ApiError> {
    let write = move || Ok(results.rows.page(from, count, PAGE_BYTES)?.into_iter().map(written).collect());
    let page: std::io::Result<_> = tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(error.into()));
    page.map_err(|error| ApiError::unavailable(format!("the rows of the query cannot be read: {error}")))
}

fn written(row: Row) -> Value {
    let pairs = row.into_iter().map(|(field, value)| json!({ "field": field, "value": value }));
    Value::Array(pairs.collect())
}

fn statistics(of: &Statistics, rows: usize) -> Value {
    json!({
        "recordsMatched": of.records_matched,
        "recordsScanned": of.records_scanned,
        "bytesScanned": of.bytes_scanned,
        "estimatedRecordsSkipped": of.estimated_records_skipped,
        "estimatedBytesSkipped": of.estimated_bytes_skipped,
        "logGroupsScanned": of.groups_scanned,
        "resultCount": rows as f64,
    })
}

pub(super) fn stop(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let id = request::required(asking.body, "queryId")?;
    let stage = asking.api.queries.stop(id, asking.now_ms).ok_or_else(|| unknown(id))?;
    if stage.is_over() {
        let why =
            format!("Query with ID '{id}' cannot be stopped because it is not running: its status is {}", stage.word());
        return Err(ApiError::invalid(why));
    }
    Ok(json!({ "success": true }))
}

pub(super) fn describe(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let group = request::text(body, "logGroupName")?;
    if let Some(group) = group {
        names::check_group(group, "logGroupName")?;
    }
    let words: Vec<&str> = STAGES.iter().map(|stage| stage.word()).collect();
    let wanted = match request::text(body, "status")? {
        None => None,
        Some(word) if words.contains(&word) || word == "Unknown" => Some(word),
        Some(other) => {
            let rule = format!("Member must satisfy enum value set: [{}, Unknown]", words.join(", "));
            return Err(ApiError::constraint(other, "status", &rule));
        }
    };
    let count = request::count(body, "maxResults", 1_000, 1_000)?;
    let token = request::text(body, "nextToken")?;
    let language = request::text(body, "queryLanguage")?;
    let mut found: Vec<Known> = asking.api.queries.list(asking.now_ms);
    found.retain(|known| {
        group.is_none_or(|group| known.started.groups.iter().any(|name| name == group))
            && wanted.is_none_or(|wanted| known.stage.word() == wanted)
            && language.is_none_or(|language| language == "CWLI")
    });
    let (page, next) = token::page("DescribeQueries", found, |known| known.id.clone(), token, count)?;
    let listed: Vec<Value> = page.iter().map(|known| described(asking, known, group)).collect();
    let mut answer = json!({ "queries": listed });
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

const STAGES: [Stage; 6] =
    [Stage::Scheduled, Stage::Running, Stage::Complete, Stage::Failed, Stage::Cancelled, Stage::Timeout];

fn described(asking: &Asking<'_>, known: &Known, asked_group: Option<&str>) -> Value {
    let Started { text, groups, from_ms, to_ms, created_ms } = &known.started;
    let named: Vec<String> = groups.iter().map(|group| format!("\"{group}\"")).collect();
    json!({
        "queryLanguage": "CWLI",
        "queryId": known.id,
        "queryString": format!("SOURCE {} START={from_ms} END={to_ms} | {text}", named.join(", ")),
        "status": known.stage.word(),
        "createTime": created_ms,
        "logGroupName": asked_group.or(groups.first().map(String::as_str)).unwrap_or_default(),
        "queryDuration": known.lasted_ms,
        "bytesScanned": known.bytes_scanned,
        "userIdentity": format!("arn:aws:iam::{}:root", asking.api.account),
    })
}
