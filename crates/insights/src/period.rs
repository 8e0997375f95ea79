//! Periods such as `5m`, and the times that they divide: bins, floors and ceilings.

use std::fmt;

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};

use crate::error::{ErrorKind, Fault, Outcome};

/// A unit of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `ms`, `msec`, `millisecond`
    Millisecond,
    /// `s`, `sec`, `second`
    Second,
    /// `m`, `min`, `minute`
    Minute,
    /// `h`, `hr`, `hour`
    Hour,
    /// `d`, `day`
    Day,
    /// `w`, `week`; begins on Monday (uncertain)
    Week,
    /// `mo`, `mon`, `month`; of the calendar (uncertain)
    Month,
    /// `q`, `qtr`, `quarter`; of the calendar (uncertain)
    Quarter,
    /// `y`, `yr`, `year`; of the calendar (uncertain)
    Year,
}

/// Each unit with its names, the one that is printed first, and the most of it that a period may have.
const UNITS: [(Unit, &[&str], Option<u32>); 9] = [
    (Unit::Millisecond, &["ms", "mss", "msec", "msecs", "millisecond", "milliseconds"], Some(1_000)),
    (Unit::Second, &["s", "sec", "secs", "second", "seconds"], Some(60)),
    (Unit::Minute, &["m", "min", "mins", "minute", "minutes"], Some(60)),
    (Unit::Hour, &["h", "hr", "hrs", "hour", "hours"], Some(24)),
    (Unit::Day, &["d", "day", "days"], None),
    (Unit::Week, &["w", "week", "weeks"], None),
    (Unit::Month, &["mo", "mos", "mon", "mons", "month", "months"], None),
    (Unit::Quarter, &["q", "qtr", "qtrs", "quarter", "quarters"], None),
    (Unit::Year, &["y", "yr", "yrs", "year", "years"], None),
];

const DAY_MS: i64 = 86_400_000;

impl Unit {
    /// By any of its names, in any case.
    pub fn named(name: &str) -> Option<Self> {
        UNITS.iter().find(|(_, names, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name))).map(|it| it.0)
    }

    /// Every name that a unit may have.
    pub fn names() -> impl Iterator<Item = &'static str> {
        UNITS.iter().flat_map(|(_, names, _)| names.iter().copied())
    }

    fn row(self) -> &'static (Self, &'static [&'static str], Option<u32>) {
        UNITS.iter().find(|(unit, ..)| *unit == self).unwrap_or(&UNITS[0])
    }

    /// How many milliseconds it has; none for those of the calendar.
    fn millis(self) -> Option<i64> {
        match self {
            Self::Millisecond => Some(1),
            Self::Second => Some(1_000),
            Self::Minute => Some(60_000),
            Self::Hour => Some(3_600_000),
            Self::Day => Some(DAY_MS),
            Self::Week => Some(7 * DAY_MS),
            Self::Month | Self::Quarter | Self::Year => None,
        }
    }
}

/// So many of a unit, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// How many, as typed.
    pub amount: u32,
    /// Of what.
    pub unit: Unit,
}

impl Period {
    /// So many as count: `300s` acts as `60s`, as the service documents.
    pub fn effective(self) -> u32 {
        self.unit.row().2.map_or(self.amount, |most| self.amount.min(most)).max(1)
    }

    /// How long it is, in milliseconds, if all such periods are equally long. The amount as typed, not capped.
    pub fn millis(self) -> Option<i64> {
        self.unit.millis().and_then(|millis| millis.checked_mul(i64::from(self.amount)))
    }

    /// The same, if all such periods are equally long.
    ///
    /// # Errors
    /// If it is of months, quarters or years.
    pub(crate) fn lasting(self, span: crate::span::Span) -> Outcome<Self> {
        if self.millis().is_none() {
            let message = format!("`{self}` is not always equally long; say it in weeks, days or less");
            return Err(Fault::new(ErrorKind::Argument, span, message));
        }
        Ok(self)
    }

