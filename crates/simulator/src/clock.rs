//! Virtual time: whole milliseconds since 1970 in UTC, and their spelling in events.

use jiff::Timestamp;

/// A moment of virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// One second in the unit of [`Moment`].
pub const SECOND: i64 = 1_000;
/// One minute in the unit of [`Moment`].
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in the unit of [`Moment`].
pub const HOUR: i64 = 60 * MINUTE;

impl Moment {
    /// Where scenarios begin unless told otherwise: 2026-10-02 08:00:00 UTC.
    pub const DEFAULT_START: Self = Self(1_790_928_000_000);

    /// This many milliseconds later (or earlier).
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to here.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// For the engine's types. Out of range (±9999 years) becomes the nearest moment that fits.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// Epoch seconds with three decimals, as ECS answers spell times in JSON (spec 0).
    pub fn epoch_secs(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Appends `2026-10-02T08:15:31Z`: an envelope's `time`.
    pub fn write_secs(self, out: &mut Vec<u8>) {
        self.write_date_time(out);
        out.push(b'Z');
    }

    /// Appends `2026-10-02T08:15:31.402Z`: times within a detail.
    pub fn write_millis(self, out: &mut Vec<u8>) {
        self.write_date_time(out);
        out.push(b'.');
        digits(out, self.0.rem_euclid(1000) as u32, 3);
        out.push(b'Z');
    }

    /// `2026-10-02T08:15:31Z`.
    pub fn iso_secs(self) -> String {
        let mut out = Vec::with_capacity(20);
        self.write_secs(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// `2026-10-02T08:15:31.402Z`.
    pub fn iso_millis(self) -> String {
        let mut out = Vec::with_capacity(24);
        self.write_millis(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    // Days to a civil date without tables: Howard Hinnant's `civil_from_days`. Formatting a time through a general
    // library costs more than all the rest of an event.
    fn write_date_time(self, out: &mut Vec<u8>) {
        let secs = self.0.div_euclid(1000);
        let (days, of_day) = (secs.div_euclid(86_400), secs.rem_euclid(86_400) as u32);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        digits(out, year.clamp(0, 9999) as u32, 4);
        out.push(b'-');
        digits(out, month as u32, 2);
        out.push(b'-');
        digits(out, day as u32, 2);
        out.push(b'T');
        digits(out, of_day / 3600, 2);
        out.push(b':');
        digits(out, of_day / 60 % 60, 2);
        out.push(b':');
        digits(out, of_day % 60, 2);
    }
}

fn digits(out: &mut Vec<u8>, value: u32, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_u32.pow(place) % 10) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_the_time_library_spells_them() {
        for millis in [0, 951_782_400_123, 1_709_164_799_999, 1_790_928_931_402, 4_102_444_800_000] {
            let moment = Moment(millis);
            let expected: Timestamp = moment.iso_millis().parse().unwrap();
            assert_eq!(expected, moment.timestamp(), "{}", moment.iso_millis());
        }
        assert_eq!(Moment::DEFAULT_START.iso_secs(), "2026-10-02T08:00:00Z");
        assert_eq!(Moment(1_790_928_931_402).iso_millis(), "2026-10-02T08:15:31.402Z");
    }
}
