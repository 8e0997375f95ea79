//! Which groups have roll-ups: those whose events say themselves what their dimensions and metrics are, in embedded metric
//! directives, and those of Container Insights, of whose containers' records AWS writes no directives.

use std::{collections::BTreeSet, sync::Arc};

use memchr::memmem;
use serde_json::Value;

use crate::{
    field::{FieldIndex, Kind},
    shape::Shape,
};

/// The field that says of which sort a performance record is.
const TYPE: &str = "Type";
/// A group whose events have this field and [`TYPE`] holds performance records.
const CLUSTER: &str = "ClusterName";
/// The dimensions of performance records whose values are few.
const DIMENSIONS: [&str; 4] = [TYPE, CLUSTER, "ServiceName", "TaskDefinitionFamily"];
/// The metrics of tasks' and containers' records.
const METRICS: [&str; 12] = [
    "CpuUtilized",
    "CpuReserved",
    "MemoryUtilized",
    "MemoryReserved",
    "StorageReadBytes",
    "StorageWriteBytes",
    "NetworkRxBytes",
    "NetworkTxBytes",
    "EphemeralStorageUtilized",
    "EphemeralStorageReserved",
    "EBSFilesystemUtilized",
    "EBSFilesystemSize",
];
/// The most dimensions of a group; what comes later in the order of names is none.
const DIMENSIONS_MAX: usize = 16;
/// The most columns of metrics of a group.
const METRICS_MAX: usize = 64;

/// What is rolled up of a group, as columns of its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) dimensions: Vec<String>,
    pub(crate) metrics: Vec<String>,
}

impl Rule {
    /// The rule of a group with these fields and shapes.
    pub(crate) fn of(fields: &FieldIndex, shapes: &[Arc<str>]) -> Self {
        let mut named = Named::default();
        for shape in shapes {
            named.read(shape);
        }
        if !named.metrics.is_empty() {
            named.dimensions.insert(TYPE.to_owned());
        }
        if text_column(fields, TYPE).is_some() && text_column(fields, CLUSTER).is_some() {
            named.dimensions.extend(DIMENSIONS.map(str::to_owned));
            named.metrics.extend(METRICS.map(str::to_owned));
        }
        let numbers = |name: &String| {
            let columns = fields.columns_of(name).iter();
            columns.filter(|it| matches!(it.kind, Kind::Integer | Kind::Float)).map(|it| it.name.clone())
        };
        // A name that begins so may be one of a roll-up's own columns.
        let dimensions = named.dimensions.iter().filter(|name| !name.starts_with('@'));
        Self {
            dimensions: dimensions.filter_map(|name| text_column(fields, name)).take(DIMENSIONS_MAX).collect(),
            metrics: named.metrics.iter().flat_map(numbers).take(METRICS_MAX).collect(),
        }
    }

    /// Whether the group has no roll-ups.
    pub(crate) fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}

/// The column of a field that has always been a text.
fn text_column(fields: &FieldIndex, name: &str) -> Option<String> {
    match fields.columns_of(name) {
        [column] if column.kind == Kind::Text => Some(column.name.clone()),
        _ => None,
    }
}

/// What directives name.
#[derive(Default)]
struct Named {
    dimensions: BTreeSet<String>,
    metrics: BTreeSet<String>,
}

impl Named {
    /// Reads the directives of a shape: they are constants of it.
    fn read(&mut self, shape: &str) {
        if memmem::find(shape.as_bytes(), b"\"CloudWatchMetrics\"").is_none() {
            return;
        }
        let Some(parts) = Shape::of_text(shape) else { return };
        let mut text = String::with_capacity(shape.len());
        for hole in &parts.holes {
            text.push_str(hole.before);
            text.push_str("null");
        }
        text.push_str(parts.after);
        let Ok(message) = serde_json::from_str::<Value>(&text) else { return };
        let block = message.get("_aws").unwrap_or(&message);
        let directives = block.get("CloudWatchMetrics").and_then(Value::as_array);
        for directive in directives.into_iter().flatten() {
            let list = |name: &str| directive.get(name).and_then(Value::as_array).into_iter().flatten();
            let sets = list("Dimensions").filter_map(Value::as_array);
            self.dimensions.extend(sets.flatten().filter_map(Value::as_str).map(str::to_owned));
            let metrics = list("Metrics").filter_map(|metric| metric.get("Name").and_then(Value::as_str));
            self.metrics.extend(metrics.map(str::to_owned));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{columns::Builder, event::Event};

    fn rule(messages: &[&str]) -> Rule {
        let mut builder = Builder::default();
        for (number, message) in (0..).zip(messages) {
            builder.push("s", &Event { timestamp_ms: 0, message: (*message).to_owned() }, 0, number);
        }
        Rule::of(builder.fields(), builder.shapes().texts())
    }

    #[test]
    fn directives_name_dimensions_and_metrics() {
        let directives =
            r#"[{"Namespace":"N","Dimensions":[["Shop","Till"],[]],"Metrics":[{"Name":"Paid"},{"Name":"None"}]}]"#;
        for message in [
            format!(
                r#"{{"_aws":{{"Timestamp":5,"CloudWatchMetrics":{directives}}},"Shop":"a","Till":7,"Paid":2,"x":3}}"#
            ),
            format!(r#"{{"Timestamp":5,"CloudWatchMetrics":{directives},"Shop":"a","Till":7,"Paid":2,"x":3}}"#),
        ] {
            let found = rule(&[&message, r#"{"Paid":2.5}"#]);
            assert_eq!(
                (found.dimensions, found.metrics),
                (vec!["Shop".into()], vec!["Paid".into(), "Paid#float".into()])
            );
        }
    }

    #[test]
    fn performance_records_need_no_directives_and_other_lines_have_no_rollups() {
        let found = rule(&[r#"{"Type":"Container","ClusterName":"lab","TaskId":"5f","CpuUtilized":1.5,"Pid":7}"#]);
        assert_eq!(
            (found.dimensions, found.metrics),
            (vec!["ClusterName".into(), "Type".into()], vec!["CpuUtilized".into()])
        );
        assert!(rule(&["a line", r#"{"Type":"x","took":7}"#]).is_empty());
    }
}
