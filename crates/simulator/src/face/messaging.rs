//! Queues, topics and rules of every account and region, and how a message gets from one to another.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wire::error::ServiceError;

use crate::{
    bus::{Bus, Rule, Target},
    clock::Moment,
    queue::{Attribute, Message, Queue, Settings, uuid},
    seed::mix,
    topic::{Publication, Topic},
};

/// The rule and the queue that are there from the beginning, so that a newcomer need not make them.
pub const READY_MADE: &str = "muster-events";

/// What the ready-made rule matches: everything that tells of hosts.
const READY_MADE_PATTERN: &str = r#"{"source":["aws.ecs","aws.ec2","aws.autoscaling"]}"#;

/// An account in a region.
pub(crate) type Region = (String, String);

/// What one account has in one region.
#[derive(Debug, Default)]
pub(crate) struct Regional {
    pub(crate) queues: BTreeMap<String, Queue>,
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) bus: Bus,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Messaging {
    regions: BTreeMap<Region, Regional>,
    serial: u64,
    key: u64,
    queue_capacity: usize,
    /// Messages that could not be delivered because their target is not there.
    pub(crate) undeliverable: u64,
}

impl Messaging {
    pub(crate) fn new(seed: u64, queue_capacity: usize) -> Self {
        Self { regions: BTreeMap::new(), serial: 0, key: mix(seed ^ 0x6d65_7373), queue_capacity, undeliverable: 0 }
    }

    /// What an account has in a region; the first look makes it, with nothing in it.
    pub(crate) fn of(&mut self, region: &Region) -> &mut Regional {
        self.regions.entry(region.clone()).or_default()
    }

    /// A UUID that was not given before.
    pub(crate) fn fresh_id(&mut self) -> String {
        self.serial += 1;
        uuid(self.key, self.serial)
    }

    /// An empty queue whose message ids are its own.
    pub(crate) fn new_queue(&mut self, name: &str, arn: String, settings: Settings, now: Moment) -> Queue {
        self.serial += 1;
        let mut queue = Queue::new(name, arn, settings, now, mix(self.key ^ self.serial << 32));
        queue.capacity = self.queue_capacity;
        queue
    }

    /// Makes the ready-made queue and rule of a region.
    pub(crate) fn prepare(&mut self, region: &Region, partition: &str, now: Moment) {
        let (account, name) = region;
        let queue_arn = format!("arn:{partition}:sqs:{name}:{account}:{READY_MADE}");
        let queue = self.new_queue(READY_MADE, queue_arn.clone(), Settings::default(), now);
        let regional = self.of(region);
        regional.queues.insert(READY_MADE.to_owned(), queue);
        let rule = Rule {
            name: READY_MADE.to_owned(),
            arn: format!("arn:{partition}:events:{name}:{account}:rule/{READY_MADE}"),
            pattern_text: Some(READY_MADE_PATTERN.to_owned()),
            pattern: None,
            schedule: None,
            description: Some("Everything that tells of hosts".to_owned()),
            enabled: true,
            targets: Vec::new(),
        };
        let target = Target { id: "queue".to_owned(), arn: queue_arn, input: None, input_path: None };
        if let Err(error) = regional.bus.put(rule).and_then(|()| regional.bus.put_targets(READY_MADE, vec![target])) {
            tracing::error!(%error, "the ready-made rule could not be made");
        }
    }

    /// Hands an event to the default bus of a region.
    pub(crate) fn put_event(&mut self, region: &Region, event: &str, now: Moment) {
        let Some(regional) = self.regions.get(region) else { return };
        if regional.bus.rules.is_empty() {
            return;
        }
        // A fault may send what is no event at all. Patterns find nothing in it; it goes where an event of ECS without a
        // detail would go, so that consumers meet it.
        let value = serde_json::from_str::<Value>(event).ok().filter(|value| value.get("source").is_some());
        let value = value.unwrap_or_else(|| json!({"source": "aws.ecs"}));
        for (target, body) in regional.bus.route(event, &value) {
            self.deliver(&target, body, None, now);
        }
    }

