use std::collections::BTreeMap;

use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int32Type, Int64Type},
};
use insights::{record::discovered, value::Value};
use proptest::prelude::*;

use super::*;
use crate::{
    field::{MESSAGE, REST, SHAPE},
    shape::message_column,
};

fn event(message: &str) -> Event {
    Event { timestamp_ms: 5, message: message.to_owned() }
}

fn built<S: AsRef<str>>(messages: &[S]) -> (Builder, RecordBatch) {
    let mut builder = Builder::default();
    for (number, message) in (0..).zip(messages) {
        builder.push("stream", &event(message.as_ref()), 7, number);
    }
    let batch = builder.finish();
    (builder, batch)
}

/// The fields of a row as its columns have them.
fn fields_of(batch: &RecordBatch, fields: &FieldIndex, row: usize) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (field, columns) in fields.iter() {
        for column in columns {
            let Some(array) = batch.column_by_name(&column.name).filter(|it| it.is_valid(row)) else { continue };
            let value = match column.kind {
                Kind::Integer => match array.as_primitive::<Int64Type>().value(row) {
                    number if number.unsigned_abs() < 1 << 53 => Value::Number(number as f64),
                    number => Value::Text(number.to_string()),
                },
                Kind::Float => Value::Number(array.as_primitive::<Float64Type>().value(row)),
                Kind::Text => Value::Text(array.as_string::<i32>().value(row).to_owned()),
                Kind::Boolean => Value::Boolean(array.as_boolean().value(row)),
            };
            assert_eq!(found.insert(field.to_owned(), value), None, "{field} has two values");
        }
    }
    let rest = batch.column_by_name(REST).unwrap().as_string::<i32>();
    if rest.is_valid(row) {
        let Some(Value::Map(map)) = insights::value::json_of_text(rest.value(row)) else {
            panic!("{}", rest.value(row))
        };
        for (field, value) in map {
            assert_eq!(found.insert(field.clone(), value), None, "{field} has two values");
        }
    }
    found
}

/// What `insights` discovers, the last value of each path, without the directives of metrics.
fn expected_fields(message: &str) -> BTreeMap<String, Value> {
    let mut fields: Vec<(String, Value)> = discovered(message);
    if message.contains("CloudWatchMetrics") {
        let mut directives = Vec::new();
        let mut root = insights::value::json_of_text(message);
        if let Some(Value::Map(members)) = &mut root {
            take_directives("", members, &mut directives);
            for (name, value) in members {
                if let ("_aws", Value::Map(members)) = (name.as_str(), value) {
                    take_directives("_aws.", members, &mut directives);
                }
            }
        }
        // Each of them was discovered once, where it is; the same path elsewhere comes from a name with points in it.
        for path in directives.iter().flat_map(|(path, value)| {
            let json = format!("{{\"x\":{}}}", value.to_json());
            discovered(&json).into_iter().map(move |(inside, _)| format!("{path}{}", &inside[1..]))
        }) {
            let at = fields.iter().position(|(field, _)| *field == path).unwrap();
            fields.remove(at);
        }
    }
    fields.into_iter().collect()
}

fn take_directives(prefix: &str, members: &mut Vec<(String, Value)>, taken: &mut Vec<(String, Value)>) {
    members.retain(|(name, value)| {
        let is_one = name == "CloudWatchMetrics" && matches!(value, Value::List(_));
        if is_one {
            taken.push((format!("{prefix}{name}"), value.clone()));
        }
        !is_one
    });
}

fn close(left: &Value, right: &Value) -> bool {
    match (left, right) {
        // serde_json does not always read the nearest double, least of all near the smallest ones.
        (Value::Number(left), Value::Number(right)) => (left - right).abs() <= left.abs() * 1e-15 + 1e-320,
        _ => left == right,
    }
}

