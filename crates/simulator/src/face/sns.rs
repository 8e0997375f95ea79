//! Simple Notification Service (spec I.1), and the attributes of messages in a form.

use std::collections::BTreeMap;

use wire::{error::ServiceError, query::Params, xml::Writer};

use super::{messaging::Messaging, scope::Scope};
use crate::{
    queue::Attribute,
    topic::{Subscription, Topic},
};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "CreateTopic",
    "DeleteTopic",
    "GetTopicAttributes",
    "ListSubscriptions",
    "ListSubscriptionsByTopic",
    "ListTopics",
    "Publish",
    "SetSubscriptionAttributes",
    "Subscribe",
    "Unsubscribe",
];

/// Its XML namespace.
pub(crate) const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

fn invalid(what: impl Into<String>) -> ServiceError {
    ServiceError::new("InvalidParameter", what)
}

fn not_found(what: &str) -> ServiceError {
    ServiceError::new("NotFound", format!("{what} does not exist"))
}

fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, ServiceError> {
    params.get(name).ok_or_else(|| invalid(format!("Invalid parameter: {name} is required")))
}

/// Answers a call: the inside of `…Result`.
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    messaging: &mut Messaging,
    scope: &Scope,
    operation: &str,
    params: &Params,
    w: &mut Writer,
) -> Result<(), ServiceError> {
    match operation {
        "CreateTopic" => {
            let name = required(params, "Name")?;
            let arn = scope.arn("sns", name);
            w.text("TopicArn", &arn);
            let topics = &mut messaging.of(&scope.region).topics;
            topics.entry(arn.clone()).or_insert(Topic { arn, subscriptions: Vec::new() });
        }
        "DeleteTopic" => {
            messaging.of(&scope.region).topics.remove(required(params, "TopicArn")?);
        }
        "ListTopics" => {
            let topics = &messaging.of(&scope.region).topics;
            w.list("Topics", "member", topics.keys(), |w, arn| w.text("TopicArn", arn));
        }
        "GetTopicAttributes" => {
            let topic = topic(messaging, scope, params)?;
            let attributes = [
                ("TopicArn", topic.arn.clone()),
                ("SubscriptionsConfirmed", topic.subscriptions.len().to_string()),
                ("SubscriptionsPending", "0".to_owned()),
                ("SubscriptionsDeleted", "0".to_owned()),
            ];
            w.list("Attributes", "entry", attributes, |w, (key, value)| {
                w.text("key", key);
                w.text("value", &value);
            });
        }
        "Subscribe" => {
            let id = messaging.fresh_id();
            let topic = topic(messaging, scope, params)?;
            let (protocol, endpoint) = (required(params, "Protocol")?, required(params, "Endpoint")?);
            let mut attributes = params.groups("Attributes.entry").into_iter();
            let raw = attributes.any(|a| a.get("key") == Some("RawMessageDelivery") && a.get("value") == Some("true"));
            let known = topic.subscriptions.iter().find(|s| s.protocol == protocol && s.endpoint == endpoint);
            let arn = known.map_or_else(|| format!("{}:{id}", topic.arn), |known| known.arn.clone());
            w.text("SubscriptionArn", &arn);
            if known.is_none() {
                let (protocol, endpoint) = (protocol.to_owned(), endpoint.to_owned());
                topic.subscriptions.push(Subscription { arn, protocol, endpoint, raw });
            }
        }
        "SetSubscriptionAttributes" => {
            let arn = required(params, "SubscriptionArn")?;
            let topics = messaging.of(&scope.region).topics.values_mut();
            let mut all = topics.flat_map(|topic| topic.subscriptions.iter_mut());
            let found = all.find(|s| s.arn == arn).ok_or_else(|| not_found("Subscription"))?;
            match required(params, "AttributeName")? {
                "RawMessageDelivery" => found.raw = params.get("AttributeValue") == Some("true"),
                other => return Err(invalid(format!("Invalid parameter: AttributeName {other} is not known here"))),
            }
        }
        "Unsubscribe" => {
            let arn = required(params, "SubscriptionArn")?;
            let topics = messaging.of(&scope.region).topics.values_mut();
            topics.for_each(|topic| topic.subscriptions.retain(|subscription| subscription.arn != arn));
        }
        "ListSubscriptions" => {
            let topics: Vec<_> = messaging.of(&scope.region).topics.values().collect();
            subscriptions(&topics, scope, w);
        }
        "ListSubscriptionsByTopic" => {
            let topic = topic(messaging, scope, params)?;
            subscriptions(&[topic], scope, w);
        }
        "Publish" => {
            let arn = params.get("TopicArn").or_else(|| params.get("TargetArn"));
            let arn = arn.ok_or_else(|| invalid("Invalid parameter: TopicArn is required"))?;
            let message = required(params, "Message")?;
            if message.is_empty() || message.len() > 256 * 1024 {
                return Err(invalid("Invalid parameter: Message has 1 to 262144 bytes"));
            }
            let attributes = attributes(params, "MessageAttributes.entry")?;
            let id = messaging.publish(arn, message, params.get("Subject"), &attributes, scope.wall)?;
            w.text("MessageId", &id);
        }
        _ => return Err(super::unknown("sns", operation, OPERATIONS)),
    }
    Ok(())
}

fn topic<'a>(messaging: &'a mut Messaging, scope: &Scope, params: &Params) -> Result<&'a mut Topic, ServiceError> {
    let arn = required(params, "TopicArn")?;
    messaging.of(&scope.region).topics.get_mut(arn).ok_or_else(|| not_found("Topic"))
}

fn subscriptions(topics: &[&Topic], scope: &Scope, w: &mut Writer) {
    let all = topics.iter().flat_map(|topic| topic.subscriptions.iter().map(|found| (topic.arn.as_str(), found)));
    w.list("Subscriptions", "member", all, |w, (topic, subscription)| {
        w.text("SubscriptionArn", &subscription.arn);
        w.text("TopicArn", topic);
        w.text("Protocol", &subscription.protocol);
        w.text("Endpoint", &subscription.endpoint);
        w.text("Owner", scope.account());
    });
}

/// Attributes of a message in a form: `NAME.1.Name`, `NAME.1.Value.DataType`, `NAME.1.Value.StringValue`.
fn attributes(params: &Params, name: &str) -> Result<BTreeMap<String, Attribute>, ServiceError> {
    params
        .groups(name)
        .iter()
        .map(|group| {
            let data_type = required(group, "Value.DataType")?.to_owned();
            let value = required(group, "Value.StringValue")?.to_owned();
            Ok((required(group, "Name")?.to_owned(), Attribute { data_type, value }))
        })
        .collect()
}
