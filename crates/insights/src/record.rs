//! Fields that are discovered in a record.

use std::fmt::Display;

use crate::{
    limits::DISCOVERED_FIELDS_MAX,
    value::{Value, json_of_text},
};

/// The names of the fields that every record has.
pub const SYSTEM_FIELDS: [&str; 6] = ["@message", "@timestamp", "@ingestionTime", "@logStream", "@log", "@ptr"];

/// The fields of a message that is a JSON object: each leaf by its path, at most 200 of them in the order of the document.
///
/// A field that is null is none. A name that begins with `@` has another one before it.
pub fn discovered(message: &str) -> Vec<(String, Value)> {
    if !message.trim_start().starts_with('{') {
        return Vec::new();
    }
    let mut fields = Vec::new();
    if let Some(Value::Map(map)) = json_of_text(message) {
        for (name, value) in map {
            let name = if name.starts_with('@') { format!("@{name}") } else { name };
            collect(name, value, &mut fields);
        }
    }
    fields
}

fn collect(name: String, value: Value, fields: &mut Vec<(String, Value)>) {
    match value {
        Value::Null => {}
        Value::Map(map) => collect_inside(&name, map.into_iter(), fields),
        Value::List(list) => collect_inside(&name, list.into_iter().enumerate(), fields),
        leaf if fields.len() < DISCOVERED_FIELDS_MAX => fields.push((name, leaf)),
        _ => {}
    }
}

/// Names are made only as long as there is room: a message may have a hundred thousand elements below a long name.
fn collect_inside<K: Display>(name: &str, values: impl Iterator<Item = (K, Value)>, fields: &mut Vec<(String, Value)>) {
    for (key, value) in values {
        if fields.len() >= DISCOVERED_FIELDS_MAX {
            return;
        }
        collect(format!("{name}.{key}"), value, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_found_by_their_paths() {
        let fields = discovered(r#"{"a":{"b":[{"id":1},"x"]},"n":null,"@w":true,"e":[]}"#);
        assert_eq!(
            fields,
            [
                ("a.b.0.id".to_owned(), Value::Number(1.0)),
                ("a.b.1".to_owned(), Value::from("x")),
                ("@@w".to_owned(), Value::Boolean(true))
            ]
        );
    }

    #[test]
    fn other_texts_have_no_fields() {
        for text in ["", "boot ok", "[1,2]", "{\"a\":", "{} x", "\"a\"", "7"] {
            assert!(discovered(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn at_most_200_fields_are_discovered() {
        let pairs: Vec<String> = (0..300).map(|number| format!("\"f{number}\":{number}")).collect();
        let fields = discovered(&format!("{{{}}}", pairs.join(",")));
        assert_eq!((fields.len(), fields[199].0.as_str()), (200, "f199"));
    }

    #[test]
    fn elements_that_are_not_discovered_cost_no_names() {
        let message = format!("{{\"{}\":[{}0],\"b\":1}}", "k".repeat(1 << 18), "0,".repeat(1 << 18));
        let fields = discovered(&message);
        assert_eq!((fields.len(), fields[199].0.len()), (200, (1 << 18) + 4));
    }
}
