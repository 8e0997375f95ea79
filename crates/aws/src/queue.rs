//! The event queues: long polls, deletion in batches, and messages kept hidden while they are worked on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry},
};
use aws_smithy_types::timeout::TimeoutConfig;
use engine::ports::{Delivery, FailureKind, LookFailure, Receipt, Scope};
use serde::Deserialize;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
};

use crate::{
    refusal::Refusal,
    settings::{Queue, Settings},
};

const RECEIVE: &str = "sqs:ReceiveMessage";
const DELETE: &str = "sqs:DeleteMessage";

/// Seconds of one long poll, and messages of one batch: the most that SQS has.
const POLL_SECS: i32 = 20;
const PER_BATCH: usize = 10;
/// Polls under way at the same time for each queue.
const POLLERS: usize = 2;
/// Batches that wait to be taken.
const WAITING: usize = 8;
/// Deletions that SQS refuses one by one are tried so often.
const DELETE_TRIES: u32 = 3;

/// All queues.
#[derive(Debug)]
pub(crate) struct Queues {
    queues: Vec<Arc<OneQueue>>,
    polled: AsyncMutex<Option<Polled>>,
}

/// The polls under way and what they have brought.
#[derive(Debug)]
struct Polled {
    brought: mpsc::Receiver<Result<Vec<Delivery>, LookFailure<'static>>>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct OneQueue {
    client: Client,
    url: String,
    visibility: Duration,
    backoff: Duration,
    /// Messages received and not yet deleted, with the time until which they are hidden was last set.
    hidden: Mutex<BTreeMap<String, Instant>>,
}

impl Queues {
    pub(crate) fn new(settings: &Settings, base: &SdkConfig) -> Self {
        let queues = settings.queues.iter().map(|queue| Arc::new(OneQueue::new(settings, base, queue))).collect();
        Self { queues, polled: AsyncMutex::new(None) }
    }

    /// The next messages of any queue. Without a queue it never returns.
    pub(crate) async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        if self.queues.is_empty() {
            return std::future::pending().await;
        }
        let mut polled = self.polled.lock().await;
        let polled = polled.get_or_insert_with(|| self.start());
        match polled.brought.recv().await {
            Some(brought) => brought,
            None => Err(failure(FailureKind::Failed, "the polls of the event queues have ended".to_owned())),
        }
    }

    fn start(&self) -> Polled {
        let (sender, brought) = mpsc::channel(WAITING);
        let mut tasks = JoinSet::new();
        for queue in &self.queues {
            for _ in 0..POLLERS {
                tasks.spawn(poll(queue.clone(), sender.clone()));
            }
            tasks.spawn(keep_hidden(queue.clone()));
        }
        Polled { brought, _tasks: tasks }
    }

    /// Deletes messages; those that could not be are named in the error's count and come again.
    pub(crate) async fn acknowledge(&self, receipts: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        let mut by_queue: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Receipt { queue, handle } in receipts {
            by_queue.entry(queue).or_default().push(handle);
        }
        let mut worst = Ok(());
        for (url, handles) in by_queue {
            let Some(queue) = self.queues.iter().find(|queue| queue.url == url) else { continue };
            for chunk in handles.chunks(PER_BATCH) {
                if let Err(failure) = queue.delete(chunk.to_vec()).await {
                    worst = Err(failure);
                }
            }
        }
        worst
    }
}

impl OneQueue {
    fn new(settings: &Settings, base: &SdkConfig, queue: &Queue) -> Self {
        let region = queue.region.clone().or_else(|| region_of(&queue.url));
        // A long poll is answered after 20 s when nothing comes.
        let read = settings.timeouts.read + Duration::from_secs(POLL_SECS as u64);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(settings.timeouts.connect)
            .read_timeout(read)
            .operation_attempt_timeout(settings.timeouts.connect + read)
            .build();
        let mut config = aws_sdk_sqs::config::Builder::from(base).timeout_config(timeouts);
        if let Some(region) = region {
            config = config.region(Region::new(region));
        }
        Self {
            client: Client::from_conf(config.build()),
            url: queue.url.clone(),
            visibility: queue.visibility,
            backoff: settings.timeouts.backoff,
            hidden: Mutex::default(),
        }
    }

    fn hidden(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self, action: &str, refusal: &Refusal) -> LookFailure<'static> {
        failure(refusal.kind(), refusal.sentence(action, &format!("queue {}", self.url)))
    }

    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        let received_at = Instant::now();
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(PER_BATCH as i32)
            .wait_time_seconds(POLL_SECS)
            .visibility_timeout(i32::try_from(self.visibility.as_secs()).unwrap_or(60))
            .send()
            .await
            .map_err(|error| self.failure(RECEIVE, &Refusal::from_sdk(&error)))?;
        let mut deliveries = Vec::new();
        for message in answer.messages.unwrap_or_default() {
            let Some(handle) = message.receipt_handle else {
                tracing::warn!(queue = self.url, "a message came without a receipt; it will come again");
                continue;
            };
            self.hidden().insert(handle.clone(), received_at);
            let body = unwrap_sns(message.body.unwrap_or_default());
            deliveries.push(Delivery { body: body.into_bytes(), receipt: Receipt { queue: self.url.clone(), handle } });
        }
        Ok(deliveries)
    }

    async fn delete(&self, mut handles: Vec<String>) -> Result<(), LookFailure<'static>> {
        for tries in 1.. {
            let entries: Result<Vec<_>, _> = handles
                .iter()
                .enumerate()
                .map(|(index, handle)| {
                    DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle).build()
                })
                .collect();
            let entries = entries.map_err(|error| failure(FailureKind::Failed, error.to_string()))?;
            let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = request.send().await.map_err(|error| self.failure(DELETE, &Refusal::from_sdk(&error)))?;
            // An invalid receipt will never delete anything; its message comes again under a new one.
            let refused = answer.failed.iter().filter(|failed| failed.code != "ReceiptHandleIsInvalid");
            let refused: Vec<usize> = refused.filter_map(|failed| failed.id.parse().ok()).collect();
            let (mut left, mut done) = (Vec::new(), Vec::new());
            for (index, handle) in handles.into_iter().enumerate() {
                if refused.contains(&index) { left.push(handle) } else { done.push(handle) }
            }
            {
                let mut hidden = self.hidden();
                for handle in &done {
                    hidden.remove(handle);
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            if tries >= DELETE_TRIES {
                let why = answer.failed.first().map_or("no reason given", |failed| failed.code.as_str()).to_owned();
                let message = format!(
                    "{DELETE} on queue {} was refused for {} messages ({why}); they come again",
                    self.url,
                    left.len()
                );
                return Err(failure(FailureKind::Failed, message));
            }
            handles = left;
            tokio::time::sleep(self.backoff).await;
        }
        Ok(())
    }
}

