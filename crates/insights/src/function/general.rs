//! Functions of presence and choice, and of the query itself.

use crate::value::Value;

use super::{
    Argument::{Any, Condition, Text},
    Context, Function, Kind, MANY, answer, number_of, scalar, text_of,
};

pub(super) const FUNCTIONS: &[Function] = &[
    scalar("ispresent", &[Any], 1, 1, Kind::Boolean, |it, _| answer(!it[0].is_null())),
    scalar("isempty", &[Any], 1, 1, Kind::Boolean, |it, context| answer(is_blank(it, context, false))),
    scalar("isblank", &[Any], 1, 1, Kind::Boolean, |it, context| answer(is_blank(it, context, true))),
    scalar("coalesce", &[Any], 1, MANY, Kind::Any, |it, _| {
        it.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null)
    }),
    scalar("if", &[Condition, Any, Any], 3, 3, Kind::Any, |it, _| it[if it[0].truth() { 1 } else { 2 }].clone()),
    scalar("case", &[Any], 2, MANY, Kind::Any, case),
    scalar("isNumeric", &[Any], 1, 1, Kind::Boolean, |it, _| answer(number_of(it, 0).is_some())),
    scalar("messageSize", &[Text], 1, 1, Kind::Number, |it, context| {
        text_of(it, 0, context).map_or(Value::Null, |text| Value::of_number(text.len() as f64))
    }),
    scalar("queryStartTime", &[], 0, 0, Kind::Number, |_, context| Value::of_number(context.start_ms as f64)),
    scalar("queryEndTime", &[], 0, 0, Kind::Number, |_, context| Value::of_number(context.end_ms as f64)),
    scalar("queryTimeRange", &[], 0, 0, Kind::Number, |_, context| {
        Value::of_number(context.end_ms.saturating_sub(context.start_ms) as f64)
    }),
];

/// Absent or empty, or, if blanks count as empty, only blanks.
fn is_blank(arguments: &[Value], context: &Context, blanks: bool) -> bool {
    match &arguments[0] {
        Value::Null => true,
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        plain => {
            plain.text(&context.rules).is_none_or(|text| if blanks { text.trim().is_empty() } else { text.is_empty() })
        }
    }
}

/// Conditions and values by turns, and perhaps a last value for when none of the conditions holds.
fn case(arguments: &[Value], _: &Context) -> Value {
    for branch in arguments.chunks(2) {
        match branch {
            [condition, value] if condition.truth() => return value.clone(),
            [otherwise] => return otherwise.clone(),
            _ => {}
        }
    }
    Value::Null
}
