//! Roll-ups of a store: which files have them, and that they sum up exactly the rows of these, whatever happens.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

use std::{
    fmt,
    ops::Range,
    path::Path as FsPath,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use arrow::{array::AsArray, datatypes::Int64Type};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem, path::Path,
};
use telemetry::{
    Class, Store, StoreConfig,
    event::Event,
    rollup::{COUNT, METRIC},
    snapshot::Group,
};
use tempfile::TempDir;
use url::Url;

mod reading;

const GROUP: &str = "/aws/ecs/containerinsights/lab/performance";
const DAY_MS: i64 = 86_400_000;
const NOW_MS: i64 = 20_731 * DAY_MS;

fn config(dir: &FsPath) -> StoreConfig {
    StoreConfig { rollup_rows: Some(500), removal_after_ms: 0, reserve_bytes: 0, ..StoreConfig::new(dir) }
}

fn events(from_ms: i64, count: i64) -> Vec<Event> {
    let event = |number: i64| {
        let (of, family) = (["Task", "Container"][number as usize % 2], number % 3);
        let message = format!(
            r#"{{"Type":"{of}","ClusterName":"lab","TaskDefinitionFamily":"f{family}","TaskId":"{:016x}","Trace":"{:016x}{:016x}","CpuUtilized":{}.25}}"#,
            number.wrapping_mul(0x1e37_79b9_7f4a_7c15),
            number.wrapping_mul(0x3243_f6a8_885a_308d),
            number.wrapping_mul(0x1319_8a2e_0370_7344),
            number % 97,
        );
        Event { timestamp_ms: from_ms + number * 1_000, message }
    };
    (0..count).map(event).collect()
}

async fn made(store: &Store) {
    store.create_group(GROUP, Class::Standard, NOW_MS - 9 * DAY_MS).await.unwrap();
    for stream in ["s", "t"] {
        store.create_stream(GROUP, stream, NOW_MS).await.unwrap();
    }
}

fn snapshot(store: &Store) -> Group {
    store.snapshot(&[GROUP.to_owned()]).unwrap().remove(0)
}

/// Each level counts the rows of its file; how many files have levels.
async fn checked(store: &Store) -> usize {
    let group = snapshot(store);
    let mut files = 0;
    for (path, rollups) in &group.rollups {
        let file = group.files.iter().find(|file| file.path == *path).expect("roll-ups are those of a file");
        files += usize::from(!rollups.levels.is_empty());
        for level in &rollups.levels {
            let mut counted = 0;
            for batch in reading::file_batches(store, &level.file.path).await {
                let metrics = batch.column_by_name(METRIC).unwrap().as_string::<i32>();
                let counts = batch.column_by_name(COUNT).unwrap().as_primitive::<Int64Type>();
                counted += (0..batch.num_rows())
                    .filter(|row| metrics.value(*row).is_empty())
                    .map(|row| counts.value(row))
                    .sum::<i64>();
            }
            assert_eq!(counted as u64, file.rows, "{}", level.file.path);
        }
    }
    files
}

/// The files of a store that hold rows or roll-ups.
fn parquet_files(dir: &FsPath) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.join("groups")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|it| it == "parquet") {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found
}

