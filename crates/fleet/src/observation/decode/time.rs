//! Times as AWS writes them in events: ISO-8601 in UTC, `Z` or `+00:00`, up to nine digits of fraction (spec 0).

use jiff::Timestamp;

/// Reads a time. The usual spelling is read by hand, any other by jiff.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    usual(text.as_bytes()).or_else(|| text.parse().ok())
}

/// Epoch seconds with or without a fraction, as the ECS API writes times; some tools put them into events too.
pub(super) fn parse_epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if text.starts_with('-') || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        let seconds: f64 = text.parse().ok()?;
        return Timestamp::from_nanosecond((seconds * 1e9) as i128).ok();
    }
    Timestamp::new(whole.parse().ok()?, nanos(fraction.as_bytes())?).ok()
}

/// `YYYY-MM-DDTHH:MM:SS(.f{1,9})?(Z|+00:00)` from 1970 on; anything else, leap seconds included, is left to jiff.
fn usual(text: &[u8]) -> Option<Timestamp> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    if [head[4], head[7], head[10], head[13], head[16]] != *b"--T::" {
        return None;
    }
    let mut valid = true;
    let mut two = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        valid &= tens < 10 && ones < 10;
        u32::from(tens) * 10 + u32::from(ones)
    };
    let year = two(0) * 100 + two(2);
    let (month, day, hour, minute, second) = (two(5), two(8), two(11), two(14), two(17));
    if !valid || year < 1970 || hour > 23 || minute > 59 || second > 59 || day == 0 || day > month_days(year, month) {
        return None;
    }
    let fraction = match tail {
        [b'Z'] | b"+00:00" => &[][..],
        [b'.', digits @ .., b'Z'] => digits,
        [b'.', digits @ .., b'+', b'0', b'0', b':', b'0', b'0'] => digits,
        _ => return None,
    };
    if fraction.is_empty() && tail[0] == b'.' {
        return None;
    }
    let seconds = ((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) as i64 * 60 + i64::from(second);
    Timestamp::new(seconds, nanos(fraction)?).ok()
}

fn nanos(digits: &[u8]) -> Option<i32> {
    if digits.len() > 9 {
        return None;
    }
    let mut nanos = 0;
    for &digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        nanos = nanos * 10 + i32::from(value);
    }
    Some(nanos * 10_i32.pow(9 - digits.len() as u32))
}

/// Days of a month; 0 for a month that is none, so that no day fits it.
fn month_days(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days from 1970-01-01, with years counted from March so that the leap day comes last.
fn days_since_epoch(year: u32, month: u32, day: u32) -> u32 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_spellings_of_utc_and_every_fraction_are_the_same_instant() {
        let whole: Timestamp = "2026-10-02T08:15:31Z".parse().unwrap();
        for text in ["2026-10-02T08:15:31Z", "2026-10-02T08:15:31+00:00", "2026-10-02T08:15:31.000Z"] {
            assert_eq!(usual(text.as_bytes()), Some(whole), "{text}");
        }
        assert_eq!(parse_time("2026-10-02T10:15:31+02:00"), Some(whole));
        assert_eq!(parse_epoch("1790928931"), Some(whole));
        assert_eq!(parse_epoch("1790928931.25"), parse_time("2026-10-02T08:15:31.25Z"));
        assert_eq!(parse_epoch("1.790928931E9"), Some(whole));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2026-13-02T08:15:31Z",
            "2026-02-30T08:15:31Z",
            "2026-10-02T08:15:31.Z",
            "2026-10-02T25:00:00Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        assert_eq!(parse_epoch("1e400"), None);
    }

    proptest! {
        #[test]
        fn reading_by_hand_agrees_with_jiff(
            seconds in 0_i64..253_402_207_200, nanos in 0_i32..1_000_000_000, digits in 0_usize..10, zulu: bool,
        ) {
            let time = Timestamp::new(seconds, nanos).unwrap();
            let text = format!("{time:.digits$}");
            let text = if zulu { text } else { text.replace('Z', "+00:00") };
            let by_jiff: Timestamp = text.parse().unwrap();
            prop_assert_eq!(usual(text.as_bytes()), Some(by_jiff), "{}", text);
        }

        #[test]
        fn what_reading_by_hand_accepts_jiff_reads_the_same(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?(Z|\\+00:00|)") {
            if let Some(time) = usual(text.as_bytes()) {
                prop_assert_eq!(Ok(time), text.parse::<Timestamp>().map_err(|error| error.to_string()));
            }
        }
    }
}
