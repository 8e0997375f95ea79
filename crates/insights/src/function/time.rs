//! Functions of times. Periods come as texts, `5m`; times as times or milliseconds since 1970.

use jiff::{Timestamp, fmt::strtime::BrokenDownTime, tz::TimeZone};

use crate::{
    period::{Period as Span, Unit},
    value::Value,
};

use super::{
    Argument::{Number, Period, Text, Time},
    Class, Compute, Context, Function, Kind,
    date_pattern::milliseconds,
    number_of, scalar, text_of,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "bin",
        aliases: &[],
        class: Class::Scalar,
        arguments: &[Period],
        least: 1,
        most: 1,
        result: Kind::Time,
        compute: Compute::Bin,
    },
    scalar("datefloor", &[Time, Period], 2, 2, Kind::Time, |it, _| moved(it, Span::floor)),
    scalar("dateceil", &[Time, Period], 2, 2, Kind::Time, |it, context| {
        let stays = context.rules.ceil_keeps_boundary;
        match (millis(it, 0), period(it, 1)) {
            (Some(time), Some(period)) => period.ceil(time, stays).map_or(Value::Null, Value::Time),
            _ => Value::Null,
        }
    }),
    scalar("fromMillis", &[Number], 1, 1, Kind::Time, |it, _| millis(it, 0).map_or(Value::Null, Value::Time)),
    scalar("toMillis", &[Time], 1, 1, Kind::Number, |it, _| Value::of_maybe(number_of(it, 0))),
    scalar("now", &[], 0, 0, Kind::Number, |_, context| Value::of_number(context.now_s as f64)),
    scalar("parseDate", &[Text, Text, Text], 2, 3, Kind::Number, |it, context| {
        match (text_of(it, 0, context), text_of(it, 1, context), zone(it, context)) {
            (Some(text), Some(pattern), Some(zone)) => {
                Value::of_maybe(milliseconds(&text, &pattern, &zone).map(|it| it as f64))
            }
            _ => Value::Null,
        }
    }),
    scalar("formatDate", &[Time, Text, Text], 2, 3, Kind::Text, format).also(&["strftime"]),
];

/// The longest pattern of a date that is formatted.
const PATTERN_BYTES_MAX: usize = 1_024;

/// A time within the years that calendars have.
fn millis(arguments: &[Value], position: usize) -> Option<i64> {
    let millis = arguments.get(position)?.integer()?;
    Timestamp::from_millisecond(millis).ok().map(|_| millis)
}

/// A period that came as a text.
fn period_of_text(text: &str) -> Option<Span> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (amount, unit) = text.split_at(digits);
    Some(Span { amount: amount.parse().ok().filter(|amount| *amount > 0)?, unit: Unit::named(unit)? })
}

fn period(arguments: &[Value], position: usize) -> Option<Span> {
    match arguments.get(position)? {
        Value::Text(text) => period_of_text(text),
        _ => None,
    }
}

fn moved(arguments: &[Value], to: fn(Span, i64) -> Option<i64>) -> Value {
    match (millis(arguments, 0), period(arguments, 1)) {
        (Some(time), Some(period)) => to(period, time).map_or(Value::Null, Value::Time),
        _ => Value::Null,
    }
}

/// The time zone in the third argument, UTC where there is none; nothing for a name that no zone has.
fn zone(arguments: &[Value], context: &Context) -> Option<TimeZone> {
    if arguments.len() < 3 {
        return Some(TimeZone::UTC);
    }
    let name = text_of(arguments, 2, context)?;
    match name.as_str() {
        "UTC" | "GMT" | "Z" => Some(TimeZone::UTC),
        _ => TimeZone::get(&name).ok().or_else(|| super::date_pattern::offset(&name).map(TimeZone::fixed)),
    }
}

fn format(arguments: &[Value], context: &Context) -> Value {
    let (Some(time), Some(pattern), Some(zone)) =
        (millis(arguments, 0), text_of(arguments, 1, context), zone(arguments, context))
    else {
        return Value::Null;
    };
    let Ok(time) = Timestamp::from_millisecond(time) else {
        return Value::Null;
    };
    // Directives may ask for widths; a long pattern could ask for megabytes.
    if pattern.len() > PATTERN_BYTES_MAX {
        return Value::Null;
    }
    let zoned = time.to_zoned(zone);
    match BrokenDownTime::from(&zoned).to_string(&pattern) {
        Ok(text) => Value::Text(text),
        Err(_) => Value::Null,
    }
}
