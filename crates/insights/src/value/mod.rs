//! Values of a row.

mod compare;
mod json;
mod natural;
mod print;

pub(crate) use compare::number_order;
pub use compare::{compare, equal};
pub use json::json_of_text;
pub use natural::{natural_order, sort_order};

use crate::ast::Part;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Absent.
    Null,
    /// True or false.
    Boolean(bool),
    /// A finite number.
    Number(f64),
    /// An instant, in milliseconds since 1970.
    Time(i64),
    /// A text.
    Text(String),
    /// Values in their order.
    List(Vec<Value>),
    /// Values by name, in the order of the document.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// A number, or null if it is not finite. Minus zero is zero.
    pub fn of_number(number: f64) -> Self {
        if number.is_finite() { Self::Number(number + 0.0) } else { Self::Null }
    }

    /// A number where there is one.
    pub fn of_maybe(number: Option<f64>) -> Self {
        number.map_or(Self::Null, Self::of_number)
    }

    /// Whether it is absent.
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// Whether it is neither absent nor a list nor a map.
    pub fn is_plain(&self) -> bool {
        !matches!(self, Self::Null | Self::List(_) | Self::Map(_))
    }

    /// As a number, if it is one or looks like one. Times are milliseconds, true is 1.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            // Milliseconds of the calendar's times are well below 2^53.
            Self::Time(millis) => Some(*millis as f64),
            Self::Boolean(truth) => Some(f64::from(u8::from(*truth))),
            Self::Text(text) => number_of_text(text),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// As a whole number, what is behind the point cut off.
    pub fn integer(&self) -> Option<i64> {
        if let Self::Text(text) = self
            && let Ok(whole) = text.parse()
        {
            // Identifiers may be larger than a double can tell apart.
            return Some(whole);
        }
        let number = self.number()?.trunc();
        // Every double in this range has an exact integer.
        (number.abs() < 9.2e18).then_some(number as i64)
    }

    /// Whether a condition holds that has this value.
    pub fn truth(&self) -> bool {
        match self {
            Self::Boolean(truth) => *truth,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => text.eq_ignore_ascii_case("true") || number_of_text(text).is_some_and(|it| it != 0.0),
            Self::Time(_) => true,
            Self::Null | Self::List(_) | Self::Map(_) => false,
        }
    }

    /// The value inside of a list or a map, one step along a path; `first_index` is the number of a list's first element.
    pub fn inside(&self, part: &Part, first_index: u32) -> &Self {
        match (self, part) {
            (Self::Map(map), Part::Name(name)) => {
                map.iter().rfind(|(key, _)| key == name).map_or(&Self::Null, |(_, it)| it)
            }
            (Self::List(list), Part::Index(index)) => element(list, index.checked_sub(first_index)),
            // Indexes between points are counted from 0, as those of discovered fields.
            (Self::List(list), Part::Name(name)) => element(list, name.parse().ok()),
            _ => &Self::Null,
        }
    }
}

fn element(list: &[Value], index: Option<u32>) -> &Value {
    index.and_then(|index| list.get(usize::try_from(index).ok()?)).unwrap_or(&Value::Null)
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::of_number(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

/// The number that a text looks like: a sign, digits, a point, an exponent; no blanks, no words.
pub fn number_of_text(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let well_formed = digits(whole)
        && fraction.is_none_or(|it| !it.is_empty() && digits(it))
        && !(whole.is_empty() && fraction.is_none())
        && exponent.is_none_or(|it| {
            let it = it.strip_prefix(['-', '+']).unwrap_or(it);
            !it.is_empty() && digits(it)
        });
    if well_formed { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

#[cfg(test)]
mod tests;
