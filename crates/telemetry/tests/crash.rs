//! A process that takes events in is killed, again and again.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use telemetry::{Class, Store, StoreConfig, event::Event};

mod reading;

const KILLS: u64 = 110;
const GROUP: &str = "/lab/crash";
const EVENTS: usize = 5;
const DAY_MS: i64 = 24 * 3_600_000;

/// Limits so small that files are sealed, merged and removed all the time.
fn config(dir: &Path) -> StoreConfig {
    StoreConfig {
        seal_rows: 40,
        merge_files: 3,
        segment_bytes: 8 << 10,
        removal_after_ms: 0,
        reserve_bytes: 0,
        ..StoreConfig::new(dir)
    }
}

fn message(run: u64, batch: u64, event: usize) -> String {
    format!(r#"{{"Type":"Task","run":{run},"batch":{batch},"event":{event},"cpu":{}.5}}"#, batch % 7)
}

/// The part of the child process: puts batches and says which were acknowledged, until it is killed.
async fn ingest_until_killed(dir: OsString) {
    let run: u64 = std::env::var("MUSTER_CRASH_RUN").unwrap().parse().unwrap();
    let store = Store::open(config(Path::new(&dir)), DAY_MS).await.unwrap();
    if run == 0 {
        store.create_group(GROUP, Class::Standard, DAY_MS).await.unwrap();
    }
    let stream = format!("run-{run}");
    store.create_stream(GROUP, &stream, DAY_MS).await.unwrap();
    let keeper = store.clone();
    tokio::spawn(async move {
        loop {
            keeper.maintain(DAY_MS).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    for batch in 0.. {
        let event = |event| Event { timestamp_ms: DAY_MS + batch as i64, message: message(run, batch, event) };
        let put = store.put(GROUP, &stream, (0..EVENTS).map(event).collect(), DAY_MS).await.unwrap();
        assert_eq!(put.accepted, EVENTS);
        std::io::stdout().write_all(format!("\nacknowledged {batch}\n").as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_once_after_110_kills() {
    if let Some(dir) = std::env::var_os("MUSTER_CRASH_DIR") {
        return ingest_until_killed(dir).await;
    }
    let dir = tempfile::TempDir::new().unwrap();
    let mut random = fastrand::Rng::with_seed(9);
    let mut acknowledged: BTreeSet<(u64, u64)> = BTreeSet::new();
    let mut damaged = 0;
    for run in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_acknowledged_is_there_once_after_110_kills", "--nocapture"])
            .env("MUSTER_CRASH_DIR", dir.path())
            .env("MUSTER_CRASH_RUN", run.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = random.usize(1..25);
        let mut note = |line: String| {
            if let Some(batch) = line.strip_prefix("acknowledged ") {
                acknowledged.insert((run, batch.parse().unwrap()));
            }
        };
        for line in lines.by_ref().map_while(Result::ok) {
            let last = line == format!("acknowledged {wanted}");
            note(line);
            if last {
                break;
            }
        }
        std::thread::sleep(Duration::from_micros(random.u64(0..6_000)));
        // SIGKILL: nothing is flushed, no destructor runs.
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(note);
        if run % 10 == 9 || run + 1 == KILLS {
            let store = Store::open_read_only(Some(dir.path()), None).await.unwrap();
            damaged += store.opened().log.damaged;
            check(&reading::rows(&store, GROUP).await, &acknowledged);
        }
    }
    assert!(acknowledged.len() as u64 > KILLS, "{} batches were acknowledged", acknowledged.len());
    assert_eq!(damaged, 0);
    // Opening for writing cuts torn ends off; nothing else changes.
    let store = Store::open(config(dir.path()), DAY_MS).await.unwrap();
    check(&reading::rows(&store, GROUP).await, &acknowledged);
    store.seal_all().await.unwrap();
    store.maintain(3 * DAY_MS).await.unwrap();
    check(&reading::rows(&store, GROUP).await, &acknowledged);
    assert_eq!(store.streams(GROUP, None).unwrap().len() as u64, KILLS);
}

/// Each acknowledged batch is there whole and once; each other one is there whole and once, or not at all.
fn check(rows: &[reading::Row], acknowledged: &BTreeSet<(u64, u64)>) {
    let mut batches: BTreeMap<(u64, u64), Vec<String>> = BTreeMap::new();
    for row in rows {
        let value: serde_json::Value = serde_json::from_str(&row.message).unwrap();
        let of = (value["run"].as_u64().unwrap(), value["batch"].as_u64().unwrap());
        assert_eq!(row.stream, format!("run-{}", of.0));
        batches.entry(of).or_default().push(row.message.clone());
    }
    for ((run, batch), messages) in &batches {
        let expected: Vec<String> = (0..EVENTS).map(|event| message(*run, *batch, event)).collect();
        assert_eq!(*messages, expected);
    }
    for of in acknowledged {
        assert!(batches.contains_key(of), "batch {of:?} was acknowledged and is not there");
    }
}
