//! The order of `sort`: texts before numbers, digits inside of texts by length and then by value.

use std::{borrow::Cow, cmp::Ordering};

use crate::rules::Rules;

use super::{Value, number_of_text};

/// The natural order of two texts, ascending.
///
/// Whatever looks like a number comes after everything that does not. Numbers are ordered by value, equal ones as texts;
/// others by pieces of digits and of other characters.
pub fn natural_order(left: &str, right: &str) -> Ordering {
    match (number_of_text(left), number_of_text(right)) {
        (None, None) => by_pieces(left, right),
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(one), Some(other)) => one.partial_cmp(&other).unwrap_or(Ordering::Equal).then_with(|| left.cmp(right)),
    }
}

/// The order of two values under `sort`, in a direction.
pub fn sort_order(left: &Value, right: &Value, descending: bool, rules: &Rules) -> Ordering {
    let ascending = match (left.is_plain(), right.is_plain()) {
        (false, false) => return Ordering::Equal,
        (false, true) if rules.nulls_last => return Ordering::Greater,
        (true, false) if rules.nulls_last => return Ordering::Less,
        (false, true) => Ordering::Less,
        (true, false) => Ordering::Greater,
        (true, true) => plain_order(left, right),
    };
    if descending { ascending.reverse() } else { ascending }
}

fn plain_order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => natural_order(left, right),
        // Of equal numbers the text decides, for those that are no texts as well: or else the order would go in circles.
        _ => natural_order(&written(left), &written(right)),
    }
}

fn written(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        // Minus zero is zero.
        other => Cow::Owned(other.number().map_or_else(String::new, |number| (number + 0.0).to_string())),
    }
}

fn by_pieces(mut left: &str, mut right: &str) -> Ordering {
    while !left.is_empty() && !right.is_empty() {
        let (one, rest_left) = piece(left);
        let (other, rest_right) = piece(right);
        let digits = |text: &str| text.starts_with(|char: char| char.is_ascii_digit());
        let order = if digits(one) && digits(other) {
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            one.cmp(other)
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest_left, rest_right);
    }
    left.len().cmp(&right.len())
}

/// The digits, or what is none, at the beginning; and the rest.
fn piece(text: &str) -> (&str, &str) {
    let digit = text.starts_with(|char: char| char.is_ascii_digit());
    text.split_at(text.find(|char: char| char.is_ascii_digit() != digit).unwrap_or(text.len()))
}
