//! Moments and durations, short enough for a column.

use jiff::Timestamp;

/// `14:03:09`, UTC; with the date when `at` is not of the day of `now`.
pub fn clock(at: Timestamp, now: Timestamp) -> String {
    let whole = |t: Timestamp| t.to_string();
    // RFC 3339: `2026-10-02T08:15:31.402Z`.
    let (text, today) = (whole(at), whole(now));
    let time = text.get(11..19).unwrap_or(&text);
    if text.get(..10) == today.get(..10) {
        format!("{time}Z")
    } else {
        format!("{} {time}Z", text.get(..10).unwrap_or_default())
    }
}

/// How long ago, in the two largest units: `42 s`, `12 min`, `3 h 20 min`, `5 d 2 h`. A moment to come is `0 s`.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    lasting(now.as_second().saturating_sub(since.as_second()))
}

/// A number of seconds in the two largest units.
pub fn lasting(secs: i64) -> String {
    let secs = secs.max(0);
    match secs {
        0..60 => format!("{secs} s"),
        60..600 if secs % 60 != 0 => format!("{} min {} s", secs / 60, secs % 60),
        60..3600 => format!("{} min", secs / 60),
        3600..86_400 if secs % 3600 >= 60 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        3600..86_400 => format!("{} h", secs / 3600),
        _ if secs % 86_400 >= 3600 => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3600),
        _ => format!("{} d", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        for (secs, words) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (95, "1 min 35 s"),
            (700, "11 min"),
            (3600, "1 h"),
            (12_000, "3 h 20 min"),
            (90_000, "1 d 1 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(lasting(secs), words);
        }
    }

    #[test]
    fn a_moment_of_another_day_carries_its_date() {
        let now: Timestamp = "2026-10-02T08:15:31.4Z".parse().unwrap();
        assert_eq!(clock(now, now), "08:15:31Z");
        assert_eq!(clock("2026-10-01T23:59:59Z".parse().unwrap(), now), "2026-10-01 23:59:59Z");
    }
}
