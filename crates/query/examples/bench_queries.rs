//! Answers queries one after another, with what each took; `bench/query.py` runs it beside other engines.
//!
//!     bench_queries corpus FILE [RECORDS]     performance records of six hours, with a line of a log in each
//!     bench_queries store FILE DIR            takes them into a store
//!     bench_queries answer DIR|FILE.parquet   answers what comes by standard input, out of a store or a foreign file
//!
//! A line of standard input is `{"text": …}`, and an answer `{"rows": …, "cpu_ms": …, "wall_ms": …}`; with `"plan": true` the
//! query is only planned, and with `"first": true` it is run until some rows can be shown (`first_ms`). Times are those of all
//! threads, from the text to the last row; printing the rows does not count.

use std::{
    error::Error,
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::datatypes::DataType;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use fastrand::Rng;
use object_store::local::LocalFileSystem;
use query::{Engine, EngineConfig, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use telemetry::{
    Class, Store, StoreConfig,
    event::Event,
    field::{FieldIndex, Kind},
    snapshot::{self, Group},
};
use url::Url;

type Outcome<T> = Result<T, Box<dyn Error>>;

const GROUP: &str = "/aws/ecs/containerinsights/lab/performance";
/// A full hour in October 2026.
const START_MS: i64 = 1_791_208_800_000;
const HOURS_MS: i64 = 6 * 3_600_000;
const TASKS: usize = 200_000;
const HOSTS: usize = 500;
const FAMILIES: usize = 48;
/// PutLogEvents takes 1 MiB at once.
const BATCH_BYTES: usize = 1 << 20;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["corpus", file] => corpus(Path::new(file), 1_000_000),
        ["corpus", file, records] => corpus(Path::new(file), records.parse()?),
        ["store", file, dir] => run(store(Path::new(file), Path::new(dir))),
        ["answer", from] => run(answer(Path::new(from))),
        _ => Err("say corpus, store or answer".into()),
    }
}

