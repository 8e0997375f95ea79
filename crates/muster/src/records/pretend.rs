//! The hosts of a pretend account telling what their containers use, as the agents of real ones do: into the logs of a muster.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use simulator::{
    face::Watching,
    figures::{ContainerFigures, TaskFigures},
    world::ClusterId,
};
use telemetry::record::{
    Detail, Line, PERIOD_MS,
    container::ContainerRecord,
    minute_of,
    task::{TaskIdentity, TaskRecord},
    usage::{self, Direction, Network, Storage, Usage},
};
use tokio_util::sync::CancellationToken;

use crate::logs::client::{AskError, LogsClient};

/// What waits to be told, by group and stream.
type Waiting = BTreeMap<(String, String), Vec<Value>>;

/// More lines do not wait: nobody has listened for long.
const WAITING_MAX: usize = 50_000;

/// Tells it each minute of the account's own time, until it is stopped.
pub async fn tell(account: Watching, to: LogsClient, detail: Detail, stop: CancellationToken) {
    let (mut told_ms, mut failed_ms) = (i64::MIN, i64::MIN);
    let mut waiting = Waiting::new();
    loop {
        let (now_ms, lines) = account.look(|world| {
            let now_ms = world.now.0;
            let due_ms = minute_of(now_ms);
            if due_ms <= told_ms {
                return (now_ms, Vec::new());
            }
            let clusters = (0..world.clusters.len()).filter_map(|id| u32::try_from(id).ok()).map(ClusterId);
            let tasks = clusters.flat_map(|id| world.figures_of(id).collect::<Vec<_>>());
            (now_ms, tasks.flat_map(|task| lines(&task, due_ms, detail)).collect::<Vec<Line>>())
        });
        told_ms = told_ms.max(minute_of(now_ms));
        for Line { group, stream, event } in lines {
            let event = json!({ "timestamp": event.timestamp_ms, "message": event.message });
            waiting.entry((group, stream)).or_default().push(event);
        }
        if let Err(error) = put(&to, &mut waiting).await {
            // Most often the muster has not been started yet: it is tried again, and said once a minute.
            if failed_ms < minute_of(now_ms) {
                failed_ms = minute_of(now_ms);
                tracing::warn!(%error, "the pretend hosts could not tell what their containers use");
            }
            if waiting.values().map(Vec::len).sum::<usize>() > WAITING_MAX {
                waiting.clear();
            }
        }
        let left_ms = PERIOD_MS - now_ms.rem_euclid(PERIOD_MS);
        // The account may live faster than the wall clock: it is looked at again soon.
        let pause = std::time::Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).clamp(50, 1_000));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The records of one task and of its containers.
fn lines(task: &TaskFigures, timestamp_ms: i64, detail: Detail) -> Vec<Line> {
    let identity = TaskIdentity {
        task: task.task.clone(),
        family: task.definition.0.clone(),
        revision: task.definition.1.to_string(),
        service: task.service.clone(),
        container_instance: Some(task.container_instance.clone()),
        ec2_instance: Some(task.machine.clone()),
        cluster: task.cluster.clone(),
    };
    let usages: Vec<Usage> = task.containers.iter().map(|(_, _, figures)| used(figures)).collect();
    let (created, started) = task.began;
    let record = TaskRecord {
        identity: identity.clone(),
        account: task.account.clone(),
        region: task.region.clone(),
        zone: task.zone.clone(),
        status: "RUNNING".to_owned(),
        launch_type: if task.external { "EXTERNAL" } else { "EC2" }.to_owned(),
        pull_started_ms: Some(created.0),
        pull_stopped_ms: Some(started.0),
        created_ms: Some(created.0),
        started_ms: Some(started.0),
        timestamp_ms,
        usage: usage::of_task(&usages, task.awsvpc),
        ..TaskRecord::default()
    };
    let mut lines = vec![record.line(detail)];
    for ((name, image, _), usage) in task.containers.iter().zip(usages) {
        let record = ContainerRecord {
            container: name.clone(),
            identity: identity.clone(),
            image: image.clone(),
            status: "RUNNING".to_owned(),
            timestamp_ms,
            usage,
            ..ContainerRecord::default()
        };
        lines.push(record.line(detail));
    }
    lines
}

fn used(figures: &ContainerFigures) -> Usage {
    let way = |bytes_per_sec, packets| Direction { bytes_per_sec, packets, ..Direction::default() };
    Usage {
        cpu_used_units: Some(figures.cpu_units),
        cpu_reserved_units: Some(figures.cpu_reserved_units),
        memory_used_mib: Some(figures.memory_mib),
        memory_reserved_mib: Some(figures.memory_reserved_mib),
        storage: Some(Storage { read_bytes: figures.storage_read_bytes, write_bytes: figures.storage_write_bytes }),
        network: figures.network.map(|network| Network {
            rx: way(network.rx_bytes_per_sec, network.rx_packets),
            tx: way(network.tx_bytes_per_sec, network.tx_packets),
        }),
    }
}

/// One batch for each stream; what is not there is made. What was taken waits no longer.
async fn put(to: &LogsClient, waiting: &mut Waiting) -> Result<(), AskError> {
    while let Some(((group, stream), events)) = waiting.first_key_value() {
        let names = json!({ "logGroupName": group, "logStreamName": stream });
        let mut body = names.clone();
        body["logEvents"] = events.clone().into();
        match to.ask("PutLogEvents", &body).await {
            Err(AskError::Refused(error)) if error.code == "ResourceNotFoundException" => {
                make(to, "CreateLogGroup", json!({ "logGroupName": group })).await?;
                make(to, "CreateLogStream", names).await?;
                to.ask("PutLogEvents", &body).await?;
            }
            other => drop(other?),
        }
        waiting.pop_first();
    }
    Ok(())
}

/// Makes what may be there already.
async fn make(to: &LogsClient, operation: &str, body: Value) -> Result<(), AskError> {
    match to.ask(operation, &body).await {
        Err(AskError::Refused(error)) if error.code == "ResourceAlreadyExistsException" => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use simulator::clock::Moment;

    use super::*;

    #[test]
    fn a_task_is_told_with_the_sum_of_its_containers_and_each_of_them() {
        let figures = ContainerFigures {
            cpu_units: 10.5,
            cpu_reserved_units: 64.0,
            memory_mib: 30,
            memory_reserved_mib: 128,
            ..ContainerFigures::default()
        };
        let task = TaskFigures {
            task: "0f1e".to_owned(),
            cluster: "market".to_owned(),
            account: "210987654321".to_owned(),
            region: "eu-central-1".to_owned(),
            zone: None,
            definition: ("till".to_owned(), 4),
            service: Some("till".to_owned()),
            container_instance: "aa11".to_owned(),
            machine: "i-0".to_owned(),
            external: false,
            awsvpc: true,
            began: (Moment(1_000), Moment(2_000)),
            containers: vec![
                ("app".to_owned(), "app:4".to_owned(), figures),
                ("log".to_owned(), "log:4".to_owned(), figures),
            ],
        };
        let lines = lines(&task, 60_000, Detail::Standard);
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.stream == "AgentTelemetry-aa11" && line.event.timestamp_ms == 60_000));
        let told: Value = serde_json::from_str(&lines[0].event.message).unwrap();
        assert_eq!((&told["CpuUtilized"], &told["MemoryReserved"]), (&json!(21.0), &json!(256)));
        assert_eq!(told.get("NetworkRxBytes"), None);
    }
}
