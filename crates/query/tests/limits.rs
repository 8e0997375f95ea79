//! What queries may use: memory, time, places, rows. And that one that is stopped or refused says why.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

mod support;

use std::time::{Duration, Instant};

use fastrand::Rng;
use query::{Engine, EngineConfig, QueryFailed, Request};
use support::{in_files, in_memory, store_in};
use telemetry::snapshot::Group;

const START_MS: i64 = 1_791_201_600_000;

fn group(records: i64) -> Group {
    let mut rng = Rng::with_seed(3);
    let records: Vec<(i64, String)> = (0..records)
        .map(|number| {
            let id: u64 = rng.u64(..);
            (
                START_MS + number,
                format!("{{\"id\":\"{id:x}-{id:o}\",\"n\":{},\"text\":\"say {id} times\"}}", rng.u32(..100)),
            )
        })
        .collect();
    in_memory("1", "/g", "s/1", &records)
}

fn request(text: &str, group: &Group) -> Request {
    Request {
        text: text.to_owned(),
        groups: vec![group.clone()],
        from_ms: START_MS,
        to_ms: START_MS + 3_600_000,
        now_ms: START_MS,
        ..Request::default()
    }
}

fn engine(config: EngineConfig) -> Engine {
    Engine::new(EngineConfig { threads: 2, ..config }).unwrap()
}

