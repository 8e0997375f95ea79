//! How a value was written: what turns the value of a column into the same bytes again.

use std::fmt::Write;

/// How a writer prints numbers that are no integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NumberForm {
    /// The shortest digits, `.0` behind whole numbers, `1e-6` and `1e16` outside of the usual range: Rust.
    #[default]
    Shortest,
    /// The shortest digits, `.0` behind whole numbers, `1e-05` and `1e+16`: Python.
    Signed,
    /// The shortest digits, whole numbers without a point, `1e-7` and `1e+21`: JavaScript and Go.
    Bare,
    /// So many digits behind the point.
    Fixed(u8),
}

/// How a writer prints texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TextForm {
    /// Only what must be escaped is: most writers.
    #[default]
    Plain,
    /// Everything that is not printable ASCII is escaped: Python.
    Ascii,
    /// `<`, `>`, `&` and two line separators are escaped too: Go.
    Html,
}

/// What is tried in turn on a text that no column has been seen with.
pub(crate) const TEXT_FORMS: [TextForm; 3] = [TextForm::Plain, TextForm::Ascii, TextForm::Html];

/// The most digits behind the point that a form of fixed digits has.
const DECIMALS_MAX: u8 = 17;

impl NumberForm {
    /// The letter that stands for it in the text of a shape.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Shortest => 'r',
            Self::Signed => 'p',
            Self::Bare => 'g',
            Self::Fixed(decimals) => char::from(b'A' + decimals.min(DECIMALS_MAX)),
        }
    }

    /// The form of a letter.
    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'r' => Some(Self::Shortest),
            b'p' => Some(Self::Signed),
            b'g' => Some(Self::Bare),
            b'A'..=b'R' => Some(Self::Fixed(letter - b'A')),
            _ => None,
        }
    }

    /// Writes a number in this form.
    pub(crate) fn print(self, number: f64, out: &mut String) {
        // Writing into a String cannot fail.
        let _ = match self {
            Self::Fixed(decimals) => write!(out, "{number:.*}", usize::from(decimals)),
            Self::Shortest | Self::Signed if number == 0.0 || (1e-4..1e16).contains(&number.abs()) => {
                write!(out, "{number:?}")
            }
            Self::Shortest => {
                print_in(number, &Style { positional: -5..16, point: true, sign: "", width: 1 }, out);
                Ok(())
            }
            Self::Signed => {
                print_in(number, &Style { positional: -4..16, point: true, sign: "+", width: 2 }, out);
                Ok(())
            }
            Self::Bare => {
                print_in(number, &Style { positional: -6..21, point: false, sign: "+", width: 1 }, out);
                Ok(())
            }
        };
    }

    /// The forms in which this text would have been written for this number, the usual one first.
    pub(crate) fn of_text(text: &str, number: f64) -> Option<Self> {
        let decimals = text.find('.').map_or(0, |point| text.len() - point - 1);
        let fixed = u8::try_from(decimals).ok().filter(|it| *it <= DECIMALS_MAX).map(Self::Fixed);
        let mut printed = String::new();
        [Some(Self::Shortest), Some(Self::Signed), Some(Self::Bare), fixed].into_iter().flatten().find(|form| {
            printed.clear();
            form.print(number, &mut printed);
            printed == text
        })
    }

    /// Whether a number in this form is written as this text.
    pub(crate) fn fits(self, text: &str, number: f64) -> bool {
        let mut printed = String::with_capacity(32);
        self.print(number, &mut printed);
        printed == text
    }
}

