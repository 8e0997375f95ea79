//! Roll-ups answer what the rows themselves answer, for what they answer at all.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::{DataType, Float64Type},
    record_batch::RecordBatch,
};
use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, path::Path,
};
use query::{
    Engine, EngineConfig, Request, codec,
    rollup::{RELATIVE_ERROR, Use},
};
use telemetry::{Class, Store, StoreConfig, event::Event};
use tempfile::TempDir;

const GROUP: &str = "/aws/ecs/containerinsights/lab/performance";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The first moment of a day in October 2026.
const START_MS: i64 = 20_731 * DAY_MS;
const DAYS: i64 = 3;

fn pick<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.usize(..all.len())]
}

fn engine() -> Engine {
    Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() }).unwrap()
}

/// A performance record: some members are absent at times, and a number is at times written as an integer.
fn message(rng: &mut Rng) -> String {
    let family = rng.u32(..4);
    let mut members = vec![
        format!(r#""Type":"{}""#, pick(rng, &["Task", "Container"])),
        r#""ClusterName":"lab""#.to_owned(),
        format!(r#""TaskDefinitionFamily":"family-{family}""#),
        // What makes files large, as names of tasks, images and zones do.
        format!(r#""TaskId":"{:032x}{:032x}{:032x}""#, rng.u128(..), rng.u128(..), rng.u128(..)),
    ];
    if family > 0 {
        members.push(format!(r#""ServiceName":"service {family}""#));
    }
    match rng.u8(..8) {
        0 => {}
        1 => members.push(format!(r#""CpuUtilized":{}"#, rng.u32(..250))),
        _ => members.push(format!(r#""CpuUtilized":{:?}"#, (rng.f64() * 2.5e6).round() / 1e4 + 0.5)),
    }
    if rng.u8(..6) > 0 {
        members.push(format!(r#""MemoryUtilized":{}"#, rng.i64(-50..4_000)));
    }
    format!("{{{}}}", members.join(","))
}

/// A store whose records came in pieces, some of them late, with files sealed, merged and rolled up in between.
async fn drawn(rng: &mut Rng, dir: &TempDir) -> Store {
    let config = StoreConfig {
        rollup_rows: Some([1, 500, 2_000][rng.usize(..3)]),
        merge_files: rng.usize(2..6),
        removal_after_ms: 0,
        reserve_bytes: 0,
        ..StoreConfig::new(dir.path())
    };
    let store = Store::open(config, START_MS).await.unwrap();
    store.create_group(GROUP, Class::Standard, START_MS - DAY_MS).await.unwrap();
    store.create_stream(GROUP, "s", START_MS).await.unwrap();
    // Of dense pieces minutes are worth summing up, of others only hours.
    let dense = rng.bool();
    for piece in 0..12 {
        let now_ms = START_MS + (piece + 1) * DAYS * DAY_MS / 12;
        let late = rng.u8(..4) == 0;
        let span_ms = if dense { rng.i64(3..12) * MINUTE_MS } else { DAYS * DAY_MS / 12 };
        let now_ms = if late { START_MS + span_ms } else { now_ms };
        let from_ms = now_ms - span_ms;
        let mut events: Vec<Event> = (0..rng.usize(600..1_200))
            .map(|_| {
                let timestamp_ms = rng.i64(from_ms..now_ms);
                // Most records are of full minutes, as those of AWS are.
                let timestamp_ms = if rng.bool() { timestamp_ms / MINUTE_MS * MINUTE_MS } else { timestamp_ms };
                Event { timestamp_ms, message: message(rng) }
            })
            .collect();
        events.sort_by_key(|event| event.timestamp_ms);
        let put = store.put(GROUP, "s", events.clone(), now_ms).await.unwrap();
        assert_eq!(put.accepted, events.len());
        if rng.u8(..3) > 0 {
            store.seal_all().await.unwrap();
        }
        if rng.bool() {
            store.maintain(now_ms).await.unwrap();
        }
    }
    store
}

fn condition(rng: &mut Rng, depth: u8) -> String {
    let field = pick(rng, &["Type", "TaskDefinitionFamily", "ServiceName", "ClusterName"]);
    let value = pick(rng, &["\"Task\"", "\"family-1\"", "\"family-2\"", "\"service 2\"", "\"lab\"", "\"x\""]);
    match if depth == 0 { rng.u8(..5) } else { rng.u8(..9) } {
        0 | 1 => format!("{field} = {value}"),
        2 => format!("{field} {} {value}", pick(rng, &["!=", "<", ">="])),
        3 => format!("{field} {}in [{value}, \"family-3\", \"Container\"]", pick(rng, &["", "not "])),
        4 => format!("{field} {}like {}", pick(rng, &["", "not "]), pick(rng, &["/[13]$/", "\"am\"", "/(?i)TASK/"])),
        5 => format!("not ({})", condition(rng, depth - 1)),
        6 | 7 => format!("({} and {})", condition(rng, depth - 1), condition(rng, depth - 1)),
        _ => format!("({} or {})", condition(rng, depth - 1), condition(rng, depth - 1)),
    }
}

/// A query that roll-ups may answer; groups are `k0` and so on, values `v0` and so on.
fn query(rng: &mut Rng) -> String {
    let mut commands: Vec<String> = (0..rng.usize(..3)).map(|_| format!("filter {}", condition(rng, 2))).collect();
    let metric = |rng: &mut Rng| pick(rng, &["CpuUtilized", "MemoryUtilized"]);
    let mut items: Vec<String> = (0..rng.usize(1..4))
        .map(|at| {
            let of = match rng.u8(..7) {
                0 => "count(*)".to_owned(),
                1 => format!("count({})", metric(rng)),
                2 => format!("max({}) - min({})", metric(rng), metric(rng)),
                _ => format!("{}({})", pick(rng, &["sum", "avg", "min", "max"]), metric(rng)),
            };
            format!("{of} as v{at}")
        })
        .collect();
    items.push("count(*) as n".to_owned());
    let mut keys: Vec<String> = (0..rng.usize(..3))
        .map(|at| format!("{} as k{at}", pick(rng, &["Type", "TaskDefinitionFamily", "ServiceName"])))
        .collect();
    if rng.bool() {
        keys.push(format!("bin({}) as b", pick(rng, &["1m", "5m", "30m", "1h", "6h", "1d", "90s", "1mo", "7m"])));
    }
    let by = if keys.is_empty() { String::new() } else { format!(" by {}", keys.join(", ")) };
    commands.push(format!("stats {}{by}", items.join(", ")));
    if rng.u8(..4) == 0 {
        commands.push("filter n > 2".to_owned());
    }
    commands.join(" | ")
}

fn window(rng: &mut Rng) -> (i64, i64) {
    let unit = [1, 1_000, MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, DAY_MS][rng.usize(..6)];
    let time = |rng: &mut Rng| START_MS - HOUR_MS + rng.i64(0..(DAYS * DAY_MS + 2 * HOUR_MS) / unit) * unit;
    let (one, other) = (time(rng), time(rng));
    match rng.u8(..6) {
        0 => (i64::MIN / 4, i64::MAX / 4),
        _ => (one.min(other), one.max(other) - i64::from(unit > 1 && one != other)),
    }
}

/// Texts of the groups, and the numbers, of each row.
type Rows = BTreeMap<Vec<Option<String>>, Vec<Option<f64>>>;

fn rows(names: &[String], batches: &[RecordBatch]) -> Rows {
    let mut rows = Rows::new();
    for batch in batches {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (name, column) in names.iter().zip(batch.columns()) {
            if name.starts_with('v') || name == "n" {
                values.push(cast(column, &DataType::Float64).unwrap());
            } else {
                keys.push(cast(column, &DataType::Utf8).unwrap());
            }
        }
        for row in 0..batch.num_rows() {
            let text = |column: &Arc<dyn Array>| {
                let column = column.as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_owned())
            };
            let number = |column: &Arc<dyn Array>| {
                let column = column.as_primitive::<Float64Type>();
                column.is_valid(row).then(|| column.value(row))
            };
            let key: Vec<Option<String>> = keys.iter().map(text).collect();
            assert!(rows.insert(key.clone(), values.iter().map(number).collect()).is_none(), "{key:?} twice");
        }
    }
    rows
}

async fn answer(engine: &Engine, request: &Request, rollups: Use) -> Rows {
    let result = engine.run(Request { rollups, ..request.clone() }).unwrap().finished().await.unwrap();
    let names: Vec<String> = result.columns().into_iter().map(|column| column.name).collect();
    rows(&names, &result.batches)
}

/// Whether two answers are the same, sums within what the order of additions may change.
fn same(one: &Rows, other: &Rows) -> bool {
    let close = |one: &Option<f64>, other: &Option<f64>| match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-12 * one.abs().max(1.0),
        (one, other) => one == other,
    };
    one.len() == other.len()
        && one.iter().zip(other).all(|((key, values), (wanted, expected))| {
            key == wanted && values.iter().zip(expected).all(|(value, expected)| close(value, expected))
        })
}

fn request(store: &Store, text: &str, (from_ms, to_ms): (i64, i64)) -> Request {
    Request {
        text: text.to_owned(),
        groups: store.snapshot(&[GROUP.to_owned()]).unwrap(),
        store: Some(store.object_store()),
        from_ms,
        to_ms,
        now_ms: START_MS + DAYS * DAY_MS,
        limit: Some(10_000),
        ..Request::default()
    }
}

#[tokio::test]
async fn answers_with_and_without_rollups_are_the_same() {
    let rounds: usize = std::env::var("QUERY_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(240);
    let seed: u64 = std::env::var("QUERY_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(11);
    let mut rng = Rng::with_seed(seed);
    let engine = engine();
    let mut made: Option<(Store, TempDir)> = None;
    let (mut faults, mut by_rollups, mut with_rows) = (Vec::new(), 0, 0);
    let mut widths = BTreeSet::new();
    for round in 0..rounds {
        if round % 40 == 0 {
            let dir = tempfile::tempdir().unwrap();
            made = Some((drawn(&mut rng, &dir).await, dir));
        }
        let store = &made.as_ref().unwrap().0;
        let request = request(store, &query(&mut rng), window(&mut rng));
        let expected = answer(&engine, &request, Use::Never).await;
        let found = answer(&engine, &request, Use::Exact).await;
        with_rows += usize::from(!expected.is_empty());
        let told = engine.explain(&request).await.unwrap();
        if let Some((_, said)) = told.split_once(": roll-ups of ") {
            by_rollups += 1;
            widths.extend(said.split(" answer").next().unwrap().split(", ").map(str::to_owned));
        }
        if !same(&expected, &found) {
            let differing = expected.iter().find(|(key, values)| found.get(*key) != Some(*values));
            faults.push(format!(
                "{} in {} to {}: {} and {} rows, {differing:?} is {:?}",
                request.text,
                request.from_ms,
                request.to_ms,
                expected.len(),
                found.len(),
                differing.and_then(|(key, _)| found.get(key)),
            ));
        }
    }
    let shown: Vec<&String> = faults.iter().take(8).collect();
    assert!(faults.is_empty(), "{} of {rounds}:\n{shown:#?}", faults.len());
    // Queries that find nothing, or that no roll-up answers, would prove little.
    assert_eq!(widths.len(), 3, "{widths:?}");
    assert!(by_rollups * 2 > rounds && with_rows * 2 > rounds, "{by_rollups} and {with_rows} of {rounds}");
}

#[tokio::test]
async fn plans_over_rollups_are_the_same_after_they_were_bytes() {
    let mut rng = Rng::with_seed(3);
    let dir = tempfile::tempdir().unwrap();
    let store = drawn(&mut rng, &dir).await;
    let engine = engine();
    for _ in 0..25 {
        let request = request(&store, &query(&mut rng), window(&mut rng));
        let bytes = codec::to_bytes(&engine.logical_plan(&request).await.unwrap()).unwrap();
        let plan = codec::from_bytes(&bytes, &engine.task_context()).unwrap();
        let result = engine.run(request.clone()).unwrap().finished().await.unwrap();
        let names: Vec<String> = result.columns().into_iter().map(|column| column.name).collect();
        let again = rows(&names, &engine.run_plan(&plan).await.unwrap());
        assert!(same(&rows(&names, &result.batches), &again), "{}", request.text);
    }
}

#[tokio::test]
async fn percentiles_are_exact_unless_they_may_be_approximate() {
    let mut rng = Rng::with_seed(5);
    let dir = tempfile::tempdir().unwrap();
    let store = drawn(&mut rng, &dir).await;
    store.seal_all().await.unwrap();
    store.maintain(START_MS + 9 * DAY_MS).await.unwrap();
    let engine = engine();
    let text = "filter Type = \"Task\" | stats pct(CpuUtilized, 95) as v0, pct(CpuUtilized, 50) as v1 by TaskDefinitionFamily, bin(1h)";
    let whole = (START_MS + MINUTE_MS / 2, START_MS + DAYS * DAY_MS);
    let request = request(&store, text, whole);
    assert!(!engine.explain(&request).await.unwrap().contains("roll-ups"));
    let exact = answer(&engine, &request, Use::Exact).await;
    let request = Request { rollups: Use::Approximate, ..request };
    let told = engine.explain(&request).await.unwrap();
    assert!(told.contains("percentiles are approximate, within 0.78 % of themselves"), "{told}");
    let result = engine.run(request.clone()).unwrap().finished().await.unwrap();
    assert_eq!(result.approximate_within, Some(RELATIVE_ERROR));
    let names: Vec<String> = result.columns().into_iter().map(|column| column.name).collect();
    let about = rows(&names, &result.batches);
    assert_eq!(about.keys().collect::<Vec<_>>(), exact.keys().collect::<Vec<_>>());
    let mut differing = 0;
    for (key, values) in &exact {
        for (exact, about) in values.iter().zip(&about[key]) {
            let (exact, about) = (exact.unwrap(), about.unwrap());
            assert!((about - exact).abs() <= RELATIVE_ERROR * exact.abs() * 1.000_001, "{key:?}: {about} for {exact}");
            differing += usize::from(about != exact);
        }
    }
    assert!(differing > 0 && exact.len() > 20, "{differing} differ of {}", exact.len());
}

#[tokio::test]
async fn explain_says_which_rollups_answered() {
    let mut rng = Rng::with_seed(6);
    let dir = tempfile::tempdir().unwrap();
    let store = drawn(&mut rng, &dir).await;
    store.seal_all().await.unwrap();
    store.maintain(START_MS + 9 * DAY_MS).await.unwrap();
    let whole = (START_MS, START_MS + DAYS * DAY_MS - 1);
    let request = request(&store, "filter Type = \"Task\" | stats avg(CpuUtilized) by bin(1d)", whole);
    let told = engine().explain(&request).await.unwrap();
    assert!(told.contains(": roll-ups of 1 h answer, 3 files ("), "{told}");
    assert!(told.contains("so that 3 files ("), "{told}");
    assert!(
        told.contains("0 of 3 files (0 bytes; the others lie outside of the time, or are answered by roll-ups)"),
        "{told}"
    );
    let raw = engine().explain(&Request { rollups: Use::Never, ..request }).await.unwrap();
    assert!(!raw.contains("roll-up") && raw.contains("3 of 3 files"), "{raw}");
}

/// An object store that counts the bytes which it gives.
#[derive(Debug)]
struct Counting {
    objects: Arc<dyn ObjectStore>,
    bytes: AtomicU64,
}

impl fmt::Display for Counting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("counting")
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, to: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.objects.put_opts(to, payload, options).await
    }

    async fn put_multipart_opts(&self, to: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        let got = self.objects.get_opts(from, options).await?;
        self.bytes.fetch_add(got.range.end - got.range.start, SeqCst);
        Ok(got)
    }

    async fn get_ranges(&self, from: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.bytes.fetch_add(ranges.iter().map(|range| range.end - range.start).sum(), SeqCst);
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
async fn the_mean_of_a_month_reads_kilobytes() {
    const TASKS: usize = 3;
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig { reserve_bytes: 0, removal_after_ms: 0, ..StoreConfig::new(dir.path()) };
    let store = Store::open(config, START_MS).await.unwrap();
    store.create_group(GROUP, Class::Standard, START_MS).await.unwrap();
    store.create_stream(GROUP, "s", START_MS).await.unwrap();
    let mut rng = Rng::with_seed(30);
    let tasks: Vec<String> = (0..TASKS).map(|_| format!("{:032x}", rng.u128(..))).collect();
    for day in 0..30 {
        let day_ms = START_MS + day * DAY_MS;
        let record = |at: usize| {
            let (minute, task) = (at / TASKS, &tasks[at % TASKS]);
            let mut noise = Rng::with_seed(day as u64 * 10_000 + at as u64);
            let message = format!(
                r#"{{"Version":"0","Type":"Task","TaskId":"{task}","TaskDefinitionFamily":"web","ServiceName":"web","ClusterName":"lab","CpuUtilized":{:.4},"CpuReserved":256.0,"MemoryUtilized":{},"MemoryReserved":512,"NetworkRxBytes":{},"NetworkTxBytes":{}}}"#,
                noise.f64() * 200.0,
                noise.u32(80..400),
                noise.u32(2_000..60_000),
                noise.u32(2_000..90_000),
            );
            Event { timestamp_ms: day_ms + minute as i64 * MINUTE_MS, message }
        };
        let events: Vec<Event> = (0..1_440 * TASKS).map(record).collect();
        for part in events.chunks(2_000) {
            store.put(GROUP, "s", part.to_vec(), day_ms + DAY_MS).await.unwrap();
        }
        store.seal_all().await.unwrap();
        store.maintain(day_ms + 2 * DAY_MS).await.unwrap();
    }
    let month = (START_MS, START_MS + 30 * DAY_MS - 1);
    let text =
        "filter TaskDefinitionFamily = \"web\" | stats avg(CpuUtilized) as v0, max(CpuUtilized) as v1, count(*) as n";
    let mut request = request(&store, text, month);
    let (objects, root) = store.object_store();
    let counting = Arc::new(Counting { objects, bytes: AtomicU64::new(0) });
    request.store = Some((Arc::clone(&counting) as _, root));
    let mut read = Vec::new();
    let mut answers = Vec::new();
    for rollups in [Use::Never, Use::Exact] {
        // A new engine knows no file yet.
        answers.push(answer(&engine(), &request, rollups).await);
        read.push(counting.bytes.swap(0, SeqCst));
    }
    assert!(same(&answers[0], &answers[1]) && !answers[0].is_empty(), "{answers:?}");
    let held: u64 = request.groups[0].files.iter().map(|file| file.bytes).sum();
    assert!(read[1] < 300_000 && read[1] * 3 < read[0], "{read:?} bytes of {held}");
}
