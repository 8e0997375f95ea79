//! Functions of texts. Places are counted in code points.

use crate::{regex::Regex, span::Span, value::Value};

use super::{
    Argument::{Any, Condition, Number, Text},
    Context, Function, Kind, MANY, answer, scalar, text_of,
};

/// The longest text that a function makes.
const TEXT_BYTES_MAX: usize = 4 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    scalar("concat", &[Any], 1, MANY, Kind::Text, concat),
    scalar("trim", &[Text, Text], 1, 2, Kind::Text, |it, context| trim(it, context, true, true)),
    scalar("ltrim", &[Text, Text], 1, 2, Kind::Text, |it, context| trim(it, context, true, false)),
    scalar("rtrim", &[Text, Text], 1, 2, Kind::Text, |it, context| trim(it, context, false, true)),
    scalar("strlen", &[Text], 1, 1, Kind::Number, |it, context| match text_of(it, 0, context) {
        Some(text) => Value::of_number(text.chars().count() as f64),
        None => Value::Null,
    }),
    scalar("toupper", &[Text], 1, 1, Kind::Text, |it, context| of_text(it, context, |text| text.to_uppercase())),
    scalar("tolower", &[Text], 1, 1, Kind::Text, |it, context| of_text(it, context, |text| text.to_lowercase())),
    scalar("substr", &[Text, Number, Number], 2, 3, Kind::Text, substr),
    scalar("replace", &[Text, Text, Text], 3, 3, Kind::Text, |it, context| {
        match (text_of(it, 0, context), text_of(it, 1, context), text_of(it, 2, context)) {
            (Some(text), Some(part), Some(_)) if part.is_empty() => Value::Text(text),
            (Some(text), Some(part), Some(by)) => bounded(text.replace(&part, &by)),
            _ => Value::Null,
        }
    }),
    scalar("regexReplace", &[Text, Text, Text], 3, 3, Kind::Text, |it, context| {
        match (text_of(it, 0, context), text_of(it, 1, context), text_of(it, 2, context)) {
            (Some(text), Some(pattern), Some(by)) => match Regex::compile(&pattern, Span::default()) {
                Ok(regex) => bounded(regex.program().replace_all(&text, references(&by).as_str()).into_owned()),
                Err(_) => Value::Null,
            },
            _ => Value::Null,
        }
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
            (Some(text), Some(part)) => Value::List(text.split(part.as_str()).map(Value::from).collect()),
            _ => Value::Null,
        }
    }),
];

fn bounded(text: String) -> Value {
    if text.len() > TEXT_BYTES_MAX { Value::Null } else { Value::Text(text) }
}

fn of_text(arguments: &[Value], context: &Context, compute: impl Fn(&str) -> String) -> Value {
    text_of(arguments, 0, context).map_or(Value::Null, |text| Value::Text(compute(&text)))
}

/// 1 or 0; a text that is absent contains, begins and ends with nothing.
fn asked(arguments: &[Value], context: &Context, holds: impl Fn(&str, &str) -> bool) -> Value {
    match (text_of(arguments, 0, context), text_of(arguments, 1, context)) {
        (Some(text), Some(part)) => answer(holds(&text, &part)),
        _ => answer(false),
    }
}

fn concat(arguments: &[Value], context: &Context) -> Value {
    let mut joined = String::new();
    for argument in arguments {
        match argument.text(&context.rules) {
            Some(text) => joined.push_str(&text),
            None if context.rules.concat_skips_null && argument.is_null() => {}
            None => return Value::Null,
        }
    }
    bounded(joined)
}

/// Takes off blanks, or any of the characters of the second argument.
fn trim(arguments: &[Value], context: &Context, left: bool, right: bool) -> Value {
    let Some(text) = text_of(arguments, 0, context) else {
        return Value::Null;
    };
    let characters = match arguments.get(1) {
        Some(_) => match text_of(arguments, 1, context) {
            Some(characters) => Some(characters),
            None => return Value::Null,
        },
        None => None,
    };
    let goes = |char: char| characters.as_ref().map_or(char.is_whitespace(), |characters| characters.contains(char));
    let mut kept = text.as_str();
    if left {
        kept = kept.trim_start_matches(goes);
    }
    if right {
        kept = kept.trim_end_matches(goes);
    }
    Value::from(kept)
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

/// RE2 writes `\1` where the library writes `${1}`; `$` is plain.
fn references(by: &str) -> String {
    let mut written = String::with_capacity(by.len());
    let mut chars = by.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => written.push_str(&format!("${{{digit}}}")),
                Some(other) => written.push(other),
                None => written.push('\\'),
            },
            '$' => written.push_str("$$"),
            other => written.push(other),
        }
    }
    written
}
