use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use engine::ports::{ActResult, Answer, Cloud, Delivery, FailureKind, Intent, Look, LookFailure, Receipt, Scope};
use muster::{
    logs::port::{Logs, Streams, Wanted},
    records::lifecycle::Heard,
};
use tokio::sync::mpsc;

use crate::memory::MemoryLogs;

/// A cloud with nothing but a queue.
struct Queue(Mutex<VecDeque<Vec<String>>>);

#[async_trait]
impl Cloud for Queue {
    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        let receipt = || Receipt { queue: "queue".to_owned(), handle: "handle".to_owned() };
        let texts = self.0.lock().unwrap().pop_front().ok_or_else(nothing)?;
        Ok(texts.into_iter().map(|text| Delivery { body: text.into_bytes(), receipt: receipt() }).collect())
    }

    async fn sweep(&self, _: mpsc::Sender<Answer>) {}

    async fn look(&self, _: Look) -> Answer {
        Answer::Failed(nothing())
    }

    async fn acknowledge(&self, _: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        Ok(())
    }

    async fn act(&self, _: &Intent, _: bool) -> ActResult<'static> {
        ActResult::Gone { note: "nothing is here".into() }
    }
}

fn nothing() -> LookFailure<'static> {
    LookFailure { scope: Scope::Clusters("1/x".into()), kind: FailureKind::Throttled, message: "nothing".into() }
}

fn event(id: u32, cluster: &str, at: &str) -> String {
    format!(
        r#"{{"id":"{id}","detail-type":"ECS Task State Change","source":"aws.ecs","time":"{at}","detail":{{"clusterArn":"arn:aws:ecs:eu-central-1:210987654321:cluster/{cluster}","lastStatus":"RUNNING"}}}}"#
    )
}

async fn kept(logs: &MemoryLogs, cluster: &str) -> Vec<String> {
    let group = format!("/aws/events/ecs/containerinsights/{cluster}/performance");
    let wanted =
        Wanted { streams: Streams::All, from_ms: 0, to_ms: i64::MAX, beyond: None, newest_first: false, count: 1_000 };
    match logs.events(&group, &wanted).await {
        Ok(events) => events.into_iter().map(|event| event.message).collect(),
        Err(_) => Vec::new(),
    }
}

async fn until(logs: &MemoryLogs, cluster: &str, count: usize) -> Vec<String> {
    for _ in 0..2_000 {
        let found = kept(logs, cluster).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{count} events of {cluster} were awaited, there are {:?}", kept(logs, cluster).await);
}

#[tokio::test]
async fn events_of_ecs_are_kept_as_they_came_by_cluster_each_once() {
    let (early, late) = (event(1, "market", "2026-11-21T10:00:00Z"), event(2, "market", "2026-11-21T10:00:05Z"));
    let other = event(3, "lab", "2026-11-21T10:00:06Z");
    let rule = r#"{"id":"4","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","time":"2026-11-21T10:00:06Z","detail":{"instance-id":"i-1"}}"#;
    let batches =
        [vec![late.clone(), early.clone(), "not JSON".to_owned()], vec![early.clone(), rule.to_owned(), other.clone()]];
    let logs = Arc::new(MemoryLogs::default());
    let (heard, bodies) = Heard::new(Arc::new(Queue(Mutex::new(batches.into()))));
    let keeping = tokio::spawn(bodies.keep(logs.clone(), 30));
    let first = heard.receive().await.unwrap();
    assert_eq!(first.len(), 3, "whoever watches gets all of it");
    assert_eq!(heard.receive().await.unwrap().len(), 3);
    assert!(heard.receive().await.is_err());
    assert_eq!(until(&logs, "lab", 1).await, [other]);
    assert_eq!(until(&logs, "market", 2).await, [early, late]);
    let groups = logs.groups(None).await.unwrap();
    drop(heard);
    keeping.await.unwrap();
    assert!(groups.len() == 2 && groups.iter().all(|group| group.retention_days == Some(30)));
}

#[tokio::test]
async fn a_group_that_somebody_removed_is_made_again() {
    let (first, second) = (event(1, "market", "2026-11-21T10:00:00Z"), event(2, "market", "2026-11-21T10:00:05Z"));
    let batches = [vec![first.clone()], vec![second.clone()]];
    let logs = Arc::new(MemoryLogs::default());
    let (heard, bodies) = Heard::new(Arc::new(Queue(Mutex::new(batches.into()))));
    let keeping = tokio::spawn(bodies.keep(logs.clone(), 30));
    heard.receive().await.unwrap();
    assert_eq!(until(&logs, "market", 1).await, [first]);
    logs.delete_group("/aws/events/ecs/containerinsights/market/performance").await.unwrap();
    heard.receive().await.unwrap();
    assert_eq!(until(&logs, "market", 1).await, [second]);
    drop(heard);
    keeping.await.unwrap();
}
