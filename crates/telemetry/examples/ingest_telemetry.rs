//! Writes a corpus of performance records, and takes one in; prints what that cost as one JSON object.
//!
//!     ingest_telemetry corpus FILE [RECORDS]     10,000 tasks with two containers each, records of all per minute
//!     ingest_telemetry columns FILE              lines to columns in memory, nothing else
//!     ingest_telemetry store FILE DIR            lines to a durable store: log, columns, files
//!     ingest_telemetry merged FILE DIR           the same, and its files merged as after the end of a day
//!
//! `bench/ingest_telemetry.py` runs these beside DuckDB and Polars.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::{
    error::Error,
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    time::Instant,
};

use telemetry::{Class, Store, StoreConfig, columns::Builder, event::Event};

const GROUP: &str = "/aws/ecs/containerinsights/lab/performance";
/// A full minute in October 2026.
const START_MS: i64 = 1_791_208_800_000;
const TASKS: usize = 10_000;
const TASKS_OF_HOST: usize = 20;
const FAMILIES: usize = 48;
/// PutLogEvents takes 1 MiB at once.
const BATCH_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["corpus", file] => corpus(Path::new(file), 1_000_000),
        ["corpus", file, records] => corpus(Path::new(file), records.parse()?),
        ["columns", file] => columns(Path::new(file)),
        ["store", file, dir] => run(store(Path::new(file), Path::new(dir), false)),
        ["merged", file, dir] => run(store(Path::new(file), Path::new(dir), true)),
        _ => Err("say corpus, columns, store or merged, and a file".into()),
    }
}

fn run(work: impl Future<Output = Result<(), Box<dyn Error>>>) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

/// What a task says of itself.
struct Task {
    id: String,
    host: usize,
    started_ms: i64,
    /// In bridge mode each has a network of its own, and the task has the sum.
    containers: [Container; 2],
}

/// What a container uses.
struct Container {
    cpu: f64,
    memory: i64,
    written: i64,
    rx: i64,
    tx: i64,
    rx_packets: i64,
    tx_packets: i64,
}

fn corpus(path: &Path, records: usize) -> Result<(), Box<dyn Error>> {
    let mut random = fastrand::Rng::with_seed(4);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let hosts: Vec<(String, String)> = (0..TASKS / TASKS_OF_HOST)
        .map(|_| (format!("{:032x}", random.u128(..)), format!("i-{:017x}", random.u128(..) & ((1 << 68) - 1))))
        .collect();
    let mut tasks: Vec<Task> = (0..TASKS)
        .map(|number| Task {
            id: format!("{:032x}", random.u128(..)),
            host: number / TASKS_OF_HOST,
            started_ms: START_MS - random.i64(60_000..86_400_000),
            containers: [(); 2].map(|()| Container {
                cpu: 10.0 + random.f64() * 90.0,
                memory: random.i64(40..250),
                written: random.i64(0..1 << 30),
                rx: 0,
                tx: 0,
                rx_packets: random.i64(0..1 << 22),
                tx_packets: random.i64(0..1 << 22),
            }),
        })
        .collect();
    let mut written = 0;
    for minute in 0.. {
        let now_ms = START_MS + minute * 60_000;
        for (number, task) in tasks.iter_mut().enumerate() {
            if written >= records {
                out.flush()?;
                return Ok(());
            }
            for (part, container) in task.containers.iter_mut().enumerate() {
                container.step(&mut random, part);
            }
            written += line(&mut out, number, task, &hosts[task.host], now_ms)?;
        }
    }
    Ok(())
}

impl Container {
    /// A minute passes.
    fn step(&mut self, random: &mut fastrand::Rng, part: usize) {
        let scale = if part == 0 { 1 } else { 10 };
        self.cpu = (self.cpu + (random.f64() * 8.0 - 4.0) / f64::from(scale)).clamp(0.5, 250.0);
        self.memory = (self.memory + random.i64(-2..=2)).clamp(20, 400);
        self.written += random.i64(0..20) * 4_096;
        self.rx = random.i64(2_000..60_000) / i64::from(scale);
        self.tx = random.i64(2_000..90_000) / i64::from(scale);
        self.rx_packets += self.rx * 60 / random.i64(600..1_200);
        self.tx_packets += self.tx * 60 / random.i64(600..1_200);
    }

    /// The sum of two.
    fn and(&self, other: &Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            memory: self.memory + other.memory,
            written: self.written + other.written,
            rx: self.rx + other.rx,
            tx: self.tx + other.tx,
            rx_packets: self.rx_packets + other.rx_packets,
            tx_packets: self.tx_packets + other.tx_packets,
        }
    }

    /// The block of figures that tasks and containers have alike.
    fn usage(&self, cpu_reserved: f64, memory_reserved: i64) -> String {
        // Four digits, as the shortest text that a writer of doubles prints.
        let cpu = (self.cpu * 10_000.0).round() / 10_000.0;
        format!(
            r#""CpuUtilized":{cpu:?},"CpuReserved":{cpu_reserved:?},"MemoryUtilized":{},"MemoryReserved":{memory_reserved},"StorageReadBytes":0,"StorageWriteBytes":{},"NetworkRxBytes":{},"NetworkRxDropped":0,"NetworkRxErrors":0,"NetworkRxPackets":{},"NetworkTxBytes":{},"NetworkTxDropped":0,"NetworkTxErrors":0,"NetworkTxPackets":{}}}"#,
            self.memory, self.written, self.rx, self.rx_packets, self.tx, self.tx_packets
        )
    }
}

