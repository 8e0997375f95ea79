//! How AWS services say no, read and written: awsJson (`__type`, also as a header), Query's `<ErrorResponse>`, EC2's
//! `<Response><Errors>`.

use serde_json::{Value, json};

use crate::xml::{Element, Writer};

/// The header in which a JSON service may name the error, `x-amzn-errortype`.
pub const ERROR_TYPE_HEADER: &str = "x-amzn-errortype";
/// The header in which SQS repeats the error's older name, `AWS.SimpleQueueService.NonExistentQueue;Sender`.
pub const QUERY_ERROR_HEADER: &str = "x-amzn-query-error";

/// An error as a service words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// `ClusterNotFoundException`, `InvalidInstanceID.NotFound`, …, without namespace and URL.
    pub code: String,
    /// The service's own words; may be empty.
    pub message: String,
    /// Request id, where the answer carries one.
    pub request_id: Option<String>,
}

impl ServiceError {
    /// An error without request id.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), request_id: None }
    }

    /// Reads any of the shapes. `error_type` is the value of [`ERROR_TYPE_HEADER`] if there was one. `None` when the
    /// body is none of them, an HTML page for instance.
    pub fn parse(error_type: Option<&str>, body: &[u8]) -> Option<Self> {
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'<') => Self::from_xml(body),
            _ => Self::from_json(error_type, body),
        }
    }

    /// Reads awsJson's shape: `__type` or `code` in the body, or the header; `message` in either case.
    pub fn from_json(error_type: Option<&str>, body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let code = short_name(error_type.or_else(|| text("__type")).or_else(|| text("code"))?);
        if code.is_empty() {
            return None;
        }
        let message = text("message").or_else(|| text("Message")).unwrap_or_default();
        Some(Self::new(code, message))
    }

    /// Reads the two XML shapes.
    pub fn from_xml(body: &[u8]) -> Option<Self> {
        let root = Element::parse(body).ok()?;
        let error = match root.name.as_str() {
            "ErrorResponse" => root.child("Error")?,
            "Response" => root.at("Errors/Error")?,
            "Error" => &root,
            _ => return None,
        };
        Some(Self {
            code: error.text_at("Code")?.to_owned(),
            message: error.text_at("Message").unwrap_or_default().to_owned(),
            request_id: ["RequestId", "RequestID", "requestId"]
                .into_iter()
                .find_map(|name| root.text_at(name))
                .map(str::to_owned),
        })
    }

    /// The body of awsJson's shape.
    pub fn to_json(&self) -> String {
        json!({ "__type": self.code, "message": self.message }).to_string()
    }

    /// The body of Query's shape (Auto Scaling, SNS, STS). `sender`: the caller's fault (4xx).
    pub fn to_query_xml(&self, xmlns: &str, sender: bool) -> String {
        let mut writer = Writer::new();
        writer.root("ErrorResponse", xmlns, |w| {
            w.element("Error", |w| {
                w.text("Type", if sender { "Sender" } else { "Receiver" });
                w.text("Code", &self.code);
                w.text("Message", &self.message);
            });
            w.text("RequestId", self.request_id.as_deref().unwrap_or_default());
        });
        writer.finish()
    }

    /// The body of EC2's shape.
    pub fn to_ec2_xml(&self) -> String {
        let mut writer = Writer::new();
        writer.element("Response", |w| {
            w.element("Errors", |w| {
                w.element("Error", |w| {
                    w.text("Code", &self.code);
                    w.text("Message", &self.message);
                });
            });
            w.text("RequestID", self.request_id.as_deref().unwrap_or_default());
        });
        writer.finish()
    }
}

/// The name of an error without what may stand around it: `com.amazonaws.ecs#Name`, `Name:http://…` (spec 0).
pub fn short_name(text: &str) -> &str {
    let text = text.trim();
    let text = text.split_once('#').map_or(text, |(_, name)| name);
    text.split_once(':').map_or(text, |(name, _)| name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_suffixes_of_a_type_are_cut_off() {
        for text in ["com.amazonaws.ecs#Nope", "Nope:http://internal/", "ns#Nope:http://x", " Nope "] {
            assert_eq!(short_name(text), "Nope", "{text}");
        }
    }

    #[test]
    fn every_shape_reads_back_as_it_was_written() {
        let mut error = ServiceError::new("InvalidInstanceID.NotFound", "The ID 'i-1' <does> not exist");
        assert_eq!(ServiceError::parse(None, error.to_json().as_bytes()).as_ref(), Some(&error));
        error.request_id = Some("r-7".to_owned());
        assert_eq!(ServiceError::parse(None, error.to_ec2_xml().as_bytes()).as_ref(), Some(&error));
        let query = error.to_query_xml("http://autoscaling.amazonaws.com/doc/2011-01-01/", true);
        assert_eq!(ServiceError::parse(None, query.as_bytes()).as_ref(), Some(&error));
    }

    #[test]
    fn a_capital_message_and_a_header_are_enough() {
        let error = ServiceError::parse(None, br#"{"__type":"x#AccessDeniedException","Message":"no"}"#).unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("AccessDeniedException", "no"));
        let error = ServiceError::parse(Some("ThrottlingException:http://x/"), b"").unwrap();
        assert_eq!(error.code, "ThrottlingException");
    }

    #[test]
    fn pages_and_noise_are_no_errors_of_a_service() {
        for body in [&b"<html><body>502</body></html>"[..], b"", b"{}", b"Bad gateway", b"[1]", b"<html>", b"\xff\xfe"]
        {
            assert_eq!(ServiceError::parse(None, body), None, "{body:?}");
        }
    }
}