#[tokio::test]
async fn large_files_and_those_of_days_that_are_over_have_rollups() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(config(dir.path()), NOW_MS).await.unwrap();
    made(&store).await;
    store.put(GROUP, "s", events(NOW_MS, 3_000), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    assert!(snapshot(&store).rollups.is_empty(), "sealing waits for no roll-up");
    store.put(GROUP, "s", events(NOW_MS + 3_600_000, 200), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    store.maintain(NOW_MS).await.unwrap();
    assert_eq!((checked(&store).await, snapshot(&store).files.len()), (1, 2));
    // Late events make a file of their own; when the day is over all are one.
    store.put(GROUP, "s", events(NOW_MS + 60_000, 300), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    store.maintain(NOW_MS).await.unwrap();
    assert_eq!((checked(&store).await, snapshot(&store).files.len()), (1, 3));
    store.maintain(NOW_MS + 2 * DAY_MS).await.unwrap();
    assert_eq!((checked(&store).await, snapshot(&store).files.len()), (1, 1));
    assert_eq!(snapshot(&store).files[0].rows, 3_500);
    store.maintain(NOW_MS + 2 * DAY_MS).await.unwrap();
    let levels: usize = snapshot(&store).rollups.values().map(|it| it.levels.len()).sum();
    assert_eq!(parquet_files(dir.path()).len(), 1 + levels);
    assert!(levels >= 2);
    drop(store);
    let store = Store::open(config(dir.path()), NOW_MS).await.unwrap();
    assert_eq!(checked(&store).await, 1);
    assert!(store.groups(None)[0].stored_bytes > snapshot(&store).files[0].bytes);
}

#[tokio::test]
async fn rollups_go_with_their_files() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(config(dir.path()), NOW_MS).await.unwrap();
    made(&store).await;
    for day in 0..3 {
        for stream in ["s", "t"] {
            store.put(GROUP, stream, events(NOW_MS - day * DAY_MS, 2_000), NOW_MS).await.unwrap();
        }
        store.seal_all().await.unwrap();
    }
    store.maintain(NOW_MS + DAY_MS / 2).await.unwrap();
    assert_eq!(checked(&store).await, 3);
    store.delete_stream(GROUP, "t").await.unwrap();
    assert_eq!(checked(&store).await, 0);
    store.maintain(NOW_MS + DAY_MS / 2).await.unwrap();
    assert_eq!((checked(&store).await, snapshot(&store).records()), (3, 6_000));
    store.set_retention(GROUP, Some(2)).await.unwrap();
    store.maintain(NOW_MS + DAY_MS / 2).await.unwrap();
    store.maintain(NOW_MS + DAY_MS / 2).await.unwrap();
    let group = snapshot(&store);
    assert_eq!((checked(&store).await, group.files.len()), (2, 2));
    let levels: usize = group.rollups.values().map(|it| it.levels.len()).sum();
    assert_eq!(parquet_files(dir.path()).len(), 2 + levels);
    drop(group);
    store.delete_group(GROUP).await.unwrap();
    assert!(parquet_files(dir.path()).is_empty());
}

#[tokio::test]
async fn without_a_number_of_rows_no_file_has_rollups() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(StoreConfig { rollup_rows: None, ..config(dir.path()) }, NOW_MS).await.unwrap();
    made(&store).await;
    store.put(GROUP, "s", events(NOW_MS, 3_000), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    store.maintain(NOW_MS + 2 * DAY_MS).await.unwrap();
    assert!(snapshot(&store).rollups.is_empty());
}

/// An object store that loses the connection when a manifest is to be replaced.
#[derive(Debug)]
struct Failing {
    objects: LocalFileSystem,
    fails: AtomicBool,
}

impl fmt::Display for Failing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, to: &Path, payload: PutPayload, _: PutOptions) -> Result<PutResult> {
        if to.as_ref().ends_with("manifest.json") && self.fails.load(SeqCst) {
            return Err(object_store::Error::Generic { store: "failing", source: "the connection is lost".into() });
        }
        self.objects.put_opts(to, payload, PutOptions::default()).await
    }

    async fn put_multipart_opts(&self, to: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(from, options).await
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.objects.get_ranges(from, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(paths)
    }

    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(below)
    }

    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(below).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_rollup_without_its_manifest_is_no_rollup_and_goes() {
    let (dir, files) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let objects = LocalFileSystem::new_with_prefix(files.path()).unwrap();
    let failing = Arc::new(Failing { objects, fails: AtomicBool::new(false) });
    let root = Url::parse("memory://bucket/").unwrap();
    let open = |now_ms| Store::open_on(config(dir.path()), Arc::clone(&failing) as _, root.clone(), now_ms);
    let store = open(NOW_MS).await.unwrap();
    made(&store).await;
    store.put(GROUP, "s", events(NOW_MS, 3_000), NOW_MS).await.unwrap();
    store.seal_all().await.unwrap();
    assert_eq!(parquet_files(files.path()).len(), 1);
    failing.fails.store(true, SeqCst);
    let error = store.maintain(NOW_MS).await.unwrap_err();
    assert!(error.to_string().contains("the connection is lost"), "{error}");
    let written = parquet_files(files.path()).len();
    assert!(written > 1, "roll-ups are written before the manifest names them");
    assert!(snapshot(&store).rollups.is_empty());
    drop(store);
    failing.fails.store(false, SeqCst);
    // After a day what no manifest names is nobody's.
    let later_ms = jiff::Timestamp::now().as_millisecond() + DAY_MS;
    let store = open(later_ms).await.unwrap();
    assert_eq!((parquet_files(files.path()).len(), snapshot(&store).records()), (1, 3_000));
    store.maintain(NOW_MS).await.unwrap();
    assert_eq!((checked(&store).await, parquet_files(files.path()).len()), (1, written));
}
