//! SQS: standard queues (spec A.3).
//!
//! Time is an argument; [`face`](crate::face) passes wall time, because visibility and long polls are about real
//! consumers, however fast the pretend account lives.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use md5::{Digest, Md5};
use serde_json::{Value, json};
use wire::error::ServiceError;

use crate::{clock::Moment, seed::mix};

/// The most messages that may be in flight: OverLimit beyond.
pub const MOST_IN_FLIGHT: usize = 120_000;
/// The longest message, in bytes of UTF-8.
pub const LARGEST_BYTES: usize = 1024 * 1024;

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// `String`, `Number`, `String.…`; Binary is not taken.
    pub data_type: String,
    /// Its value.
    pub value: String,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// UUID.
    pub id: String,
    /// Text.
    pub body: String,
    /// By name.
    pub attributes: BTreeMap<String, Attribute>,
    /// `SentTimestamp`.
    pub sent_at: Moment,
    /// `ApproximateReceiveCount`.
    pub receive_count: u32,
    /// `ApproximateFirstReceiveTimestamp`.
    pub first_received_at: Option<Moment>,
    /// When it can be received (again).
    visible_at: Moment,
}

/// A message handed out.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message as it stands.
    pub message: Message,
    /// Good for deleting it until somebody else receives it.
    pub receipt_handle: String,
}

/// What a queue is set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `VisibilityTimeout`, seconds.
    pub visibility_secs: u32,
    /// `MessageRetentionPeriod`, seconds.
    pub retention_secs: u32,
    /// `DelaySeconds`.
    pub delay_secs: u32,
    /// `ReceiveMessageWaitTimeSeconds`.
    pub wait_secs: u32,
    /// `RedrivePolicy`.
    pub redrive: Option<Redrive>,
    /// `Policy` as given; nobody is refused by it.
    pub policy: String,
}

/// Where a message goes that was received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// `deadLetterTargetArn`.
    pub dead_letter_arn: String,
    /// `maxReceiveCount`.
    pub max_receives: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_secs: 30,
            retention_secs: 4 * 24 * 3600,
            delay_secs: 0,
            wait_secs: 0,
            redrive: None,
            policy: String::new(),
        }
    }
}

fn invalid(what: String) -> ServiceError {
    ServiceError::new("InvalidAttributeValue", what)
}

impl Settings {
    /// Sets an attribute by its API name.
    ///
    /// # Errors
    /// InvalidAttributeName; InvalidAttributeValue with the range.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ServiceError> {
        let number = |from: u32, to: u32| match value.parse::<u32>() {
            Ok(number) if (from..=to).contains(&number) => Ok(number),
            _ => Err(invalid(format!("Invalid value for the parameter {name}: {value} is not in {from}..{to}."))),
        };
        match name {
            "VisibilityTimeout" => self.visibility_secs = number(0, 43_200)?,
            "MessageRetentionPeriod" => self.retention_secs = number(60, 1_209_600)?,
            "DelaySeconds" => self.delay_secs = number(0, 900)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait_secs = number(0, 20)?,
            "MaximumMessageSize" => {
                number(1024, LARGEST_BYTES as u32)?;
            }
            "Policy" => self.policy = value.to_owned(),
            "RedrivePolicy" if value.is_empty() => self.redrive = None,
            "RedrivePolicy" => self.redrive = Some(redrive(value)?),
            "KmsMasterKeyId" | "KmsDataKeyReusePeriodSeconds" | "SqsManagedSseEnabled" | "RedriveAllowPolicy" => {}
            _ => return Err(ServiceError::new("InvalidAttributeName", format!("Unknown Attribute {name}."))),
        }
        Ok(())
    }
}

fn redrive(text: &str) -> Result<Redrive, ServiceError> {
    let wrong = || invalid(format!("Value {text} for parameter RedrivePolicy is invalid."));
    let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let count = &value["maxReceiveCount"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).filter(|count| (1..=1000).contains(count));
    let arn = value["deadLetterTargetArn"].as_str().ok_or_else(wrong)?;
    Ok(Redrive { dead_letter_arn: arn.to_owned(), max_receives: count.ok_or_else(wrong)? as u32 })
}

