//! Values from and to JSON, names in the order of the document.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};

use super::Value;

/// The largest whole number that is the only one of its double.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// The value of a JSON text; nothing if it is none.
pub fn json_of_text(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

impl Value {
    /// As JSON. A number that stays text because a double cannot hold it is in quotes.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(truth) => serializer.serialize_bool(*truth),
            Self::Number(number) if number.fract() == 0.0 && number.abs() <= EXACT_MAX as f64 => {
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Time(millis) => serializer.serialize_i64(*millis),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => {
                let mut sequence = serializer.serialize_seq(Some(list.len()))?;
                for it in list {
                    sequence.serialize_element(it)?;
                }
                sequence.end()
            }
            Self::Map(map) => {
                let mut pairs = serializer.serialize_map(Some(map.len()))?;
                for (name, it) in map {
                    pairs.serialize_entry(name, it)?;
                }
                pairs.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        // An identifier must not change because a double is too small for it.
        Ok(if number.unsigned_abs() <= EXACT_MAX {
            Value::Number(number as f64)
        } else {
            Value::Text(number.to_string())
        })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(if number <= EXACT_MAX { Value::Number(number as f64) } else { Value::Text(number.to_string()) })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::of_number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(it) = sequence.next_element()? {
            list.push(it);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            map.push(pair);
        }
        Ok(Value::Map(map))
    }
}
