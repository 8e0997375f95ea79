//! A store from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int64Type},
};
use object_store::{ObjectStore, memory::InMemory};
use telemetry::{Class, Put, PutError, Store, StoreConfig, StoreError, event::Event};
use tempfile::TempDir;
use url::Url;

mod reading;

const GROUP: &str = "/aws/ecs/containerinsights/lab/performance";
const DAY_MS: i64 = 24 * 3_600_000;
const NOW_MS: i64 = 100 * DAY_MS;

fn config(dir: &Path) -> StoreConfig {
    StoreConfig { reserve_bytes: 0, removal_after_ms: 0, ..StoreConfig::new(dir) }
}

async fn with_stream(config: StoreConfig) -> Store {
    let store = Store::open(config, NOW_MS).await.unwrap();
    store.create_group(GROUP, Class::Standard, NOW_MS).await.unwrap();
    store.create_stream(GROUP, "s", NOW_MS).await.unwrap();
    store
}

/// Records of tasks, with lines that are no JSON and a field of two kinds among them.
fn events(from_ms: i64, count: usize, seed: u64) -> Vec<Event> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|row| {
            let message = match random.u8(..20) {
                0 => format!("line {row}"),
                1 => format!(r#"{{"Type":"Task","TaskId":{},"odd":"é\n"}}"#, random.u8(..)),
                _ => format!(
                    r#"{{"Type":"{}","TaskId":"t{}","cpu":{:.2},"net":{},"up":{}}}"#,
                    if random.bool() { "Task" } else { "Container" },
                    random.u8(..50),
                    random.f64() * 100.0,
                    random.u32(..1_000_000),
                    random.bool()
                ),
            };
            Event { timestamp_ms: from_ms + row as i64, message }
        })
        .collect()
}

async fn messages(store: &Store) -> Vec<(i64, String)> {
    reading::rows(store, GROUP).await.into_iter().map(|row| (row.timestamp_ms, row.message)).collect()
}

fn expected(batches: &[Vec<Event>]) -> Vec<(i64, String)> {
    batches.iter().flatten().map(|event| (event.timestamp_ms, event.message.clone())).collect()
}

#[tokio::test]
async fn events_are_seen_at_once_and_after_sealing_and_after_opening_again() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(config(dir.path())).await;
    let batches = [events(NOW_MS, 700, 1), events(NOW_MS - DAY_MS, 300, 2)];
    for batch in &batches {
        let put = store.put(GROUP, "s", batch.clone(), NOW_MS).await.unwrap();
        assert_eq!((put.accepted, put.too_old_to), (batch.len(), None));
    }
    assert_eq!(messages(&store).await, expected(&batches));
    store.seal_all().await.unwrap();
    assert_eq!(store.snapshot(&[GROUP.to_owned()]).unwrap()[0].files.len(), 2);
    assert_eq!(messages(&store).await, expected(&batches));
    let more = events(NOW_MS + 5_000, 100, 3);
    store.put(GROUP, "s", more.clone(), NOW_MS).await.unwrap();
    let all = [batches[0].clone(), batches[1].clone(), more];
    let reader = Store::open_read_only(Some(dir.path()), None).await.unwrap();
    assert_eq!((messages(&reader).await, reader.opened().events), (expected(&all), 100));
    assert!(matches!(reader.create_stream(GROUP, "x", 0).await, Err(StoreError::ReadOnly)));
    drop(store);
    let store = Store::open(config(dir.path()), NOW_MS).await.unwrap();
    assert_eq!((messages(&store).await, store.opened().events), (expected(&all), 100));
    let stream = &store.streams(GROUP, None).unwrap()[0];
    assert_eq!((stream.first_event_ms, stream.last_event_ms), (Some(NOW_MS - DAY_MS), Some(NOW_MS + 5_099)));
}

