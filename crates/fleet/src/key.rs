//! Ids packed into 24 bytes, and back into the very text they came from.

use std::hash::BuildHasher as _;

use serde::{Deserialize, Serialize};

use crate::names::{HASHER, Name, Names};

/// A packed ARN or machine id. Two keys are equal when their texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    high: u64,
    low: u64,
    prefix: u32,
    form: Form,
}

/// How the last segment was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Form {
    /// 32 lower-case hexadecimal digits.
    Hex32,
    /// A UUID with dashes, lower case.
    Uuid,
    /// `i-` and 17 lower-case hexadecimal digits.
    Machine17,
    /// `i-` and 8 lower-case hexadecimal digits.
    Machine8,
    /// Anything else, kept as a name.
    Other,
}

impl Key {
    /// Packs an ARN. The part up to the last `/` is kept once for all that share it.
    pub fn keep_arn(names: &mut Names, arn: &str) -> Self {
        let (prefix, id) = split(arn);
        let prefix = names.keep(prefix).number();
        match pack_id(id) {
            Some((form, high, low)) => Self { high, low, prefix, form },
            None => Self { high: 0, low: u64::from(names.keep(id).number()), prefix, form: Form::Other },
        }
    }

    /// The key of an ARN, if all its parts have been kept.
    pub fn find_arn(names: &Names, arn: &str) -> Option<Self> {
        let (prefix, id) = split(arn);
        let prefix = names.find(prefix)?.number();
        Some(match pack_id(id) {
            Some((form, high, low)) => Self { high, low, prefix, form },
            None => Self { high: 0, low: u64::from(names.find(id)?.number()), prefix, form: Form::Other },
        })
    }

    /// Packs a machine id, `i-…` or `mi-…`.
    pub fn keep_machine(names: &mut Names, id: &str) -> Self {
        Self::find_machine(names, id).unwrap_or_else(|| Self {
            high: 0,
            low: u64::from(names.keep(id).number()),
            prefix: 0,
            form: Form::Other,
        })
    }

    /// The key of a machine id, if it needs no keeping or has been kept.
    pub fn find_machine(names: &Names, id: &str) -> Option<Self> {
        if let Some(digits) = id.strip_prefix("i-") {
            let packed = match digits.len() {
                17 => hex(digits.get(..1)?).zip(hex(digits.get(1..)?)).map(|(h, l)| (Form::Machine17, h, l)),
                8 => hex(digits).map(|low| (Form::Machine8, 0, low)),
                _ => None,
            };
            if let Some((form, high, low)) = packed {
                return Some(Self { high, low, prefix: 0, form });
            }
        }
        let name = names.find(id)?;
        Some(Self { high: 0, low: u64::from(name.number()), prefix: 0, form: Form::Other })
    }

    /// The text it was made from.
    pub fn text(&self, names: &Names) -> String {
        let prefix = Name::from_number(self.prefix).map_or("", |name| names.text(name));
        let (high, low) = (self.high, self.low);
        match self.form {
            Form::Hex32 => format!("{prefix}{high:016x}{low:016x}"),
            Form::Uuid => format!(
                "{prefix}{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                high >> 32,
                (high >> 16) & 0xffff,
                high & 0xffff,
                low >> 48,
                low & 0xffff_ffff_ffff
            ),
            Form::Machine17 => format!("i-{high:01x}{low:016x}"),
            Form::Machine8 => format!("i-{low:08x}"),
            Form::Other => {
                let id = u32::try_from(low).ok().and_then(Name::from_number).map_or("", |name| names.text(name));
                format!("{prefix}{id}")
            }
        }
    }

    /// Its place in a hash table.
    pub(crate) fn hash(&self) -> u64 {
        HASHER.hash_one((self.high, self.low, self.prefix))
    }
}

fn split(arn: &str) -> (&str, &str) {
    match arn.rfind('/') {
        Some(slash) => arn.split_at(slash + 1),
        None => ("", arn),
    }
}

fn pack_id(id: &str) -> Option<(Form, u64, u64)> {
    match id.len() {
        32 => Some((Form::Hex32, hex(id.get(..16)?)?, hex(id.get(16..)?)?)),
        36 => {
            let bytes = id.as_bytes();
            if [8, 13, 18, 23].iter().any(|&dash| bytes[dash] != b'-') {
                return None;
            }
            let high = hex(id.get(..8)?)? << 32 | hex(id.get(9..13)?)? << 16 | hex(id.get(14..18)?)?;
            let low = hex(id.get(19..23)?)? << 48 | hex(id.get(24..)?)?;
            Some((Form::Uuid, high, low))
        }
        _ => None,
    }
}

/// The value of each byte as a lower-case hexadecimal digit; 0xFF for none. A table, because digits and letters come
/// in no order that a processor could guess.
const DIGITS: [u8; 256] = {
    let mut digits = [0xFF; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// At most 16 lower-case hexadecimal digits.
fn hex(digits: &str) -> Option<u64> {
    let (mut value, mut seen) = (0u64, 0);
    for byte in digits.bytes() {
        let digit = DIGITS[usize::from(byte)];
        seen |= digit;
        value = value << 4 | u64::from(digit & 0xF);
    }
    (seen < 16).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_comes_back_as_it_was() {
        let mut names = Names::default();
        for arn in [
            "arn:aws:ecs:eu-west-1:210987654321:container-instance/prod/0f3a9c1d2b4e4f6a8b7c6d5e4f3a2b1c",
            "arn:aws:ecs:eu-west-1:210987654321:container-instance/0f3a9c1d-2b4e-4f6a-8b7c-6d5e4f3a2b1c",
            "arn:aws:ecs:eu-west-1:210987654321:container-instance/prod/0F3A9C1D2B4E4F6A8B7C6D5E4F3A2B1C",
            "arn:aws:ecs:eu-west-1:210987654321:container-instance/prod/moto-made-this-up",
            "no slash at all",
            "ends with a slash/",
        ] {
            let key = Key::keep_arn(&mut names, arn);
            assert_eq!(key.text(&names), arn);
            assert_eq!(Key::find_arn(&names, arn), Some(key));
        }
        for id in ["i-0a1b2c3d4e5f60718", "i-0a1b2c3d", "mi-0a1b2c3d4e5f60718", "i-UPPER", ""] {
            let key = Key::keep_machine(&mut names, id);
            assert_eq!((key.text(&names).as_str(), Key::find_machine(&names, id)), (id, Some(key)));
        }
    }

    proptest! {
        #[test]
        fn keys_are_equal_exactly_when_texts_are(a in "[a-f0-9/-]{0,40}", b in "[a-f0-9/-]{0,40}") {
            let mut names = Names::default();
            let (x, y) = (Key::keep_arn(&mut names, &a), Key::keep_arn(&mut names, &b));
            prop_assert_eq!(x == y, a == b);
            prop_assert_eq!(x.text(&names), a);
        }
    }
}