    /// The beginning of the period in which a time lies; both in milliseconds since 1970 (UTC).
    ///
    /// `None` for times outside of years -9999 to 9999.
    pub fn floor(self, time_ms: i64) -> Option<i64> {
        let amount = i64::from(self.effective());
        match self.unit {
            // 1970 began on a Thursday: weeks are counted from the Monday before.
            Unit::Week => {
                floor_to(time_ms.checked_add(3 * DAY_MS)?, amount.checked_mul(7 * DAY_MS)?)?.checked_sub(3 * DAY_MS)
            }
            Unit::Month | Unit::Quarter | Unit::Year => {
                let months = match self.unit {
                    Unit::Month => amount,
                    Unit::Quarter => amount.checked_mul(3)?,
                    _ => amount.checked_mul(12)?,
                };
                let date = Timestamp::from_millisecond(time_ms).ok()?.to_zoned(TimeZone::UTC).date();
                let since = (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1;
                month_start(since.div_euclid(months).checked_mul(months)?)
            }
            _ => floor_to(time_ms, amount.checked_mul(self.unit.millis()?)?),
        }
    }

    /// The beginning of the next period, or the time itself where `boundary_stays` and it is a beginning.
    pub fn ceil(self, time_ms: i64, boundary_stays: bool) -> Option<i64> {
        let floor = self.floor(time_ms)?;
        if boundary_stays && floor == time_ms {
            return Some(floor);
        }
        let amount = i64::from(self.effective());
        let months = match self.unit {
            Unit::Month => 1,
            Unit::Quarter => 3,
            Unit::Year => 12,
            _ => return floor.checked_add(amount.checked_mul(self.unit.millis()?)?),
        };
        let start = Timestamp::from_millisecond(floor).ok()?.to_zoned(TimeZone::UTC);
        let ceil = start.checked_add(Span::new().try_months(amount.checked_mul(months)?).ok()?).ok()?;
        Some(ceil.timestamp().as_millisecond())
    }
}

fn floor_to(time: i64, width: i64) -> Option<i64> {
    time.checked_sub(time.rem_euclid(width))
}

/// The first instant of a month, counted from January 1970.
fn month_start(months: i64) -> Option<i64> {
    let year = i16::try_from(1970 + months.div_euclid(12)).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    let start = Date::new(year, month, 1).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(start.timestamp().as_millisecond())
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.amount, self.unit.row().1[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(amount: u32, unit: &str) -> Period {
        Period { amount, unit: Unit::named(unit).unwrap() }
    }

    fn at(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn floors_are_aligned_with_the_epoch_and_the_calendar() {
        for (amount, unit, time, floor) in [
            (5, "m", "2026-10-05T12:07:30.25Z", "2026-10-05T12:05:00Z"),
            (300, "s", "2026-10-05T12:07:30.25Z", "2026-10-05T12:07:00Z"),
            (90, "mins", "2026-10-05T12:07:30Z", "2026-10-05T12:00:00Z"),
            (48, "hours", "2026-10-05T12:07:30Z", "2026-10-05T00:00:00Z"),
            (1, "WEEK", "2026-10-11T23:59:59Z", "2026-10-05T00:00:00Z"),
            (1, "mo", "2026-10-05T12:00:00Z", "2026-10-01T00:00:00Z"),
            (1, "qtr", "2026-12-05T12:00:00Z", "2026-10-01T00:00:00Z"),
            (2, "y", "1969-12-31T23:59:59Z", "1968-01-01T00:00:00Z"),
            (1, "h", "1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z"),
        ] {
            assert_eq!(period(amount, unit).floor(at(time)), Some(at(floor)), "{amount}{unit} {time}");
        }
    }

    #[test]
    fn names_of_more_than_one_letter_have_a_plural() {
        for (_, names, _) in UNITS {
            for name in names.iter().filter(|name| name.len() > 1 && !name.ends_with('s') || **name == "ms") {
                assert_eq!(Unit::named(&format!("{name}s")), Unit::named(name), "{name}");
            }
        }
        assert_eq!(Unit::named("ss"), None);
    }

    #[test]
    fn ceilings_leave_boundaries_or_move_them_as_told() {
        let hour = period(1, "h");
        assert_eq!(hour.ceil(at("2026-10-05T12:00:00.001Z"), true), Some(at("2026-10-05T13:00:00Z")));
        assert_eq!(hour.ceil(at("2026-10-05T12:00:00Z"), true), Some(at("2026-10-05T12:00:00Z")));
        assert_eq!(hour.ceil(at("2026-10-05T12:00:00Z"), false), Some(at("2026-10-05T13:00:00Z")));
        assert_eq!(period(1, "mo").ceil(at("2026-12-05T12:00:00Z"), true), Some(at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn times_beyond_the_calendar_are_no_times() {
        for (_, names, _) in UNITS {
            for time in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX] {
                for amount in [1, u32::MAX] {
                    let period = period(amount, names[0]);
                    if let (Some(floor), Some(ceil)) = (period.floor(time), period.ceil(time, true)) {
                        assert!(floor <= time && time <= ceil, "{period} {time}");
                    }
                }
            }
        }
    }
}