#[tokio::test]
async fn merging_changes_no_row() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(StoreConfig { merge_files: 4, ..config(dir.path()) }).await;
    let mut batches = Vec::new();
    for seed in 0..9 {
        batches.push(events(NOW_MS + 1_000 * seed as i64, 400, seed));
        store.put(GROUP, "s", batches[seed as usize].clone(), NOW_MS).await.unwrap();
        store.seal_all().await.unwrap();
    }
    let held = store.snapshot(&[GROUP.to_owned()]).unwrap().remove(0);
    assert_eq!(held.files.len(), 9);
    store.maintain(NOW_MS).await.unwrap();
    let merged = store.snapshot(&[GROUP.to_owned()]).unwrap().remove(0);
    assert!(merged.files.len() < 4, "{} files", merged.files.len());
    assert_eq!(messages(&store).await, expected(&batches));
    // Whoever holds a snapshot can still read its files.
    for file in &held.files {
        assert!(!reading::file_batches(&store, &file.path).await.is_empty());
    }
    let paths: Vec<String> = held.files.iter().map(|file| file.path.clone()).collect();
    drop(held);
    store.maintain(NOW_MS).await.unwrap();
    let left = |path: &str| merged.files.iter().any(|file| file.path == path);
    assert!(paths.iter().all(|path| left(path) || !dir.path().join(path).exists()));
    assert_eq!(messages(&store).await, expected(&batches));
}

#[tokio::test]
async fn rows_of_a_merged_file_are_in_order() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(StoreConfig { merge_files: 2, ..config(dir.path()) }).await;
    for seed in 0..2 {
        for part in 0..15 {
            let batch = events(NOW_MS + 1_000_000 * seed + 1_000 * part, 800, (seed * 100 + part) as u64);
            store.put(GROUP, "s", batch, NOW_MS + 1).await.unwrap();
        }
        store.seal_all().await.unwrap();
    }
    store.maintain(NOW_MS).await.unwrap();
    let files = store.snapshot(&[GROUP.to_owned()]).unwrap().remove(0).files;
    assert_eq!(files.len(), 1);
    let mut keys = Vec::new();
    for batch in reading::file_batches(&store, &files[0].path).await {
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (types, tasks) = (text("Type"), text("TaskId"));
        let times =
            batch.column_by_name("@timestamp").unwrap().as_primitive::<arrow::datatypes::TimestampMillisecondType>();
        for row in 0..batch.num_rows() {
            let value = |it: &arrow::array::StringArray| it.is_valid(row).then(|| it.value(row).to_owned());
            keys.push((value(&types), value(&tasks), times.value(row)));
        }
    }
    assert_eq!(keys.len(), 24_000);
    assert!(keys.is_sorted());
}

#[tokio::test]
async fn files_have_sums_that_other_readers_find() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(config(dir.path())).await;
    let batch = events(NOW_MS, 5_000, 7);
    let (mut cpu, mut net) = (0.0, 0);
    for event in &batch {
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&event.message) {
            cpu += value["cpu"].as_f64().unwrap_or_default();
            net += value["net"].as_i64().unwrap_or_default();
        }
    }
    store.put(GROUP, "s", batch, NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    let files = store.snapshot(&[GROUP.to_owned()]).unwrap().remove(0).files;
    let (mut found_cpu, mut found_net) = (0.0, 0);
    for batch in reading::file_batches(&store, &files[0].path).await {
        found_cpu += batch.column_by_name("cpu").unwrap().as_primitive::<Float64Type>().iter().flatten().sum::<f64>();
        found_net += batch.column_by_name("net").unwrap().as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
    }
    assert!((found_cpu - cpu).abs() < 1e-6 && found_net == net, "{found_cpu} {cpu} {found_net} {net}");
}

#[tokio::test]
async fn batches_that_break_limits_and_events_out_of_time_are_not_taken() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(config(dir.path())).await;
    assert!(matches!(store.put(GROUP, "s", Vec::new(), NOW_MS).await, Err(PutError::Batch(_))));
    let nowhere = store.put(GROUP, "x", events(NOW_MS, 1, 1), NOW_MS).await;
    assert!(matches!(nowhere, Err(PutError::Store(StoreError::NoStream { .. }))));
    let nowhere = store.put("x", "s", events(NOW_MS, 1, 1), NOW_MS).await;
    assert!(matches!(nowhere, Err(PutError::Store(StoreError::NoGroup(_)))));
    let put = store.put(GROUP, "s", events(NOW_MS - 15 * DAY_MS, 3, 1), NOW_MS).await.unwrap();
    assert_eq!(put, Put { too_old_to: Some(3), ..Put::default() });
    store.set_retention(GROUP, Some(1)).await.unwrap();
    let put = store.put(GROUP, "s", events(NOW_MS - DAY_MS - 2, 5, 1), NOW_MS).await.unwrap();
    assert_eq!((put.accepted, put.expired_to), (3, Some(2)));
    assert_eq!(messages(&store).await.len(), 3);
}