/// The shortest digits of a number without its sign, and the power of ten of the first of them.
fn digits(number: f64) -> (String, i32) {
    let text = format!("{:e}", number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn print_positional(digits: &str, exponent: i32, out: &mut String) {
    let Ok(whole) = usize::try_from(exponent) else {
        out.push_str("0.");
        (1..-exponent).for_each(|_| out.push('0'));
        out.push_str(digits);
        return;
    };
    if digits.len() <= whole + 1 {
        out.push_str(digits);
        (digits.len()..=whole).for_each(|_| out.push('0'));
    } else {
        out.push_str(&digits[..=whole]);
        out.push('.');
        out.push_str(&digits[whole + 1..]);
    }
}

/// What writers of the shortest digits differ in.
struct Style {
    /// The powers of ten of the first digit that are written without an exponent.
    positional: std::ops::Range<i32>,
    /// Whether `.0` stands behind whole numbers.
    point: bool,
    /// What stands before an exponent that is not negative.
    sign: &'static str,
    /// The fewest digits of an exponent.
    width: usize,
}

fn print_in(number: f64, style: &Style, out: &mut String) {
    if number.is_sign_negative() {
        out.push('-');
    }
    let (digits, exponent) = digits(number);
    if style.positional.contains(&exponent) {
        print_positional(&digits, exponent, out);
        if style.point && exponent >= 0 && digits.len() <= exponent.unsigned_abs() as usize + 1 {
            out.push_str(".0");
        }
    } else {
        out.push_str(&digits[..1]);
        if digits.len() > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        let sign = if exponent < 0 { "-" } else { style.sign };
        let _ = write!(out, "e{sign}{:0width$}", exponent.unsigned_abs(), width = style.width);
    }
}

impl TextForm {
    /// The letter that stands for it in the text of a shape.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Plain => 'j',
            Self::Ascii => 'a',
            Self::Html => 'h',
        }
    }

    /// The form of a letter.
    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'j' => Some(Self::Plain),
            b'a' => Some(Self::Ascii),
            b'h' => Some(Self::Html),
            _ => None,
        }
    }

    /// Writes a text with its quotes in this form.
    pub(crate) fn print(self, text: &str, out: &mut String) {
        out.push('"');
        let mut rest = text;
        while let Some(at) = rest.find(|it| self.escapes(it)) {
            out.push_str(&rest[..at]);
            let mut chars = rest[at..].chars();
            if let Some(it) = chars.next() {
                escape(it, out);
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        out.push('"');
    }

    fn escapes(self, it: char) -> bool {
        match self {
            Self::Plain => it < ' ' || it == '"' || it == '\\',
            Self::Ascii => !(' '..='~').contains(&it) || it == '"' || it == '\\',
            Self::Html => it < ' ' || matches!(it, '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}'),
        }
    }

    /// Whether a text that was written without any escape would be written so in this form.
    pub(crate) fn leaves_alone(self, text: &str) -> bool {
        self == Self::Plain || !text.contains(|it| self.escapes(it))
    }
}

fn escape(it: char, out: &mut String) {
    match it {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        it => {
            let mut units = [0; 2];
            for unit in it.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(form: NumberForm, number: f64) -> String {
        let mut out = String::new();
        form.print(number, &mut out);
        out
    }

    #[test]
    fn numbers_are_written_as_their_writers_do() {
        for (number, shortest, signed, bare) in [
            (256.0, "256.0", "256.0", "256"),
            (61.4375, "61.4375", "61.4375", "61.4375"),
            (-0.5, "-0.5", "-0.5", "-0.5"),
            (-0.0, "-0.0", "-0.0", "-0"),
            (0.0001, "0.0001", "0.0001", "0.0001"),
            (0.000_012, "0.000012", "1.2e-05", "0.000012"),
            (0.000_001_5, "1.5e-6", "1.5e-06", "0.0000015"),
            (1e-7, "1e-7", "1e-07", "1e-7"),
            (1e16, "1e16", "1e+16", "10000000000000000"),
            (1.5e300, "1.5e300", "1.5e+300", "1.5e+300"),
            (123_456_789_012_345_680.0, "1.2345678901234568e17", "1.2345678901234568e+17", "123456789012345680"),
        ] {
            assert_eq!(printed(NumberForm::Shortest, number), shortest);
            assert_eq!(printed(NumberForm::Signed, number), signed);
            assert_eq!(printed(NumberForm::Bare, number), bare);
        }
        assert_eq!(printed(NumberForm::Fixed(2), 12.5), "12.50");
    }

    #[test]
    fn the_form_of_a_number_is_found() {
        for (text, form) in [
            ("12.5", Some(NumberForm::Shortest)),
            ("1e-05", Some(NumberForm::Signed)),
            ("0.0000015", Some(NumberForm::Bare)),
            ("12.50", Some(NumberForm::Fixed(2))),
            ("1E5", None),
            ("1.0e5", None),
        ] {
            assert_eq!(NumberForm::of_text(text, text.parse().unwrap()), form, "{text}");
        }
    }

    #[test]
    fn letters_stand_for_forms() {
        let numbers =
            [NumberForm::Shortest, NumberForm::Signed, NumberForm::Bare, NumberForm::Fixed(0), NumberForm::Fixed(17)];
        for form in numbers {
            assert_eq!(NumberForm::of_letter(form.letter() as u8), Some(form));
        }
        for form in TEXT_FORMS {
            assert_eq!(TextForm::of_letter(form.letter() as u8), Some(form));
        }
        assert_eq!((NumberForm::of_letter(b'z'), TextForm::of_letter(b'z')), (None, None));
    }

    #[test]
    fn texts_are_escaped_as_their_writers_do() {
        let text = "a\"\\\n\u{1}é<\u{1F600}\u{7f}";
        let expected = [
            "\"a\\\"\\\\\\n\\u0001é<\u{1F600}\u{7f}\"",
            "\"a\\\"\\\\\\n\\u0001\\u00e9<\\ud83d\\ude00\\u007f\"",
            "\"a\\\"\\\\\\n\\u0001é\\u003c\u{1F600}\u{7f}\"",
        ];
        for (form, expected) in TEXT_FORMS.into_iter().zip(expected) {
            let mut out = String::new();
            form.print(text, &mut out);
            assert_eq!(out, expected);
        }
    }
}
