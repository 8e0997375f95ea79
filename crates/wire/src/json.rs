//! awsJson 1.0 and 1.1: which operation is meant, what the body is called, how time is written.

use jiff::Timestamp;
use serde_json::Value;

/// The header that names service and operation.
pub const TARGET_HEADER: &str = "x-amz-target";

/// The two versions of the protocol differ in their content type only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// SQS.
    V1_0,
    /// ECS, SSM, EventBridge.
    V1_1,
}

impl Version {
    /// The content type of requests and answers.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::V1_0 => "application/x-amz-json-1.0",
            Self::V1_1 => "application/x-amz-json-1.1",
        }
    }

    /// Reads a content type; parameters such as `charset` are ignored.
    pub fn of(content_type: &str) -> Option<Self> {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        [Self::V1_0, Self::V1_1].into_iter().find(|version| media.eq_ignore_ascii_case(version.content_type()))
    }
}

/// The value of the target header: `AmazonSSM.DescribeInstanceInformation`.
pub fn target(service: &str, operation: &str) -> String {
    format!("{service}.{operation}")
}

/// Takes the value of a target header apart: the service with its version, the operation.
pub fn split_target(header: &str) -> Option<(&str, &str)> {
    header.trim().rsplit_once('.').filter(|(service, operation)| !service.is_empty() && !operation.is_empty())
}

/// Reads a time as any AWS JSON writes it: epoch seconds with a fraction, or ISO 8601 with `Z` or an offset.
pub fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => epoch_seconds(number.as_f64()?),
        Value::String(text) => text.parse().ok().or_else(|| epoch_seconds(text.parse().ok()?)),
        _ => None,
    }
}

/// A time as awsJson writes it: epoch seconds with milliseconds.
pub fn epoch(at: Timestamp) -> Value {
    let millis = at.as_millisecond();
    if millis % 1000 == 0 { Value::from(millis / 1000) } else { Value::from(millis as f64 / 1000.0) }
}

/// Milliseconds are as fine as AWS writes and as a double tells exactly.
fn epoch_seconds(seconds: f64) -> Option<Timestamp> {
    let millis = (seconds * 1000.0).round();
    if !millis.is_finite() || millis.abs() > 1e15 {
        return None;
    }
    Timestamp::from_millisecond(millis as i64).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_and_content_types_read_back() {
        assert_eq!(
            split_target(&target("AmazonEC2ContainerServiceV20141113", "ListClusters")),
            Some(("AmazonEC2ContainerServiceV20141113", "ListClusters"))
        );
        assert_eq!((split_target("ListClusters"), split_target(".x"), split_target("x.")), (None, None, None));
        assert_eq!(Version::of("application/x-amz-json-1.1; charset=utf-8"), Some(Version::V1_1));
        assert_eq!(Version::of(Version::V1_0.content_type()), Some(Version::V1_0));
        assert_eq!(Version::of("text/html"), None);
    }

    #[test]
    fn times_are_read_as_numbers_and_as_text() {
        let expected: Timestamp = "2026-10-02T08:15:31.402Z".parse().unwrap();
        assert_eq!(time(&json!(1790928931.402)), Some(expected));
        assert_eq!(time(&json!("2026-10-02T08:15:31.402+00:00")), Some(expected));
        assert_eq!(time(&epoch(expected)), Some(expected));
        assert_eq!(epoch("2026-10-02T08:15:31Z".parse().unwrap()), json!(1790928931));
    }

    #[test]
    fn impossible_times_are_none() {
        for value in [json!("soon"), json!(1e300), json!(null), json!({}), json!(-1e15)] {
            assert_eq!(time(&value), None, "{value}");
        }
    }
}
