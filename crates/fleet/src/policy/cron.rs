//! Five-field cron: minute, hour, day of month, month, day of week. Lists, ranges, steps and English names; as in cron,
//! a day fits when either day field does, if both are restricted.

use jiff::{
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// A cron expression, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// One sentence that names the field and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!(
                "`{text}` has {} fields; cron has five: minute, hour, day of month, month, day of week",
                fields.len()
            ));
        };
        let mut weekdays = field(weekday, "day of week", 0, 7, &WEEKDAYS, 0)?;
        // Sunday is 0 and 7.
        if weekdays & (1 << 7) != 0 {
            weekdays = (weekdays | 1) & !(1 << 7);
        }
        Ok(Self {
            minutes: field(minute, "minute", 0, 59, &[], 0)?,
            hours: field(hour, "hour", 0, 23, &[], 0)?,
            days: field(day, "day of month", 1, 31, &[], 0)?,
            months: field(month, "month", 1, 12, &MONTHS, 1)?,
            weekdays,
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        })
    }

    /// Whether it names this day.
    pub fn names_day(&self, date: Date) -> bool {
        let has = |set: u64, value: i8| u32::try_from(value).is_ok_and(|value| set & (1 << value) != 0);
        if !has(self.months, date.month()) {
            return false;
        }
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        match (self.any_day, self.any_weekday) {
            (false, false) => day || weekday,
            _ => day && weekday,
        }
    }

    /// The times of a day it names, in order, as minutes after midnight.
    pub fn minutes_of_day(&self) -> impl DoubleEndedIterator<Item = i64> + '_ {
        (0..24_i64)
            .filter(|hour| self.hours & (1 << hour) != 0)
            .flat_map(|hour| {
                (0..60_i64).filter(|minute| self.minutes & (1 << minute) != 0).map(move |minute| hour * 60 + minute)
            })
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Whether any day at all is named; `30 2 31 2 *` never comes. Eight years hold every date there is.
    pub fn ever_comes(&self) -> bool {
        let Ok(mut date) = Date::new(2024, 1, 1) else { return false };
        for _ in 0..366 * 8 {
            if self.names_day(date) {
                return true;
            }
            let Ok(next) = date.tomorrow() else { return false };
            date = next;
        }
        false
    }

    /// The latest moment at or before `now` that it names, in milliseconds since 1970, no further back than so many days.
    /// A local time that a change of clocks skips is taken as the moment after the gap; one that comes twice, as the
    /// first.
    pub fn latest_at_or_before(&self, now_ms: i64, zone: &TimeZone, days_back: u32) -> Option<i64> {
        let now = jiff::Timestamp::from_millisecond(now_ms).ok()?;
        let mut date = now.to_zoned(zone.clone()).date();
        for _ in 0..=days_back {
            if self.names_day(date) {
                for minutes in self.minutes_of_day().rev() {
                    let time = i8::try_from(minutes / 60).ok().zip(i8::try_from(minutes % 60).ok());
                    let at = time.and_then(|(hour, minute)| local(date.at(hour, minute, 0, 0), zone));
                    if let Some(at) = at.filter(|at| *at <= now_ms) {
                        return Some(at);
                    }
                }
            }
            date = date.yesterday().ok()?;
        }
        None
    }
}

fn local(at: DateTime, zone: &TimeZone) -> Option<i64> {
    zone.to_ambiguous_timestamp(at).compatible().ok().map(|at| at.as_millisecond())
}

fn field(text: &str, name: &str, low: u32, high: u32, names: &[&str], first: u32) -> Result<u64, String> {
    let number = |word: &str| -> Result<u32, String> {
        let lower = word.to_ascii_lowercase();
        if let Some(at) = names.iter().position(|known| *known == lower) {
            return Ok(at as u32 + first);
        }
        let value: u32 = word.parse().map_err(|_| format!("`{word}` is no {name}"))?;
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{value} is out of range for the {name}: {low} to {high}"))
        }
    };
    let mut set = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                let step: u32 = step.parse().map_err(|_| format!("`{step}` is no step of the {name}"))?;
                if step == 0 {
                    return Err(format!("a step of 0 in the {name} never moves on"));
                }
                (range, step)
            }
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            None if step > 1 => (number(range)?, high),
            None => {
                let value = number(range)?;
                (value, value)
            }
        };
        if from > to {
            return Err(format!("`{range}` runs backwards in the {name}; write two ranges with a comma"));
        }
        let mut value = from;
        while value <= to {
            set |= 1 << value;
            value += step;
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn the_latest_moment_is_found_on_the_same_day_and_over_a_weekend() {
        let cron = Cron::parse("0 9 * * MON-FRI").unwrap();
        let at = |now: &str| cron.latest_at_or_before(ms(now), &TimeZone::UTC, 8).unwrap();
        assert_eq!(at("2026-11-20T12:00:00Z"), ms("2026-11-20T09:00:00Z"));
        assert_eq!(at("2026-11-22T12:00:00Z"), ms("2026-11-20T09:00:00Z"));
        assert_eq!(at("2026-11-20T08:59:59Z"), ms("2026-11-19T09:00:00Z"));
    }

    #[test]
    fn either_day_field_is_enough_when_both_are_restricted() {
        let cron = Cron::parse("0 0 13 * 5").unwrap();
        assert!(cron.names_day(Date::constant(2026, 11, 20)) && cron.names_day(Date::constant(2026, 10, 13)));
        assert!(!cron.names_day(Date::constant(2026, 11, 19)));
    }

    #[test]
    fn lists_steps_and_sunday_as_seven_are_read() {
        let cron = Cron::parse("*/20,5 22-23 1 jan,3 7").unwrap();
        assert_eq!(cron.minutes_of_day().count(), 8);
        assert!(cron.names_day(Date::constant(2026, 1, 1)) && cron.names_day(Date::constant(2026, 3, 1)));
    }

    #[test]
    fn mistakes_name_their_field() {
        for (text, says) in [
            ("0 9 * *", "has 4 fields"),
            ("61 * * * *", "out of range for the minute"),
            ("0 24 * * *", "hour"),
            ("0 0 0 * *", "day of month"),
            ("0 0 * foo *", "month"),
            ("0 0 * * 5-2", "runs backwards"),
            ("*/0 * * * *", "step of 0"),
        ] {
            let error = Cron::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_day_that_no_year_has_never_comes_and_a_leap_day_does() {
        assert!(!Cron::parse("0 0 31 2 *").unwrap().ever_comes());
        assert!(Cron::parse("0 0 29 2 *").unwrap().ever_comes());
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_the_moment_after() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let cron = Cron::parse("30 2 29 3 *").unwrap();
        assert_eq!(cron.latest_at_or_before(ms("2026-03-29T12:00:00Z"), &zone, 1), Some(ms("2026-03-29T01:30:00Z")));
    }
}
