//! Commands and aggregates that the naive evaluator does not have: what comes out of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

mod support;

use std::collections::BTreeMap;

use query::{Engine, EngineConfig, Request, lookup::Table};
use support::{Record, in_memory};

const START_MS: i64 = 1_791_201_600_000;
const MINUTE_MS: i64 = 60_000;

fn doors() -> Vec<Record> {
    [
        (0, r#"{"door":"a","who":"mia","n":1,"ip":"10.1.2.3"}"#),
        (1, r#"{"door":"b","who":"leo","n":2,"ip":"192.168.0.9"}"#),
        (2, r#"{"door":"a","who":"mia","n":3}"#),
        (40, r#"{"door":"a","who":"mia","n":100}"#),
        (41, r#"{"door":"b","who":"zoe","n":4}"#),
    ]
    .into_iter()
    .map(|(minute, message)| (START_MS + minute * MINUTE_MS, message.to_owned()))
    .collect()
}

fn owners() -> Vec<Record> {
    [(0, r#"{"door":"a","owner":"kim"}"#), (1, r#"{"door":"c","owner":"lee"}"#)]
        .into_iter()
        .map(|(minute, message)| (START_MS + minute * MINUTE_MS, message.to_owned()))
        .collect()
}

async fn rows(text: &str) -> Vec<String> {
    let engine = Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() }).unwrap();
    let tables = BTreeMap::from([(
        "nets".to_owned(),
        Table::of_csv("net,zone\n10.0.0.0/8,inner\n192.168.0.0/16,home\n").into(),
    )]);
    let request = Request {
        text: text.to_owned(),
        groups: vec![in_memory("1", "/doors", "s/1", &doors())],
        others: vec![in_memory("1", "/owners", "s/1", &owners())],
        tables,
        from_ms: START_MS,
        to_ms: START_MS + 59 * MINUTE_MS,
        now_ms: START_MS + 60 * MINUTE_MS,
        ..Request::default()
    };
    let result = engine.run(request).unwrap().finished().await.unwrap_or_else(|error| panic!("{text}\n{error}"));
    let shown = |row: query::Row| {
        let pairs = row.into_iter().filter(|(name, _)| name != "@ptr").map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(" ")
    };
    result.rows().unwrap().into_iter().map(shown).collect()
}

async fn gives(text: &str, wanted: &[&str]) {
    assert_eq!(rows(text).await, wanted, "{text}");
}

#[tokio::test]
async fn rows_are_joined_by_equal_values() {
    let inner = "join type=inner left=l right=r where l.door = r.door (SOURCE '/owners' | fields door, owner) \
                 | sort n asc | fields l.n as n1, r.owner as o";
    gives(
        inner,
        &["n1=1 o=kim r.door=a r.owner=kim", "n1=3 o=kim r.door=a r.owner=kim", "n1=100 o=kim r.door=a r.owner=kim"],
    )
    .await;
    let left = "join type=left left=l right=r where r.door = l.door (SOURCE '/owners' | fields door, owner) \
                | sort n asc | display n, r.owner | limit 2";
    gives(left, &["n=1 r.owner=kim", "n=2"]).await;
}

#[tokio::test]
async fn columns_are_put_beside_by_the_number_of_the_row() {
    let text =
        "sort n asc | limit 3 | display n, owner | appendcols (SOURCE '/owners' | sort owner asc | display owner)";
    gives(text, &["n=1 owner=kim", "n=2 owner=lee", "n=3"]).await;
    let text =
        "stats count(*) as n | appendcols override=true (SOURCE '/owners' | stats count(*) as n, count(owner) as m)";
    gives(text, &["n=2 m=2"]).await;
}

#[tokio::test]
async fn absent_bins_are_filled() {
    gives(
        "stats sum(n) as s by bin(20m) as t | fillmissing with 0 for s | sort t",
        &["t=2026-10-05 12:00:00.000 s=6", "t=2026-10-05 12:20:00.000 s=0", "t=2026-10-05 12:40:00.000 s=104"],
    )
    .await;
    gives(
        "filter who != \"mia\" | stats count(*) as c by bin(30m) as t, door | fillmissing | sort t, door",
        &["t=2026-10-05 12:00:00.000 door=b c=1", "t=2026-10-05 12:30:00.000 door=b c=1"],
    )
    .await;
    gives(
        "filter n = 2 or n = 100 | stats count(*) as c by bin(30m) as t, door | fillmissing | sort t, door",
        &[
            "t=2026-10-05 12:00:00.000 door=a",
            "t=2026-10-05 12:00:00.000 door=b c=1",
            "t=2026-10-05 12:30:00.000 door=a c=1",
            "t=2026-10-05 12:30:00.000 door=b",
        ],
    )
    .await;
}

#[tokio::test]
async fn outliers_are_moved_dropped_or_marked() {
    gives("outlier n | sort n desc | limit 1 | display n", &["n=9"]).await;
    gives("outlier action=remove n | stats max(n) as m", &["m=4"]).await;
    gives("outlier mark=true n | sort @timestamp asc | display n_outlier | limit 1", &["n_outlier=0"]).await;
}

#[tokio::test]
async fn sessions_end_with_a_long_gap() {
    gives(
        "sessionize who maxspan 30m | sort @timestamp asc | display who, session_id",
        &[
            "who=mia session_id=1",
            "who=leo session_id=1",
            "who=mia session_id=1",
            "who=mia session_id=2",
            "who=zoe session_id=1",
        ],
    )
    .await;
}

#[tokio::test]
async fn totals_stand_beside_rows_and_below_columns() {
    gives(
        "stats sum(n) as s, count(*) as c by door | sort door | addtotals col=true s, c",
        &["door=a s=104 c=3 Total=107", "door=b s=6 c=2 Total=8", "s=110 c=5 Total=115"],
    )
    .await;
}

#[tokio::test]
async fn networks_contain_addresses() {
    gives(
        "cidrlookup nets ip as net OUTPUT zone | sort @timestamp asc | display zone | limit 2",
        &["zone=inner", "zone=home"],
    )
    .await;
}

#[tokio::test]
async fn patterns_are_counted_and_compared_with_the_time_before() {
    gives(
        "filter n < 50 | pattern concat(\"door \", door, \" opened \", n, \" times\")",
        &["@pattern=door <Token-1> opened <Number-2> times @ratio=1 @sampleCount=4 @severityLabel=INFO"],
    )
    .await;
    gives(
        "pattern concat(\"took \", n) | diff",
        &["@pattern=took <Number-1> @ratio=1 @sampleCount=5 @severityLabel=INFO @previousSampleCount=0 \
             @sampleCountDifference=5"],
    )
    .await;
}

#[tokio::test]
async fn aggregates_that_are_seldom_used() {
    gives("stats topk(1, door) as t", &["t=a"]).await;
    gives("stats topk(2, door) as t", &["t=[\"a\",\"b\"]"]).await;
    gives("stats count(*) as c by histogram(n, 50) as h | sort h", &["h=0 c=4", "h=100 c=1"]).await;
    gives("stats countOverTime(n, 10m) as c by bin(1h)", &["bin(1h)=2026-10-05 12:00:00.000 c=0.8333"]).await;
    gives("stats count_distinct(door, who) as d", &["d=3"]).await;
}

#[tokio::test]
async fn elements_keep_their_order_and_records_theirs() {
    gives(
        "fields jsonParse('[3,1,2]') as l | unnest l into e | filter n < 3 | sort n asc | display n, e",
        &["n=1 e=3", "n=1 e=1", "n=1 e=2", "n=2 e=3", "n=2 e=1", "n=2 e=2"],
    )
    .await;
    gives("filter n = 1 | fields jsonParse('[]') as l | unnest l into e", &[]).await;
    gives("filter n = 1 | fields split('x y', ' ') as l | expand l | display l", &["l=x", "l=y"]).await;
}

#[tokio::test]
async fn what_is_filled_down_is_named_by_stars() {
    gives("sort n asc | filldown i* | display ip | limit 3", &["ip=10.1.2.3", "ip=192.168.0.9", "ip=192.168.0.9"])
        .await;
}

#[tokio::test]
async fn pairs_become_columns_that_only_the_data_know() {
    gives("filter n = 1 | parse concat(\"k=\", who, \" j=2\") logfmt as lf | fields n", &["n=1 lf.k=mia lf.j=2"]).await;
}
