//! Functions of texts. Places are counted in code points.

use crate::{
    limits::{ELEMENTS_MAX, TEXT_BYTES_MAX},
    value::Value,
};

use super::{
    Argument::{Any, Condition, Number, Text},
    Context, Function, Kind, MANY, answer, of_text, replace, scalar, text_of,
};

pub(super) const FUNCTIONS: &[Function] = &[
    scalar("concat", &[Any], 1, MANY, Kind::Text, concat),
    scalar("trim", &[Text, Text], 1, 2, Kind::Text, |it, context| trim(it, context, true, true)),
    scalar("ltrim", &[Text, Text], 1, 2, Kind::Text, |it, context| trim(it, context, true, false)),
    scalar("rtrim", &[Text, Text], 1, 2, Kind::Text, |it, context| trim(it, context, false, true)),
    scalar("strlen", &[Text], 1, 1, Kind::Number, |it, context| match text_of(it, 0, context) {
        Some(text) => Value::of_number(text.chars().count() as f64),
        None => Value::Null,
    }),
    scalar("toupper", &[Text], 1, 1, Kind::Text, |it, context| of_text(it, context, |text| Some(text.to_uppercase()))),
    scalar("tolower", &[Text], 1, 1, Kind::Text, |it, context| of_text(it, context, |text| Some(text.to_lowercase()))),
    scalar("substr", &[Text, Number, Number], 2, 3, Kind::Text, substr),
    scalar("replace", &[Text, Text, Text], 3, 3, Kind::Text, |it, context| replaced(it, context, replace::parts)),
    scalar("regexReplace", &[Text, Text, Text], 3, 3, Kind::Text, |it, context| {
        replaced(it, context, replace::matches)
    }),
    scalar("strcontains", &[Text, Text, Condition], 2, 3, Kind::Boolean, |it, context| {
        asked(it, context, |text, part| {
            if it.get(2).is_some_and(Value::truth) && context.rules.strcontains_folds_case {
                text.to_lowercase().contains(&part.to_lowercase())
            } else {
                text.contains(part)
            }
        })
    }),
    scalar("startsWith", &[Text, Text], 2, 2, Kind::Boolean, |it, context| {
        asked(it, context, |text, part| text.starts_with(part))
    }),
    scalar("endsWith", &[Text, Text], 2, 2, Kind::Boolean, |it, context| {
        asked(it, context, |text, part| text.ends_with(part))
    }),
    scalar("split", &[Text, Text], 2, 2, Kind::List, |it, context| {
        match (text_of(it, 0, context), text_of(it, 1, context)) {
            (Some(text), Some(part)) if part.is_empty() => Value::List(vec![Value::Text(text)]),
            (Some(text), Some(part)) => {
                let list: Vec<Value> = text.split(&part).take(ELEMENTS_MAX + 1).map(Value::from).collect();
                if list.len() > ELEMENTS_MAX { Value::Null } else { Value::List(list) }
            }
            _ => Value::Null,
        }
    }),
];

/// 1 or 0; a text that is absent contains, begins and ends with nothing.
fn asked(arguments: &[Value], context: &Context, holds: impl Fn(&str, &str) -> bool) -> Value {
    match (text_of(arguments, 0, context), text_of(arguments, 1, context)) {
        (Some(text), Some(part)) => answer(holds(&text, &part)),
        _ => answer(false),
    }
}

/// What `replace` and `regexReplace` give: null, if one of the three texts is none.
fn replaced(arguments: &[Value], context: &Context, replace: fn(String, &str, &str) -> Value) -> Value {
    match (text_of(arguments, 0, context), text_of(arguments, 1, context), text_of(arguments, 2, context)) {
        (Some(text), Some(what), Some(by)) => replace(text, &what, &by),
        _ => Value::Null,
    }
}

fn concat(arguments: &[Value], context: &Context) -> Value {
    let mut joined = String::new();
    for argument in arguments {
        match argument.text(&context.rules) {
            Some(text) if joined.len() + text.len() > TEXT_BYTES_MAX => return Value::Null,
            Some(text) => joined.push_str(&text),
            None if context.rules.concat_skips_null && argument.is_null() => {}
            None => return Value::Null,
        }
    }
    Value::Text(joined)
}

/// Takes off blanks, or any of the characters of the second argument.
fn trim(arguments: &[Value], context: &Context, left: bool, right: bool) -> Value {
    let Some(text) = text_of(arguments, 0, context) else {
        return Value::Null;
    };
    let characters = match arguments.get(1) {
        Some(_) => match text_of(arguments, 1, context) {
            Some(characters) => Some(sorted(&characters)),
            None => return Value::Null,
        },
        None => None,
    };
    let goes = |char: char| match &characters {
        Some(characters) => characters.binary_search(&char).is_ok(),
        None => char.is_whitespace(),
    };
    let mut kept = text.as_str();
    if left {
        kept = kept.trim_start_matches(goes);
    }
    if right {
        kept = kept.trim_end_matches(goes);
    }
    Value::from(kept)
}

/// The characters of a text, each once: there may be as many of them as of those that are taken off.
fn sorted(text: &str) -> Vec<char> {
    let mut characters: Vec<char> = text.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    characters
}

fn substr(arguments: &[Value], context: &Context) -> Value {
    let (Some(text), Some(start)) = (text_of(arguments, 0, context), arguments[1].integer()) else {
        return Value::Null;
    };
    let length = match arguments.get(2) {
        Some(length) => match length.integer() {
            Some(length) => usize::try_from(length).unwrap_or(0),
            None => return Value::Null,
        },
        None => usize::MAX,
    };
    let start = usize::try_from(start).unwrap_or(0);
    Value::Text(text.chars().skip(start).take(length).collect())
}
