//! The cases that the language's own crate holds against a naive evaluator, held against the engine: over records in memory and
//! in files, and as plans that were bytes in between.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

mod support;

use std::collections::BTreeMap;

use query::{Engine, EngineConfig, QueryFailed, Request, codec};
use telemetry::{Class, Store, StoreConfig, event::Event};

use support::{Case, Fixtures, cases, fixtures, in_files, in_memory, records_of, request, same, store_in};

fn engine() -> Engine {
    Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() }).unwrap()
}

type Rows = Vec<BTreeMap<String, String>>;

async fn rows(engine: &Engine, request: Request) -> Result<Rows, QueryFailed> {
    let result = engine.run(request)?.finished().await?;
    let without_pointer = |row: query::Row| row.into_iter().filter(|(name, _)| name != "@ptr").collect();
    Ok(result.rows()?.into_iter().map(without_pointer).collect())
}

/// What is wrong with rows, if anything.
fn fault(case: &Case, found: &Result<Rows, QueryFailed>) -> Option<String> {
    let mut found = match found {
        Ok(found) => found.clone(),
        Err(error) => return Some(error.to_string()),
    };
    if case.count.is_some_and(|count| count != found.len()) {
        return Some(format!("{} rows", found.len()));
    }
    let mut wanted = case.rows.clone()?;
    if case.any_order {
        wanted.sort();
        found.sort();
    }
    let equal = wanted.len() == found.len() && wanted.iter().zip(&found).all(|(one, other)| same(one, other));
    (!equal).then(|| format!("rows {found:#?}"))
}

/// Runs every case in one way; faults by name.
async fn every_case(way: impl AsyncFn(&Engine, &Case, &Fixtures) -> Result<Rows, QueryFailed>) -> (usize, Vec<String>) {
    let (engine, fixtures) = (engine(), fixtures());
    let (mut count, mut faults) = (0, Vec::new());
    for case in cases().iter().filter(|case| !case.is_refused()) {
        // Other groups that a case names are not in the fixtures: such cases are about reading a query.
        if case.query.contains("/lab/other") {
            continue;
        }
        count += 1;
        let found = way(&engine, case, &fixtures).await;
        if let Some(fault) = fault(case, &found) {
            faults.push(format!("{}\n{}\n{fault}", case.name, case.query));
        }
    }
    (count, faults)
}

fn check((count, faults): (usize, Vec<String>)) {
    assert!(faults.is_empty(), "{} of {count} cases:\n\n{}", faults.len(), faults.join("\n\n"));
    assert!(count > 350, "only {count} cases");
}

#[tokio::test]
async fn every_case_comes_out_of_memory() {
    check(
        every_case(async |engine, case, fixtures| {
            let (group, stream, records) = records_of(case, fixtures);
            let group = in_memory(&fixtures.account, &group, &stream, &records);
            rows(engine, request(&case.query, group, fixtures)).await
        })
        .await,
    );
}

#[tokio::test]
async fn every_case_comes_out_of_files() {
    let dir = tempfile::tempdir().unwrap();
    check(
        every_case(async |engine, case, fixtures| {
            let (group, stream, records) = records_of(case, fixtures);
            let group = in_files(&in_memory(&fixtures.account, &group, &stream, &records), dir.path(), 2);
            let request = Request { store: Some(store_in(dir.path())), ..request(&case.query, group, fixtures) };
            rows(engine, request).await
        })
        .await,
    );
}

#[tokio::test]
async fn every_case_comes_out_of_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let known = fixtures();
    let (start_ms, end_ms) = (known.start.as_millisecond(), known.end.as_millisecond());
    let config = StoreConfig { account: known.account.clone(), ..StoreConfig::new(dir.path()) };
    let store = Store::open(config, start_ms).await.unwrap();
    let mut made: BTreeMap<(String, Vec<support::Record>), String> = BTreeMap::new();
    for case in cases().iter().filter(|case| !case.is_refused()) {
        let (group, stream, mut records) = records_of(case, &known);
        let key = (group.clone(), records.clone());
        if made.contains_key(&key) {
            continue;
        }
        let name = if case.fixture.is_some() { group } else { format!("{group}/{}", made.len()) };
        store.create_group(&name, Class::Standard, start_ms - 1).await.unwrap();
        store.create_stream(&name, &stream, start_ms - 1).await.unwrap();
        records.sort_by_key(|(time, _)| *time);
        let event =
            |(timestamp_ms, message): &support::Record| Event { timestamp_ms: *timestamp_ms, message: message.clone() };
        let events: Vec<Event> = records.iter().map(event).collect();
        // The first half is in a file, the rest in memory.
        let (sealed, fresh) = events.split_at(events.len() / 2);
        for (events, seal) in [(sealed, true), (fresh, false)] {
            if !events.is_empty() {
                let put = store.put(&name, &stream, events.to_vec(), end_ms).await.unwrap();
                assert_eq!(put.accepted, events.len());
            }
            if seal {
                store.seal_all().await.unwrap();
            }
        }
        made.insert(key, name);
    }
    check(
        every_case(async |engine, case, fixtures| {
            let (group, _, records) = records_of(case, fixtures);
            let name = made[&(group, records)].clone();
            let mut groups = store.snapshot(&[name]).unwrap();
            let request = request(&case.query, groups.remove(0), fixtures);
            rows(engine, Request { store: Some(store.object_store()), ..request }).await
        })
        .await,
    );
}

#[tokio::test]
async fn every_plan_is_the_same_after_it_was_bytes() {
    check(
        every_case(async |engine, case, fixtures| {
            let (group, stream, records) = records_of(case, fixtures);
            let group = in_memory(&fixtures.account, &group, &stream, &records);
            let request = request(&case.query, group, fixtures);
            let plan = engine.logical_plan(&request).await?;
            let bytes = codec::to_bytes(&plan)?;
            let again = codec::from_bytes(&bytes, &engine.task_context())?;
            let outputs = engine.run(request)?.finished().await?;
            let outputs = outputs.with_batches(engine.run_plan(&again).await?);
            let without_pointer = |row: query::Row| row.into_iter().filter(|(name, _)| name != "@ptr").collect();
            Ok(outputs.rows()?.into_iter().map(without_pointer).collect())
        })
        .await,
    );
}
