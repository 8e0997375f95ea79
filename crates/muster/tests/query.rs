//! `muster query` as a shell would run it: over a pipe, over files, and refusals that say what to do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use program::{run, run_with_input};
use serde_json::{Value, json};

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