/// A standard queue.
#[derive(Debug)]
pub struct Queue {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// What it is set to.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Moment,
    /// When it was last set.
    pub modified_at: Moment,
    /// Messages that were pushed out because the queue held [`capacity`](Self::capacity) of them.
    pub overflowed: u64,
    /// How many messages it holds at most. AWS has no such limit; a simulator nobody listens to must not eat the machine.
    pub capacity: usize,
    messages: BTreeMap<u64, Message>,
    ready: VecDeque<u64>,
    hidden: BTreeSet<(Moment, u64)>,
    next: u64,
    key: u64,
}

/// Says how a receipt handle, an entry of a batch or an id is wrong.
fn bad_handle(handle: &str) -> ServiceError {
    ServiceError::new("ReceiptHandleIsInvalid", format!("The input receipt handle \"{handle}\" is not a valid one."))
}

impl Queue {
    /// An empty queue. `key` makes its message ids its own.
    pub fn new(name: &str, arn: String, settings: Settings, now: Moment, key: u64) -> Self {
        Self {
            name: name.to_owned(),
            arn,
            settings,
            created_at: now,
            modified_at: now,
            overflowed: 0,
            capacity: 200_000,
            messages: BTreeMap::new(),
            ready: VecDeque::new(),
            hidden: BTreeSet::new(),
            next: 0,
            key: mix(key),
        }
    }

    /// Adds a message and returns its id. `delay_secs`: the queue's own if not given.
    ///
    /// # Errors
    /// InvalidParameterValue when it is empty or longer than [`LARGEST_BYTES`].
    pub fn send(
        &mut self,
        body: String,
        attributes: BTreeMap<String, Attribute>,
        delay_secs: Option<u32>,
        now: Moment,
    ) -> Result<String, ServiceError> {
        if body.is_empty() || body.len() > LARGEST_BYTES {
            return Err(ServiceError::new(
                "InvalidParameterValue",
                format!("A message has 1 to {LARGEST_BYTES} bytes, this one {}.", body.len()),
            ));
        }
        let delay = delay_secs.unwrap_or(self.settings.delay_secs);
        let message = Message {
            id: uuid(self.key, self.next),
            body,
            attributes,
            sent_at: now,
            receive_count: 0,
            first_received_at: None,
            visible_at: now.plus(i64::from(delay) * 1000),
        };
        Ok(self.put(message, now))
    }

    /// Adds a message as it is: from another queue.
    fn put(&mut self, message: Message, now: Moment) -> String {
        let (number, id) = (self.next, message.id.clone());
        self.next += 1;
        if message.visible_at > now {
            self.hidden.insert((message.visible_at, number));
        } else {
            self.ready.push_back(number);
        }
        self.messages.insert(number, message);
        while self.messages.len() > self.capacity {
            self.messages.pop_first();
            if self.overflowed == 0 {
                tracing::warn!(queue = self.name, capacity = self.capacity, "the queue is full: oldest messages go");
            }
            self.overflowed += 1;
        }
        id
    }

    /// Takes in a message that another queue gave up.
    pub fn bury(&mut self, mut message: Message, now: Moment) {
        message.visible_at = now;
        self.put(message, now);
    }

    /// Hands out up to `most` messages and hides them for `visibility_secs`. Messages that were received too often go
    /// to `dead` instead.
    ///
    /// # Errors
    /// OverLimit when [`MOST_IN_FLIGHT`] are out.
    pub fn receive(
        &mut self,
        most: usize,
        visibility_secs: Option<u32>,
        now: Moment,
        dead: &mut Vec<Message>,
    ) -> Result<Vec<Received>, ServiceError> {
        self.settle(now);
        let until = now.plus(i64::from(visibility_secs.unwrap_or(self.settings.visibility_secs)) * 1000);
        let mut received = Vec::new();
        while received.len() < most {
            let Some(number) = self.ready.pop_front() else { break };
            let Some(message) = self.messages.get_mut(&number) else { continue };
            if self.settings.redrive.as_ref().is_some_and(|redrive| message.receive_count >= redrive.max_receives) {
                dead.extend(self.messages.remove(&number));
                continue;
            }
            if self.hidden.len() >= MOST_IN_FLIGHT {
                self.ready.push_front(number);
                if received.is_empty() {
                    return Err(ServiceError::new("OverLimit", format!("{MOST_IN_FLIGHT} messages are in flight.")));
                }
                break;
            }
            message.receive_count += 1;
            message.first_received_at.get_or_insert(now);
            message.visible_at = until;
            let receipt_handle = handle(self.key, number, message.receive_count);
            received.push(Received { message: message.clone(), receipt_handle });
            // With a visibility of 0 the message is ready again at once, but not within this very answer.
            self.hidden.insert((until, number));
        }
        Ok(received)
    }

