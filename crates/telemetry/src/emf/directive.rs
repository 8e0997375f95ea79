//! The rules of one directive: its namespace, its metrics, its sets of dimensions, and what they point to.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

const NAMESPACE_CHARS_MAX: usize = 1_024;
const NAME_CHARS_MAX: usize = 1_024;
const METRICS_MAX: usize = 100;
const KEYS_MAX: usize = 30;
const KEY_CHARS_MAX: usize = 250;
const DIMENSION_CHARS_MAX: usize = 1_024;
const VALUES_MAX: usize = 100;
/// CloudWatch takes no value beyond 2^360 either way.
const GREATEST: f64 = 2.348_542_582_773_833_2e108;

const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// A rule is broken: what it is about is left out, and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault;

/// A metric as it is defined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric<'a> {
    pub name: &'a str,
    pub unit: Option<&'a str>,
    pub resolution_secs: u8,
}

fn text(value: Option<&Value>, chars_max: usize) -> Result<&str, Fault> {
    let text = value.and_then(Value::as_str).ok_or(Fault)?;
    let chars = text.chars().take(chars_max + 1).count();
    if (1..=chars_max).contains(&chars) { Ok(text) } else { Err(Fault) }
}

pub(super) fn namespace(directive: &Value) -> Result<&str, Fault> {
    text(directive.get("Namespace"), NAMESPACE_CHARS_MAX)
}

pub(super) fn metrics(directive: &Value) -> Result<&Vec<Value>, Fault> {
    let metrics = directive.get("Metrics").and_then(Value::as_array).ok_or(Fault)?;
    if metrics.len() <= METRICS_MAX { Ok(metrics) } else { Err(Fault) }
}

pub(super) fn sets(directive: &Value) -> Result<&Vec<Value>, Fault> {
    let sets = directive.get("Dimensions").and_then(Value::as_array).ok_or(Fault)?;
    if sets.is_empty() { Err(Fault) } else { Ok(sets) }
}

/// The dimensions of a set with their values; references are literal keys of the root.
pub(super) fn dimensions(set: &Value, root: &Map<String, Value>) -> Result<BTreeMap<String, String>, Fault> {
    let keys = set.as_array().filter(|keys| keys.len() <= KEYS_MAX).ok_or(Fault)?;
    let mut found = BTreeMap::new();
    for key in keys {
        let key = text(Some(key), KEY_CHARS_MAX)?;
        found.insert(key.to_owned(), text(root.get(key), DIMENSION_CHARS_MAX)?.to_owned());
    }
    Ok(found)
}

pub(super) fn metric(definition: &Value) -> Result<Metric<'_>, Fault> {
    let name = text(definition.get("Name"), NAME_CHARS_MAX)?;
    let unit = match definition.get("Unit") {
        None | Some(Value::Null) => None,
        Some(unit) => Some(unit.as_str().filter(|unit| UNITS.contains(unit)).ok_or(Fault)?),
    };
    let resolution_secs = match definition.get("StorageResolution") {
        None | Some(Value::Null) => 60,
        Some(value) => match value.as_u64() {
            Some(1) => 1,
            Some(60) => 60,
            _ => return Err(Fault),
        },
    };
    Ok(Metric { name, unit: unit.filter(|unit| *unit != "None"), resolution_secs })
}

/// The values that a metric's target holds: a number, or numbers.
pub(super) fn values(target: Option<&Value>) -> Result<Vec<f64>, Fault> {
    let number = |value: &Value| value.as_f64().filter(|value| value.abs() <= GREATEST).ok_or(Fault);
    match target {
        Some(Value::Array(list)) if (1..=VALUES_MAX).contains(&list.len()) => list.iter().map(number).collect(),
        Some(value @ Value::Number(_)) => Ok(vec![number(value)?]),
        _ => Err(Fault),
    }
}
