//! Hostile queries at a running muster: its loop goes on, its memory stays within bounds, events are still taken in, and
//! each query ends, with rows, with an honest refusal, or because it is stopped.
//!
//! `MUSTER_HOSTILE_QUERIES` says how many (60 unless told; the figures of 500 stand in bench/RESULTS.md), `MUSTER_HOSTILE_SEED`
//! which, `MUSTER_HOSTILE_ASKING` how many at once. How long the loop lets a question wait meanwhile is printed, not judged:
//! `cargo nextest run -p muster --test hostile_queries --no-capture`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![allow(clippy::print_stderr, reason = "the figures are the evidence")]

mod draw;
#[path = "../program/mod.rs"]
mod program;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use program::{Running, get, muster_at, post, pretend_account, request};
use serde_json::{Value, json};

/// Hosts whose agents come and go, so that the loop has something to do.
const LOAD: &str = "[habits]\nrecycle = [\"2m\", \"4m\"]\ngap = [\"1s\", \"20s\"]\n\
    [[cluster]]\nname = \"load\"\nhosts = 40\ntypes = [\"m6i.large\"]\n\
    [[cluster.service]]\nname = \"api\"\ntasks = 80\nchurn-per-hour = 6.0\n";
const GROUP: &str = "/hostile";
const RECORDS: usize = 6_000;
/// What all queries together may use, in MiB.
const QUERY_MEMORY_MIB: u64 = 64;
/// What the process may grow by beside that: results that are kept for a while (64 MiB), rows of the store, batches and plans of
/// ten queries under way, code that is touched, and what the allocator does not give back. 500 of them made it grow by 238 MiB in
/// all at most.
const BESIDE_MIB: u64 = 256;
/// Whoever asks stops a query that takes longer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A query that is stopped makes room for another within this time.
const ROOM_LIMIT: Duration = Duration::from_secs(120);
/// So many people ask at once unless told; more than queries run at once.
const ASKING: usize = 12;
/// A step of the peak of memory that is worth a line.
const STEP_MIB: u64 = 64;

#[test]
fn hostile_queries_neither_kill_it_nor_keep_it_from_its_work() {
    let queries: usize = number("MUSTER_HOSTILE_QUERIES", 60);
    let seed: u64 = number("MUSTER_HOSTILE_SEED", 11);
    let asking: usize = number("MUSTER_HOSTILE_ASKING", ASKING);
    let dir = tempfile::tempdir().unwrap();
    let story = dir.path().join("load.toml");
    std::fs::write(&story, LOAD).unwrap();
    let account = pretend_account(&story.display().to_string());
    let muster = serve(&account, dir.path());
    let taken_in = records(&muster);
    // The first query of each sort loads code and fills caches.
    assert_eq!(answer(&muster, "sort text | limit 10 | display id").0, "Complete");
    let calm = in_the_loop(&muster, &AtomicBool::new(false), Some(Duration::from_secs(3)));
    let before_mib = resident_mib(&muster);

    let over = Arc::new(AtomicBool::new(false));
    let next = AtomicUsize::new(0);
    let texts: Vec<String> = {
        let mut rng = Rng::with_seed(seed);
        (0..queries).map(|_| draw::hostile(&mut rng)).collect()
    };
    let (stormy, more, ends) = thread::scope(|scope| {
        let advance = format!("{}/_muster/advance?secs=5", account.url);
        let (ended, muster) = (&over, &muster);
        scope.spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                post(&advance, "");
                thread::sleep(Duration::from_millis(200));
            }
        });
        let ticks = scope.spawn(|| in_the_loop(muster, &over, None));
        let ingestion = scope.spawn(|| take_in(muster, &over));
        let asking: Vec<_> = (0..asking)
            .map(|_| {
                scope.spawn(|| {
                    let mut ends = BTreeMap::new();
                    while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let before_mib = peak_mib(muster);
                        let (end, took) = answer(muster, text);
                        let after_mib = peak_mib(muster);
                        if after_mib >= before_mib + STEP_MIB {
                            let shown: String = text.chars().take(200).collect();
                            eprintln!("{end} after {took:.1?}, memory at most {after_mib} MiB: {shown}");
                        }
                        *ends.entry(end).or_insert(0_usize) += 1;
                    }
                    ends
                })
            })
            .collect();
        let mut ends = BTreeMap::new();
        for asker in asking {
            for (end, count) in asker.join().unwrap() {
                *ends.entry(end).or_insert(0_usize) += count;
            }
        }
        over.store(true, Ordering::Relaxed);
        (ticks.join().unwrap(), ingestion.join().unwrap(), ends)
    });
    let grown_mib = peak_mib(&muster).saturating_sub(before_mib);
    eprintln!("seed {seed}: {ends:?}");
    eprintln!("a question to the loop waits, calm: {calm}; during the queries: {stormy}");
    eprintln!("memory: {before_mib} MiB before, at most {grown_mib} MiB more; events taken in meanwhile: {more}");

    assert_eq!(ends.values().sum::<usize>(), queries);
    assert!(more > 0, "no event was taken in");
    assert_eq!(
        rows(&muster, "stats count(*) as n"),
        json!([[{ "field": "n", "value": (taken_in + more).to_string() }]])
    );
    let most = QUERY_MEMORY_MIB + BESIDE_MIB;
    assert!(grown_mib <= most, "memory grew by {grown_mib} MiB; {most} MiB were thought to be the most");
    muster.signal("TERM");
    assert_eq!(muster.wait(), Some(0));
}

