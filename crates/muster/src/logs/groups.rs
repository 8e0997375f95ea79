//! CreateLogGroup, DeleteLogGroup, DescribeLogGroups, PutRetentionPolicy, DeleteRetentionPolicy

use serde_json::{Value, json};

use super::{
    Asking,
    error::ApiError,
    names,
    port::{Class, GroupInfo},
    request, tags, token,
};

/// Groups on one page.
const PAGE: i64 = 50;

/// The days that events may be kept for.
const RETENTION_DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// `logGroupClass`, the usual one where nothing is said.
fn class(body: &Value) -> Result<Option<Class>, ApiError> {
    let Some(word) = request::text(body, "logGroupClass")? else { return Ok(None) };
    let refused = || {
        let rule = "Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY]";
        ApiError::constraint(word, "logGroupClass", rule)
    };
    Class::parse(word).map(Some).ok_or_else(refused)
}

pub(super) async fn create(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let name = names::group(asking.body, "logGroupName")?;
    let class = class(asking.body)?.unwrap_or_default();
    let given = tags::given(asking.body)?;
    asking.api.logs.create_group(name, class, asking.now_ms).await?;
    if !given.is_empty() {
        tags::keep(asking, name, given)?;
    }
    Ok(json!({}))
}

pub(super) async fn delete(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let name = names::group(asking.body, "logGroupName")?;
    asking.api.logs.delete_group(name).await?;
    asking.api.kept.change(|held| {
        held.tags.remove(name);
    })?;
    Ok(json!({}))
}

pub(super) async fn describe(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let prefix = request::text(body, "logGroupNamePrefix")?;
    let pattern = request::text(body, "logGroupNamePattern")?;
    if prefix.is_some() && pattern.is_some() {
        return Err(ApiError::invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let class = class(body)?;
    let identifiers = request::texts(body, "logGroupIdentifiers")?;
    let named: Vec<&str> = identifiers.iter().map(|identifier| names::of_arn(identifier)).collect();
    let count = request::count(body, "limit", PAGE as usize, PAGE)?;
    let mut groups = asking.api.logs.groups(prefix).await?;
    // A pattern is found anywhere in a name, whatever its letters' case.
    let pattern = pattern.map(str::to_lowercase);
    groups.retain(|group| {
        pattern.as_deref().is_none_or(|pattern| group.name.to_lowercase().contains(pattern))
            && class.is_none_or(|class| group.class == class)
            && (named.is_empty() || named.contains(&group.name.as_str()))
    });
    let token = request::text(body, "nextToken")?;
    let (page, next) = token::page("DescribeLogGroups", groups, |group| group.name.clone(), token, count)?;
    let listed: Vec<Value> = page.iter().map(|group| written(asking, group)).collect();
    let mut answer = json!({ "logGroups": listed });
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

fn written(asking: &Asking<'_>, group: &GroupInfo) -> Value {
    let arn = asking.group_arn(&group.name);
    let mut written = json!({
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "storedBytes": group.stored_bytes,
        "logGroupClass": group.class.word(),
        "logGroupArn": arn,
    });
    if let Some(days) = group.retention_days {
        written["retentionInDays"] = days.into();
    }
    written
}

pub(super) async fn put_retention(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let name = names::group(asking.body, "logGroupName")?;
    let days = request::int(asking.body, "retentionInDays")?.ok_or_else(|| request::missing("retentionInDays"))?;
    let known = u32::try_from(days).ok().filter(|_| RETENTION_DAYS.contains(&days)).ok_or_else(|| {
        ApiError::invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must \
             satisfy enum value set: {RETENTION_DAYS:?}"
        ))
    })?;
    asking.api.logs.set_retention(name, Some(known)).await?;
    Ok(json!({}))
}

pub(super) async fn delete_retention(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let name = names::group(asking.body, "logGroupName")?;
    asking.api.logs.set_retention(name, None).await?;
    Ok(json!({}))
}
