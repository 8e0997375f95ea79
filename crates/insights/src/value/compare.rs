//! Equality and order of two values, as conditions see them.

use std::cmp::Ordering;

use crate::rules::Rules;

use super::{Value, number_of_text};

/// How one value stands to another; nothing where they cannot be compared.
pub fn compare(left: &Value, right: &Value, rules: &Rules) -> Option<Ordering> {
    if !left.is_plain() || !right.is_plain() {
        return None;
    }
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        return Some(number_order(left, right).unwrap_or_else(|| left.cmp(right)));
    }
    if let Some((truth, text)) = boolean_and_text(left, right) {
        return if truth_of(text)? == truth { Some(Ordering::Equal) } else { None };
    }
    if let (Some(left), Some(right)) = (left.number(), right.number()) {
        return left.partial_cmp(&right);
    }
    match (left, right) {
        // A time and a text that is no number: as times print.
        (Value::Time(_), Value::Text(text)) => Some(left.print(rules)?.as_str().cmp(text)),
        (Value::Text(text), Value::Time(_)) => Some(text.as_str().cmp(&right.print(rules)?)),
        _ => None,
    }
}

/// The order of two texts that both look like numbers; nothing where one does not.
pub(crate) fn number_order(left: &str, right: &str) -> Option<Ordering> {
    let order = number_of_text(left)?.partial_cmp(&number_of_text(right)?)?;
    match (order, whole(left), whole(right)) {
        // Beyond 2^53 doubles run together: only digits tell whole numbers apart.
        (Ordering::Equal, Some((minus, one)), Some((_, other))) => {
            let size = one.len().cmp(&other.len()).then_with(|| one.cmp(other));
            Some(if minus { size.reverse() } else { size })
        }
        _ => Some(order),
    }
}

/// Whether a whole number is below zero, and its digits, without the zeros in front.
fn whole(text: &str) -> Option<(bool, &str)> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| (text.starts_with('-'), digits.trim_start_matches('0')))
}

/// Whether two values are equal; nothing where they cannot be compared because one is null, a list or a map.
pub fn equal(left: &Value, right: &Value, rules: &Rules) -> Option<bool> {
    if !left.is_plain() || !right.is_plain() {
        return None;
    }
    if let (Value::Text(left), Value::Text(right)) = (left, right)
        && !rules.numeric_texts_equal
    {
        return Some(left == right);
    }
    Some(compare(left, right, rules) == Some(Ordering::Equal))
}

fn boolean_and_text<'v>(left: &'v Value, right: &'v Value) -> Option<(bool, &'v str)> {
    match (left, right) {
        (Value::Boolean(truth), Value::Text(text)) | (Value::Text(text), Value::Boolean(truth)) => Some((*truth, text)),
        _ => None,
    }
}

fn truth_of(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
