//! Regular expressions of queries: RE2's dialect, searched for anywhere, in time linear in the text.

use std::fmt;

use crate::{
    error::{ErrorKind, Fault, Outcome},
    limits::{REGEX_BYTES_MAX, REGEX_CACHE_BYTES_MAX},
    span::Span,
};

/// A compiled regular expression. Two are equal if they were typed alike.
///
/// `\d`, `\w`, `\s`, `\b` and `\B` mean ASCII, as in RE2 and in Java. Look-around and back references, which need unbounded time,
/// are refused with the reason.
#[derive(Clone)]
pub struct Regex {
    source: String,
    program: regex::Regex,
}

impl Regex {
    /// Compiles what stands between the slashes, `\/` for a slash.
    pub(crate) fn compile(source: &str, span: Span) -> Outcome<Self> {
        let program = regex::RegexBuilder::new(&as_the_library_writes(source))
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_CACHE_BYTES_MAX)
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

/// The same expression as the library writes it, where RE2 writes it otherwise.
///
/// Short classes are spelled as ASCII: the library's own are Unicode's, and cost tables. Inside of brackets another bracket, `&&`,
/// `--` and `~~` are plain characters, for the library they are sets of sets; so are `\<` and `\>` anywhere.
fn as_the_library_writes(source: &str) -> String {
    let mut spelled = String::with_capacity(source.len() + 16);
    let mut rest = source;
    let mut inside = false;
    while let Some(char) = rest.chars().next() {
        let (taken, written) = if char == '\\' {
            escaped(rest, inside)
        } else if inside {
            member(rest, char)
        } else if char == '[' {
            opened(rest)
        } else {
            (char.len_utf8(), None)
        };
        // Only a bracket by itself opens or closes.
        inside = match char {
            '[' if !inside => true,
            ']' if inside => false,
            _ => inside,
        };
        spelled.push_str(written.unwrap_or(&rest[..taken]));
        rest = &rest[taken..];
    }
    spelled
}

/// How many bytes a backslash and what follows it take, and what is written instead.
fn escaped(rest: &str, inside: bool) -> (usize, Option<&'static str>) {
    let Some(char) = rest[1..].chars().next() else {
        return (1, None);
    };
    let written = match (char, inside) {
        ('d', true) => "0-9",
        ('d', false) => "[0-9]",
        ('w', true) => "0-9A-Za-z_",
        ('w', false) => "[0-9A-Za-z_]",
        ('s', true) => r"\t\n\x0b\x0c\r ",
        ('s', false) => r"[\t\n\x0b\x0c\r ]",
        ('D', _) => "[^0-9]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('S', _) => r"[^\t\n\x0b\x0c\r ]",
        ('b', false) => r"(?-u:\b)",
        ('B', false) => r"(?-u:\B)",
        ('<', _) => "<",
        ('>', _) => ">",
        (other, _) => return (1 + other.len_utf8(), None),
    };
    (2, Some(written))
}

/// The same of a bracket that opens a class, and of the signs behind it that are members because they come first.
fn opened(rest: &str) -> (usize, Option<&'static str>) {
    let (negated, members) = match rest[1..].strip_prefix('^') {
        Some(members) => (true, members),
        None => (false, &rest[1..]),
    };
    match (negated, members.chars().next()) {
        (false, Some(']')) => (2, Some(r"[\]")),
        (true, Some(']')) => (3, Some(r"[^\]")),
        (false, Some('-')) => (2, Some(r"[\-")),
        (true, Some('-')) => (3, Some(r"[^\-")),
        (negated, _) => (1 + usize::from(negated), None),
    }
}

/// The same of a member of a class.
fn member(rest: &str, char: char) -> (usize, Option<&'static str>) {
    match char {
        // A class by its name: `[:alpha:]`.
        '[' if rest[1..].starts_with(':') => match rest.find(":]") {
            Some(end) => (end + 2, None),
            None => (1, Some(r"\[")),
        },
        '[' => (1, Some(r"\[")),
        '&' => (1, Some(r"\&")),
        '~' => (1, Some(r"\~")),
        '-' if rest[1..].starts_with('-') => (2, Some(r"-\-")),
        other => (other.len_utf8(), None),
    }
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
    fn what_the_library_reads_otherwise_is_read_as_re2_does() {
        for (source, found, missed) in [
            ("^[^[]+$", "a]b", "a[b"),
            ("^[[(]+$", "[(", "x"),
            (r"^[\[\]]+$", "[]", "x"),
            ("^[[:alpha:][:digit:]_]+$", "a1_", ":"),
            (r"^[[:upper:]\d]+$", "A1", "a"),
            ("^[a&&b]+$", "a&b", "~"),
            ("^[~~]+$", "~", "a"),
            ("^[+--]+$", "+,-", "."),
            ("^[-a]+$", "-a", "b"),
            ("^[^-a]+$", "b", "-"),
            ("^[a-]+$", "a-", "b"),
            (r"^\<a\>$", "<a>", "a"),
            (r"^[\<]$", "<", "\\"),
            (r"\Bx", "ax", "éx"),
            ("^[^^]$", "a", "^"),
        ] {
            let regex = compiled(source);
            assert!(regex.is_match(found) && !regex.is_match(missed), "{source}");
        }
        for odd in ["[", "[[", "[[:", "[^", "[]", "[^]", "[a-", "[[:alpha:]", "[a--]", "\\"] {
            assert!(Regex::compile(odd, Span::default()).is_err(), "{odd}");
        }
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