    /// Deletes a message. A handle that is no longer the latest, or of a message already gone, does nothing.
    ///
    /// # Errors
    /// ReceiptHandleIsInvalid for what this queue never issued.
    pub fn delete(&mut self, receipt_handle: &str) -> Result<(), ServiceError> {
        let (number, count) = read_handle(self.key, receipt_handle).ok_or_else(|| bad_handle(receipt_handle))?;
        if let Some(message) = self.messages.get(&number)
            && message.receive_count == count
        {
            self.hidden.remove(&(message.visible_at, number));
            self.messages.remove(&number);
        }
        Ok(())
    }

    /// Hides a message in flight for so long from now.
    ///
    /// # Errors
    /// ReceiptHandleIsInvalid; MessageNotInflight.
    pub fn change_visibility(&mut self, receipt_handle: &str, secs: u32, now: Moment) -> Result<(), ServiceError> {
        self.settle(now);
        let (number, count) = read_handle(self.key, receipt_handle).ok_or_else(|| bad_handle(receipt_handle))?;
        let in_flight = self.messages.get_mut(&number).filter(|message| message.receive_count == count);
        let Some(message) = in_flight.filter(|message| message.visible_at > now) else {
            return Err(ServiceError::new("MessageNotInflight", "The specified message isn't in flight."));
        };
        self.hidden.remove(&(message.visible_at, number));
        message.visible_at = now.plus(i64::from(secs) * 1000);
        self.hidden.insert((message.visible_at, number));
        Ok(())
    }

    /// Deletes everything.
    pub fn purge(&mut self) {
        self.messages.clear();
        self.ready.clear();
        self.hidden.clear();
    }

    /// When a hidden message shows itself next.
    pub fn next_visible_at(&self) -> Option<Moment> {
        self.hidden.first().map(|(at, _)| *at)
    }

    /// Attributes by their API names, without those that are not set.
    pub fn attributes(&mut self, now: Moment) -> Vec<(&'static str, String)> {
        self.settle(now);
        let delayed = self.messages.iter().filter(|(_, m)| m.receive_count == 0 && m.visible_at > now).count();
        let mut attributes = vec![
            ("QueueArn", self.arn.clone()),
            ("ApproximateNumberOfMessages", (self.messages.len() - self.hidden.len()).to_string()),
            ("ApproximateNumberOfMessagesNotVisible", (self.hidden.len() - delayed).to_string()),
            ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
            ("CreatedTimestamp", (self.created_at.0 / 1000).to_string()),
            ("LastModifiedTimestamp", (self.modified_at.0 / 1000).to_string()),
            ("VisibilityTimeout", self.settings.visibility_secs.to_string()),
            ("MaximumMessageSize", LARGEST_BYTES.to_string()),
            ("MessageRetentionPeriod", self.settings.retention_secs.to_string()),
            ("DelaySeconds", self.settings.delay_secs.to_string()),
            ("ReceiveMessageWaitTimeSeconds", self.settings.wait_secs.to_string()),
            ("SqsManagedSseEnabled", "true".to_owned()),
        ];
        if !self.settings.policy.is_empty() {
            attributes.push(("Policy", self.settings.policy.clone()));
        }
        if let Some(Redrive { dead_letter_arn, max_receives }) = &self.settings.redrive {
            let policy = json!({"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": max_receives});
            attributes.push(("RedrivePolicy", policy.to_string()));
        }
        attributes
    }

