//! CBOR (RFC 8949), as much of it as smithy-rpc-v2-cbor needs: a body as a JSON value and back.

use serde_json::{Map, Number, Value};

/// The deepest nesting that is read.
const DEEPEST: usize = 64;

/// Reads one item; `None` when the bytes are none or something is left over.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader { rest: bytes };
    let value = reader.item(0)?.unwrap_or(Value::Null);
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The argument of a head; `None` within for an indefinite length.
    fn argument(&mut self, info: u8) -> Option<Option<u64>> {
        Some(Some(match info {
            0..=23 => u64::from(info),
            24 => self.number(1)?,
            25 => self.number(2)?,
            26 => self.number(4)?,
            27 => self.number(8)?,
            31 => return Some(None),
            _ => return None,
        }))
    }

    /// One item; `None` within for a break.
    fn item(&mut self, depth: usize) -> Option<Option<Value>> {
        if depth > DEEPEST {
            return None;
        }
        let head = *self.take(1)?.first()?;
        if head == 0xff {
            return Some(None);
        }
        let (major, info) = (head >> 5, head & 31);
        if major == 7 {
            return Some(Some(match info {
                20 => Value::Bool(false),
                21 => Value::Bool(true),
                22 | 23 => Value::Null,
                25 => float(half(self.number(2)? as u16)),
                26 => float(f64::from(f32::from_bits(self.number(4)? as u32))),
                27 => float(f64::from_bits(self.number(8)?)),
                _ => return None,
            }));
        }
        let argument = self.argument(info)?;
        Some(Some(match major {
            0 => Value::from(argument?),
            1 => Value::from(-1 - i64::try_from(argument?).ok()?),
            2 | 3 => Value::String(self.text(argument, depth)?),
            4 => Value::Array(self.items(argument, depth)?),
            5 => {
                let items = self.items(argument.map(|pairs| pairs.saturating_mul(2)), depth)?;
                let mut members = Map::new();
                let mut items = items.into_iter();
                while let (Some(name), Some(value)) = (items.next(), items.next()) {
                    members.insert(name.as_str()?.to_owned(), value);
                }
                Value::Object(members)
            }
            // A tag says how to read what follows: tag 1, a time in epoch seconds, is the only one used.
            _ => self.item(depth + 1)??,
        }))
    }

    fn text(&mut self, length: Option<u64>, depth: usize) -> Option<String> {
        match length {
            Some(length) => String::from_utf8(self.take(usize::try_from(length).ok()?)?.to_vec()).ok(),
            None => {
                let pieces = self.items(None, depth)?;
                pieces.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|pieces| pieces.concat())
            }
        }
    }

    fn items(&mut self, count: Option<u64>, depth: usize) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        loop {
            if count.is_some_and(|count| items.len() as u64 >= count) {
                return Some(items);
            }
            match self.item(depth + 1)? {
                Some(item) => items.push(item),
                None if count.is_none() => return Some(items),
                None => return None,
            }
        }
    }
}

/// What is no number in JSON stays readable as text, and is refused where a number is wanted.
fn float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}

fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let value = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    };
    if sign == 1 { -value } else { value }
}

/// Writes a value; members whose name `is_time` likes are times.
pub(super) fn write(value: &Value, is_time: fn(&str) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    item(value, false, is_time, &mut out);
    out
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let bytes = argument.to_be_bytes();
    let (info, from) = match argument {
        0..=23 => (argument as u8, 8),
        24..=0xff => (24, 7),
        0x100..=0xffff => (25, 6),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 0),
    };
    out.push(major << 5 | info);
    out.extend_from_slice(&bytes[from..]);
}

fn item(value: &Value, time: bool, is_time: fn(&str) -> bool, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Value::Number(number) => {
            if time {
                head(6, 1, out);
            }
            match (number.as_u64(), number.as_i64()) {
                (Some(number), _) if !time => head(0, number, out),
                (None, Some(number)) if !time => head(1, (-1 - number) as u64, out),
                _ => {
                    out.push(0xfb);
                    out.extend_from_slice(&number.as_f64().unwrap_or(0.0).to_be_bytes());
                }
            }
        }
        Value::String(text) => {
            head(3, text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(list) => {
            head(4, list.len() as u64, out);
            list.iter().for_each(|element| item(element, time, is_time, out));
        }
        Value::Object(members) => {
            head(5, members.len() as u64, out);
            for (name, value) in members {
                head(3, name.len() as u64, out);
                out.extend_from_slice(name.as_bytes());
                item(value, is_time(name), is_time, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({"a": [1, -300, 2.5, "ε", null, true], "b": {"n": 70_000, "big": u64::MAX, "low": -1}});
        assert_eq!(read(&write(&value, |_| false)), Some(value));
        let times = write(&json!({"Timestamp": 1_790_928_000}), |name| name == "Timestamp");
        assert_eq!(times[11..13], [0xc1, 0xfb]);
        assert_eq!(read(&times), Some(json!({"Timestamp": 1_790_928_000.0})));
    }

    #[test]
    fn indefinite_lengths_and_halves_are_read_and_what_is_damaged_is_nothing() {
        // {_ "a": [_ 1.5 (half), (_ "x", "y")]}
        let bytes = [0xbf, 0x61, b'a', 0x9f, 0xf9, 0x3e, 0x00, 0x7f, 0x61, b'x', 0x61, b'y', 0xff, 0xff, 0xff];
        assert_eq!(read(&bytes), Some(json!({"a": [1.5, "xy"]})));
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(read(&[0x81; 10_000]), None);
        assert_eq!(read(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
