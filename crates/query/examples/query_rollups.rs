//! What a dashboard's queries cost with roll-ups and without, on a store that is there; prints a line for each.
//!
//!     query_rollups DIR [ROUNDS]     DIR as `ingest_telemetry merged` leaves it
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::{error::Error, fs, path::Path};

use query::{Engine, EngineConfig, Request, rollup::Use};
use telemetry::Store;

/// As in the peers' comparison: means by cluster and family, then one family by time.
const QUERIES: [(&str, &str); 3] = [
    (
        "q1",
        "filter Type = \"Task\" | stats avg(CpuUtilized), max(MemoryUtilized), count(*) by ClusterName, TaskDefinitionFamily",
    ),
    (
        "q2",
        "filter Type = \"Task\" and TaskDefinitionFamily = \"service-07\" | stats avg(CpuUtilized), pct(CpuUtilized, 95) by bin(5m)",
    ),
    (
        "q2 without its percentile",
        "filter Type = \"Task\" and TaskDefinitionFamily = \"service-07\" | stats avg(CpuUtilized), max(CpuUtilized) by bin(5m)",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dir = arguments.first().ok_or("say the directory of a store")?;
    let rounds: u32 = arguments.get(1).map_or(Ok(50), |it| it.parse())?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(Path::new(dir), rounds))
}

async fn run(dir: &Path, rounds: u32) -> Result<(), Box<dyn Error>> {
    let store = Store::open_read_only(Some(dir), None).await?;
    let names: Vec<String> = store.groups(None).into_iter().map(|group| group.name).collect();
    let groups = store.snapshot(&names)?;
    for group in &groups {
        let bytes: u64 = group.files.iter().map(|file| file.bytes).sum();
        println!("{}: {} records, {} files, {bytes} bytes", group.name, group.records(), group.files.len());
        for level in group.rollups.values().flat_map(|rollups| &rollups.levels) {
            println!("  {} s: {} rows, {} bytes", level.width_ms / 1_000, level.file.rows, level.file.bytes);
        }
    }
    let engine = Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() })?;
    for (name, text) in QUERIES {
        for rollups in [Use::Never, Use::Exact, Use::Approximate] {
            let request = Request {
                text: text.to_owned(),
                groups: groups.clone(),
                store: Some(store.object_store()),
                from_ms: i64::MIN / 4,
                to_ms: i64::MAX / 4,
                limit: Some(10_000),
                rollups,
                ..Request::default()
            };
            let result = engine.run(request.clone())?.finished().await?;
            let before = cpu_secs()?;
            for _ in 0..rounds {
                engine.run(request.clone())?.finished().await?;
            }
            let cpu_ms = (cpu_secs()? - before) * 1_000.0 / f64::from(rounds);
            println!(
                "{name}, {rollups:?}: {cpu_ms:.2} ms of CPU, {} rows, {} bytes read, approximate: {:?}",
                result.count(),
                result.statistics.bytes_scanned,
                result.approximate_within
            );
        }
    }
    Ok(())
}

/// CPU seconds (user and system) of all threads of this process.
fn cpu_secs() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |it| it.1).split_whitespace().collect();
    // Linux counts hundredths of seconds here on every platform.
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
