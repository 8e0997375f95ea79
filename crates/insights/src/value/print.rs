//! Values as results show them: always text.

use jiff::{Timestamp, tz::TimeZone};

use crate::rules::Rules;

use super::Value;

impl Value {
    /// As a result shows it; null is not shown at all.
    pub fn print(&self, rules: &Rules) -> Option<String> {
        match self {
            Self::List(_) | Self::Map(_) => Some(self.to_json()),
            plain => plain.text(rules),
        }
    }

    /// As functions of texts see it; a list or a map is none.
    pub fn text(&self, rules: &Rules) -> Option<String> {
        Some(match self {
            Self::Null | Self::List(_) | Self::Map(_) => return None,
            Self::Boolean(truth) if rules.booleans_as_numbers => u8::from(*truth).to_string(),
            Self::Boolean(truth) => truth.to_string(),
            Self::Number(number) => print_number(*number, rules.decimals_max),
            Self::Time(millis) => print_time(*millis)?,
            Self::Text(text) => text.clone(),
        })
    }
}

/// No double has more digits behind its point.
const DECIMALS_MAX: usize = 1_074;

/// Whole numbers without a point, others with as many digits behind it as they have and may have.
fn print_number(number: f64, decimals_max: usize) -> String {
    if number.fract() == 0.0 {
        // Minus zero prints as zero.
        return format!("{}", number + 0.0);
    }
    let decimals = decimals_max.min(DECIMALS_MAX);
    let printed = format!("{number:.decimals$}");
    let trimmed = if decimals > 0 { printed.trim_end_matches('0').trim_end_matches('.') } else { &printed };
    match trimmed {
        "-0" => "0".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

fn print_time(millis: i64) -> Option<String> {
    let time = Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::UTC);
    Some(time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
}