async fn poll(queue: Arc<OneQueue>, sender: mpsc::Sender<Result<Vec<Delivery>, LookFailure<'static>>>) {
    let mut pause = queue.backoff;
    loop {
        let brought = queue.receive().await;
        let failed = brought.is_err();
        if sender.send(brought).await.is_err() {
            return;
        }
        if failed {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(30));
        } else {
            pause = queue.backoff;
        }
    }
}

/// Hides messages for longer that are still being worked on when half their time is over.
async fn keep_hidden(queue: Arc<OneQueue>) {
    let half = queue.visibility / 2;
    loop {
        tokio::time::sleep(half / 2).await;
        let due: Vec<String> = {
            let mut hidden = queue.hidden();
            // Much older ones were never deleted: SQS has shown them to others long ago, under another receipt.
            hidden.retain(|_, at| at.elapsed() < queue.visibility * 20);
            hidden.iter().filter(|(_, at)| at.elapsed() >= half).map(|(handle, _)| handle.clone()).collect()
        };
        for chunk in due.chunks(PER_BATCH) {
            let secs = i32::try_from(queue.visibility.as_secs()).unwrap_or(60);
            let entries: Result<Vec<_>, _> = chunk
                .iter()
                .enumerate()
                .map(|(index, handle)| {
                    ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(index.to_string())
                        .receipt_handle(handle)
                        .visibility_timeout(secs)
                        .build()
                })
                .collect();
            let Ok(entries) = entries else { continue };
            let request = queue.client.change_message_visibility_batch().queue_url(&queue.url);
            match request.set_entries(Some(entries)).send().await {
                Ok(_) => {
                    let now = Instant::now();
                    let mut hidden = queue.hidden();
                    for handle in chunk {
                        if let Some(at) = hidden.get_mut(handle) {
                            *at = now;
                        }
                    }
                }
                Err(error) => {
                    let sentence = Refusal::from_sdk(&error)
                        .sentence("sqs:ChangeMessageVisibility", &format!("queue {}", queue.url));
                    tracing::warn!(reason = sentence, "messages may come twice; the second time they are duplicates");
                }
            }
        }
    }
}

fn failure(kind: FailureKind, message: String) -> LookFailure<'static> {
    LookFailure { scope: Scope::Clusters("the event queue".into()), kind, message: message.into() }
}

/// The event inside an SNS envelope, or the body as it is. One envelope is taken off, not more.
pub(crate) fn unwrap_sns(body: String) -> String {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "Type")]
        kind: String,
        #[serde(rename = "TopicArn")]
        _topic: String,
        #[serde(rename = "Message")]
        message: String,
    }
    // Events say "detail-type"; only an envelope says "TopicArn".
    if !body.contains("\"TopicArn\"") {
        return body;
    }
    match serde_json::from_str::<Envelope>(&body) {
        Ok(envelope) if envelope.kind == "Notification" => envelope.message,
        _ => body,
    }
}

/// The region in `https://sqs.REGION.amazonaws.com/…` or `https://REGION.queue.amazonaws.com/…`.
fn region_of(url: &str) -> Option<String> {
    let host = url.split("://").nth(1)?.split('/').next()?;
    let mut labels = host.split('.');
    let region = match (labels.next()?, labels.next()?) {
        ("sqs" | "sqs-fips", region) => region,
        (region, "queue") => region,
        _ => return None,
    };
    host.contains("amazonaws").then(|| region.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sns_envelope_is_taken_off_and_anything_else_is_left_whole() {
        let wrapped = r#"{"Type":"Notification","TopicArn":"arn:aws:sns:r:1:t","Message":"{\"a\":1}"}"#;
        assert_eq!(unwrap_sns(wrapped.to_owned()), r#"{"a":1}"#);
        for body in [
            "{\"detail-type\":\"x\"}",
            "not json",
            "{\"TopicArn\":\"broken\"",
            "{\"Type\":\"Other\",\"TopicArn\":\"t\",\"Message\":\"m\"}",
        ] {
            assert_eq!(unwrap_sns(body.to_owned()), body);
        }
    }

    #[test]
    fn the_region_of_a_queue_stands_in_its_url() {
        assert_eq!(region_of("https://sqs.eu-central-1.amazonaws.com/1/q").as_deref(), Some("eu-central-1"));
        assert_eq!(region_of("https://cn-north-1.queue.amazonaws.com.cn/1/q").as_deref(), Some("cn-north-1"));
        assert_eq!(region_of("http://127.0.0.1:4566/1/q"), None);
    }
}
