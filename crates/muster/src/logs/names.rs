//! Names of groups and streams: what they may consist of, and ARNs in their place.

use serde_json::Value;

use super::{error::ApiError, request};

const NAME_CHARS_MAX: usize = 512;

/// The name of a group from `member`, checked.
///
/// # Errors
/// When it is not there, or no name of a group.
pub(super) fn group<'a>(body: &'a Value, member: &str) -> Result<&'a str, ApiError> {
    let name = request::required(body, member)?;
    check_group(name, member)?;
    Ok(name)
}

/// The group that `logGroupName` or `logGroupIdentifier` names; one of them has to be there, and only one.
///
/// # Errors
/// When neither or both are there, or it is no name of a group.
pub(super) fn group_or_identifier(body: &Value) -> Result<&str, ApiError> {
    match (request::text(body, "logGroupName")?, request::text(body, "logGroupIdentifier")?) {
        (Some(_), Some(_)) => {
            Err(ApiError::invalid("logGroupName and logGroupIdentifier cannot both be given: they name the same thing"))
        }
        (None, Some(identifier)) => {
            let name = of_arn(identifier);
            check_group(name, "logGroupIdentifier")?;
            Ok(name)
        }
        _ => group(body, "logGroupName"),
    }
}

/// A group's name out of a name or an ARN: `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, perhaps with `:*`.
pub(super) fn of_arn(identifier: &str) -> &str {
    let name = identifier.starts_with("arn:").then(|| identifier.split_once(":log-group:")).flatten();
    let name = name.map_or(identifier, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name)
}

pub(super) fn check_group(name: &str, member: &str) -> Result<(), ApiError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte);
    length(name, member)?;
    if name.bytes().all(allowed) {
        return Ok(());
    }
    let rule = r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+";
    Err(ApiError::constraint(name, member, rule))
}

/// The name of a stream from `member`, checked.
///
/// # Errors
/// When it is not there, or no name of a stream.
pub(super) fn stream<'a>(body: &'a Value, member: &str) -> Result<&'a str, ApiError> {
    let name = request::required(body, member)?;
    length(name, member)?;
    if name.contains([':', '*']) || name.contains(char::is_control) {
        let rule = "Member must satisfy regular expression pattern: [^:*]*";
        return Err(ApiError::constraint(name, member, rule));
    }
    Ok(name)
}

fn length(name: &str, member: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(ApiError::constraint("", member, "Member must have length greater than or equal to 1"));
    }
    request::no_longer_than(name, member, NAME_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_is_named_by_its_name_or_its_arn() {
        let arn = "arn:aws:logs:eu-central-1:210987654321:log-group:/aws/ecs/a:*";
        assert_eq!(group_or_identifier(&json!({ "logGroupIdentifier": arn })).unwrap(), "/aws/ecs/a");
        assert_eq!(group_or_identifier(&json!({ "logGroupIdentifier": "b" })).unwrap(), "b");
        assert_eq!(group_or_identifier(&json!({ "logGroupName": "c" })).unwrap(), "c");
        assert!(group_or_identifier(&json!({ "logGroupName": "c", "logGroupIdentifier": "c" })).is_err());
        assert!(group_or_identifier(&json!({})).unwrap_err().message().contains("'logGroupName'"));
    }

    #[test]
    fn names_keep_to_their_letters_and_lengths() {
        let long = "x".repeat(513);
        for name in ["a b", "", "ä", "a:b", long.as_str()] {
            assert!(group(&json!({ "n": name }), "n").is_err(), "{name}");
        }
        for name in ["a:b", "*", "", "a\nb", long.as_str()] {
            assert!(stream(&json!({ "n": name }), "n").is_err(), "{name}");
        }
        assert!(group(&json!({ "n": "/aws/ecs/containerinsights/a-b_c.d#1/performance" }), "n").is_ok());
        assert!(stream(&json!({ "n": "AgentTelemetry-ä b/[1]" }), "n").is_ok());
    }
}