/// Writes the records of a task and its containers; says how many.
fn line(
    out: &mut impl Write,
    number: usize,
    task: &Task,
    (instance, machine): &(String, String),
    now_ms: i64,
) -> Result<usize, Box<dyn Error>> {
    let family = number % FAMILIES;
    let started_ms = task.started_ms;
    let identity = format!(
        r#""TaskId":"{}","TaskDefinitionFamily":"service-{family:02}","TaskDefinitionRevision":"{}","ServiceName":"service-{family:02}-api","ContainerInstanceId":"{instance}","EC2InstanceId":"{machine}","ClusterName":"lab-edge","#,
        task.id,
        family % 17 + 1
    );
    let [app, proxy] = &task.containers;
    writeln!(
        out,
        r#"{{"Version":"0","Type":"Task",{identity}"AccountID":"111122223333","Region":"eu-west-1","AvailabilityZone":"eu-west-1{}","KnownStatus":"RUNNING","LaunchType":"EC2","PullStartedAt":{},"PullStoppedAt":{},"CreatedAt":{},"StartedAt":{started_ms},"Timestamp":{now_ms},{}"#,
        ["a", "b", "c"][task.host % 3],
        started_ms - 10_173,
        started_ms - 1_417,
        started_ms - 16_967,
        app.and(proxy).usage(256.0, 512),
    )?;
    for (name, container, cpu, memory) in [("app", app, 192.0, 384), ("proxy", proxy, 64.0, 128)] {
        writeln!(
            out,
            r#"{{"Version":"0","Type":"Container","ContainerName":"{name}",{identity}"Image":"111122223333.dkr.ecr.eu-west-1.amazonaws.com/service-{family:02}-{name}:1.{}.2","ContainerKnownStatus":"RUNNING","Timestamp":{now_ms},{}"#,
            family % 9,
            container.usage(cpu, memory),
        )?;
    }
    Ok(3)
}

/// The time that a record says.
fn time_of(line: &str) -> i64 {
    // It stands behind the first quarter of each record.
    let quarter = line.len() / 4;
    let name = "\"Timestamp\":";
    memchr::memmem::find(&line.as_bytes()[quarter..], name.as_bytes())
        .and_then(|at| line.get(quarter + at + name.len()..quarter + at + name.len() + 13)?.parse().ok())
        .unwrap_or(START_MS)
}

fn events(path: &Path) -> Result<impl Iterator<Item = Event>, Box<dyn Error>> {
    let lines = BufReader::with_capacity(1 << 18, File::open(path)?).lines();
    Ok(lines.map_while(Result::ok).map(|message| Event { timestamp_ms: time_of(&message), message }))
}

fn columns(path: &Path) -> Result<(), Box<dyn Error>> {
    let (start, used) = (Instant::now(), cpu_secs()?);
    let mut builder = Builder::default();
    let mut rows = 0_u64;
    for event in events(path)? {
        builder.push("s", &event, event.timestamp_ms, rows);
        rows += 1;
        if builder.len() == 1 << 17 {
            builder.clear();
        }
    }
    print("columns", rows, start, used, 0)
}

async fn store(path: &Path, dir: &Path, merged: bool) -> Result<(), Box<dyn Error>> {
    let store = Store::open(StoreConfig::new(dir), START_MS).await?;
    store.create_group(GROUP, Class::Standard, START_MS).await?;
    store.create_stream(GROUP, "s", START_MS).await?;
    let (start, used) = (Instant::now(), cpu_secs()?);
    let mut rows = 0;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let mut putting = tokio::task::JoinSet::new();
    let mut now_ms = START_MS;
    for event in events(path)? {
        let size = event.message.len() + 26;
        if bytes + size > BATCH_BYTES {
            let (store, events) = (store.clone(), std::mem::take(&mut batch));
            // One batch is on its way while the next is read.
            if let Some(done) = putting.join_next().await {
                done??;
            }
            putting.spawn(async move { store.put(GROUP, "s", events, now_ms).await });
            bytes = 0;
        }
        now_ms = event.timestamp_ms;
        rows += 1;
        bytes += size;
        batch.push(event);
    }
    if !batch.is_empty() {
        store.put(GROUP, "s", batch, now_ms).await?;
    }
    while let Some(done) = putting.join_next().await {
        done??;
    }
    store.seal_all().await?;
    if merged {
        store.maintain(now_ms + 2 * 86_400_000).await?;
        // An hour later the files are gone that were merged.
        store.maintain(now_ms + 2 * 86_400_000 + 3_600_000).await?;
    }
    let stored: u64 = store.groups(None).iter().map(|group| group.stored_bytes).sum();
    print(if merged { "merged" } else { "store" }, rows, start, used, stored)
}

fn print(what: &str, rows: u64, start: Instant, used: f64, bytes: u64) -> Result<(), Box<dyn Error>> {
    let cpu = cpu_secs()? - used;
    println!(
        "{{\"contender\":\"muster {what}\",\"rows\":{rows},\"cpu_secs\":{cpu:.2},\"wall_secs\":{:.2},\"rows_per_cpu_sec\":{:.0},\
         \"bytes_per_row\":{:.2},\"peak_mb\":{:.0}}}",
        start.elapsed().as_secs_f64(),
        rows as f64 / cpu,
        bytes as f64 / rows as f64,
        peak_bytes()? as f64 / 1e6,
    );
    Ok(())
}

/// CPU seconds (user and system) of all threads of this process, those that have ended included.
fn cpu_secs() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |it| it.1).split_whitespace().collect();
    // Linux counts hundredths of seconds here on every platform.
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn peak_bytes() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.split_whitespace().next().unwrap_or("0").parse::<u64>()? * 1024)
}
