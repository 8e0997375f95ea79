//! TagResource, UntagResource, ListTagsForResource, and the older three that do the same for groups alone

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Asking, error::ApiError, names, request};

/// Tags that one group may have.
const MOST: usize = 50;

/// The group that the request is about: by ARN, or in the older operations by name.
fn subject(body: &Value) -> Result<&str, ApiError> {
    match request::text(body, "resourceArn")? {
        Some(arn) => {
            let name = names::of_arn(arn);
            names::check_group(name, "resourceArn")?;
            Ok(name)
        }
        None => names::group(body, "logGroupName"),
    }
}

/// The tags of a request.
pub(super) fn given(body: &Value) -> Result<BTreeMap<String, String>, ApiError> {
    match body.get("tags") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(tags)) => {
            let mut found = BTreeMap::new();
            for (key, value) in tags {
                let value =
                    value.as_str().ok_or_else(|| ApiError::invalid(format!("the tag {key} has no text as value")))?;
                if key.is_empty() {
                    return Err(ApiError::constraint(
                        "",
                        "tags",
                        "Map keys must have length greater than or equal to 1",
                    ));
                }
                request::no_longer_than(key, "tags", 128)?;
                request::no_longer_than(value, "tags", 256)?;
                found.insert(key.clone(), value.to_owned());
            }
            Ok(found)
        }
        Some(_) => Err(ApiError::of("SerializationException", "tags has to be an object of texts")),
    }
}

/// Adds tags to those of a group that exists.
pub(super) fn keep(asking: &Asking<'_>, group: &str, given: BTreeMap<String, String>) -> Result<(), ApiError> {
    let have = asking.api.kept.look(|held| held.tags.get(group).cloned()).unwrap_or_default();
    let new = given.keys().filter(|key| !have.contains_key(*key)).count();
    if have.len() + new > MOST {
        return Err(ApiError::of("TooManyTagsException", format!("a log group has at most {MOST} tags")));
    }
    asking.api.kept.change(|held| held.tags.entry(group.to_owned()).or_default().extend(given))
}

pub(super) async fn tag(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let group = subject(asking.body)?;
    let given = given(asking.body)?;
    asking.api.logs.group(group).await?;
    keep(asking, group, given)?;
    Ok(json!({}))
}

pub(super) async fn untag(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let group = subject(asking.body)?;
    let mut keys = request::texts(asking.body, "tagKeys")?;
    keys.extend(request::texts(asking.body, "tags")?);
    asking.api.logs.group(group).await?;
    asking.api.kept.change(|held| {
        if let Some(tags) = held.tags.get_mut(group) {
            tags.retain(|key, _| !keys.contains(key));
        }
    })?;
    Ok(json!({}))
}

pub(super) async fn list(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let group = subject(asking.body)?;
    asking.api.logs.group(group).await?;
    let tags = asking.api.kept.look(|held| held.tags.get(group).cloned()).unwrap_or_default();
    Ok(json!({ "tags": tags }))
}