fn run(work: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

fn corpus(path: &Path, records: usize) -> Outcome<()> {
    let mut rng = Rng::with_seed(4);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let tasks: Vec<String> = (0..TASKS).map(|_| format!("{:032x}", rng.u128(..))).collect();
    let hosts: Vec<String> = (0..HOSTS).map(|_| format!("i-{:017x}", rng.u128(..) & ((1 << 68) - 1))).collect();
    for number in 0..records {
        let at = START_MS + HOURS_MS * i64::try_from(number)? / i64::try_from(records)?;
        let task = rng.usize(..TASKS);
        let (host, family) = (task % HOSTS, task % FAMILIES);
        let kind = ["Task", "Task", "Task", "Task", "Container", "Service"][rng.usize(..6)];
        let cluster = ["lab-edge", "lab-core", "lab-batch"][family % 3];
        // Four digits, as the shortest text that a writer of doubles prints.
        let cpu = (rng.f64() * 2_560_000.0).round() / 10_000.0;
        let code = [200, 200, 200, 200, 204, 301, 404, 500, 503][rng.usize(..9)];
        writeln!(
            out,
            r#"{{"Version":"0","Type":"{kind}","TaskId":"{}","TaskDefinitionFamily":"service-{family:02}","TaskDefinitionRevision":"{}","ServiceName":"service-{family:02}-api","ContainerInstanceId":"{:032x}","EC2InstanceId":"{}","ClusterName":"{cluster}","AccountID":"111122223333","Region":"eu-west-1","AvailabilityZone":"eu-west-1{}","KnownStatus":"RUNNING","LaunchType":"EC2","CreatedAt":{},"StartedAt":{},"Image":"111122223333.dkr.ecr.eu-west-1.amazonaws.com/service-{family:02}:1.{}.{}","Timestamp":{at},"CpuUtilized":{cpu:?},"CpuReserved":256.0,"MemoryUtilized":{},"MemoryReserved":512,"NetworkRxBytes":{},"NetworkTxBytes":{},"StorageReadBytes":0,"StorageWriteBytes":{},"log":"level={} code={code} took={}ms path=/v1/items/{:08x} user={:06x} agent=probe/1.{} rest={}"}}"#,
            tasks[task],
            family % 17 + 1,
            host as u128 * 0x9e37_79b9_7f4a_7c15_f39c_0c1b_2d5e,
            hosts[host],
            ["a", "b", "c"][host % 3],
            at - 17_000,
            at - 1_417,
            family % 9,
            task % 5,
            rng.i64(80..450),
            rng.i64(2_000..60_000),
            rng.i64(2_000..90_000),
            rng.i64(0..1 << 30),
            ["info", "info", "info", "warn", "error"][rng.usize(..5)],
            rng.u32(1..900),
            rng.u32(..),
            rng.u32(..1 << 24),
            rng.u8(..9),
            ["ok", "retry", "timeout waiting for upstream"][rng.usize(..3)],
        )?;
    }
    out.flush()?;
    Ok(())
}

fn time_of(line: &str) -> i64 {
    let digits = line.split_once("\"Timestamp\":").map_or("", |(_, rest)| rest);
    let end = digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(0);
    digits[..end].parse().unwrap_or(START_MS)
}

async fn store(path: &Path, dir: &Path) -> Outcome<()> {
    let store = Store::open(StoreConfig::new(dir), START_MS).await?;
    store.create_group(GROUP, Class::Standard, START_MS).await?;
    store.create_stream(GROUP, "s", START_MS).await?;
    let (mut batch, mut bytes, mut now_ms) = (Vec::new(), 0, START_MS);
    for line in BufReader::with_capacity(1 << 18, File::open(path)?).lines() {
        let message = line?;
        let timestamp_ms = time_of(&message);
        let size = message.len() + 26;
        if bytes + size > BATCH_BYTES {
            store.put(GROUP, "s", std::mem::take(&mut batch), now_ms).await?;
            bytes = 0;
        }
        now_ms = timestamp_ms;
        bytes += size;
        batch.push(Event { timestamp_ms, message });
    }
    if !batch.is_empty() {
        store.put(GROUP, "s", batch, now_ms).await?;
    }
    store.seal_all().await?;
    // As a day later: small files have become large ones, and those that were merged are gone.
    store.maintain(now_ms + 2 * 86_400_000).await?;
    store.maintain(now_ms + 2 * 86_400_000 + 3_600_000).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Asked {
    text: String,
    #[serde(default)]
    plan: bool,
    #[serde(default)]
    first: bool,
}

async fn answer(from: &Path) -> Outcome<()> {
    let opening = Instant::now();
    let request = if from.is_dir() {
        let store = Store::open_read_only(Some(from), None).await?;
        let groups = store.snapshot(&[GROUP.to_owned()])?;
        Request { groups, store: Some(store.object_store()), ..Request::default() }
    } else {
        foreign(from)?
    };
    let request = Request { from_ms: START_MS, to_ms: START_MS + HOURS_MS, now_ms: START_MS + HOURS_MS, ..request };
    let engine = Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() })?;
    let opened_ms = opening.elapsed().as_secs_f64() * 1e3;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}",
        json!({ "opened_ms": opened_ms, "records": request.groups.iter().map(Group::records).sum::<u64>() })
    )?;
    out.flush()?;
    for line in std::io::stdin().lines() {
        let asked: Asked = serde_json::from_str(&line?)?;
        let request = Request { text: asked.text, ..request.clone() };
        let (began, used) = (Instant::now(), cpu_ms()?);
        let told = if asked.plan {
            engine.prepared(&request).await?;
            json!({ "cpu_ms": cpu_ms()? - used, "wall_ms": began.elapsed().as_secs_f64() * 1e3 })
        } else if asked.first {
            let running = engine.run(Request { glimpsed: true, ..request })?;
            while running.so_far()?.count() == 0 && !running.has_ended() {
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            let first_ms = began.elapsed().as_secs_f64() * 1e3;
            running.finished().await?;
            json!({ "first_ms": first_ms, "wall_ms": began.elapsed().as_secs_f64() * 1e3 })
        } else {
            let result = engine.run(request)?.finished().await?;
            let (cpu_ms, wall_ms) = (cpu_ms()? - used, began.elapsed().as_secs_f64() * 1e3);
            let rows = result.value_rows()?.into_iter().map(|row| Value::Object(row.into_iter().collect()));
            json!({ "rows": rows.collect::<Vec<_>>(), "cpu_ms": cpu_ms, "wall_ms": wall_ms })
        };
        serde_json::to_writer(&mut out, &told)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

/// A file that muster did not write, as a group: its columns are fields.
fn foreign(path: &Path) -> Outcome<Request> {
    let built = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let mut fields = FieldIndex::default();
    for field in built.schema().fields() {
        let kind = match field.data_type() {
            _ if field.name().starts_with('@') => continue,
            DataType::Float64 | DataType::Float32 => Kind::Float,
            DataType::Boolean => Kind::Boolean,
            kind if kind.is_integer() => Kind::Integer,
            _ => Kind::Text,
        };
        fields.column(field.name(), kind);
    }
    let root = path.parent().ok_or("a file lies in a folder")?;
    let file = snapshot::File {
        path: path.file_name().ok_or("a file has a name")?.to_string_lossy().into_owned(),
        bytes: fs::metadata(path)?.len(),
        rows: u64::try_from(built.metadata().file_metadata().num_rows())?,
        from_ms: START_MS,
        to_ms: START_MS + HOURS_MS,
    };
    let group = Group {
        fields: Arc::new(fields),
        files: vec![file],
        ..Group::of_events(GROUP, "0", i64::MIN, std::iter::empty::<(&str, Event)>())
    };
    let store = LocalFileSystem::new_with_prefix(root)?;
    Ok(Request {
        groups: vec![group],
        store: Some((Arc::new(store), Url::parse("muster-foreign:///")?)),
        ..Request::default()
    })
}

/// Milliseconds that the threads of this process have run; none of them ends while queries run.
fn cpu_ms() -> Outcome<f64> {
    let mut nanos = 0_u64;
    for task in fs::read_dir("/proc/self/task")? {
        let told = fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += told.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(nanos as f64 / 1e6)
}
