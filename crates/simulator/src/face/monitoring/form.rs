//! The Query protocol: a form as a JSON value, and a JSON value as XML.

use serde_json::{Map, Value};
use wire::{query::Params, xml::Writer};

use crate::clock::Moment;

/// A form's parameters as a value: `A.member.1.B=x` becomes `{"A": [{"B": "x"}]}`. Numbers stay texts.
pub(crate) fn read(params: &Params) -> Value {
    let mut root = Value::Object(Map::new());
    for (name, value) in params.iter().filter(|(name, _)| !matches!(*name, "Action" | "Version")) {
        let path: Vec<&str> = name.split('.').filter(|part| *part != "member").collect();
        set(&mut root, &path, value);
    }
    root
}

fn set(at: &mut Value, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        *at = Value::from(value);
        return;
    };
    match first.parse::<usize>() {
        // Elements are numbered from 1, and come in order.
        Ok(number @ 1..=100_000) => {
            if !at.is_array() {
                *at = Value::Array(Vec::new());
            }
            if let Value::Array(list) = at {
                if list.len() < number {
                    list.resize(number, Value::Null);
                }
                set(&mut list[number - 1], rest, value);
            }
        }
        _ => {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            if let Value::Object(members) = at {
                set(members.entry(*first).or_insert(Value::Null), rest, value);
            }
        }
    }
}

/// Whether a member of this name holds times, as epoch seconds.
pub(crate) fn is_time(name: &str) -> bool {
    name.ends_with("Timestamp") || name == "Timestamps"
}

/// Writes the members of an object.
pub(crate) fn write(value: &Value, w: &mut Writer) {
    let Value::Object(members) = value else { return };
    for (name, value) in members {
        match value {
            Value::Null => {}
            Value::Array(list) => w.list(name, "member", list, |w, element| match element {
                Value::Object(_) => write(element, w),
                element => w.value(&text(name, element)),
            }),
            Value::Object(_) => w.element(name, |w| write(value, w)),
            value => w.text(name, &text(name, value)),
        }
    }
}

fn text(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if is_time(name) => {
            Moment((number.as_f64().unwrap_or(0.0) * 1000.0).round() as i64).iso_millis()
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_read_as_what_it_lists() {
        let form = "Action=PutMetricData&Version=2010-08-01&Namespace=N&MetricData.member.1.MetricName=a&\
                    MetricData.member.1.Dimensions.member.2.Name=z&MetricData.member.1.Dimensions.member.1.Name=y&\
                    MetricData.member.2.Value=1.5";
        let expected = json!({"Namespace": "N", "MetricData": [
            {"MetricName": "a", "Dimensions": [{"Name": "y"}, {"Name": "z"}]}, {"Value": "1.5"}
        ]});
        assert_eq!(read(&Params::decode(form.as_bytes()).unwrap()), expected);
    }

    #[test]
    fn a_value_is_written_as_xml_with_times_spelled_out() {
        let mut writer = Writer::new();
        let value = json!({"Datapoints": [{"Timestamp": 1_790_928_000, "Sum": 2.0}], "Label": "x", "Names": ["a"]});
        writer.root("R", "urn:x", |w| write(&value, w));
        let xml = writer.finish();
        assert!(
            xml.contains("<Datapoints><member><Sum>2.0</Sum><Timestamp>2026-10-02T08:00:00.000Z</Timestamp>"),
            "{xml}"
        );
        assert!(xml.contains("<Label>x</Label><Names><member>a</member></Names>"), "{xml}");
    }
}
