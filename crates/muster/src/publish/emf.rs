//! Embedded metric format: a line of JSON that CloudWatch Logs reads metrics out of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::figures::Figure;

/// Metrics that one directive takes.
const MOST_METRICS: usize = 100;

/// One line for each set of dimensions.
pub fn lines(namespace: &str, at: Timestamp, place: (&str, &str), figures: &[Figure]) -> Vec<String> {
    let mut by_dimensions: BTreeMap<&[(&'static str, String)], Vec<&Figure>> = BTreeMap::new();
    for figure in figures {
        by_dimensions.entry(&figure.dimensions).or_default().push(figure);
    }
    let mut lines = Vec::new();
    for (dimensions, figures) in by_dimensions {
        for figures in figures.chunks(MOST_METRICS) {
            let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
            let metrics: Vec<Value> =
                figures.iter().map(|figure| json!({"Name": figure.name, "Unit": figure.unit})).collect();
            let directive = json!({"Namespace": namespace, "Dimensions": [names], "Metrics": metrics});
            let mut line = Map::new();
            line.insert("_aws".to_owned(), json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive]}));
            line.insert("Account".to_owned(), place.0.into());
            line.insert("Region".to_owned(), place.1.into());
            line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())));
            line.extend(figures.iter().map(|figure| (figure.name.to_owned(), figure.value.into())));
            let value = Value::Object(line);
            lines.push(crate::render::json::safe(&value.to_string()).into_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &'static str, zone: Option<&str>) -> Figure {
        let mut dimensions = vec![("ClusterName", "prod\u{9b}".to_owned())];
        dimensions.extend(zone.map(|zone| ("AvailabilityZone", zone.to_owned())));
        Figure { name, dimensions, value: 2.5, unit: "Percent" }
    }

    #[test]
    fn each_set_of_dimensions_has_a_line_that_names_its_metrics_and_holds_their_values() {
        let figures = [figure("FreeCpuPercent", None), figure("FreeCpuPercent", Some("a")), figure("X", None)];
        let at = Timestamp::from_millisecond(1_790_000_000_123).unwrap();
        let lines = lines("Muster/Capacity", at, ("210987654321", "eu-central-1"), &figures);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| !line.contains('\n') && !line.contains('\u{9b}')), "{lines:?}");
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], 1_790_000_000_123_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Muster/Capacity");
        assert_eq!(directive["Dimensions"], json!([["ClusterName"]]));
        for metric in directive["Metrics"].as_array().unwrap() {
            assert_eq!(line[metric["Name"].as_str().unwrap()], 2.5);
        }
        assert_eq!((&line["ClusterName"], &line["Region"]), (&"prod\u{9b}".into(), &"eu-central-1".into()));
        let zone: Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!(zone["AvailabilityZone"], "a");
    }

    #[test]
    fn no_directive_holds_more_than_a_hundred_metrics() {
        let many = vec![figure("X", None); 201];
        assert_eq!(lines("N", Timestamp::UNIX_EPOCH, ("", ""), &many).len(), 3);
    }
}
