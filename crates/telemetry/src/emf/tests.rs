use serde_json::json;

use super::*;

fn read_of(value: &Value) -> Read {
    read(&value.to_string()).unwrap_or_else(|| panic!("not taken for embedded metrics: {value}"))
}

fn shop(directive: Value, more: Value) -> Value {
    let mut root = json!({ "_aws": { "Timestamp": 1_791_208_800_123_i64, "CloudWatchMetrics": [directive] } });
    let (Value::Object(root_map), Value::Object(more)) = (&mut root, more) else { unreachable!() };
    root_map.extend(more);
    root
}

#[test]
fn every_metric_is_told_by_every_set_of_dimensions() {
    let line = shop(
        json!({ "Namespace": "Lab/Kiosk", "Dimensions": [["Shop"], ["Shop", "Lane"], []],
            "Metrics": [{ "Name": "WaitMs", "Unit": "Milliseconds", "StorageResolution": 1 }, { "Name": "Sold", "Unit": "Count" }] }),
        json!({ "Shop": "north", "Lane": "2", "WaitMs": [12.5, 40, 8.25], "Sold": 1, "note": "no metric" }),
    );
    let read = read_of(&line);
    assert_eq!((read.samples.len(), read.parsing_errors, read.validation_errors), (6, 0, 0));
    let wait = &read.samples[1];
    assert_eq!((wait.name.as_str(), wait.unit.as_deref(), wait.resolution_secs), ("WaitMs", Some("Milliseconds"), 1));
    assert_eq!(wait.values, [12.5, 40.0, 8.25]);
    assert_eq!(wait.dimensions.keys().collect::<Vec<_>>(), ["Lane", "Shop"]);
    assert_eq!(wait.timestamp_ms, 1_791_208_800_123);
    assert!(read.samples[2].dimensions.is_empty(), "the empty set is the series without dimensions");
    assert_eq!((read.samples[3].resolution_secs, read.samples[3].values.as_slice()), (60, [1.0].as_slice()));
}

#[test]
fn a_set_is_the_same_series_in_any_order() {
    let set = |keys: [&str; 2]| {
        let directive = json!({ "Namespace": "n", "Dimensions": [keys], "Metrics": [{ "Name": "m" }] });
        read_of(&shop(directive, json!({ "a": "1", "b": "2", "m": 3 }))).samples
    };
    assert_eq!(set(["a", "b"]), set(["b", "a"]));
}

#[test]
fn references_are_literal_keys_of_the_root() {
    let directive =
        json!({ "Namespace": "n", "Dimensions": [["d.e"]], "Metrics": [{ "Name": "a.b" }, { "Name": "x" }] });
    let read = read_of(&shop(directive, json!({ "a.b": 7, "a": { "b": 8 }, "d.e": "key", "x": { "y": 1 } })));
    assert_eq!(read.samples.len(), 1);
    assert_eq!((read.samples[0].values[0], read.validation_errors), (7.0, 1));
}

#[test]
fn the_older_form_is_read_and_the_newer_one_goes_before_it() {
    let mut line = json!({ "Version": "0", "Type": "Lab", "Timestamp": "1791208801522", "ClusterName": "lab", "m": 5,
        "CloudWatchMetrics": [{ "Namespace": "Old", "Dimensions": [["ClusterName"]], "Metrics": [{ "Name": "m" }] }] });
    let old = read_of(&line);
    assert_eq!((old.samples[0].namespace.as_str(), old.samples[0].timestamp_ms), ("Old", 1_791_208_801_522));
    line["_aws"] = json!({ "Timestamp": 5, "CloudWatchMetrics": [{ "Namespace": "New", "Dimensions": [[]], "Metrics": [{ "Name": "m" }] }] });
    let new = read_of(&line);
    assert_eq!((new.samples.len(), new.samples[0].namespace.as_str(), new.samples[0].timestamp_ms), (1, "New", 5));
}

