//! Taking fields out of a text: by glob, by regular expression, as logfmt, CSV or XML.

mod xml;

pub use xml::XmlPath;

use crate::{
    ast::Part,
    regex::Regex,
    value::{Value, json_of_text},
};

/// How many `*` a glob has.
pub fn glob_stars(pattern: &str) -> usize {
    pattern.bytes().filter(|byte| *byte == b'*').count()
}

/// What stands for each `*` of a glob, or nothing if the text does not match.
///
/// The pieces between the stars are found anywhere, one after another; each star takes the shortest text up to the next
/// piece, and a star at the end takes the rest.
pub fn glob<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let mut at = text.find(first)? + first.len();
    let mut found = Vec::with_capacity(glob_stars(pattern));
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let rest = &text[at..];
        let taken = if piece.is_empty() && pieces.peek().is_none() { rest.len() } else { rest.find(piece)? };
        found.push(&rest[..taken]);
        at += taken + piece.len();
    }
    Some(found)
}

/// The groups of the first match, by name or, if there are names, in their order; a group that took no part is nothing.
pub fn regex<'n, 't>(regex: &'n Regex, names: &[&'n str], text: &'t str) -> Vec<(&'n str, Option<&'t str>)> {
    let captures = regex.program().captures(text);
    fields_of(regex, names, captures.as_ref())
}

/// The groups of every match, by name.
pub fn regex_all<'n, 't>(regex: &'n Regex, text: &'t str) -> Vec<Vec<(&'n str, Option<&'t str>)>> {
    regex.program().captures_iter(text).map(|captures| fields_of(regex, &[], Some(&captures))).collect()
}

fn fields_of<'n, 't>(
    regex: &'n Regex,
    names: &[&'n str],
    captures: Option<&regex::Captures<'t>>,
) -> Vec<(&'n str, Option<&'t str>)> {
    let group = |index: usize| captures.and_then(|captures| captures.get(index)).map(|found| found.as_str());
    if names.is_empty() {
        let named = regex.program().capture_names().enumerate();
        named.filter_map(|(index, name)| Some((name?, group(index)))).collect()
    } else {
        names.iter().enumerate().map(|(index, name)| (*name, group(index + 1))).collect()
    }
}

/// The pairs of a text in logfmt: `key=value key="quoted value"`. Words without `=` are passed over.
pub fn logfmt(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(|char: char| char == '=' || char.is_whitespace()).unwrap_or(rest.len());
        let key = &rest[..end];
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('=') {
            let (value, after) = logfmt_value(after);
            if !key.is_empty() {
                pairs.push((key.to_owned(), value));
            }
            rest = after;
        }
        rest = rest.trim_start();
    }
    pairs
}

fn logfmt_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other)) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    (value, "")
}

/// The value at the end of a path of names and numbers, `a.b.0`, in a JSON text; null where there is none.
pub fn json(path: &str, text: &str) -> Value {
    let Some(value) = json_of_text(text) else {
        return Value::Null;
    };
    path.split('.').fold(&value, |value, part| value.inside(&Part::Name(part.to_owned()), 0)).clone()
}

/// The values of a line of CSV; quotes around a value are taken off, doubled ones inside stand for one.
pub fn csv(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(char) = chars.next() {
        let last = values.len() - 1;
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                values[last].push('"');
            }
            '"' if quoted || values[last].is_empty() => quoted = !quoted,
            ',' if !quoted => values.push(String::new()),
            other => values[last].push(other),
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;

    #[test]
    fn stars_take_the_shortest_text_and_the_last_takes_the_rest() {
        for (pattern, text, found) in [
            ("*,*", "a,b,c", Some(vec!["a", "b,c"])),
            ("user=*,", "x user=ann, y", Some(vec!["ann"])),
            ("user=*,", "no match", None),
            ("* [*] *", "2026 [ERROR] a b", Some(vec!["2026", "ERROR", "a b"])),
            ("a*b", "a1a2b", Some(vec!["1a2"])),
            ("*", "", Some(vec![""])),
            ("**", "ab", Some(vec!["", "ab"])),
            ("é*é", "xéyéz", Some(vec!["y"])),
            ("x", "x", Some(vec![])),
        ] {
            assert_eq!(glob(pattern, text), found, "{pattern} {text}");
        }
    }

    #[test]
    fn groups_become_fields_by_name_or_by_order() {
        let expression = Regex::compile(r"(?<a>\d)(x)?(?<b>\w)", Span::default()).unwrap();
        assert_eq!(regex(&expression, &[], "-1y"), [("a", Some("1")), ("b", Some("y"))]);
        let ordered = regex(&expression, &["p", "q", "r"], "1y");
        assert_eq!(ordered[1], ("q", None));
        assert_eq!(regex(&expression, &[], "?")[0], ("a", None));
        assert_eq!(regex_all(&expression, "1a 2b").len(), 2);
    }

    #[test]
    fn logfmt_is_read_pair_by_pair() {
        let pairs = logfmt(r#" a=1 msg="x \"y\"" flag =z b= "#);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("msg", "x \"y\""), ("b", "")]);
        assert_eq!(logfmt("a=\"open"), [("a".to_owned(), "open".to_owned())]);
    }

    #[test]
    fn json_is_followed_by_names_and_numbers() {
        let text = r#"{"a":{"b":[1,{"c":"x"}]}}"#;
        assert_eq!(json("a.b.1.c", text), Value::from("x"));
        assert_eq!(json("a.b.7", text), Value::Null);
        assert_eq!(json("a", "no JSON"), Value::Null);
    }

    #[test]
    fn csv_is_read_with_and_without_quotes() {
        assert_eq!(csv("1,two,3"), ["1", "two", "3"]);
        assert_eq!(csv("\"a,b\",\"say \"\"x\"\"\",,\n"), ["a,b", "say \"x\"", "", ""]);
        assert_eq!(csv(""), [""]);
    }
}
