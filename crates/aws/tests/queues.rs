//! The event queue when something goes wrong: nothing is lost, nothing is deleted early, and it is said.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::time::Duration;

use aws::{
    AwsCloud, Settings, connect,
    settings::{Keys, Queue, Timeouts},
};
use engine::ports::{Cloud as _, FailureKind, Receipt};
use scripted::{Answers, Script, Serving};
use serde_json::{Value, json};

async fn cloud(answers: Answers) -> (AwsCloud, Serving) {
    let serving = answers.serve().await;
    let mut queue = Queue::new(format!("{}/210987654321/events", serving.url()));
    queue.visibility = Duration::from_secs(1);
    let settings = Settings {
        regions: vec!["eu-central-1".to_owned()],
        endpoint_url: Some(serving.url()),
        keys: Some(Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "canary-secret-0123456789".to_owned(),
            session_token: None,
        }),
        queues: vec![queue],
        timeouts: Timeouts {
            connect: Duration::from_millis(500),
            read: Duration::from_millis(700),
            backoff: Duration::from_millis(1),
        },
        ..Settings::default()
    };
    (connect(settings).await.unwrap(), serving)
}

fn message(handle: &str) -> Script {
    Script::json(json!({"Messages": [{"MessageId": "1", "ReceiptHandle": handle, "Body": "{}"}]}))
}

/// One message, then a long poll without end.
fn one_message() -> Answers {
    let mut given = false;
    Answers::new().on_mut("ReceiveMessage", move |_| {
        if std::mem::replace(&mut given, true) { Script::Hang } else { message("r1") }
    })
}

fn deleted(asked: &scripted::Asked) -> Script {
    let entries = asked.body["Entries"].as_array().unwrap();
    let done: Vec<Value> = entries.iter().map(|entry| json!({"Id": entry["Id"]})).collect();
    Script::json(json!({"Successful": done, "Failed": []}))
}

#[tokio::test]
async fn a_message_that_is_still_worked_on_stays_hidden_until_it_is_deleted() {
    let (sender, mut extended) = tokio::sync::mpsc::unbounded_channel();
    let answers = one_message().on("DeleteMessageBatch", deleted).on("ChangeMessageVisibilityBatch", move |asked| {
        let entry = asked.body["Entries"][0].clone();
        let _ = sender.send(entry);
        Script::json(json!({"Successful": [{"Id": "0"}], "Failed": []}))
    });
    let (cloud, serving) = cloud(answers).await;
    let delivery = cloud.receive().await.unwrap().remove(0);
    for _ in 0..2 {
        let entry = tokio::time::timeout(Duration::from_secs(10), extended.recv()).await.unwrap().unwrap();
        assert_eq!((&entry["ReceiptHandle"], &entry["VisibilityTimeout"]), (&json!("r1"), &json!(1)));
    }
    cloud.acknowledge(vec![delivery.receipt]).await.unwrap();
    assert_eq!(serving.count("DeleteMessageBatch"), 1);
    // An extension may have been on its way while the message was deleted, one at most; after that there is none.
    while extended.try_recv().is_ok() {}
    let round = Duration::from_millis(1_500);
    if tokio::time::timeout(round, extended.recv()).await.is_ok() {
        let later = tokio::time::timeout(round, extended.recv()).await;
        assert!(later.is_err(), "hidden again after it was deleted: {later:?}");
    }
}

#[tokio::test]
async fn a_queue_that_refuses_is_reported_and_read_again() {
    let mut answers_left = vec![message("r1"), Script::error(400, "AccessDeniedException", "not authorized")];
    let answers = Answers::new().on_mut("ReceiveMessage", move |_| answers_left.pop().unwrap_or(Script::Hang));
    let (cloud, serving) = cloud(answers).await;
    let (mut failed, mut received) = (Vec::new(), 0);
    for _ in 0..2 {
        match cloud.receive().await {
            Ok(deliveries) => received += deliveries.len(),
            Err(failure) => failed.push(failure),
        }
    }
    assert_eq!((failed.len(), received), (1, 1));
    assert_eq!(failed[0].kind, FailureKind::Denied);
    for words in ["sqs:ReceiveMessage", &format!("{}/210987654321/events", serving.url())] {
        assert!(failed[0].message.contains(words), "{}", failed[0].message);
    }
    assert!(!failed[0].message.contains("canary"));
}

#[tokio::test]
async fn a_deletion_refused_again_and_again_says_how_many_messages_come_again() {
    let answers = one_message().on("DeleteMessageBatch", |_| {
        Script::json(json!({"Failed": [{"Id": "0", "SenderFault": false, "Code": "InternalError"}]}))
    });
    let (cloud, serving) = cloud(answers).await;
    let delivery = cloud.receive().await.unwrap().remove(0);
    let failure = cloud.acknowledge(vec![delivery.receipt]).await.unwrap_err();
    assert!(failure.message.contains("refused for 1 messages (InternalError)"), "{}", failure.message);
    assert_eq!(serving.count("DeleteMessageBatch"), 3);
}

#[tokio::test]
async fn a_receipt_that_is_no_longer_valid_is_not_tried_again() {
    let answers = one_message().on("DeleteMessageBatch", |_| {
        Script::json(json!({"Failed": [{"Id": "0", "SenderFault": true, "Code": "ReceiptHandleIsInvalid"}]}))
    });
    let (cloud, serving) = cloud(answers).await;
    let delivery = cloud.receive().await.unwrap().remove(0);
    cloud.acknowledge(vec![delivery.receipt]).await.unwrap();
    assert_eq!(serving.count("DeleteMessageBatch"), 1);
}

#[tokio::test]
async fn twenty_five_receipts_are_deleted_in_three_batches() {
    let (cloud, serving) = cloud(Answers::new().on("DeleteMessageBatch", deleted)).await;
    let queue = format!("{}/210987654321/events", serving.url());
    let receipts = (0..25).map(|number| Receipt { queue: queue.clone(), handle: format!("r{number}") });
    cloud.acknowledge(receipts.collect()).await.unwrap();
    assert_eq!(serving.count("DeleteMessageBatch"), 3);
}
