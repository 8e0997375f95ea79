//! Embedded metric format: samples in log lines. Both forms are read: `_aws` with its directives, and the older one with
//! `CloudWatchMetrics` and `Timestamp` at the root, which Container Insights writes. A line with both counts by `_aws`.

mod directive;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use memchr::memmem;
use serde_json::{Map, Value};

use directive::Fault;

/// The longest line that is looked into, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Values of one series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Namespace.
    pub namespace: String,
    /// Name of the metric.
    pub name: String,
    /// Its unit; `None` where the line says no unit or the unit `None`.
    pub unit: Option<String>,
    /// The dimensions by name: their order in the line means nothing.
    pub dimensions: BTreeMap<String, String>,
    /// The values: each is a sample of its own.
    pub values: Vec<f64>,
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// How finely the series is kept, in seconds: 1 or 60.
    pub resolution_secs: u8,
}

/// What a line says in embedded metric format.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// Its samples.
    pub samples: Vec<Sample>,
    /// What AWS counts as `EMFParsingErrors`: the line means to be of this format, and is not.
    pub parsing_errors: u32,
    /// What AWS counts as `EMFValidationErrors`: a definition, a set or a target breaks the format's rules and is left out.
    pub validation_errors: u32,
}

/// Reads a line; `None` when it is not in embedded metric format.
pub fn read(message: &str) -> Option<Read> {
    // Most lines are of other kinds: they are let pass without being parsed.
    memmem::find(message.as_bytes(), b"\"CloudWatchMetrics\"")?;
    if !message.starts_with('{') {
        return None;
    }
    let failed = Some(Read { parsing_errors: 1, ..Read::default() });
    if message.len() > MESSAGE_BYTES_MAX {
        return failed;
    }
    let Ok(Value::Object(root)) = serde_json::from_str::<Value>(message) else { return failed };
    let block = match root.get("_aws") {
        Some(Value::Object(block)) => block,
        Some(_) => return failed,
        None if root.get("CloudWatchMetrics").is_some_and(Value::is_array) => &root,
        // A member of that name somewhere inside is nobody's metric.
        None => return None,
    };
    let older = !root.contains_key("_aws");
    let Some(timestamp_ms) = block.get("Timestamp").and_then(|value| time(value, older)) else { return failed };
    let Some(directives) = block.get("CloudWatchMetrics").and_then(Value::as_array) else { return failed };
    let mut read = Read::default();
    for directive in directives {
        expand(directive, &root, timestamp_ms, &mut read);
    }
    Some(read)
}

/// Milliseconds since 1970; the CloudWatch agent writes them as text in the older form.
fn time(value: &Value, older: bool) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if older => text.parse().ok(),
        _ => None,
    }
    .filter(|ms| *ms >= 0)
}

fn expand(directive: &Value, root: &Map<String, Value>, timestamp_ms: i64, read: &mut Read) {
    let Ok(namespace) = directive::namespace(directive) else {
        read.validation_errors += 1;
        return;
    };
    let (Ok(definitions), Ok(sets)) = (directive::metrics(directive), directive::sets(directive)) else {
        read.validation_errors += 1;
        return;
    };
    let mut known = Vec::new();
    for set in sets {
        match directive::dimensions(set, root) {
            Ok(dimensions) => known.push(dimensions),
            Err(Fault) => read.validation_errors += 1,
        }
    }
    for definition in definitions {
        let Ok((metric, values)) = directive::metric(definition).and_then(|metric| {
            let values = directive::values(root.get(metric.name))?;
            Ok((metric, values))
        }) else {
            read.validation_errors += 1;
            continue;
        };
        for dimensions in &known {
            read.samples.push(Sample {
                namespace: namespace.to_owned(),
                name: metric.name.to_owned(),
                unit: metric.unit.map(str::to_owned),
                dimensions: dimensions.clone(),
                values: values.clone(),
                timestamp_ms,
                resolution_secs: metric.resolution_secs,
            });
        }
    }
}