#[test]
fn what_is_meant_and_malformed_is_a_parsing_error() {
    for text in [
        r#"{"_aws":{"CloudWatchMetrics":[]}}"#,
        r#"{"_aws":{"Timestamp":"1","CloudWatchMetrics":[]}}"#,
        r#"{"_aws":{"Timestamp":1.5,"CloudWatchMetrics":[]}}"#,
        r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":{}}}"#,
        r#"{"_aws":[],"CloudWatchMetrics":[],"Timestamp":1}"#,
        r#"{"CloudWatchMetrics":[],"Timestamp":"soon"}"#,
        r#"{"CloudWatchMetrics":[],"Timestamp":1"#,
    ] {
        let read = read(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((read.parsing_errors, read.samples.len()), (1, 0), "{text}");
    }
    let huge = format!(r#"{{"CloudWatchMetrics":[],"Timestamp":1,"x":"{}"}}"#, "y".repeat(MESSAGE_BYTES_MAX));
    assert_eq!(read(&huge).map(|read| read.parsing_errors), Some(1));
}

#[test]
fn other_lines_are_not_taken_for_metrics() {
    for text in [
        "",
        "plain text that names \"CloudWatchMetrics\"",
        r#" {"_aws":{"Timestamp":1,"CloudWatchMetrics":[]}}"#,
        r#"{"inside":{"CloudWatchMetrics":[]}}"#,
        r#"{"CloudWatchMetrics":"a text"}"#,
        r#"{"a":1}"#,
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn one_bad_target_costs_only_what_it_is_about() {
    let many = vec![json!(1); 101];
    let long = "k".repeat(1_025);
    let keys: Vec<String> = (0..31).map(|number| format!("k{number}")).collect();
    let cases = [
        // Metrics, dimensions, members of the root; samples left, errors counted.
        (json!([{ "Name": "m" }, { "Name": "gone" }]), json!([[]]), json!({ "m": 1 }), 1, 1),
        (json!([{ "Name": "m", "Unit": "Parsecs" }, { "Name": "n" }]), json!([[]]), json!({ "m": 1, "n": 2 }), 1, 1),
        (json!([{ "Name": "m", "StorageResolution": 30 }]), json!([[]]), json!({ "m": 1 }), 0, 1),
        (json!([{ "Name": "" }]), json!([[]]), json!({ "": 1 }), 0, 1),
        (json!([{ "Name": "m" }]), json!([["d"], []]), json!({ "m": 1 }), 1, 1),
        (json!([{ "Name": "m" }]), json!([["d"], []]), json!({ "m": 1, "d": 5 }), 1, 1),
        (json!([{ "Name": "m" }]), json!([["d"], []]), json!({ "m": 1, "d": long }), 1, 1),
        (json!([{ "Name": "m" }]), json!([keys, []]), json!({ "m": 1 }), 1, 1),
        (json!([{ "Name": "m" }]), json!([[]]), json!({ "m": many }), 0, 1),
        (json!([{ "Name": "m" }]), json!([[]]), json!({ "m": [] }), 0, 1),
        (json!([{ "Name": "m" }]), json!([[]]), json!({ "m": "7" }), 0, 1),
        (json!([{ "Name": "m" }]), json!([[]]), json!({ "m": 1e200 }), 0, 1),
        (json!([{ "Name": "m" }]), json!([]), json!({ "m": 1 }), 0, 1),
    ];
    for (metrics, dimensions, more, samples, errors) in cases {
        let line = shop(json!({ "Namespace": "n", "Dimensions": dimensions, "Metrics": metrics }), more);
        let read = read_of(&line);
        assert_eq!((read.samples.len(), read.validation_errors, read.parsing_errors), (samples, errors, 0), "{line}");
    }
}

#[test]
fn a_bad_namespace_drops_every_metric_of_its_directive_and_no_other() {
    let metric = json!([{ "Name": "m" }]);
    let line = json!({ "_aws": { "Timestamp": 1, "CloudWatchMetrics": [
        { "Namespace": "", "Dimensions": [[]], "Metrics": metric }, { "Namespace": "good", "Dimensions": [[]], "Metrics": metric },
        { "Dimensions": [[]], "Metrics": metric }, "no directive" ] }, "m": 1 });
    let read = read_of(&line);
    assert_eq!((read.samples.len(), read.validation_errors), (1, 3));
    assert_eq!(read.samples[0].namespace, "good");
}
