//! JSON written straight into a buffer: an answer about a hundred hosts is a quarter of a megabyte, and a tree of it
//! would cost several times the writing.

use crate::clock::Moment;

/// A JSON text being written. Commas come by themselves: one is due unless something has just been opened.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
}

impl Json {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(b',');
        }
    }

    /// A member's name; its value follows.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    /// An object: as an element, or as a value after [`key`](Self::key).
    pub(crate) fn object(&mut self, inside: impl FnOnce(&mut Self)) {
        self.comma();
        self.out.push(b'{');
        inside(self);
        self.out.push(b'}');
    }

    /// An array, likewise.
    pub(crate) fn array(&mut self, inside: impl FnOnce(&mut Self)) {
        self.comma();
        self.out.push(b'[');
        inside(self);
        self.out.push(b']');
    }

    /// A string, likewise.
    pub(crate) fn text(&mut self, value: &str) {
        self.comma();
        self.out.push(b'"');
        self.escaped(value.as_bytes());
        self.out.push(b'"');
    }

    /// A string that `write` appends and that needs no escaping: ids and ARNs.
    pub(crate) fn plain(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.comma();
        self.out.push(b'"');
        write(&mut self.out);
        self.out.push(b'"');
    }

    /// Ready JSON.
    pub(crate) fn raw(&mut self, json: &[u8]) {
        self.comma();
        self.out.extend_from_slice(json);
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.comma();
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            self.out.push(b'-');
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" });
    }

    /// A time as epoch seconds with a fraction (spec 0).
    pub(crate) fn epoch(&mut self, at: Moment) {
        self.int(at.0.div_euclid(1000));
        let millis = at.0.rem_euclid(1000) as u32;
        self.out.push(b'.');
        for place in [100, 10, 1] {
            self.out.push(b'0' + (millis / place % 10) as u8);
        }
    }

    /// A member with a string.
    pub(crate) fn member(&mut self, name: &str, value: &str) {
        self.key(name).text(value);
    }

    /// A member with a number.
    pub(crate) fn member_int(&mut self, name: &str, value: i64) {
        self.key(name).int(value);
    }

    fn escaped(&mut self, text: &[u8]) {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\')) {
            self.out.extend_from_slice(&rest[..at]);
            match rest[at] {
                byte @ (b'"' | b'\\') => self.out.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                byte => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            }
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut out = Json::default();
        out.object(|out| {
            out.member("text", "a\"b\\c\n\r\t\u{1}ε");
            out.member_int("low", i64::MIN);
            out.key("list").array(|out| {
                out.int(0);
                out.flag(true);
                out.object(|_| {});
                out.array(|out| out.text(""));
            });
            out.key("at").epoch(Moment(1_790_928_000_042));
            out.key("id").plain(|out| out.extend_from_slice(b"i-0"));
        });
        let read: Value = serde_json::from_slice(&out.finish()).unwrap();
        let expected = json!({
            "text": "a\"b\\c\n\r\t\u{1}ε", "low": i64::MIN, "list": [0, true, {}, [""]], "at": 1_790_928_000.042, "id": "i-0"
        });
        assert_eq!(read, expected);
    }
}