    /// Drops what is older than the retention and shows what was hidden long enough.
    fn settle(&mut self, now: Moment) {
        let oldest = now.plus(-i64::from(self.settings.retention_secs) * 1000);
        while let Some(entry) = self.messages.first_entry()
            && entry.get().sent_at < oldest
        {
            let (number, message) = entry.remove_entry();
            self.hidden.remove(&(message.visible_at, number));
        }
        while let Some(&(at, number)) = self.hidden.first()
            && at <= now
        {
            self.hidden.pop_first();
            if self.messages.contains_key(&number) {
                self.ready.push_back(number);
            }
        }
    }
}

fn handle(key: u64, number: u64, count: u32) -> String {
    format!("{number:016x}{count:08x}{:016x}", mix(key ^ mix(number ^ u64::from(count) << 40)))
}

fn read_handle(key: u64, text: &str) -> Option<(u64, u32)> {
    let number = u64::from_str_radix(text.get(..16)?, 16).ok()?;
    let count = u32::from_str_radix(text.get(16..24)?, 16).ok()?;
    (handle(key, number, count) == text).then_some((number, count))
}

/// A UUID made of two numbers.
pub(crate) fn uuid(key: u64, number: u64) -> String {
    let (high, low) = (mix(key ^ mix(number)), mix(key.rotate_left(32) ^ mix(number)));
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff)
}

