//! Members of a request, and the service's words for those that break a rule.

use serde_json::Value;

use super::error::ApiError;

/// A text; `None` where there is none or null.
///
/// # Errors
/// When it is there and no text.
pub(super) fn text<'a>(body: &'a Value, member: &str) -> Result<Option<&'a str>, ApiError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(member, "a string", other)),
    }
}

/// A text that has to be there.
///
/// # Errors
/// When it is not.
pub(super) fn required<'a>(body: &'a Value, member: &str) -> Result<&'a str, ApiError> {
    text(body, member)?.ok_or_else(|| missing(member))
}

/// A member that has to be there is not.
pub(super) fn missing(member: &str) -> ApiError {
    ApiError::invalid(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

/// Texts; none where there is no such member.
///
/// # Errors
/// When it is no list of texts.
pub(super) fn texts(body: &Value, member: &str) -> Result<Vec<String>, ApiError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list
            .iter()
            .map(|one| one.as_str().map(str::to_owned).ok_or_else(|| wrong_type(member, "a list of strings", one)))
            .collect(),
        Some(other) => Err(wrong_type(member, "a list of strings", other)),
    }
}

/// A whole number.
///
/// # Errors
/// When it is there and no whole number.
pub(super) fn int(body: &Value, member: &str) -> Result<Option<i64>, ApiError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(None),
        // Some clients write times as 1.7e12.
        Some(value) => value
            .as_i64()
            .or_else(|| {
                value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15).map(|it| it as i64)
            })
            .map(Some)
            .ok_or_else(|| wrong_type(member, "a whole number", value)),
    }
}

/// A time in milliseconds, or whatever else is not negative.
///
/// # Errors
/// When it is negative, or no whole number.
pub(super) fn natural(body: &Value, member: &str) -> Result<Option<i64>, ApiError> {
    match int(body, member)? {
        Some(number) if number < 0 => Err(at_least(number, member, 0)),
        other => Ok(other),
    }
}

/// A count from 1 to `most`, else `usual`.
///
/// # Errors
/// When it is out of range.
pub(super) fn count(body: &Value, member: &str, usual: usize, most: i64) -> Result<usize, ApiError> {
    match int(body, member)? {
        None => Ok(usual),
        Some(number) if number < 1 => Err(at_least(number, member, 1)),
        Some(number) if number > most => Err(ApiError::constraint(
            &number.to_string(),
            member,
            &format!("Member must have value less than or equal to {most}"),
        )),
        Some(number) => Ok(usize::try_from(number).unwrap_or(usual)),
    }
}

/// True or false; false where nothing is said.
///
/// # Errors
/// When it is neither.
pub(super) fn flag(body: &Value, member: &str, usual: bool) -> Result<bool, ApiError> {
    match body.get(member) {
        None | Some(Value::Null) => Ok(usual),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(wrong_type(member, "true or false", other)),
    }
}

/// A text of at most so many characters.
///
/// # Errors
/// When it is longer.
pub(super) fn no_longer_than(text: &str, member: &str, most: usize) -> Result<(), ApiError> {
    if text.chars().count() <= most {
        return Ok(());
    }
    // A text that is too long is not sent back whole.
    let shown: String = text.chars().take(64).collect();
    Err(ApiError::constraint(
        &format!("{shown}..."),
        member,
        &format!("Member must have length less than or equal to {most}"),
    ))
}

fn at_least(number: i64, member: &str, least: i64) -> ApiError {
    ApiError::constraint(
        &number.to_string(),
        member,
        &format!("Member must have value greater than or equal to {least}"),
    )
}

fn wrong_type(member: &str, expected: &str, found: &Value) -> ApiError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    ApiError::of("SerializationException", format!("{member} has to be {expected}; found {found}"))
}