fn number<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn serve(account: &Running, dir: &std::path::Path) -> Running {
    let truth = get(&format!("{}/_muster/truth", account.url)).json();
    let machine = truth["machines"][0]["arn"].as_str().unwrap().to_owned();
    let id = machine.split(':').nth(4).unwrap();
    let text = format!(
        "[clusters]\nall = true\n[events]\nqueue_urls = [\"{}/{id}/muster-events\"]\n\
         [sweep]\nevery_secs = 10\n[policy]\ngrace_secs = 1\nact_after_secs = 3\nfail_after = 1\n\
         [telemetry]\njournal = false\nquery_memory_mib = {QUERY_MEMORY_MIB}\n",
        account.url
    );
    let config = dir.join("muster.toml");
    std::fs::write(&config, text).unwrap();
    let (config, data) = (config.display().to_string(), dir.join("data").display().to_string());
    let mut command =
        muster_at(&account.url, &["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data]);
    command.stderr(std::process::Stdio::null());
    Running::start(command)
}

/// An operation of the logs' API.
fn call(muster: &Running, operation: &str, body: &Value) -> (u16, Value) {
    let target = format!("Logs_20140328.{operation}");
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let answer = request("POST", &muster.url, &headers, &body.to_string());
    let told = serde_json::from_str(&answer.body)
        .unwrap_or_else(|error| panic!("{operation}: {} {error}: {}", answer.status, answer.body));
    (answer.status, told)
}

fn granted(muster: &Running, operation: &str, body: &Value) -> Value {
    let (status, told) = call(muster, operation, body);
    assert_eq!(status, 200, "{operation}: {told}");
    told
}

fn now_ms() -> i64 {
    i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// The records that queries are about; how many.
fn records(muster: &Running) -> usize {
    granted(muster, "CreateLogGroup", &json!({ "logGroupName": GROUP }));
    granted(muster, "CreateLogStream", &json!({ "logGroupName": GROUP, "logStreamName": "s" }));
    let mut rng = Rng::with_seed(3);
    for _ in 0..RECORDS / 1_000 {
        put(muster, &mut rng, 1_000);
    }
    RECORDS / 1_000 * 1_000
}

fn put(muster: &Running, rng: &mut Rng, count: usize) {
    const WORDS: [&str; 8] = ["gate", "open", "aaaaaaaaaaaaaaaaaaaaaaaa", "by", "7", "Straße", "took", "x1y2"];
    let at = now_ms();
    let events: Vec<Value> = (0..count)
        .map(|_| {
            let words: Vec<&str> = (0..rng.usize(1..20)).map(|_| WORDS[rng.usize(..WORDS.len())]).collect();
            let level = ["INFO", "WARN", "ERROR"][rng.usize(..3)];
            let message = json!({ "id": format!("{:032x}", rng.u128(..)), "few": rng.u8(..5), "many": rng.u32(..), "text": words.join(" "), "level": level });
            json!({ "timestamp": at, "message": message.to_string() })
        })
        .collect();
    let put = json!({ "logGroupName": GROUP, "logStreamName": "s", "logEvents": events });
    let told = granted(muster, "PutLogEvents", &put);
    assert!(told["rejectedLogEventsInfo"].is_null(), "{told}");
}

/// Takes events in until it is over; how many.
fn take_in(muster: &Running, over: &AtomicBool) -> usize {
    let mut rng = Rng::with_seed(4);
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        put(muster, &mut rng, 10);
        count += 10;
        thread::sleep(Duration::from_millis(250));
    }
    count
}

/// Asks a query and waits for its end, or stops it: how it ended, and after what time.
fn answer(muster: &Running, text: &str) -> (String, Duration) {
    let asked = Instant::now();
    let order = json!({ "logGroupName": GROUP, "queryString": text, "startTime": 0, "endTime": now_ms() / 1_000 + 60 });
    let id = loop {
        let (status, told) = call(muster, "StartQuery", &order);
        if let Some(id) = told["queryId"].as_str() {
            break id.to_owned();
        }
        let kind = told["__type"].as_str().unwrap_or_default().to_owned();
        assert!(status == 400 && told["message"].as_str().is_some_and(|it| !it.is_empty()), "{status} {told}: {text}");
        if kind != "LimitExceededException" {
            return (kind, asked.elapsed());
        }
        // As many run as may: there is room when one ends.
        assert!(asked.elapsed() < ROOM_LIMIT, "no query has made room for another for {ROOM_LIMIT:?}: {told}");
        thread::sleep(Duration::from_millis(50));
    };
    let began = Instant::now();
    loop {
        let told = granted(muster, "GetQueryResults", &json!({ "queryId": id, "maxItems": 10 }));
        match told["status"].as_str().unwrap() {
            "Running" | "Scheduled" if began.elapsed() > PATIENCE => {
                let (_, told) = call(muster, "StopQuery", &json!({ "queryId": id }));
                // It may have ended just now.
                let end = if told["success"] == true { "stopped" } else { "ended at last" };
                return (end.to_owned(), began.elapsed());
            }
            "Running" | "Scheduled" => thread::sleep(Duration::from_millis(20)),
            end => return (end.to_owned(), began.elapsed()),
        }
    }
}

fn rows(muster: &Running, text: &str) -> Value {
    let order = json!({ "logGroupName": GROUP, "queryString": text, "startTime": 0, "endTime": now_ms() / 1_000 + 60 });
    let id = granted(muster, "StartQuery", &order)["queryId"].clone();
    program::until("a query", || {
        let told = granted(muster, "GetQueryResults", &json!({ "queryId": id }));
        (told["status"] == "Complete").then(|| told["results"].clone())
    })
}

/// How long a question waits for the loop, asked again and again: the median, the 99th of a hundred, the longest.
fn in_the_loop(muster: &Running, over: &AtomicBool, lasting: Option<Duration>) -> String {
    let url = format!("{}/v1/silences", muster.url);
    let began = Instant::now();
    let mut waits = Vec::new();
    while !over.load(Ordering::Relaxed) && lasting.is_none_or(|lasting| began.elapsed() < lasting) {
        let asked = Instant::now();
        assert_eq!(get(&url).status, 200);
        waits.push(asked.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    waits.sort_unstable();
    let share = |percent: usize| waits[(waits.len() * percent / 100).min(waits.len() - 1)];
    format!("p50 {:.1?}, p99 {:.1?}, longest {:.1?} of {}", share(50), share(99), share(100), waits.len())
}

fn memory_mib(muster: &Running, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", muster.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1_024
}

fn resident_mib(muster: &Running) -> u64 {
    memory_mib(muster, "VmRSS:")
}

fn peak_mib(muster: &Running) -> u64 {
    memory_mib(muster, "VmHWM:")
}