/// `MD5OfBody`.
pub fn md5_of_text(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

/// `MD5OfMessageAttributes`: names in order; lengths as four bytes, big end first; 1 for text.
pub fn md5_of_attributes(attributes: &BTreeMap<String, Attribute>) -> String {
    let mut digest = Md5::new();
    let mut part = |text: &str, kind: Option<u8>| {
        if let Some(kind) = kind {
            digest.update([kind]);
        }
        digest.update((text.len() as u32).to_be_bytes());
        digest.update(text.as_bytes());
    };
    for (name, attribute) in attributes {
        part(name, None);
        part(&attribute.data_type, None);
        part(&attribute.value, Some(1));
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::DEFAULT_START;

    fn queue(settings: Settings) -> Queue {
        Queue::new("q", "arn:aws:sqs:eu-central-1:210987654321:q".to_owned(), settings, NOW, 7)
    }

    fn send(queue: &mut Queue, body: &str) {
        queue.send(body.to_owned(), BTreeMap::new(), None, NOW).unwrap();
    }

    fn receive(queue: &mut Queue, most: usize, after_ms: i64) -> Vec<Received> {
        queue.receive(most, None, NOW.plus(after_ms), &mut Vec::new()).unwrap()
    }

    #[test]
    fn a_message_received_is_hidden_and_comes_again_unless_deleted() {
        let mut queue = queue(Settings::default());
        send(&mut queue, "a");
        send(&mut queue, "b");
        let first = receive(&mut queue, 1, 0);
        assert_eq!((first[0].message.body.as_str(), first[0].message.receive_count), ("a", 1));
        assert_eq!(receive(&mut queue, 10, 1)[0].message.body, "b");
        assert!(receive(&mut queue, 10, 29_999).is_empty());
        let again = receive(&mut queue, 10, 30_000);
        assert_eq!((again.len(), again[0].message.receive_count), (1, 2));
        queue.delete(&first[0].receipt_handle).unwrap();
        assert_eq!(queue.messages.len(), 2, "a handle that is not the latest deletes nothing");
        queue.delete(&again[0].receipt_handle).unwrap();
        queue.delete(&again[0].receipt_handle).unwrap();
        assert_eq!(queue.messages.len(), 1);
        assert_eq!(queue.delete("nonsense").unwrap_err().code, "ReceiptHandleIsInvalid");
        assert_eq!(queue.delete("ε".repeat(20).as_str()).unwrap_err().code, "ReceiptHandleIsInvalid");
    }

    #[test]
    fn visibility_can_be_changed_while_in_flight() {
        let mut queue = queue(Settings::default());
        send(&mut queue, "a");
        let handle = receive(&mut queue, 1, 0)[0].receipt_handle.clone();
        queue.change_visibility(&handle, 100, NOW.plus(20_000)).unwrap();
        assert!(receive(&mut queue, 1, 100_000).is_empty());
        queue.change_visibility(&handle, 0, NOW.plus(100_000)).unwrap();
        assert_eq!(receive(&mut queue, 1, 100_000).len(), 1);
        let error = queue.change_visibility(&handle, 5, NOW.plus(100_000)).unwrap_err();
        assert_eq!(error.code, "MessageNotInflight");
    }

    #[test]
    fn a_message_received_too_often_is_given_up() {
        let mut settings = Settings { visibility_secs: 0, ..Settings::default() };
        settings.set("RedrivePolicy", r#"{"deadLetterTargetArn":"arn:x:dlq","maxReceiveCount":"2"}"#).unwrap();
        let mut queue = queue(settings);
        send(&mut queue, "poison");
        let mut dead = Vec::new();
        for count in 1..=2 {
            let received = queue.receive(10, None, NOW, &mut dead).unwrap();
            assert_eq!((received.len(), received[0].message.receive_count), (1, count));
        }
        assert!(queue.receive(10, None, NOW, &mut dead).unwrap().is_empty());
        assert_eq!((dead.len(), dead[0].body.as_str(), queue.messages.len()), (1, "poison", 0));
    }

    #[test]
    fn messages_end_with_their_retention_and_begin_after_their_delay() {
        let mut queue = queue(Settings { retention_secs: 60, ..Settings::default() });
        send(&mut queue, "old");
        queue.send("later".to_owned(), BTreeMap::new(), Some(5), NOW).unwrap();
        assert_eq!(receive(&mut queue, 10, 4_999).len(), 1);
        assert_eq!(receive(&mut queue, 10, 5_000)[0].message.body, "later");
        assert!(receive(&mut queue, 10, 60_001).is_empty());
        assert!(queue.messages.is_empty() && queue.hidden.is_empty());
    }

    #[test]
    fn a_full_queue_pushes_its_oldest_messages_out_and_counts_them() {
        let mut queue = queue(Settings::default());
        queue.capacity = 2;
        for body in ["a", "b", "c"] {
            send(&mut queue, body);
        }
        let bodies: Vec<_> = receive(&mut queue, 10, 0).into_iter().map(|received| received.message.body).collect();
        assert_eq!((bodies, queue.overflowed), (vec!["b".to_owned(), "c".to_owned()], 1));
    }

    #[test]
    fn attributes_count_what_is_ready_out_and_delayed() {
        let mut queue = queue(Settings::default());
        send(&mut queue, "a");
        send(&mut queue, "b");
        queue.send("c".to_owned(), BTreeMap::new(), Some(60), NOW).unwrap();
        receive(&mut queue, 1, 0);
        let attributes: BTreeMap<_, _> = queue.attributes(NOW).into_iter().collect();
        assert_eq!(attributes["ApproximateNumberOfMessages"], "1");
        assert_eq!(attributes["ApproximateNumberOfMessagesNotVisible"], "1");
        assert_eq!(attributes["ApproximateNumberOfMessagesDelayed"], "1");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let mut settings = Settings::default();
        for (name, value) in [
            ("VisibilityTimeout", "43201"),
            ("MessageRetentionPeriod", "59"),
            ("DelaySeconds", "soon"),
            ("RedrivePolicy", "{}"),
            ("RedrivePolicy", "x"),
        ] {
            assert_eq!(settings.set(name, value).unwrap_err().code, "InvalidAttributeValue", "{name}");
        }
        assert_eq!(settings.set("Colour", "red").unwrap_err().code, "InvalidAttributeName");
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn digests_are_those_of_the_service() {
        assert_eq!(md5_of_text("hello"), "5d41402abc4b2a76b9719d911017c592");
        let attribute = Attribute { data_type: "String".to_owned(), value: "v".to_owned() };
        let attributes = BTreeMap::from([("n".to_owned(), attribute)]);
        assert_eq!(md5_of_attributes(&attributes), "f4b238699da710fd012839c16c09f1ca");
    }
}
