//! The cases of the language's conformance table, and groups of records in memory and in files.

#![allow(dead_code, reason = "each test uses its own part")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use arrow::{array::AsArray, datatypes::TimestampMillisecondType};
use datafusion::parquet::arrow::ArrowWriter;
use insights::value::number_of_text;
use object_store::{ObjectStore, local::LocalFileSystem};
use query::{Request, lookup::Table};
use serde::Deserialize;
use telemetry::{
    event::Event,
    field,
    snapshot::{File, Group},
};
use url::Url;

/// What `fixtures.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixtures {
    pub(crate) account: String,
    pub(crate) start: jiff::Timestamp,
    pub(crate) end: jiff::Timestamp,
    pub(crate) fixture: BTreeMap<String, Fixture>,
    pub(crate) table: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fixture {
    pub(crate) group: String,
    pub(crate) stream: String,
    pub(crate) records: Vec<(jiff::Timestamp, String)>,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

/// One query and what must come out of it; what is said of the checker alone is passed over.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) fixture: Option<String>,
    pub(crate) messages: Option<Vec<String>>,
    pub(crate) query: String,
    pub(crate) rows: Option<Vec<BTreeMap<String, String>>>,
    #[serde(default)]
    pub(crate) any_order: bool,
    pub(crate) count: Option<usize>,
    error: Option<toml::Value>,
}

impl Case {
    /// Whether it is refused before it runs.
    pub(crate) fn is_refused(&self) -> bool {
        self.error.is_some()
    }
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../insights/tests/conformance").join(name);
    toml::from_str(&fs::read_to_string(&path).expect("the file is there"))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn fixtures() -> Fixtures {
    read("fixtures.toml")
}

/// Every case that is not refused.
pub(crate) fn cases() -> Vec<Case> {
    let files = ["rows.toml", "filter.toml", "expressions.toml", "stats.toml", "extract.toml", "refused.toml"];
    files.into_iter().flat_map(|name| read::<Cases>(name).case).collect()
}

/// A record: when it happened, and its text.
pub(crate) type Record = (i64, String);

/// The records of a case, with group and stream.
pub(crate) fn records_of(case: &Case, fixtures: &Fixtures) -> (String, String, Vec<Record>) {
    match &case.fixture {
        Some(name) => {
            let fixture = &fixtures.fixture[name];
            let records = fixture.records.iter().map(|(time, message)| (time.as_millisecond(), message.clone()));
            (fixture.group.clone(), fixture.stream.clone(), records.collect())
        }
        None => {
            let messages = case.messages.clone().unwrap_or_default();
            let start = fixtures.start.as_millisecond();
            ("/lab/inline".into(), "inline/1".into(), messages.into_iter().map(|message| (start, message)).collect())
        }
    }
}

pub(crate) fn tables(fixtures: &Fixtures) -> BTreeMap<String, Arc<Table>> {
    fixtures.table.iter().map(|(name, text)| (name.clone(), Arc::new(Table::of_csv(text)))).collect()
}

/// A group whose records are in memory.
pub(crate) fn in_memory(account: &str, name: &str, stream: &str, records: &[Record]) -> Group {
    let event = |(timestamp_ms, message): &Record| Event { timestamp_ms: *timestamp_ms, message: message.clone() };
    Group::of_events(name, account, i64::MIN, records.iter().map(|record| (stream, event(record))))
}

/// A store in a directory.
pub(crate) fn store_in(dir: &Path) -> (Arc<dyn ObjectStore>, Url) {
    let store = LocalFileSystem::new_with_prefix(dir).unwrap();
    (Arc::new(store), Url::parse("muster-test:///").unwrap())
}

/// The same group with its records in files of at most so many rows.
pub(crate) fn in_files(group: &Group, dir: &Path, rows_max: usize) -> Group {
    let mut files = Vec::new();
    for batch in &group.batches {
        let mut from = 0;
        while from < batch.num_rows() {
            let piece = batch.slice(from, rows_max.min(batch.num_rows() - from));
            // As in a store, no two files ever have the same name.
            static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
            let path = format!("{}.parquet", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            let mut bytes = Vec::new();
            let mut writer = ArrowWriter::try_new(&mut bytes, piece.schema(), None).unwrap();
            writer.write(&piece).unwrap();
            writer.close().unwrap();
            fs::write(dir.join(&path), &bytes).unwrap();
            let times = piece.column_by_name(field::TIMESTAMP).unwrap();
            let times = times.as_primitive::<TimestampMillisecondType>().values().to_vec();
            files.push(File {
                path,
                bytes: bytes.len() as u64,
                rows: piece.num_rows() as u64,
                from_ms: times.iter().copied().min().unwrap(),
                to_ms: times.iter().copied().max().unwrap(),
            });
            from += rows_max;
        }
    }
    Group { batches: Vec::new(), files, ..group.clone() }
}

/// A question about one group in the fixtures' time.
pub(crate) fn request(text: &str, group: Group, fixtures: &Fixtures) -> Request {
    Request {
        text: text.to_owned(),
        groups: vec![group],
        tables: tables(fixtures),
        from_ms: fixtures.start.as_millisecond(),
        to_ms: fixtures.end.as_millisecond(),
        now_ms: fixtures.end.as_millisecond(),
        ..Request::default()
    }
}

/// Whether two printed rows are the same: numbers within what four decimals can tell apart, names without blanks.
pub(crate) fn same(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    let name = |name: &str| name.replace(' ', "");
    let value = |one: &str, other: &str| match (number_of_text(one), number_of_text(other)) {
        (Some(one), Some(other)) => (one - other).abs() <= 5e-5 * one.abs().max(1.0),
        _ => one == other,
    };
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|((key, found), (wanted, expected))| name(key) == name(wanted) && value(found, expected))
}