    /// Delivers to a queue or a topic by its ARN.
    fn deliver(&mut self, arn: &str, body: String, attributes: Option<BTreeMap<String, Attribute>>, now: Moment) {
        let attributes = attributes.unwrap_or_default();
        let delivered = match arn.split(':').nth(2) {
            Some("sqs") => match self.queue_by_arn(arn) {
                Some(queue) => queue.send(body, attributes, None, now).map_err(|error| error.to_string()).map(|_| ()),
                None => Err("there is no such queue".to_owned()),
            },
            Some("sns") => {
                self.publish(arn, &body, None, &attributes, now).map_err(|error| error.to_string()).map(|_| ())
            }
            _ => Err("only queues and topics are delivered to".to_owned()),
        };
        if let Err(reason) = delivered {
            self.undeliverable += 1;
            tracing::warn!(target_arn = arn, reason, "a message was not delivered");
        }
    }

    pub(crate) fn queue_by_arn(&mut self, arn: &str) -> Option<&mut Queue> {
        let mut parts = arn.splitn(6, ':').skip(3);
        let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
        self.regions.get_mut(&(account.to_owned(), region.to_owned()))?.queues.get_mut(name)
    }

    /// Publishes to a topic and returns the message's id.
    ///
    /// # Errors
    /// NotFound.
    pub(crate) fn publish(
        &mut self,
        topic_arn: &str,
        message: &str,
        subject: Option<&str>,
        attributes: &BTreeMap<String, Attribute>,
        now: Moment,
    ) -> Result<String, ServiceError> {
        let message_id = self.fresh_id();
        let mut parts = topic_arn.splitn(6, ':').skip(3);
        let region = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let topic = self
            .regions
            .get(&(region.1.to_owned(), region.0.to_owned()))
            .and_then(|regional| regional.topics.get(topic_arn))
            .ok_or_else(|| ServiceError::new("NotFound", "Topic does not exist"))?;
        let publication = Publication { message_id: &message_id, message, subject, attributes, at: now };
        let deliveries: Vec<_> = topic
            .subscriptions
            .iter()
            .filter(|subscription| subscription.protocol == "sqs")
            .map(|subscription| {
                let raw = subscription.raw.then(|| attributes.clone());
                (subscription.endpoint.clone(), topic.body_for(subscription, &publication), raw)
            })
            .collect();
        for (endpoint, body, raw) in deliveries {
            self.deliver(&endpoint, body, raw, now);
        }
        Ok(message_id)
    }

    /// Moves messages that were given up to the queue of this ARN.
    pub(crate) fn bury(&mut self, arn: &str, dead: Vec<Message>, now: Moment) {
        match self.queue_by_arn(arn) {
            Some(queue) => dead.into_iter().for_each(|message| queue.bury(message, now)),
            None => {
                self.undeliverable += dead.len() as u64;
                tracing::warn!(arn, "the dead-letter queue is not there: messages are gone");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_hosts_reach_the_ready_made_queue() {
        let region = ("210987654321".to_owned(), "eu-central-1".to_owned());
        let mut messaging = Messaging::new(1, 10);
        messaging.prepare(&region, "aws", Moment::DEFAULT_START);
        messaging.put_event(&region, r#"{"source":"aws.ecs"}"#, Moment::DEFAULT_START);
        messaging.put_event(&region, r#"{"source":"aws.s3"}"#, Moment::DEFAULT_START);
        messaging.put_event(&region, r#"{"source":"aws.ecs","trunc"#, Moment::DEFAULT_START);
        messaging.put_event(&region, "{}", Moment::DEFAULT_START);
        let queue = messaging.of(&region).queues.get_mut(READY_MADE).unwrap();
        let received = queue.receive(10, None, Moment::DEFAULT_START, &mut Vec::new()).unwrap();
        let bodies: Vec<_> = received.iter().map(|received| received.message.body.as_str()).collect();
        assert_eq!(bodies, [r#"{"source":"aws.ecs"}"#, r#"{"source":"aws.ecs","trunc"#, "{}"]);
    }
}
