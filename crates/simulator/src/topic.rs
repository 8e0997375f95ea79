//! SNS: topics whose subscribers are queues (spec A.3, I.1).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{clock::Moment, queue::Attribute};

/// A topic.
#[derive(Debug)]
pub struct Topic {
    /// ARN.
    pub arn: String,
    /// Who hears of it.
    pub subscriptions: Vec<Subscription>,
}

/// A subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// ARN.
    pub arn: String,
    /// `sqs` is delivered; other protocols are kept and listed, nothing is sent to them.
    pub protocol: String,
    /// Queue ARN, address, …
    pub endpoint: String,
    /// `RawMessageDelivery`.
    pub raw: bool,
}

/// What is published.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// UUID.
    pub message_id: &'a str,
    /// Text.
    pub message: &'a str,
    /// Subject, if any.
    pub subject: Option<&'a str>,
    /// By name.
    pub attributes: &'a BTreeMap<String, Attribute>,
    /// When.
    pub at: Moment,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    r#type: &'static str,
    message_id: &'a str,
    topic_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: String,
    signature_version: &'static str,
    signature: &'static str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'static str,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<&'a str, EnvelopeAttribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EnvelopeAttribute<'a> {
    r#type: &'a str,
    value: &'a str,
}

impl Topic {
    /// What a queue gets: the text itself with raw delivery, else the envelope.
    pub fn body_for(&self, subscription: &Subscription, publication: &Publication<'_>) -> String {
        if subscription.raw {
            return publication.message.to_owned();
        }
        let envelope = Envelope {
            r#type: "Notification",
            message_id: publication.message_id,
            topic_arn: &self.arn,
            subject: publication.subject,
            message: publication.message,
            timestamp: publication.at.iso_millis(),
            signature_version: "1",
            // Nobody here holds a certificate: the fields are there for those who look for them.
            signature: "c2ltdWxhdGVk",
            signing_cert_url: "https://sns.invalid/SimpleNotificationService.pem",
            unsubscribe_url: format!("https://sns.invalid/?Action=Unsubscribe&SubscriptionArn={}", subscription.arn),
            message_attributes: publication
                .attributes
                .iter()
                .map(|(name, Attribute { data_type, value })| {
                    (name.as_str(), EnvelopeAttribute { r#type: data_type, value })
                })
                .collect(),
        };
        // Writing plain text fields to a string cannot fail.
        serde_json::to_string(&envelope).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_envelope_holds_the_message_as_text_and_raw_delivery_does_not() {
        let topic = Topic { arn: "arn:aws:sns:eu-central-1:210987654321:t".to_owned(), subscriptions: Vec::new() };
        let mut subscription = Subscription {
            arn: "arn:aws:sns:eu-central-1:210987654321:t:1".to_owned(),
            protocol: "sqs".to_owned(),
            endpoint: "arn:aws:sqs:eu-central-1:210987654321:q".to_owned(),
            raw: false,
        };
        let attributes = BTreeMap::new();
        let publication = Publication {
            message_id: "m-1",
            message: r#"{"a":"b"}"#,
            subject: None,
            attributes: &attributes,
            at: Moment::DEFAULT_START,
        };
        let envelope: Value = serde_json::from_str(&topic.body_for(&subscription, &publication)).unwrap();
        assert_eq!(envelope["Type"], "Notification");
        assert_eq!(envelope["Message"], r#"{"a":"b"}"#);
        assert_eq!(envelope["Timestamp"], "2026-10-02T08:00:00.000Z");
        assert!(envelope.get("Subject").is_none());
        assert!(envelope.get("UnsubscribeURL").is_some());
        subscription.raw = true;
        assert_eq!(topic.body_for(&subscription, &publication), r#"{"a":"b"}"#);
    }
}
