//! Single values of a JSON text: where they end and what they are.

use crate::shape::form::{NumberForm, TextForm};

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token {
    /// Nothing: `null`.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number of 64 bits.
    Integer(i64),
    /// Another number, and how it was written.
    Float(f64, Digits),
    /// A whole number between 2^63 and 2^64: its digits are the text from here to the end of the token.
    Long,
    /// A text without escapes; it stands between the quotes.
    Text,
    /// A text with escapes.
    Escaped,
}

/// What is known of a number's digits, so that its form need not be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digits {
    /// How many stand behind the point.
    decimals: u8,
    /// Whether the last of them is a zero.
    ends_in_zero: bool,
    /// Whether these digits are the shortest ones of their number: there are at most 15 of them, and no exponent.
    certain: bool,
}

/// The largest number below which each decimal number has a double of its own: 15 digits.
const CERTAIN_BELOW: u64 = 1_000_000_000_000_000;

/// The powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The token that begins at `at`, and where it ends. Nothing for lists, objects and what is no JSON.
#[inline]
pub(crate) fn token(text: &str, at: usize) -> Option<(Token, usize)> {
    let bytes = text.as_bytes();
    match *bytes.get(at)? {
        b'"' => {
            let (end, escaped) = end_of_text(bytes, at + 1)?;
            Some((if escaped { Token::Escaped } else { Token::Text }, end))
        }
        b'-' | b'0'..=b'9' => number(text, at),
        b't' => bytes[at..].starts_with(b"true").then_some((Token::Boolean(true), at + 4)),
        b'f' => bytes[at..].starts_with(b"false").then_some((Token::Boolean(false), at + 5)),
        b'n' => bytes[at..].starts_with(b"null").then_some((Token::Null, at + 4)),
        _ => None,
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Bytes of a word that are zero have their high bit set; above the first of them there may be false ones.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// Where the first quote, backslash or control character is.
#[inline]
fn next_special(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().ok()?);
        let quotes = zeros(word ^ (LOW * u64::from(b'"')));
        let slashes = zeros(word ^ (LOW * u64::from(b'\\')));
        let controls = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let found = quotes | slashes | controls;
        if found != 0 {
            // The lowest hit is a true one: false ones only come above a true one of the same kind.
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    (at..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\' | 0..0x20))
}

/// Where a text ends whose first byte behind the quote is at `at`: behind its last quote; and whether it has escapes.
#[inline]
pub(crate) fn end_of_text(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at = next_special(bytes, at)?;
        match bytes[at] {
            b'"' => return Some((at + 1, escaped)),
            b'\\' => {
                escaped = true;
                at += 2;
            }
            _ => return None,
        }
    }
}

#[inline]
fn digits(bytes: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    at
}

#[inline]
fn number(text: &str, start: usize) -> Option<(Token, usize)> {
    let bytes = text.as_bytes();
    let negative = bytes[start] == b'-';
    let first = start + usize::from(negative);
    let mut mantissa = 0_u64;
    let whole_end = digits(bytes, first, &mut mantissa);
    let whole = whole_end - first;
    if whole == 0 || (whole > 1 && bytes[first] == b'0') {
        return None;
    }
    let (mut end, mut decimals) = (whole_end, 0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(bytes, whole_end + 1, &mut mantissa);
        decimals = end - whole_end - 1;
        if decimals == 0 {
            return None;
        }
    }
    let exact = whole + decimals <= 18;
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let mut ignored = 0;
        end = digits(bytes, signed, &mut ignored);
        if end == signed {
            return None;
        }
        return float(text.get(start..end)?, end, decimals);
    }
    if decimals == 0 {
        // Minus zero is no integer: its sign would be lost.
        if exact && !(negative && mantissa == 0) {
            let number = mantissa as i64;
            return Some((Token::Integer(if negative { -number } else { number }), end));
        }
        let digits = text.get(start..end)?;
        return match digits.parse::<i64>() {
            Ok(number) if !negative || number != 0 => Some((Token::Integer(number), end)),
            _ if digits.parse::<u64>().is_ok() => Some((Token::Long, end)),
            _ => float(digits, end, 0),
        };
    }
    if exact && mantissa < CERTAIN_BELOW {
        // Both are exact and the quotient is rounded once, so this is the nearest double.
        let number = mantissa as f64 / POWERS[decimals];
        let how = Digits {
            decimals: decimals as u8,
            ends_in_zero: bytes[end - 1] == b'0',
            certain: mantissa == 0 || number >= 1e-5,
        };
        return Some((Token::Float(if negative { -number } else { number }, how), end));
    }
    float(text.get(start..end)?, end, decimals)
}

fn float(text: &str, end: usize, decimals: usize) -> Option<(Token, usize)> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    let decimals = u8::try_from(decimals).unwrap_or(u8::MAX);
    Some((Token::Float(number, Digits { decimals, ends_in_zero: text.ends_with('0'), certain: false }), end))
}

