//! PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition

use insights::{limits::QUERY_CHARS_MAX, rules::Rules};
use serde_json::{Value, json};

use super::{Asking, answer::request_id, error::ApiError, kept::Definition, names, request, token};

/// Definitions that are kept.
const MOST: usize = 1_000;
const PAGE: i64 = 1_000;

pub(super) fn put(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let name = request::required(body, "name")?;
    if name.is_empty() {
        return Err(ApiError::constraint("", "name", "Member must have length greater than or equal to 1"));
    }
    request::no_longer_than(name, "name", 255)?;
    let text = request::required(body, "queryString")?;
    if text.is_empty() {
        return Err(ApiError::constraint("", "queryString", "Member must have length greater than or equal to 1"));
    }
    request::no_longer_than(text, "queryString", QUERY_CHARS_MAX)?;
    let parameters =
        body.get("parameters").filter(|parameters| parameters.as_array().is_some_and(|list| !list.is_empty()));
    // With parameters it becomes a query only when they are filled in.
    if parameters.is_none() {
        insights::compile(text, &Rules::default()).map_err(|error| ApiError::malformed(&error))?;
    }
    let groups = request::texts(body, "logGroupNames")?;
    for group in &groups {
        names::check_group(names::of_arn(group), "logGroupNames")?;
    }
    let told = request::text(body, "queryDefinitionId")?.filter(|id| !id.is_empty());
    let id = told.map_or_else(request_id, str::to_owned);
    let definition = Definition {
        query_definition_id: id.clone(),
        name: name.to_owned(),
        query_string: text.to_owned(),
        log_group_names: groups,
        last_modified: asking.now_ms,
        parameters: parameters.cloned(),
    };
    let kept = &asking.api.kept;
    let (known, count) = kept.look(|held| (held.definitions.contains_key(&id), held.definitions.len()));
    if told.is_some() && !known {
        return Err(ApiError::not_found(format!("There is no query definition with the id {id}.")));
    }
    if !known && count >= MOST {
        return Err(ApiError::limit(format!("There are {MOST} query definitions already: delete one first.")));
    }
    kept.change(|held| held.definitions.insert(id.clone(), definition))?;
    Ok(json!({ "queryDefinitionId": id }))
}

pub(super) fn describe(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let body = asking.body;
    let prefix = request::text(body, "queryDefinitionNamePrefix")?.unwrap_or_default();
    let count = request::count(body, "maxResults", PAGE as usize, PAGE)?;
    let token = request::text(body, "nextToken")?;
    if let Some(language @ ("SQL" | "PPL")) = request::text(body, "queryLanguage")? {
        tracing::debug!(language, "no definitions are kept in this language");
        return Ok(json!({ "queryDefinitions": [] }));
    }
    let mut found: Vec<Definition> = asking.api.kept.look(|held| held.definitions.values().cloned().collect());
    found.retain(|definition| definition.name.starts_with(prefix));
    let key = |definition: &Definition| format!("{}\n{}", definition.name, definition.query_definition_id);
    found.sort_by_key(key);
    let (page, next) = token::page("DescribeQueryDefinitions", found, key, token, count)?;
    let listed: Vec<Value> = page
        .iter()
        .map(|definition| {
            let mut written = serde_json::to_value(definition).unwrap_or_default();
            written["queryLanguage"] = "CWLI".into();
            written
        })
        .collect();
    let mut answer = json!({ "queryDefinitions": listed });
    if let Some(next) = next {
        answer["nextToken"] = next.into();
    }
    Ok(answer)
}

pub(super) fn delete(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let id = request::required(asking.body, "queryDefinitionId")?;
    let gone = asking.api.kept.change(|held| held.definitions.remove(id))?;
    if gone.is_none() {
        return Err(ApiError::not_found(format!("There is no query definition with the id {id}.")));
    }
    Ok(json!({ "success": true }))
}