#[tokio::test]
async fn retention_removes_files_by_age_and_by_size() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(config(dir.path())).await;
    for day in 0..3 {
        store.put(GROUP, "s", events(NOW_MS - day * DAY_MS, 500, day as u64), NOW_MS).await.unwrap();
        store.seal_all().await.unwrap();
    }
    store.set_retention(GROUP, Some(2)).await.unwrap();
    store.maintain(NOW_MS + DAY_MS / 2).await.unwrap();
    assert_eq!(messages(&store).await.len(), 1_000);
    let bytes = store.groups(None)[0].stored_bytes;
    drop(store);
    let smaller = StoreConfig { files_bytes: Some(bytes - 1), ..config(dir.path()) };
    let store = Store::open(smaller, NOW_MS).await.unwrap();
    store.maintain(NOW_MS).await.unwrap();
    let left = messages(&store).await;
    assert_eq!((left.len(), left.iter().map(|(at, _)| *at).min()), (500, Some(NOW_MS)));
}

#[tokio::test]
async fn groups_and_streams_come_and_go() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(config(dir.path())).await;
    store.create_stream(GROUP, "t", NOW_MS).await.unwrap();
    assert!(matches!(store.create_stream(GROUP, "t", NOW_MS).await, Err(StoreError::Exists(_))));
    assert!(matches!(store.create_group(GROUP, Class::Standard, NOW_MS).await, Err(StoreError::Exists(_))));
    store.create_group("/other", Class::InfrequentAccess, NOW_MS).await.unwrap();
    assert_eq!(store.groups(Some("/o")).iter().map(|it| it.class).collect::<Vec<_>>(), [Class::InfrequentAccess]);
    let (s, t) = (events(NOW_MS, 300, 1), events(NOW_MS, 200, 2));
    store.put(GROUP, "s", s.clone(), NOW_MS).await.unwrap();
    store.put(GROUP, "t", t.clone(), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    store.put(GROUP, "s", s.clone(), NOW_MS).await.unwrap();
    store.delete_stream(GROUP, "s").await.unwrap();
    assert_eq!(messages(&store).await, expected(std::slice::from_ref(&t)));
    store.delete_group("/other").await.unwrap();
    drop(store);
    let store = Store::open(config(dir.path()), NOW_MS).await.unwrap();
    assert_eq!(messages(&store).await, expected(&[t]));
    let names: Vec<String> = store.streams(GROUP, None).unwrap().into_iter().map(|it| it.name).collect();
    assert_eq!((names, store.groups(None).len()), (vec!["t".to_owned()], 1));
    // A group of the same name is a new one.
    store.delete_group(GROUP).await.unwrap();
    store.create_group(GROUP, Class::Standard, NOW_MS).await.unwrap();
    drop(store);
    let store = Store::open(config(dir.path()), NOW_MS).await.unwrap();
    assert!(messages(&store).await.is_empty() && store.streams(GROUP, None).unwrap().is_empty());
}

#[tokio::test]
async fn two_processes_cannot_write_one_store() {
    let dir = TempDir::new().unwrap();
    let _store = with_stream(config(dir.path())).await;
    assert!(matches!(Store::open(config(dir.path()), NOW_MS).await, Err(StoreError::Taken(_))));
}

#[tokio::test]
async fn half_written_files_are_not_seen_and_go() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(config(dir.path())).await;
    store.put(GROUP, "s", events(NOW_MS, 100, 1), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    let file = store.snapshot(&[GROUP.to_owned()]).unwrap().remove(0).files.remove(0);
    drop(store);
    let whole = std::fs::read(dir.path().join(&file.path)).unwrap();
    let orphan = dir.path().join(&file.path).with_file_name("0000000099-s000.parquet");
    std::fs::write(&orphan, &whole[..whole.len() / 2]).unwrap();
    let beside = dir.path().join(format!("{}#1", file.path));
    std::fs::write(&beside, &whole[..10]).unwrap();
    let now_ms = jiff::Timestamp::now().as_millisecond() + DAY_MS;
    let store = Store::open(config(dir.path()), now_ms).await.unwrap();
    assert_eq!(messages(&store).await.len(), 100);
    assert!(!orphan.exists());
}