#[tokio::test]
async fn a_query_that_wants_too_much_memory_is_told_so() {
    let group = group(120_000);
    let small = engine(EngineConfig { memory_bytes: 2 << 20, spill_bytes: 4 << 20, ..EngineConfig::default() });
    let running = small.run(request("stats values(id) as v, values(text) as w by n", &group)).unwrap();
    match running.finished().await {
        Err(error @ QueryFailed::Memory { limit_bytes, .. }) => {
            assert_eq!(limit_bytes, 2 << 20);
            assert!(error.to_string().contains("ask for a shorter time"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    // The next one has all the memory again.
    assert_eq!(small.run(request("stats count(*)", &group)).unwrap().finished().await.unwrap().count(), 1);
}

/// Otherwise a list of hundreds of elements would be made for each of thousands of rows, and be in no account.
#[tokio::test]
async fn lists_of_elements_are_made_for_few_rows_at_a_time() {
    let group = group(1_000);
    let engine = engine(EngineConfig::default());
    let numbers: Vec<String> = (0..300).map(|number| number.to_string()).collect();
    let list = format!("fields jsonParse(\"[{}]\") as l", numbers.join(","));
    for list in [list.as_str(), "fields jsonParse(concat(\"[\", n, \",1,2]\")) as l"] {
        let request = request(&format!("{list} | unnest l into a | unnest l into b | stats sum(a) by b"), &group);
        let plan = engine.prepared(&request).await.unwrap();
        let plan = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
        let steps: Vec<&str> = plan.lines().map(|line| line.trim().split(':').next().unwrap_or_default()).collect();
        let unnests = steps.iter().filter(|step| **step == "UnnestExec").count();
        let sliced = steps.windows(2).filter(|steps| steps[0] == "ProjectionExec" && steps[1] == "SlicesExec").count();
        assert_eq!((unnests, sliced), (2, 2), "{plan}");
    }
}

#[tokio::test]
async fn a_sort_of_more_than_fits_goes_to_disk() {
    let group = group(120_000);
    let small = engine(EngineConfig { memory_bytes: 40 << 20, ..EngineConfig::default() });
    let result = small.run(request("stats count(*) as c by id, text | sort id desc | limit 1000", &group)).unwrap();
    let result = result.finished().await.unwrap();
    assert_eq!(result.count(), 1_000);
}

#[tokio::test]
async fn only_so_many_queries_run_at_a_time() {
    let group = group(50_000);
    let one = engine(EngineConfig { queries_max: 1, ..EngineConfig::default() });
    let first = one.run(request("stats count(*) by id", &group)).unwrap();
    match one.run(request("stats count(*)", &group)) {
        Err(QueryFailed::Busy { running: 1 }) => {}
        other => panic!("{other:?}"),
    }
    first.finished().await.unwrap();
    // The place is free a moment after the end is told, or before.
    let deadline = Instant::now() + Duration::from_secs(5);
    while one.run(request("stats count(*)", &group)).is_err() {
        assert!(Instant::now() < deadline, "the place is never free again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_query_ends_when_its_time_is_over_or_it_is_stopped() {
    let group = group(100_000);
    let slow =
        "fields regexReplace(text, \"(a|b|c|d|[0-9])+x\", \"y\") as t | stats count_distinct(t), pct(n, 50) by id";
    let short = engine(EngineConfig { time_max: Duration::from_millis(20), ..EngineConfig::default() });
    match short.run(request(slow, &group)).unwrap().finished().await {
        Err(QueryFailed::Time { .. }) => {}
        other => panic!("{:?}", other.map(|it| it.count())),
    }
    let long = engine(EngineConfig::default());
    let running = long.run(request(slow, &group)).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    running.stop();
    match running.finished().await {
        Err(QueryFailed::Stopped) => {}
        other => panic!("{:?}", other.map(|it| it.count())),
    }
}

#[tokio::test]
async fn fields_of_fields_do_not_grow_without_bound() {
    let group = group(10);
    let engine = engine(EngineConfig::default());
    let mut text = "fields n + n as x0".to_owned();
    let last = 90;
    for number in 1..last {
        text.push_str(&format!(" | fields x{} / 2 + x{} / 3 as x{number}", number - 1, number - 1));
    }
    let last = last - 1;
    text.push_str(&format!(" | filter x{last} >= 0 or x{last} < 0 | display x{last}"));
    let began = Instant::now();
    let result = engine.run(request(&text, &group)).unwrap().finished().await.unwrap();
    assert_eq!(result.count(), 10);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn texts_that_double_are_refused_and_long_ones_that_do_not_grow_are_not() {
    let text = "aé".repeat(350_000);
    let records: Vec<(i64, String)> =
        (0..80).map(|number| (START_MS + number, format!("{{\"id\":{number},\"text\":\"{text}\"}}"))).collect();
    let group = in_memory("1", "/g", "s/1", &records);
    let engine = engine(EngineConfig { memory_bytes: 128 << 20, ..EngineConfig::default() });
    let same = request("fields concat(text, id) as t | stats count(*) by strlen(t)", &group);
    assert_eq!(engine.run(same).unwrap().finished().await.unwrap().count(), 2, "80 MiB of them, and one or two digits");
    let doubled = "fields concat(text, text) as a | fields concat(a, id) as b | stats count(*) by strlen(b)";
    match engine.run(request(doubled, &group)).unwrap().finished().await {
        Err(QueryFailed::Memory { detail, .. }) => assert!(detail.contains("what `concat("), "{detail}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn long_conditions_are_run_without_deep_recursion() {
    let group = group(10);
    let engine = engine(EngineConfig::default());
    let conditions: Vec<String> = (0..900).map(|number| format!("n={number}")).collect();
    let result = engine.run(request(&format!("filter {}", conditions.join(" or ")), &group)).unwrap();
    assert_eq!(result.finished().await.unwrap().count(), 10);
}

#[tokio::test]
async fn any_rows_are_found_without_reading_all() {
    let dir = tempfile::tempdir().unwrap();
    let group = in_files(&group(60_000), dir.path(), 2_000);
    let engine = engine(EngineConfig::default());
    let with_store = |text: &str| Request { store: Some(store_in(dir.path())), ..request(text, &group) };
    let all = engine.run(with_store("filter n >= 0 | stats count(*) as c")).unwrap().finished().await.unwrap();
    assert_eq!(all.statistics.records_scanned, 60_000);
    assert_eq!(all.statistics.records_matched, 60_000);
    assert!(all.statistics.bytes_scanned > 0);
    let few = engine.run(with_store("filter n >= 0 | limit any 3")).unwrap().finished().await.unwrap();
    assert_eq!(few.count(), 3);
    assert!(few.statistics.records_scanned < 30_000, "{:?}", few.statistics);
    let part = Request { to_ms: START_MS + 999, ..with_store("stats count(*) as c") };
    let part = engine.run(part).unwrap().finished().await.unwrap();
    assert_eq!(part.rows().unwrap(), [[("c".to_owned(), "1000".to_owned())]]);
    assert!(part.statistics.estimated_records_skipped >= 58_000, "{:?}", part.statistics);
    let told = engine.explain(&with_store("filter n > 200 | stats count(*) by n")).await.unwrap();
    assert!(told.contains(&format!("{0} of {0} files", group.files.len())) && told.contains("groups by"), "{told}");
}

#[tokio::test]
async fn the_newest_records_are_found_by_their_times_before_other_columns_are_read() {
    let mut rng = Rng::with_seed(8);
    let records: Vec<(i64, String)> = (0..80_000)
        .map(|_| (START_MS + rng.i64(0..20_000), format!("{{\"id\":\"{:x}\",\"n\":{}}}", rng.u128(..), rng.u8(..))))
        .collect();
    let memory = in_memory("1", "/g", "s/1", &records);
    let dir = tempfile::tempdir().unwrap();
    let files = in_files(&memory, dir.path(), 30_000);
    assert!(files.files.iter().map(|file| file.bytes).sum::<u64>() > 2 << 20);
    let engine = engine(EngineConfig::default());
    let with_store = |text: &str| Request { store: Some(store_in(dir.path())), ..request(text, &files) };
    for (text, rows) in [
        ("fields @timestamp, id, n | sort @timestamp desc | limit 100", 100),
        ("sort @timestamp desc, n asc | fields id as it, @message | limit 33", 33),
        ("fields id, n | head 500", 500),
        ("sort n desc | limit 10", 10),
    ] {
        let all = engine.run(request(text, &memory)).unwrap().finished().await.unwrap();
        let found = engine.run(with_store(text)).unwrap().finished().await.unwrap();
        assert_eq!(found.rows().unwrap(), all.rows().unwrap(), "{text}");
        assert_eq!(found.count(), rows, "{text}");
    }
    let few = engine.run(with_store("limit 40")).unwrap().finished().await.unwrap();
    let most = engine.run(with_store("limit 40000")).unwrap().finished().await.unwrap();
    assert!(few.statistics.bytes_scanned > 0 && most.count() > few.count(), "{:?}", few.statistics);
    let told = engine.explain(&with_store("limit 40")).await.unwrap();
    assert!(told.contains("the newest 40 are those since 2026-10-"), "{told}");
    assert!(!engine.explain(&with_store("filter n = 1 | limit 40")).await.unwrap().contains("the newest"));
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let group = group(5);
    let engine = engine(EngineConfig::default());
    for (text, said) in [
        ("lookup nowhere a OUTPUT b", "there is no table `nowhere`"),
        ("filter n in (SOURCE '/no/group' | fields n)", "the log group `/no/group`"),
        ("filtr n = 1", "filtr"),
    ] {
        let error = match engine.run(request(text, &group)) {
            Ok(running) => running.finished().await.map(|it| it.count()).unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(said), "{error}");
    }
}