/// Checks that messages and fields come back; gives how many rows were rebuilt from their shape.
fn check<S: AsRef<str>>(messages: &[S]) -> usize {
    let (builder, batch) = built(messages);
    let rebuilt = message_column(&batch, builder.fields(), builder.shapes().texts()).unwrap();
    for (row, message) in messages.iter().map(AsRef::as_ref).enumerate() {
        assert_eq!(rebuilt.value(row), message);
        let (found, expected) = (fields_of(&batch, builder.fields(), row), expected_fields(message));
        let same = found.len() == expected.len()
            && found.iter().zip(&expected).all(|((a, left), (b, right))| a == b && close(left, right));
        assert!(same, "{message}\n found {found:?}\n expected {expected:?}");
    }
    let shapes = batch.column_by_name(SHAPE).unwrap();
    let texts = batch.column_by_name(MESSAGE).unwrap();
    assert_eq!(shapes.len() - shapes.null_count(), texts.null_count());
    texts.null_count()
}

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => "[ \t\r\n]{1,2}"]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(vec![
            "null", "true", "false", "0", "-0", "1.0", "-0.0", "0.10", "12.50", "1e5", "1E-5", "1.5e300", "1e400", "1e-400",
            "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "-9223372036854775809",
            "123456789012345678901234567890", "9007199254740993", "0.1234567890123456789", "1e-05", "1e16", "{}", "[]", "01", "",
        ]).prop_map(str::to_owned),
        2 => any::<i64>().prop_map(|it| it.to_string()),
        2 => any::<f64>().prop_map(|it| format!("{it:?}")),
        2 => (0_u32..1_000_000).prop_map(|it| format!("{:.2}", f64::from(it) / 100.0)),
        3 => name(),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]{0,2}".prop_map(|it| format!("\"{it}\"")),
        1 => prop::sample::select(vec!["@a", "a.b", "CloudWatchMetrics", "_aws", "Timestamp", "a#text", "%", "@message"])
            .prop_map(|it| format!("\"{it}\"")),
        1 => any::<String>().prop_map(|it| serde_json::to_string(&it).unwrap()),
        1 => any::<String>().prop_map(|it| format!("\"{it}\"")),
        1 => prop::sample::select(vec![
            "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\/", "\\u003c", "a\\\\\\\"", "\\u0000", "\\x", "\\u0041", "é<&>",
        ]).prop_map(|it| format!("\"{it}\"")),
    ]
}

fn json() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        let list =
            (blank(), prop::collection::vec((blank(), inner.clone(), blank()), 0..4)).prop_map(|(open, items)| {
                let items: Vec<String> = items.into_iter().map(|(a, it, b)| format!("{a}{it}{b}")).collect();
                format!("[{open}{}]", items.join(","))
            });
        prop_oneof![1 => list, 3 => object(inner)]
    })
}