#[tokio::test]
async fn a_store_on_an_object_store_replaces_manifests_only_if_nobody_else_did() {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let root = Url::parse("memory://bucket/").unwrap();
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let open = |dir: &TempDir| Store::open_on(config(dir.path()), Arc::clone(&objects), root.clone(), NOW_MS);
    let store = open(&one).await.unwrap();
    store.create_group(GROUP, Class::Standard, NOW_MS).await.unwrap();
    store.create_stream(GROUP, "s", NOW_MS).await.unwrap();
    let batch = events(NOW_MS, 200, 1);
    store.put(GROUP, "s", batch.clone(), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    let other = open(&two).await.unwrap();
    assert_eq!(messages(&other).await, expected(std::slice::from_ref(&batch)));
    other.set_retention(GROUP, Some(9)).await.unwrap();
    let error = store.set_retention(GROUP, Some(5)).await.unwrap_err();
    assert!(error.to_string().contains("replaced by somebody else"), "{error}");
}

#[tokio::test]
async fn an_object_store_that_fails_loses_nothing_and_stops_ingestion_when_memory_is_full() {
    let dir = TempDir::new().unwrap();
    let limits = StoreConfig { memory_bytes: 60_000, memory_bytes_max: 120_000, ..config(dir.path()) };
    let store = with_stream(limits.clone()).await;
    // Sealed files cannot be written any more: something else stands where their directory should be.
    let folder = std::fs::read_dir(dir.path().join("groups")).unwrap().next().unwrap().unwrap().path();
    let day = folder.join("1970-04-11");
    std::fs::write(&day, "in the way").unwrap();
    let mut batches = Vec::new();
    let failure = loop {
        let batch = events(NOW_MS, 200, batches.len() as u64);
        match store.put(GROUP, "s", batch.clone(), NOW_MS).await {
            Ok(_) => batches.push(batch),
            Err(error) => break error,
        }
        assert!(batches.len() < 1_000);
    };
    assert!(matches!(failure, PutError::Behind { .. }), "{failure}");
    assert_eq!(messages(&store).await, expected(&batches));
    std::fs::remove_file(&day).unwrap();
    store.seal_all().await.unwrap();
    store.put(GROUP, "s", events(NOW_MS, 1, 0), NOW_MS).await.unwrap();
    assert_eq!(messages(&store).await.len(), expected(&batches).len() + 1);
    drop(store);
    let store = Store::open(limits, NOW_MS).await.unwrap();
    assert_eq!(messages(&store).await.len(), expected(&batches).len() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_and_readers_see_whole_batches_in_order() {
    let dir = TempDir::new().unwrap();
    let store = with_stream(StoreConfig { memory_bytes: 300_000, seal_rows: 500, ..config(dir.path()) }).await;
    let mut writers = Vec::new();
    for writer in 0..4 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for batch in 0..30 {
                let message = |event| format!(r#"{{"writer":{writer},"batch":{batch},"event":{event}}}"#);
                let events = (0..40).map(|event| Event { timestamp_ms: NOW_MS, message: message(event) });
                store.put(GROUP, "s", events.collect(), NOW_MS).await.unwrap();
            }
        }));
    }
    for _ in 0..20 {
        store.maintain(NOW_MS).await.unwrap();
        let rows = reading::rows(&store, GROUP).await;
        let mut counts: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for row in &rows {
            let value: serde_json::Value = serde_json::from_str(&row.message).unwrap();
            *counts.entry((value["writer"].as_u64().unwrap(), value["batch"].as_u64().unwrap())).or_default() += 1;
        }
        assert!(counts.values().all(|count| *count == 40));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(reading::rows(&store, GROUP).await.len(), 4 * 30 * 40);
}
