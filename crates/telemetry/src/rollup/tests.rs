//! Files that are summed up, against sums that are made row by row.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

use std::collections::BTreeMap;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{Float64Type, Int64Type, TimestampMillisecondType},
};
use fastrand::Rng;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{sketch::Sketch, *};
use crate::{columns::Builder, event::Event, field::TIMESTAMP, file};

const DAY_MS: i64 = 86_400_000;
/// The first moment of a day in October 2026.
const START_MS: i64 = 20_731 * DAY_MS;
const MINUTE_MS: i64 = 60_000;

/// A record as it is drawn.
struct Record {
    time_ms: i64,
    of: &'static str,
    family: String,
    service: Option<String>,
    host: u32,
    cpu: Option<f64>,
    memory: i64,
    /// What makes the file large.
    trace: u128,
}

impl Record {
    fn message(&self) -> String {
        let Self { of, family, host, memory, trace, .. } = self;
        let service = self.service.as_ref().map_or(String::new(), |it| format!(r#""ServiceName":"{it}","#));
        let cpu = self.cpu.map_or(String::new(), |it| format!(r#""CpuUtilized":{it:?},"#));
        format!(
            r#"{{"Type":"{of}","ClusterName":"lab","TaskDefinitionFamily":"{family}",{service}"Host":"h{host}",{cpu}"MemoryUtilized":{memory},"Pid":{host},"Trace":"{trace:032x}","CloudWatchMetrics":[{{"Namespace":"N","Dimensions":[["ClusterName","Host"]],"Metrics":[{{"Name":"CpuUtilized"}}]}}]}}"#
        )
    }
}

fn records(rng: &mut Rng, count: usize, hosts: u32, minutes: i64) -> Vec<Record> {
    let record = |_| {
        let family = rng.u32(..3);
        Record {
            time_ms: START_MS + 5 * MINUTE_MS + rng.i64(0..minutes * MINUTE_MS),
            of: if rng.bool() { "Task" } else { "Container" },
            family: format!("family-{family}"),
            service: rng.bool().then(|| format!("service-{family}")),
            host: rng.u32(..hosts),
            cpu: (rng.u8(..5) > 0).then(|| (rng.f64() * 1e6).round() / 1e3 - 100.0),
            memory: rng.i64(-5..500),
            trace: rng.u128(..),
        }
    };
    (0..count).map(record).collect()
}

fn built(records: &[Record]) -> Built {
    let mut builder = Builder::default();
    for (number, record) in (0..).zip(records) {
        builder.push("s", &Event { timestamp_ms: record.time_ms, message: record.message() }, 0, number);
    }
    let rule = Rule::of(builder.fields(), builder.shapes().texts());
    let rows = builder.take_rows();
    let sealed = file::seal(&rows, &file::choose(&rows)).unwrap().remove(0);
    of_file(sealed.bytes.into(), sealed.from_ms, &rule).unwrap()
}

fn batches(bytes: &[u8]) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// Bucket, texts of the dimensions, metric.
type Key = (i64, Vec<Option<String>>, String);

/// What is known of a cell and a metric.
#[derive(Debug, Default, PartialEq)]
struct Known {
    count: i64,
    sum: f64,
    least: f64,
    greatest: f64,
    sketch: Option<Sketch>,
}

fn found(built: &Built, level: usize) -> BTreeMap<Key, Known> {
    let mut found = BTreeMap::new();
    for batch in batches(&built.files[level]) {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let float = |name: &str, row: usize| {
            let column = column(name).as_primitive::<Float64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let integer = |name: &str, row: usize| {
            let column = column(name).as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        for row in 0..batch.num_rows() {
            let text = |name: &str| {
                let column = column(name).as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_owned())
            };
            let start_ms = column(TIMESTAMP).as_primitive::<TimestampMillisecondType>().value(row);
            let tuple = built.rollups.dimensions.iter().map(|name| text(name)).collect();
            let either = |one: &str, other: &str| float(one, row).or(integer(other, row).map(|it| it as f64));
            let sketches = column(SKETCH).as_binary::<i32>();
            let known = Known {
                count: integer(COUNT, row).unwrap(),
                sum: float(SUM, row).unwrap_or_default(),
                least: either(MIN, MIN_INTEGER).unwrap_or_default(),
                greatest: either(MAX, MAX_INTEGER).unwrap_or_default(),
                sketch: sketches.is_valid(row).then(|| Sketch::of_bytes(sketches.value(row)).unwrap()),
            };
            assert!(found.insert((start_ms, tuple, text(METRIC).unwrap()), known).is_none());
        }
    }
    found
}

fn expected(records: &[Record], built: &Built, width_ms: i64, sketches: bool) -> BTreeMap<Key, Known> {
    let mut values: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for record in records {
        let text = |name: &String| match name.as_str() {
            "Type" => Some(record.of.to_owned()),
            "ClusterName" => Some("lab".to_owned()),
            "TaskDefinitionFamily" => Some(record.family.clone()),
            "ServiceName" => record.service.clone(),
            "Host" => Some(format!("h{}", record.host)),
            other => panic!("{other} is no dimension"),
        };
        let start_ms = record.time_ms.div_euclid(width_ms) * width_ms;
        let tuple: Vec<Option<String>> = built.rollups.dimensions.iter().map(text).collect();
        let key = |metric: &str| (start_ms, tuple.clone(), metric.to_owned());
        values.entry(key("")).or_default().push(0.0);
        values.entry(key("MemoryUtilized")).or_default().push(record.memory as f64);
        if let Some(cpu) = record.cpu {
            values.entry(key("CpuUtilized")).or_default().push(cpu);
        }
    }
    let known = |(key, values): (Key, Vec<f64>)| {
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(*value));
        let known = Known {
            count: values.len() as i64,
            sum: values.iter().sum(),
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            greatest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            sketch: (sketches && !key.2.is_empty()).then_some(sketch),
        };
        (key, known)
    };
    values.into_iter().map(known).collect()
}

fn assert_same(found: &BTreeMap<Key, Known>, expected: &BTreeMap<Key, Known>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, wanted) in expected {
        let found = &found[key];
        assert!((found.sum - wanted.sum).abs() <= 1e-12 * wanted.sum.abs().max(1e6), "{key:?}: {found:?} {wanted:?}");
        let rest = |known: &Known| (known.count, known.least, known.greatest, known.sketch.clone());
        assert_eq!(rest(found), rest(wanted), "{key:?}");
    }
}

#[test]
fn each_level_sums_up_the_rows_of_its_file() {
    let mut levels_seen = 0;
    for seed in 0..12 {
        let mut rng = Rng::with_seed(seed);
        let (hosts, minutes) = ([1, 3, 400][rng.usize(..3)], [1, 40, 700][rng.usize(..3)]);
        let records = records(&mut rng, 6_000, hosts, minutes);
        let built = built(&records);
        // A host in nearly every row is no dimension of any use.
        assert_eq!(built.rollups.dimensions.contains(&"Host".to_owned()), hosts < 400, "{hosts} {minutes}");
        assert_eq!(built.rollups.left_out, ["Pid"]);
        assert!(built.rollups.levels.is_sorted_by(|one, other| one.width_ms > other.width_ms));
        for (at, level) in built.rollups.levels.iter().enumerate() {
            levels_seen += 1;
            let found = found(&built, at);
            assert_same(&found, &expected(&records, &built, level.width_ms, level.sketches));
            let starts = || found.keys().map(|(start_ms, ..)| *start_ms);
            let file = &level.file;
            assert_eq!((starts().min(), starts().max()), (Some(file.from_ms), Some(file.to_ms)));
            assert_eq!((file.rows, file.bytes), (found.len() as u64, built.files[at].len() as u64));
        }
    }
    assert!(levels_seen > 15, "only {levels_seen} levels");
}

#[test]
fn levels_that_are_hardly_smaller_than_their_file_are_left_out() {
    let mut rng = Rng::with_seed(1);
    // A record a minute of each kind: a minute has hardly more rows than kinds.
    let sparse = built(&records(&mut rng, 3_000, 1, 1_400));
    let widths: Vec<i64> = sparse.rollups.levels.iter().map(|level| level.width_ms).collect();
    assert!(!widths.contains(&WIDTHS_MS[2]) && widths.contains(&WIDTHS_MS[0]), "{widths:?}");
    assert!(built(&records(&mut rng, 3, 1, 3)).rollups.levels.is_empty());
}

#[test]
fn a_file_without_metrics_has_no_rollups() {
    let mut builder = Builder::default();
    for number in 0..100 {
        let message = format!(r#"{{"Type":"Note","ClusterName":"lab","took":{number}}}"#);
        builder.push("s", &Event { timestamp_ms: START_MS, message }, 0, number);
    }
    let rule = Rule::of(builder.fields(), builder.shapes().texts());
    assert!(rule.is_empty());
    let sealed = file::seal(&builder.take_rows(), &[]).unwrap().remove(0);
    assert_eq!(of_file(sealed.bytes.into(), START_MS, &rule).unwrap().rollups, Rollups::default());
}
