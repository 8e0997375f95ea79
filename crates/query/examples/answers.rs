//! Answers queries about the same records twice: out of a store, and out of lines that were read. `tests/aws/test_duckdb.py`
//! compares both with DuckDB.
//!
//!     answers RECORDS.ndjson DIR
//!
//! A line of RECORDS is `{"timestamp_ms": …, "stream": …, "message": …}`. Three of four go into files of a store in DIR, the
//! rest stays in its memory. Each line of standard input is `{"text": …, "from_ms": …, "to_ms": …}`; each answer is a line
//! `{"store": ROWS, "lines": ROWS}`, where ROWS are objects in their order, or the text of an error.

use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader, Write},
};

use query::{Engine, EngineConfig, QueryFailed, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use telemetry::{Class, Store, StoreConfig, event::Event, snapshot::Group};

const GROUP: &str = "/lab/drawn";

#[derive(Deserialize)]
struct Record {
    timestamp_ms: i64,
    stream: String,
    message: String,
}

#[derive(Deserialize)]
struct Asked {
    text: String,
    from_ms: i64,
    to_ms: i64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [records, dir] = arguments.as_slice() else {
        return Err("say a file of records, and a folder for a store".into());
    };
    let records: Vec<Record> = BufReader::new(File::open(records)?)
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<Result<_, Box<dyn Error>>>()?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(answer(records, dir))
}

async fn answer(records: Vec<Record>, dir: &str) -> Result<(), Box<dyn Error>> {
    let first_ms = records.first().map_or(0, |record| record.timestamp_ms);
    let store = Store::open(StoreConfig::new(dir), first_ms).await?;
    store.create_group(GROUP, Class::Standard, first_ms).await?;
    for (number, quarter) in records.chunks(records.len().div_ceil(4).max(1)).enumerate() {
        let mut streams: Vec<&str> = quarter.iter().map(|record| record.stream.as_str()).collect();
        streams.sort_unstable();
        streams.dedup();
        for stream in streams {
            if store.streams(GROUP, Some(stream))?.is_empty() {
                store.create_stream(GROUP, stream, first_ms).await?;
            }
            let of_stream = quarter.iter().filter(|record| record.stream == stream);
            let events: Vec<Event> = of_stream.map(event).collect();
            let now_ms = events.last().map_or(first_ms, |event| event.timestamp_ms);
            store.put(GROUP, stream, events, now_ms).await?;
        }
        if number < 3 {
            store.seal_all().await?;
        }
    }
    let kept = store.snapshot(&[GROUP.to_owned()])?;
    let lines = Group::of_events(GROUP, "0", i64::MIN, records.iter().map(|it| (it.stream.as_str(), event(it))));
    let engine = Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() })?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lines() {
        let asked: Asked = serde_json::from_str(&line?)?;
        let request = Request {
            text: asked.text,
            groups: kept.clone(),
            store: Some(store.object_store()),
            from_ms: asked.from_ms,
            to_ms: asked.to_ms,
            now_ms: asked.to_ms,
            ..Request::default()
        };
        let of_lines = Request { groups: vec![lines.clone()], store: None, ..request.clone() };
        let (of_store, of_lines) = tokio::join!(rows(&engine, request), rows(&engine, of_lines));
        serde_json::to_writer(&mut out, &json!({ "store": of_store, "lines": of_lines }))?;
        writeln!(out)?;
    }
    Ok(())
}

fn event(record: &Record) -> Event {
    Event { timestamp_ms: record.timestamp_ms, message: record.message.clone() }
}

/// The rows of a query as objects, or why there are none.
async fn rows(engine: &Engine, request: Request) -> Value {
    let found = async { engine.run(request)?.finished().await?.value_rows() };
    let found: Result<_, QueryFailed> = found.await;
    match found {
        Ok(rows) => rows.into_iter().map(|row| Value::Object(row.into_iter().collect())).collect(),
        Err(error) => Value::String(error.to_string()),
    }
}