/// Whether this form writes the number as this text.
#[inline]
pub(crate) fn fits(form: NumberForm, text: &str, number: f64, digits: Digits) -> bool {
    if !digits.certain {
        return form.fits(text, number);
    }
    match form {
        NumberForm::Shortest => digits.decimals == 1 || !digits.ends_in_zero,
        NumberForm::Signed => (digits.decimals == 1 || !digits.ends_in_zero) && (number == 0.0 || number.abs() >= 1e-4),
        NumberForm::Bare => !digits.ends_in_zero,
        NumberForm::Fixed(decimals) => decimals == digits.decimals,
    }
}

/// Whether this form writes a text without escapes as it stands there.
#[inline]
pub(crate) fn fits_text(form: TextForm, text: &str) -> bool {
    form.leaves_alone(text)
}

/// Takes the escapes out of a text; `text` is what stands between the quotes. False if there is one that JSON does not have.
pub(crate) fn unescape(text: &str, out: &mut String) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let Some(kind) = rest.as_bytes().get(at + 1) else { return false };
        rest = match kind {
            b'u' => match escaped_char(&rest[at..]) {
                Some((it, used)) => {
                    out.push(it);
                    &rest[at + used..]
                }
                None => return false,
            },
            kind => {
                out.push(match kind {
                    b'"' => '"',
                    b'\\' => '\\',
                    b'/' => '/',
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    _ => return false,
                });
                &rest[at + 2..]
            }
        };
    }
    out.push_str(rest);
    true
}

/// The character of `\uXXXX`, or of two of them that are halves of one; and the length of what was read.
fn escaped_char(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let text = text.get(at..at + 6)?.strip_prefix("\\u")?;
        text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(text, 16).ok())?
    };
    let first = unit(0)?;
    match char::from_u32(u32::from(first)) {
        Some(it) => Some((it, 6)),
        None => char::decode_utf16([first, unit(6)?]).next()?.ok().map(|it| (it, 12)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_json_says() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("123456789012345678", Some(123_456_789_012_345_678)),
            ("01", None),
            ("-", None),
            ("+1", None),
            ("1.", None),
            (".5", None),
            ("1e", None),
            ("1e+", None),
            ("1e999", None),
        ] {
            let found = token(text, 0).filter(|(_, end)| *end == text.len());
            assert_eq!(found.map(|(it, _)| it), expected.map(Token::Integer), "{text}");
        }
        assert_eq!(token("18446744073709551615", 0), Some((Token::Long, 20)));
        assert!(matches!(token("-0", 0), Some((Token::Float(number, _), 2)) if number.is_sign_negative()));
        assert!(matches!(token("18446744073709551616", 0), Some((Token::Float(..), 20))));
    }

    #[test]
    fn floats_are_the_nearest_ones_and_their_forms_are_known() {
        let forms =
            [NumberForm::Shortest, NumberForm::Signed, NumberForm::Bare, NumberForm::Fixed(1), NumberForm::Fixed(2)];
        let mut random = fastrand::Rng::with_seed(5);
        let mut texts: Vec<String> =
            ["0.0", "-0.0", "0.00", "0.00001", "0.000010", "123456789012345.6", "0.1e1", "1e5"]
                .map(str::to_owned)
                .to_vec();
        for _ in 0..20_000 {
            let (digits, decimals) = (random.u32(1..12), random.usize(1..9));
            let whole = random.u64(..10_u64.pow(digits));
            texts.push(format!("{whole}.{:0decimals$}", random.u64(..10_u64.pow(decimals as u32))));
        }
        for text in texts {
            let Some((Token::Float(number, digits), end)) = token(&text, 0) else { panic!("{text}") };
            assert_eq!((end, number.to_bits()), (text.len(), text.parse::<f64>().unwrap().to_bits()), "{text}");
            for form in forms {
                assert_eq!(fits(form, &text, number, digits), form.fits(&text, number), "{text} as {form:?}");
            }
        }
    }

    #[test]
    fn the_end_of_a_text_is_found() {
        for (text, expected) in [
            ("\"\"", Some((2, false))),
            ("\"abcdefghijklmnop\" ", Some((18, false))),
            ("\"abcdefg\\\"hijklmnop\"", Some((20, true))),
            ("\"ab\u{1}cdefghijklmnop\"", None),
            ("\"añ\u{20ac}bcdefgh\u{7f}ijk\"", Some((19, false))),
            ("\"no end", None),
            ("\"no end\\", None),
        ] {
            assert_eq!(end_of_text(text.as_bytes(), 1), expected, "{text}");
        }
    }

    #[test]
    fn escapes_are_taken_out() {
        for (text, expected) in [
            ("a\\n\\\"\\/\\u00e9b", Some("a\n\"/éb")),
            ("\\ud83d\\ude00", Some("\u{1F600}")),
            ("\\ud83d", None),
            ("\\ude00\\ud83d", None),
            ("\\x", None),
            ("\\u+123", None),
            ("\\", None),
        ] {
            let mut out = String::new();
            assert_eq!(unescape(text, &mut out).then_some(out.as_str()), expected, "{text}");
        }
    }
}
