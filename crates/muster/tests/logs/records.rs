use std::sync::Arc;

use muster::{
    logs::port::{Logs, Streams, Wanted},
    records::sender::Sender,
};
use telemetry::{event::Event, record::Line};

use crate::memory::MemoryLogs;

const GROUP: &str = "/aws/ecs/containerinsights/market/performance";
const MINUTE: i64 = 1_790_000_040_000;

fn line(stream: &str, minute: i64, text: &str) -> Line {
    let event = Event { timestamp_ms: MINUTE + minute * 60_000, message: text.to_owned() };
    Line { group: GROUP.to_owned(), stream: stream.to_owned(), event }
}

async fn told(logs: &MemoryLogs) -> Vec<String> {
    let wanted =
        Wanted { streams: Streams::All, from_ms: 0, to_ms: i64::MAX, beyond: None, newest_first: false, count: 1_000 };
    logs.events(GROUP, &wanted).await.unwrap().into_iter().map(|event| event.message).collect()
}

#[tokio::test]
async fn groups_and_streams_are_made_and_kept_for_the_days_that_are_wanted() {
    let logs = Arc::new(MemoryLogs::default());
    let mut sender = Sender::new(logs.clone(), 30);
    sender.send(vec![line("ClusterTelemetry-market", 0, "a"), line("ServiceTelemetry-till", 0, "b")], MINUTE).await;
    assert_eq!(told(&logs).await, ["a", "b"]);
    assert_eq!(logs.group(GROUP).await.unwrap().retention_days, Some(30));
    // Whoever keeps them for longer is not overruled by the next start.
    logs.set_retention(GROUP, Some(400)).await.unwrap();
    let mut again = Sender::new(logs.clone(), 30);
    again.send(vec![line("ClusterTelemetry-market", 1, "c")], MINUTE + 60_000).await;
    assert_eq!(logs.group(GROUP).await.unwrap().retention_days, Some(400));
}

#[tokio::test]
async fn a_minute_is_told_once_also_after_a_restart() {
    let logs = Arc::new(MemoryLogs::default());
    let minute = || vec![line("AgentTelemetry-aa", 0, "task 1"), line("AgentTelemetry-aa", 0, "task 2")];
    let mut sender = Sender::new(logs.clone(), 30);
    sender.send(minute(), MINUTE).await;
    sender.send(minute(), MINUTE + 1_000).await;
    let mut restarted = Sender::new(logs.clone(), 30);
    restarted.send(minute(), MINUTE + 2_000).await;
    restarted.send(vec![line("AgentTelemetry-aa", 1, "task 1 again")], MINUTE + 60_000).await;
    assert_eq!(told(&logs).await, ["task 1", "task 2", "task 1 again"]);
}

#[tokio::test]
async fn what_a_host_tells_by_itself_is_not_told_for_it_until_it_falls_silent() {
    let logs = Arc::new(MemoryLogs::default());
    let mut sender = Sender::new(logs.clone(), 30);
    sender.send(vec![line("AgentTelemetry-aa", 0, "reserved")], MINUTE).await;
    let measured = Event { timestamp_ms: MINUTE + 60_000, message: "measured".to_owned() };
    logs.put(GROUP, "AgentTelemetry-aa", vec![measured], MINUTE + 60_500).await.unwrap();
    sender
        .send(vec![line("AgentTelemetry-aa", 2, "not told"), line("AgentTelemetry-bb", 2, "told")], MINUTE + 120_000)
        .await;
    assert_eq!(told(&logs).await, ["reserved", "measured", "told"]);
    sender.send(vec![line("AgentTelemetry-aa", 6, "told again")], MINUTE + 360_000).await;
    assert_eq!(told(&logs).await, ["reserved", "measured", "told", "told again"]);
}

#[tokio::test]
async fn a_group_that_somebody_deletes_is_made_again() {
    let logs = Arc::new(MemoryLogs::default());
    let mut sender = Sender::new(logs.clone(), 30);
    sender.send(vec![line("ClusterTelemetry-market", 0, "a")], MINUTE).await;
    logs.delete_group(GROUP).await.unwrap();
    sender.send(vec![line("ClusterTelemetry-market", 1, "lost")], MINUTE + 60_000).await;
    sender.send(vec![line("ClusterTelemetry-market", 2, "b")], MINUTE + 120_000).await;
    assert_eq!(told(&logs).await, ["b"]);
}
