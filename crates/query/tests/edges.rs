//! Where the values of the language and those of the engine below are not the same: zeros, conditions, what is absent. Each of
//! these was found by asking DuckDB the same (`tests/aws/test_duckdb.py`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

mod support;

use query::{Engine, EngineConfig, Request};
use support::{Record, in_memory};

const START_MS: i64 = 1_791_201_600_000;

fn doors() -> Vec<Record> {
    [
        r#"{"door":"a","who":"mia","n":1,"ip":"10.1.2.3"}"#,
        r#"{"door":"b","who":"leo","n":2,"ip":"192.168.0.9"}"#,
        r#"{"door":"a","who":"mia","n":3}"#,
        r#"{"door":"a","who":"mia","n":100}"#,
        r#"{"door":"b","who":"zoe","n":4}"#,
    ]
    .into_iter()
    .zip(START_MS..)
    .map(|(message, at)| (at, message.to_owned()))
    .collect()
}

async fn gives(text: &str, wanted: &[&str]) {
    let engine = Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() }).unwrap();
    let request = Request {
        text: text.to_owned(),
        groups: vec![in_memory("1", "/doors", "s/1", &doors())],
        from_ms: START_MS,
        to_ms: START_MS + 60_000,
        now_ms: START_MS + 60_000,
        ..Request::default()
    };
    let result = engine.run(request).unwrap().finished().await.unwrap_or_else(|error| panic!("{text}\n{error}"));
    let shown = |row: query::Row| {
        let pairs = row.into_iter().filter(|(name, _)| name != "@ptr").map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(" ")
    };
    let rows: Vec<String> = result.rows().unwrap().into_iter().map(shown).collect();
    assert_eq!(rows, wanted, "{text}");
}

#[tokio::test]
async fn minus_zero_is_zero() {
    gives(
        "fields n * 0 * (0 - 1) as z | filter z = 0 and z >= 0 and not (z < 0) | stats count(*) as c by z",
        &["z=0 c=5"],
    )
    .await;
    gives("fields n % 1 * (n - 2) as z | sort z, n | display n", &["n=1", "n=2", "n=3", "n=4", "n=100"]).await;
    gives("filter n * 0 * (0 - 1) in [0, 7] and n * 0 = -0 | stats count(*) as c", &["c=5"]).await;
}

#[tokio::test]
async fn conditions_are_values_of_groups_and_of_choices() {
    gives("stats count(*) as c by not (n > 2) as k | stats sum(c) as s by k | sort k", &["k=0 s=3", "k=1 s=2"]).await;
    gives("sort n | fields n, ip like \"10\" as c | dedup c, door", &["n=1 c=1", "n=2 c=0", "n=3 c=0"]).await;
    // What is absent is no `mia`, and that is an answer.
    gives("filter n < 3 | sort n | display coalesce(nosuch = 1, n = 2) as c", &["c=0", "c=0"]).await;
}

#[tokio::test]
async fn in_a_text_that_is_absent_nothing_is_found() {
    gives("parse ip \"*\" as x | parse ip /^(?<y>.*)/ | parse ip csv as z | stats count(x) as a, count(y) as b, count(z) as c", &["a=2 b=2 c=2"])
        .await;
    gives("parse ip /(?<d>[0-9]*)$/ multi | stats count(*) as c", &["c=2"]).await;
}
