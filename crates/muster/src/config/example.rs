//! `muster config example`: the schema, written as a file that changes nothing until a line is uncommented.

use std::fmt::Write as _;

use serde_json::Value;

use super::Config;

/// How wide comments are.
const WIDTH: usize = 100;

/// In the schema of an option: it takes the place of another one, or needs something that the example does not have.
const NOT_ALONE: &str = "not-alone";

/// Every section and option with its reason, commented out at its default.
pub fn text() -> String {
    let schema = Config::schema();
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut text = String::new();
    text.push_str("# muster's configuration. Every option is shown at its default and commented out; uncomment what you change.\n");
    text.push_str(
        "# Sections in double brackets may be given more than once; their options are shown with an example.\n",
    );
    text.push_str("# Check the file with `muster config check --config FILE`.\n");
    for (section, schema) in properties(schema.as_value()) {
        text.push('\n');
        comment(&mut text, schema);
        if let Some(entry) = schema.get("items") {
            let _ = writeln!(text, "# [[{section}]]");
            for (option, schema) in properties(entry) {
                entry_option(&mut text, option, schema);
            }
            continue;
        }
        let _ = writeln!(text, "[{section}]");
        for (option, schema) in properties(schema) {
            text.push('\n');
            comment(&mut text, schema);
            let default = defaults.pointer(&format!("/{section}/{option}"));
            let example = schema.get("examples").and_then(|examples| examples.get(0));
            match (default, example) {
                (None | Some(Value::Null), example) => {
                    let mark = mark(schema);
                    let _ = writeln!(text, "{mark} {option} = {}", example.map(value).unwrap_or_else(|| "\"\"".into()));
                }
                (Some(default), Some(example)) => {
                    let _ = writeln!(text, "# {option} = {}   # for example {}", value(default), value(example));
                }
                (Some(default), None) => {
                    let _ = writeln!(text, "# {option} = {}", value(default));
                }
            }
        }
    }
    text
}

/// An option of a section that may be given more than once. What cannot stand beside another option, and what has no example,
/// is commented out twice.
fn entry_option(text: &mut String, option: &str, schema: &Value) {
    text.push('\n');
    comment(text, schema);
    let example = schema.get("examples").and_then(|examples| examples.get(0)).or_else(|| schema.get("default"));
    let mark = if example.is_none() { "##" } else { mark(schema) };
    let _ = writeln!(text, "{mark} {option} = {}", example.map(value).unwrap_or_else(|| "\"\"".into()));
}

fn mark(schema: &Value) -> &'static str {
    if schema.get(NOT_ALONE).is_some() { "##" } else { "#" }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn comment(text: &mut String, schema: &Value) {
    let Some(description) = schema.get("description").and_then(Value::as_str) else { return };
    let mut width = 0;
    for word in description.split_whitespace() {
        let length = word.chars().count();
        if width == 0 {
            text.push('#');
            width = 1;
        } else if width + 1 + length > WIDTH {
            text.push_str("\n#");
            width = 1;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + length;
    }
    text.push('\n');
}

/// A JSON value in TOML's spelling; the two agree on everything that options are made of.
fn value(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields: Vec<String> = fields.map(|(name, field)| format!("{name} = {}", self::value(field))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example with every option uncommented.
    fn uncommented() -> String {
        text()
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(option)
                    if option
                        .split_once(" = ")
                        .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) =>
                {
                    format!("{option}\n")
                }
                Some(section) if section.starts_with("[[") => format!("{section}\n"),
                _ => format!("{line}\n"),
            })
            .collect()
    }

    #[test]
    fn the_example_as_printed_is_the_default_configuration() {
        assert_eq!(Config::parse("example", &text()).unwrap(), Config::default());
    }

    #[test]
    fn the_example_uncommented_parses_and_holds_every_option() {
        let text = uncommented();
        let config = Config::parse("example", &text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"));
        let table: toml::Table = toml::from_str(&text).unwrap();
        let all = serde_json::to_value(&config).unwrap();
        let schema = Config::schema();
        for section in all.as_object().unwrap().keys() {
            let written = match &table[section] {
                toml::Value::Array(entries) => &entries[0],
                section => section,
            };
            let schema = schema.as_value().pointer(&format!("/properties/{section}")).unwrap();
            let options = properties(schema.get("items").unwrap_or(schema));
            for (option, _) in options.filter(|(_, schema)| schema.get(NOT_ALONE).is_none()) {
                let holds = written.as_table().unwrap().contains_key(option);
                assert!(holds, "[{section}] {option} is missing from the example");
            }
        }
    }

    #[test]
    fn every_option_of_the_example_has_its_reason() {
        for (section, schema) in properties(Config::schema().as_value()) {
            for (option, schema) in properties(schema.get("items").unwrap_or(schema)) {
                assert!(schema.get("description").is_some(), "[{section}] {option} has no description");
            }
        }
    }
}
