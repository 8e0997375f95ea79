//! Functions of JSON, maps and lists.

use crate::value::{Value, equal, json_of_text};

use super::{
    Argument::{Any, Text},
    Context, Function, Kind, answer, made, scalar, text_of,
};

pub(super) const FUNCTIONS: &[Function] = &[
    scalar("jsonParse", &[Text], 1, 1, Kind::Structure, |it, context| match parsed(it, context) {
        Some(structure @ (Value::List(_) | Value::Map(_))) => structure,
        _ => Value::Null,
    }),
    scalar("jsonStringify", &[Any], 1, 1, Kind::Text, |it, _| match &it[0] {
        Value::Null => Value::Null,
        value => made(value.to_json()),
    }),
    scalar("jsonArraySize", &[Any], 1, 1, Kind::Number, |it, context| match list(it, context) {
        Some(list) => Value::of_number(list.len() as f64),
        None => Value::Null,
    }),
    scalar("jsonArrayContains", &[Any, Any], 2, 2, Kind::Boolean, |it, context| {
        let found = |list: &[Value]| list.iter().any(|element| equal(element, &it[1], &context.rules) == Some(true));
        answer(list(it, context).is_some_and(|list| found(&list)))
    }),
];

fn parsed(arguments: &[Value], context: &Context) -> Option<Value> {
    json_of_text(&text_of(arguments, 0, context)?)
}

/// The list in the first argument: one already, or the text of one.
fn list(arguments: &[Value], context: &Context) -> Option<Vec<Value>> {
    match &arguments[0] {
        Value::List(list) => Some(list.clone()),
        Value::Text(_) => match parsed(arguments, context)? {
            Value::List(list) => Some(list),
            _ => None,
        },
        _ => None,
    }
}
