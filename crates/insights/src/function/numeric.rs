//! Functions of numbers.

use crate::value::Value;

use super::{
    Argument::{Any, Number},
    Context, Function, Kind, MANY, number_of, scalar,
};

pub(super) const FUNCTIONS: &[Function] = &[
    scalar("abs", &[Number], 1, 1, Kind::Number, |it, _| of_one(it, f64::abs)),
    scalar("ceil", &[Number], 1, 1, Kind::Number, |it, _| of_one(it, f64::ceil)),
    scalar("floor", &[Number], 1, 1, Kind::Number, |it, _| of_one(it, f64::floor)),
    scalar("sqrt", &[Number], 1, 1, Kind::Number, |it, _| of_one(it, f64::sqrt)),
    scalar("log", &[Number], 1, 1, Kind::Number, |it, _| of_one(it, f64::ln)),
    scalar("round", &[Number, Number], 1, 2, Kind::Number, round),
    scalar("greatest", &[Number], 1, MANY, Kind::Number, |it, _| of_all(it, f64::max)),
    scalar("least", &[Number], 1, MANY, Kind::Number, |it, _| of_all(it, f64::min)),
    scalar("haversine", &[Number], 4, 4, Kind::Number, haversine),
    scalar("toNumber", &[Any], 1, 1, Kind::Number, |it, _| of_one(it, |number| number)),
    scalar("toDouble", &[Any], 1, 1, Kind::Number, |it, _| of_one(it, |number| number)),
    scalar("toInt", &[Any], 1, 1, Kind::Number, |it, _| of_one(it, f64::trunc)),
    scalar("toLong", &[Any], 1, 1, Kind::Number, |it, _| of_one(it, f64::trunc)),
];

/// The mean radius of the earth.
const EARTH_KM: f64 = 6_371.0;

fn of_one(arguments: &[Value], compute: fn(f64) -> f64) -> Value {
    Value::of_maybe(number_of(arguments, 0).map(compute))
}

/// Of all the numbers; null if one of them is none.
fn of_all(arguments: &[Value], choose: fn(f64, f64) -> f64) -> Value {
    let numbers: Option<Vec<f64>> = arguments.iter().map(Value::number).collect();
    Value::of_maybe(numbers.and_then(|numbers| numbers.into_iter().reduce(choose)))
}

fn round(arguments: &[Value], context: &Context) -> Value {
    let digits = match arguments.get(1) {
        Some(digits) => match digits.integer() {
            Some(digits) => digits.clamp(-300, 300),
            None => return Value::Null,
        },
        None => 0,
    };
    Value::of_maybe(number_of(arguments, 0).map(|number| rounded(number, digits, context.rules.round_half_even)))
}

fn rounded(number: f64, digits: i64, half_even: bool) -> f64 {
    let nearest = |number: f64| if half_even { number.round_ties_even() } else { number.round() };
    // Within 300 of zero. A tenth is no double, ten is one: what is in front of the point is divided.
    let scale = 10_f64.powi(digits.unsigned_abs() as i32);
    let scaled = if digits < 0 { number / scale } else { number * scale };
    // A number with more digits than a double holds is as round as it gets.
    if !scaled.is_finite() || scaled.abs() >= 9.0e15 {
        number
    } else if digits < 0 {
        nearest(scaled) * scale
    } else {
        nearest(scaled) / scale
    }
}

fn haversine(arguments: &[Value], _: &Context) -> Value {
    let degrees: Option<Vec<f64>> = arguments.iter().map(Value::number).collect();
    let Some([lat1, lon1, lat2, lon2]) = degrees.as_deref().and_then(|it| <[f64; 4]>::try_from(it).ok()) else {
        return Value::Null;
    };
    let half_sine = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let chord = half_sine(lat1, lat2) + lat1.to_radians().cos() * lat2.to_radians().cos() * half_sine(lon1, lon2);
    Value::of_number(2.0 * EARTH_KM * chord.clamp(0.0, 1.0).sqrt().asin())
}
