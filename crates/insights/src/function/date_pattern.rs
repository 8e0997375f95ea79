//! Dates read by Java's patterns: `yyyy-MM-dd'T'HH:mm:ss.SSSZ`.

use jiff::{
    civil::DateTime,
    tz::{Offset, TimeZone},
};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What has been read so far.
#[derive(Default)]
struct Reading {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: Option<i64>,
    half_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: i64,
    offset: Option<Offset>,
}

/// The milliseconds since 1970 of a date, read by a pattern; in a zone, unless the date says its own offset.
///
/// Nothing if the text does not fit, is longer than the pattern, or the pattern has letters that are not known.
pub(super) fn milliseconds(text: &str, pattern: &str, zone: &TimeZone) -> Option<i64> {
    let mut reading = Reading::default();
    let mut rest = text;
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\'' {
            rest = quoted(&mut chars, rest)?;
        } else if char.is_ascii_alphabetic() {
            let mut width = 1;
            while chars.peek() == Some(&char) {
                chars.next();
                width += 1;
            }
            // Digits that touch the next digits are as many as the pattern has letters.
            let touches = chars.peek().is_some_and(char::is_ascii_alphabetic);
            rest = reading.take(char, width, touches, rest)?;
        } else {
            rest = rest.strip_prefix(char)?;
        }
    }
    if rest.is_empty() { reading.milliseconds(zone) } else { None }
}

/// Passes over a text in quotes, `''` for a quote.
fn quoted<'t>(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, text: &'t str) -> Option<&'t str> {
    if chars.peek() == Some(&'\'') {
        chars.next();
        return text.strip_prefix('\'');
    }
    let mut rest = text;
    loop {
        match chars.next()? {
            '\'' if chars.peek() == Some(&'\'') => {
                chars.next();
                rest = rest.strip_prefix('\'')?;
            }
            '\'' => return Some(rest),
            char => rest = rest.strip_prefix(char)?,
        }
    }
}

impl Reading {
    fn take<'t>(&mut self, letter: char, width: usize, touches: bool, text: &'t str) -> Option<&'t str> {
        let most = if touches { width } else { 19 };
        let number = |most| digits(text, most);
        match letter {
            'y' | 'u' => {
                let (year, rest) = number(if width == 2 { 2 } else { most })?;
                self.year = Some(if width == 2 { 2000 + year } else { year });
                Some(rest)
            }
            'M' | 'L' if width >= 3 => {
                let (month, rest) = word(text, &MONTHS)?;
                self.month = Some(month + 1);
                Some(rest)
            }
            'E' => word(text, &DAYS).map(|(_, rest)| rest),
            'a' => {
                let (half, rest) = word(text, &["am", "pm"])?;
                self.afternoon = Some(half == 1);
                Some(rest)
            }
            'S' => {
                let (fraction, rest) = number(width.min(9))?;
                let read = i32::try_from(text.len() - rest.len()).ok()?;
                self.nanos = fraction * 10_i64.pow(u32::try_from(9 - read).ok()?);
                Some(rest)
            }
            'Z' | 'X' | 'x' | 'z' | 'O' | 'V' => {
                let end = text
                    .find(|char: char| !(char.is_ascii_alphanumeric() || "+-:".contains(char)))
                    .unwrap_or(text.len());
                let (name, rest) = text.split_at(end);
                self.offset = Some(match name {
                    "Z" | "UTC" | "GMT" => Offset::UTC,
                    _ => offset(name)?,
                });
                Some(rest)
            }
            _ => {
                let (read, rest) = number(most.min(if touches { most } else { 4 }))?;
                *match letter {
                    'M' | 'L' => &mut self.month,
                    'd' => &mut self.day,
                    'H' => &mut self.hour,
                    'h' => &mut self.half_hour,
                    'm' => &mut self.minute,
                    's' => &mut self.second,
                    _ => return None,
                } = Some(read);
                Some(rest)
            }
        }
    }

    fn milliseconds(&self, zone: &TimeZone) -> Option<i64> {
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour @ 1..=12)) => hour % 12 + if self.afternoon == Some(true) { 12 } else { 0 },
            (None, Some(_)) => return None,
            (None, None) => 0,
        };
        let time = DateTime::new(
            i16::try_from(self.year.unwrap_or(1970)).ok()?,
            i8::try_from(self.month.unwrap_or(1)).ok()?,
            i8::try_from(self.day.unwrap_or(1)).ok()?,
            i8::try_from(hour).ok()?,
            i8::try_from(self.minute.unwrap_or(0)).ok()?,
            i8::try_from(self.second.unwrap_or(0)).ok()?,
            i32::try_from(self.nanos).ok()?,
        )
        .ok()?;
        let zone = self.offset.map_or_else(|| zone.clone(), TimeZone::fixed);
        Some(time.to_zoned(zone).ok()?.timestamp().as_millisecond())
    }
}

/// The number that comes next, and the rest.
fn digits(text: &str, most: usize) -> Option<(i64, &str)> {
    let end = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// Which of the words comes next, whole or its first three letters, and the rest.
fn word<'t>(text: &'t str, words: &[&str]) -> Option<(i64, &'t str)> {
    let begins = |word: &str| text.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word));
    let found = |len: usize| words.iter().position(|word| begins(&word[..len.min(word.len())]));
    let (index, len) = match found(usize::MAX) {
        Some(index) => (index, words[index].len()),
        None => (found(3)?, 3),
    };
    Some((i64::try_from(index).ok()?, &text[len..]))
}

/// `+02:00`, `+0200`, `+02`.
pub(super) fn offset(name: &str) -> Option<Offset> {
    let (sign, digits) = match name.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = digits.get(2..).filter(|it| !it.is_empty()).map_or(Some(0), |it| it.parse().ok())?;
    Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_by_javas_patterns() {
        for (text, pattern, read) in [
            ("2026-10-05 12:00:00", "yyyy-MM-dd HH:mm:ss", Some(1_791_201_600_000)),
            ("2026-10-05T12:00:00.25Z", "yyyy-MM-dd'T'HH:mm:ss.SSX", Some(1_791_201_600_250)),
            ("20261005120000", "yyyyMMddHHmmss", Some(1_791_201_600_000)),
            ("Mon, 5 Oct 2026 02:00:00 PM +0200", "EEE, d MMM yyyy hh:mm:ss a Z", Some(1_791_201_600_000)),
            ("10/5/26", "M/d/yy", Some(1_791_158_400_000)),
            ("October 5, 2026", "MMMM d, yyyy", Some(1_791_158_400_000)),
            ("at 'noon'", "'at' '''noon'''", Some(0)),
            ("2026-13-05", "yyyy-MM-dd", None),
            ("2026-10-05 x", "yyyy-MM-dd", None),
            ("é", "yyyy", None),
            ("2026", "QQQ", None),
            ("", "'", None),
        ] {
            assert_eq!(milliseconds(text, pattern, &TimeZone::UTC), read, "{text} {pattern}");
        }
    }

    #[test]
    fn a_zone_counts_where_the_date_says_none() {
        let zone = TimeZone::fixed(offset("+01:00").unwrap());
        assert_eq!(milliseconds("1970-01-01 01:00", "yyyy-MM-dd HH:mm", &zone), Some(0));
        assert_eq!(milliseconds("1970-01-01 01:00 +0000", "yyyy-MM-dd HH:mm Z", &zone), Some(3_600_000));
    }
}
