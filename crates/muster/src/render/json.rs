//! JSON that a terminal may see as well: what JSON need not escape and what steers a terminal all the same is escaped too.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::escape;

/// Writes a value on one line.
///
/// # Errors
/// Those of `out`.
pub fn write<T: Serialize + ?Sized>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Safe)).map_err(io::Error::from)
}

/// A piece of JSON without characters that steer: outside of strings it has none.
pub fn safe(json: &str) -> Cow<'_, str> {
    if !json.contains(escape::steers) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 8);
    for letter in json.chars() {
        if escape::steers(letter) {
            // None of them lies beyond the basic plane, and a string takes whatever is written to it.
            let _ = write!(safe, "\\u{:04x}", u32::from(letter));
        } else {
            safe.push(letter);
        }
    }
    Cow::Owned(safe)
}

struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(safe(fragment).as_bytes())
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        writer.write_all(safe(fragment).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_escaped_and_means_the_same() {
        let hostile = "a\u{1b}[2J\r\n\u{9b}31m\u{202e}b\u{2028}\u{7f}\0\"\\ größe 漢字";
        let mut out = Vec::new();
        write(&mut out, &serde_json::json!({ hostile: [hostile] })).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(escape::steers) && text.contains("größe 漢字"), "{text:?}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read[hostile][0], hostile);
    }

    #[test]
    fn what_is_json_already_is_made_safe_as_well() {
        let raw = serde_json::value::RawValue::from_string("{\"a\":\"\u{9b}2J\"}".to_owned()).unwrap();
        let mut out = Vec::new();
        write(&mut out, &raw).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"a\":\"\\u009b2J\"}");
    }
}
