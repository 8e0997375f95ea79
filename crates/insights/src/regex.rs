//! Regular expressions of queries: RE2's dialect, searched for anywhere, in time linear in the text.

use std::fmt;

use crate::{
    error::{ErrorKind, Fault, Outcome},
    limits::REGEX_BYTES_MAX,
    span::Span,
};

/// A compiled regular expression. Two are equal if they were typed alike.
///
/// `\d`, `\w`, `\s` and `\b` mean ASCII, as in RE2 and in Java. Look-around and back references, which need unbounded time,
/// are refused with the reason.
#[derive(Clone)]
pub struct Regex {
    source: String,
    program: regex::Regex,
}

impl Regex {
    /// Compiles what stands between the slashes, `\/` for a slash.
    pub(crate) fn compile(source: &str, span: Span) -> Outcome<Self> {
        let program = regex::RegexBuilder::new(&ascii_classes(source))
            .size_limit(REGEX_BYTES_MAX)
            .nest_limit(64)
            .build()
            .map_err(|error| refused(source, span, &error))?;
        Ok(Self { source: source.to_owned(), program })
    }

    /// What stands between the slashes.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The compiled program.
    pub fn program(&self) -> &regex::Regex {
        &self.program
    }

    /// Whether it is found anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.program.is_match(text)
    }

    /// The names of the groups that have one, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.program.capture_names().flatten()
    }

    /// How many groups there are, named or not, without the whole.
    pub fn groups(&self) -> usize {
        self.program.captures_len() - 1
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Regex {}

impl fmt::Debug for Regex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}/", self.source)
    }
}

/// The same expression with its short classes spelled as ASCII. The library's own are Unicode's, and cost tables.
pub(crate) fn ascii_classes(source: &str) -> String {
    let mut spelled = String::with_capacity(source.len() + 16);
    let mut chars = source.chars();
    let mut inside = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' => match (chars.next(), inside) {
                (Some('d'), true) => spelled.push_str("0-9"),
                (Some('d'), false) => spelled.push_str("[0-9]"),
                (Some('w'), true) => spelled.push_str("0-9A-Za-z_"),
                (Some('w'), false) => spelled.push_str("[0-9A-Za-z_]"),
                (Some('s'), true) => spelled.push_str(r"\t\n\x0b\x0c\r "),
                (Some('s'), false) => spelled.push_str(r"[\t\n\x0b\x0c\r ]"),
                (Some('D'), _) => spelled.push_str("[^0-9]"),
                (Some('W'), _) => spelled.push_str("[^0-9A-Za-z_]"),
                (Some('S'), _) => spelled.push_str(r"[^\t\n\x0b\x0c\r ]"),
                (Some('b'), false) => spelled.push_str(r"(?-u:\b)"),
                (Some(other), _) => spelled.extend(['\\', other]),
                (None, _) => spelled.push('\\'),
            },
            '[' => {
                inside = true;
                spelled.push('[');
                // A bracket that closes is itself a member when it comes first.
                let mut rest = chars.clone();
                let mut first = rest.next();
                if first == Some('^') {
                    spelled.push('^');
                    chars.next();
                    first = rest.next();
                }
                if first == Some(']') {
                    spelled.push_str("\\]");
                    chars.next();
                }
            }
            ']' => {
                inside = false;
                spelled.push(']');
            }
            other => spelled.push(other),
        }
    }
    spelled
}

fn refused(source: &str, span: Span, error: &regex::Error) -> Box<Fault> {
    if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|sign| source.contains(sign)) {
        let message = "look-around in a regular expression is not supported: it has no bound in time";
        return Fault::new(ErrorKind::Regex, span, message);
    }
    let message = match error {
        regex::Error::CompiledTooBig(_) => "a regular expression that is too large when compiled".to_owned(),
        error => {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("a regular expression that cannot be read: {last}")
        }
    };
    Fault::new(ErrorKind::Regex, span, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(source: &str) -> Regex {
        Regex::compile(source, Span::default()).unwrap()
    }

    #[test]
    fn short_classes_mean_ascii_inside_and_outside_of_brackets() {
        assert!(compiled(r"^\d+$").is_match("42"));
        assert!(!compiled(r"^\d+$").is_match("४२"));
        assert!(compiled(r"^[\d.]+$").is_match("4.2"));
        assert!(compiled(r"^[^\s]+$").is_match("é"));
        assert!(!compiled(r"^[\D]+$").is_match("a1"));
        assert!(compiled(r"\bx\b").is_match("a x b"));
        assert!(compiled(r"a\/b").is_match("a/b"));
        assert!(compiled("[]a]+").is_match("]"));
        assert!(!compiled("^[^]a]+$").is_match("]"));
    }

    #[test]
    fn named_groups_are_listed_in_their_order() {
        let regex = compiled(r"(?<b>x)(y)(?P<a>z)");
        assert_eq!((regex.names().collect::<Vec<_>>(), regex.groups()), (vec!["b", "a"], 3));
    }

    #[test]
    fn what_has_no_bound_is_refused_with_the_reason() {
        for (source, said) in [("a(?=b)", "look-around"), ("(a", "unclosed"), ("(a{900}){900}", "too large")] {
            let fault = Regex::compile(source, Span::default()).unwrap_err();
            assert!(fault.message.contains(said), "{source}: {}", fault.message);
        }
    }
}