fn object(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (blank(), prop::collection::vec((blank(), name(), blank(), inner, blank()), 0..5)).prop_map(|(open, members)| {
        let members: Vec<String> =
            members.into_iter().map(|(a, name, b, value, c)| format!("{a}{name}{b}:{b}{value}{c}")).collect();
        format!("{{{open}{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_messages_come_back_byte_for_byte_and_their_fields_are_those_that_insights_discovers(
        messages in prop::collection::vec((blank(), object(json()), blank()).prop_map(|(a, it, b)| format!("{a}{it}{b}")), 1..6),
        twice in any::<bool>(),
    ) {
        let mut messages = messages;
        if twice {
            messages.extend(messages.clone());
        }
        check(&messages);
    }

    #[test]
    fn messages_of_one_shape_come_back_whatever_their_values(
        values in prop::collection::vec((scalar(), scalar(), name()), 1..12),
    ) {
        let messages: Vec<String> = values
            .iter()
            .map(|(a, b, c)| format!("{{\"Type\":\"Task\",\"a\":{a},\"b\":{{\"c\":[{b}]}}, \"d\" : {c}}}"))
            .collect();
        check(&messages);
    }
}

fn task(cpu: f64, status: &str) -> String {
    format!(
        r#"{{"Version":"0","Type":"Task","TaskId":"5f0c","KnownStatus":"{status}","CpuUtilized":{cpu:?},"CpuReserved":256.0,"MemoryUtilized":173,"CloudWatchMetrics":[{{"Namespace":"ECS/ContainerInsights","Metrics":[{{"Name":"CpuUtilized","Unit":"None"}}],"Dimensions":[["ClusterName"]]}}]}}"#
    )
}

#[test]
fn records_of_one_writer_have_one_shape_and_no_text() {
    let messages: Vec<String> = (0..100).map(|row| task(f64::from(row) / 16.0, "RUNNING")).collect();
    assert_eq!(check(&messages), 100);
    let (builder, batch) = built(&messages);
    assert_eq!(builder.shapes().len(), 1);
    assert!(builder.shapes().texts()[0].contains("ECS/ContainerInsights"));
    assert_eq!(batch.column_by_name("CpuUtilized").unwrap().as_primitive::<Float64Type>().value(24), 1.5);
    assert_eq!(batch.column_by_name("@shape").unwrap().as_primitive::<Int32Type>().value(99), 0);
}

#[test]
fn a_writer_of_fixed_digits_gets_few_shapes() {
    let messages: Vec<String> = (0..1_000_u32)
        .map(|row| {
            format!(
                r#"{{"a":{:.2},"b":{:.2},"c":{:.1}}}"#,
                f64::from(row) / 100.0,
                f64::from(row) / 10.0,
                f64::from(row)
            )
        })
        .collect();
    assert_eq!(check(&messages), 1_000);
    assert!(built(&messages).0.shapes().len() <= 4);
}

#[test]
fn writers_that_escape_more_than_they_must_get_shapes_too() {
    let messages =
        [r#"{"a":"caf\u00e9"}"#, r#"{"a":"plain"}"#, r#"{"a":"na\u00efve \"x\""}"#, r#"{"b":"\u003cb\u003e é"}"#];
    assert_eq!(check(&messages), 4);
}

#[test]
fn what_cannot_be_rebuilt_is_kept_as_text() {
    let messages = [
        "boot ok",
        "",
        "[1]",
        r#"{"a":1E5}"#,
        r#"{"a":18446744073709551615}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":1,"a":"x"}"#,
        r#"{"a":{"b":1},"a.b":2}"#,
        r#"{"a":1,"a":null}"#,
    ];
    assert_eq!(check(&messages), 0);
}

#[test]
fn values_of_several_kinds_share_a_shape() {
    let messages = [r#"{"a":1}"#, r#"{"a":"x"}"#, r#"{"a":1.5}"#, r#"{"a":true}"#, r#"{"a":null}"#, r#"{"a":2}"#];
    assert_eq!(check(&messages), 6);
    assert_eq!(built(&messages).0.shapes().len(), 1);
}

#[test]
fn more_than_200_fields_are_neither_discovered_nor_rebuilt() {
    let message = |fields: usize| {
        let members: Vec<String> = (0..fields).map(|field| format!("\"f{field}\":{field}")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(check(&[message(200), message(201), message(300)]), 1);
}

#[test]
fn fields_without_room_for_a_column_are_kept_in_the_rest() {
    let messages: Vec<String> =
        (0..COLUMNS_MAX + 50).map(|row| format!("{{\"same\":{row},\"f{row}\":\"é\\n\"}}")).collect();
    assert_eq!(check(&messages), COLUMNS_MAX - 1);
    let (builder, batch) = built(&messages);
    assert_eq!(builder.fields().len(), COLUMNS_MAX);
    let rest = batch.column_by_name(REST).unwrap().as_string::<i32>();
    assert_eq!(rest.value(COLUMNS_MAX + 3), format!("{{\"f{}\":\"é\\n\"}}", COLUMNS_MAX + 3));
}

#[test]
fn a_builder_goes_on_with_the_fields_and_shapes_of_its_group() {
    let (builder, _) = built(&[task(1.5, "RUNNING"), r#"{"x":1}"#.to_owned()]);
    let mut later = Builder::new(builder.fields().clone(), Shapes::of_texts(builder.shapes().texts().to_vec()));
    for (number, message) in (0..).zip([r#"{"x":"text"}"#.to_owned(), task(2.5, "STOPPED")]) {
        later.push("stream", &event(&message), 7, number);
    }
    let batch = later.batch(0..2);
    assert_eq!((later.shapes().len(), batch.column_by_name("x").is_none()), (2, true));
    let rebuilt = message_column(&batch, later.fields(), later.shapes().texts()).unwrap();
    assert_eq!((rebuilt.value(0), rebuilt.value(1)), (r#"{"x":"text"}"#, &*task(2.5, "STOPPED")));
    let part = later.batch(1..2);
    assert_eq!(message_column(&part, later.fields(), later.shapes().texts()).unwrap().value(0), task(2.5, "STOPPED"));
}

#[test]
fn a_shape_that_the_catalog_lacks_is_an_error() {
    let (builder, batch) = built(&[r#"{"x":1}"#]);
    assert!(message_column(&batch, builder.fields(), &[]).is_err());
}
