//! `muster query` as a shell would run it: over a pipe, over files, and refusals that say what to do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use fastrand::Rng;
use program::{run, run_with_input};
use serde_json::{Value, json};
use telemetry::{Class, Store, StoreConfig, event::Event};

const RECORDS: &str = r#"{"Timestamp":1791201600000,"Type":"Task","TaskDefinitionFamily":"web","TaskId":"t1","CpuUtilized":10.0}
{"Timestamp":1791201660000,"Type":"Task","TaskDefinitionFamily":"web","TaskId":"t2","CpuUtilized":30.5}
{"Timestamp":1791201900000,"Type":"Task","TaskDefinitionFamily":"job","TaskId":"t3","CpuUtilized":50.0}
{"@timestamp":"2026-10-05T12:06:00Z","Type":"Cluster","ClusterName":"lab","TaskCount":3}
"#;

fn rows(query: &str) -> Value {
    let ran = run_with_input(&["query", query, "-", "--output", "json"], RECORDS.as_bytes()).exits(0);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn records_of_a_pipe_are_queried_and_rows_are_objects() {
    assert_eq!(
        rows(
            "filter Type = \"Task\" | stats avg(CpuUtilized) as cpu, count(*) as n by TaskDefinitionFamily | sort cpu desc"
        ),
        json!([{"TaskDefinitionFamily": "job", "cpu": 50, "n": 1}, {"TaskDefinitionFamily": "web", "cpu": 20.25, "n": 2}])
    );
    assert_eq!(
        rows("stats count(*) as n by bin(5m) as t | sort t"),
        json!([{"t": "2026-10-05 12:00:00.000", "n": 2}, {"t": "2026-10-05 12:05:00.000", "n": 2}])
    );
    assert_eq!(
        rows("filter ClusterName = \"lab\" | display @timestamp, TaskCount, nothing"),
        json!([{"@timestamp": "2026-10-05 12:06:00.000", "TaskCount": 3}])
    );
    assert_eq!(rows("filter Type = \"Volume\""), json!([]));
}

#[test]
fn messages_come_back_as_they_were() {
    let messages: Vec<String> = rows("fields @message | sort @timestamp asc")
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["@message"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(messages, RECORDS.lines().collect::<Vec<_>>());
}

#[test]
fn a_file_may_be_queried_within_a_time_and_written_in_several_ways() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("perf.ndjson");
    std::fs::write(&file, RECORDS).unwrap();
    let file = file.to_str().unwrap();
    let query = "filter Type = \"Task\" | stats max(CpuUtilized) as most by TaskId | sort TaskId";
    let within = ["--since", "2026-10-05T12:01:00Z", "--until", "2026-10-05T12:04:59Z"];
    let csv = run(&[&["query", query, file, "--output", "csv"][..], &within].concat()).exits(0);
    assert_eq!(csv.out, "TaskId,most\nt2,30.5\n");
    let table = run(&["query", query, file]).exits(0);
    assert_eq!(table.out, "TaskId  most\nt1        10\nt2      30.5\nt3        50\n");
    assert!(table.err.contains("3 rows out of 3 records matched"), "{}", table.err);
    let parquet = program::muster(&["query", query, file, "--output", "parquet"]).output().unwrap();
    assert!(parquet.stdout.starts_with(b"PAR1") && parquet.stdout.ends_with(b"PAR1"));
    let explained = run(&["query", query, file, "--explain"]).exits(0);
    assert!(explained.out.starts_with("Reads\n") && explained.out.contains("perf.ndjson"), "{}", explained.out);
    let saved = run(&["query", "--saved", "cpu-by-family", file, "--output", "ndjson"]).exits(0);
    assert_eq!(saved.out.lines().next().unwrap(), "{\"TaskDefinitionFamily\":\"job\",\"avg_cpu_units\":50}");
}

#[test]
fn lines_that_tell_no_time_are_kept_and_counted() {
    let ran = run_with_input(
        &["query", "filter @message like /boot/ | stats count(*) as n", "-", "--output", "json"],
        b"boot ok\n{\"broken\": boot\nno\n",
    );
    let ran = ran.exits(0);
    assert_eq!(ran.out, "[{\"n\":2}]\n");
    assert!(ran.err.contains("3 of 3 lines tell no time") && ran.err.contains("1 begin like JSON"), "{}", ran.err);
}

#[test]
fn what_is_no_query_is_pointed_at() {
    let refused = run_with_input(&["query", "fields @message | filtr a = 1", "-"], b"").exits(2);
    assert!(refused.err.contains("did you mean `filter`?") && refused.err.contains("^^^^^"), "{}", refused.err);
    let missing = run(&["query", "fields @message", "--store", "/nonexistent"]).exits(2);
    assert!(missing.err.contains("there is no store at /nonexistent"), "{}", missing.err);
    let crossed = ["query", "fields a", "-", "--since", "1h", "--until", "2h"];
    assert!(run_with_input(&crossed, b"").exits(2).err.contains("later than --until"));
}

/// Six hours of records in a store, with their roll-ups.
fn rolled_up(dir: &std::path::Path) {
    const GROUP: &str = "/aws/ecs/containerinsights/lab/performance";
    const HOUR_MS: i64 = 3_600_000;
    const START_MS: i64 = 1_791_201_600_000;
    let mut rng = Rng::with_seed(7);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config =
            StoreConfig { rollup_rows: Some(1), removal_after_ms: 0, reserve_bytes: 0, ..StoreConfig::new(dir) };
        let store = Store::open(config, START_MS).await.unwrap();
        store.create_group(GROUP, Class::Standard, START_MS).await.unwrap();
        store.create_stream(GROUP, "s", START_MS).await.unwrap();
        for piece in 0..6 {
            let from_ms = START_MS + piece * HOUR_MS;
            let event = |rng: &mut Rng, number: i64| {
                let (id, cpu) = (rng.u128(..), (rng.f64() * 1e6).round() / 1e4 + 0.5);
                let message = format!(
                    r#"{{"Type":"Task","ClusterName":"lab","TaskId":"{id:032x}{id:032x}","CpuUtilized":{cpu:?}}}"#
                );
                Event { timestamp_ms: from_ms + number * 900, message }
            };
            let events = (0..4_000).map(|number| event(&mut rng, number)).collect();
            store.put(GROUP, "s", events, from_ms + HOUR_MS).await.unwrap();
            store.seal_all().await.unwrap();
        }
        store.maintain(START_MS + 9 * HOUR_MS).await.unwrap();
    });
}

#[test]
fn percentiles_of_a_store_are_exact_unless_somebody_asks_for_approximate_ones() {
    let dir = tempfile::tempdir().unwrap();
    rolled_up(dir.path());
    let asked = |more: &[&str]| {
        let text = "stats pct(CpuUtilized, 95) as p95 by bin(1h) as t | sort t";
        let store = ["query", text, "--store", dir.path().to_str().unwrap(), "--output", "json"];
        let ran = run(&[&store[..], more].concat()).exits(0);
        let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
        let p95: Vec<f64> = rows.iter().map(|row| row["p95"].as_f64().unwrap()).collect();
        (p95, ran.err.contains("percentiles are approximate: within 0.8 % of the values"))
    };
    let (exact, said) = asked(&[]);
    assert!(exact.len() == 6 && !said, "{exact:?}");
    let (about, said) = asked(&["--approximate"]);
    assert!(said && about.len() == exact.len() && about != exact, "{about:?}");
    let near = about.iter().zip(&exact).all(|(about, exact)| (about - exact).abs() <= 0.008 * exact);
    assert!(near, "{about:?} for {exact:?}");
}
