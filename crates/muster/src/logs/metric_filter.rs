//! TestMetricFilter: which of some messages a pattern matches, and what it takes out of them.

use insights::FilterPattern;
use serde_json::{Value, json};

use super::{Asking, error::ApiError, request};

/// Messages that can be tried at once.
const MESSAGES_MAX: usize = 50;

pub(super) fn test(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let text = request::required(asking.body, "filterPattern")?;
    request::no_longer_than(text, "filterPattern", insights::limits::PATTERN_CHARS_MAX)?;
    let messages = request::texts(asking.body, "logEventMessages")?;
    if messages.is_empty() || messages.len() > MESSAGES_MAX {
        let rule = format!("Member must have length between 1 and {MESSAGES_MAX}");
        return Err(ApiError::constraint(&format!("[{} messages]", messages.len()), "logEventMessages", &rule));
    }
    let pattern = FilterPattern::parse(text)
        .map_err(|error| ApiError::invalid(format!("Invalid metric filter pattern: {error}\n{}", error.pointed())))?;
    let tried = messages.iter().enumerate().filter_map(|(index, message)| {
        let extracted = pattern.test(message)?;
        Some(json!({ "eventNumber": index + 1, "eventMessage": message, "extractedValues": extracted }))
    });
    Ok(json!({ "matches": tried.collect::<Vec<_>>() }))
}
