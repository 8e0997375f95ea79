//! How CloudWatch Logs says no: a name, a message, and a status of HTTP.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use insights::QueryError;
use serde_json::{Value, json};

use super::port::LogsError;

/// The content type of every answer.
pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    body: Value,
}

impl ApiError {
    fn new(status: StatusCode, kind: &str, message: impl Into<String>) -> Self {
        Self { status, body: json!({ "__type": kind, "message": message.into() }) }
    }

    /// muster keeps no logs.
    pub fn switched_off() -> Self {
        let why = "muster keeps no logs: [telemetry] of its configuration says enabled = false";
        Self::of("UnknownOperationException", why)
    }

    /// Whether that is meant so.
    pub fn is_switched_off(&self) -> bool {
        self.kind() == "UnknownOperationException"
    }

    /// The logs cannot be had.
    pub fn not_to_be_had(why: &str) -> Self {
        Self::unavailable(format!("the logs cannot be had: {why}"))
    }

    /// A refusal of the kind that the caller can mend.
    pub(crate) fn of(kind: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, message)
    }

    /// A member that breaks a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::of("InvalidParameterException", message)
    }

    /// The same, in the words that the service has for it.
    pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> Self {
        Self::invalid(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
        ))
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::of("ResourceNotFoundException", message)
    }

    /// There is no such group, in the words of StartQuery.
    pub(crate) fn no_group_to_query(name: &str, account: &str, request_id: &str) -> Self {
        Self::not_found(format!(
            "Log group '{name}' does not exist for account ID '{account}' (Service: AWSLogs; Status Code: 400; Error Code: \
             ResourceNotFoundException; Request ID: {request_id}; Proxy: null)"
        ))
    }

    /// A limit was reached.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::of("LimitExceededException", message)
    }

    /// The body is longer than anything that could be in it.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", message)
    }

    /// A query that is none, with the place of its fault.
    pub(crate) fn malformed(error: &QueryError) -> Self {
        // A struct of texts and numbers is always JSON.
        let body = serde_json::to_value(error.malformed()).unwrap_or_default();
        Self { status: StatusCode::BAD_REQUEST, body }
    }

    /// It may go another time.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", message)
    }

    /// What is said.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// Its name.
    pub fn kind(&self) -> &str {
        self.body["__type"].as_str().unwrap_or_default()
    }
}

impl From<LogsError> for ApiError {
    fn from(error: LogsError) -> Self {
        match error {
            LogsError::NoGroup(_) => Self::not_found("The specified log group does not exist."),
            LogsError::NoStream(_) => Self::not_found("The specified log stream does not exist."),
            LogsError::Exists(what) => {
                Self::of("ResourceAlreadyExistsException", format!("The specified {what} already exists"))
            }
            LogsError::Invalid(why) => Self::invalid(why),
            LogsError::Limit(why) => Self::limit(why),
            LogsError::Unavailable(why) => Self::unavailable(why),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
        response
    }
}
