//! Replacing inside of texts: plain parts, and what regular expressions find. What would get too long is not made at all.

use std::{cell::RefCell, rc::Rc};

use crate::{
    limits::{QUERY_CHARS_MAX, TEXT_BYTES_MAX},
    regex::Regex,
    span::Span,
    value::Value,
};

use super::made;

/// Every occurrence of a part replaced; an empty part occurs nowhere. Null, if the text would get too long.
pub(super) fn parts(text: String, part: &str, by: &str) -> Value {
    let found = if part.is_empty() { 0 } else { text.matches(part).count() };
    if found == 0 {
        return made(text);
    }
    let longest = (text.len() - found * part.len()).saturating_add(found.saturating_mul(by.len()));
    if longest > TEXT_BYTES_MAX { Value::Null } else { Value::Text(text.replace(part, by)) }
}

/// Every match of a regular expression replaced; in `by`, `\1` stands for a group and `\0` for the whole match, as in RE2.
///
/// Null, if the pattern cannot be compiled or the text would get too long.
pub(super) fn matches(text: String, pattern: &str, by: &str) -> Value {
    let Some(regex) = compiled(pattern) else {
        return Value::Null;
    };
    let pieces = pieces(by);
    // To find groups takes much longer than to find the whole match, which is enough for most.
    let grouped = pieces.iter().any(|piece| matches!(piece, Piece::Group(1..)));
    let mut replaced = String::new();
    let mut at = 0;
    let mut written = 0;
    for whole in regex.program().find_iter(&text) {
        let groups = if grouped { regex.program().captures_at(&text, whole.start()) } else { None };
        let kept = &text[at..whole.start()];
        replaced.push_str(kept);
        written += kept.len();
        for piece in &pieces {
            let piece = match piece {
                Piece::Plain(plain) => plain,
                Piece::Group(0) => whole.as_str(),
                Piece::Group(number) => {
                    groups.as_ref().and_then(|groups| groups.get(*number)).map_or("", |group| group.as_str())
                }
            };
            // An empty one counts as a byte: it takes time as well.
            written += piece.len().max(1);
            if written > TEXT_BYTES_MAX {
                return Value::Null;
            }
            replaced.push_str(piece);
        }
        at = whole.end();
    }
    if at == 0 && replaced.is_empty() {
        return made(text);
    }
    replaced.push_str(&text[at..]);
    made(replaced)
}

/// A piece of what replaces a match.
#[derive(Debug, PartialEq)]
enum Piece<'b> {
    Plain(&'b str),
    /// The text of a group by its number, 0 for the whole match; nothing, where there is no such group.
    Group(usize),
}

/// RE2's `\1`; a backslash before any other sign stands for that sign.
fn pieces(by: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut chars = by.char_indices();
    while let Some((at, char)) = chars.next() {
        if char != '\\' {
            continue;
        }
        let Some((next, escaped)) = chars.next() else { break };
        pieces.push(Piece::Plain(&by[start..at]));
        start = next;
        if let Some(number) = escaped.to_digit(10) {
            pieces.push(Piece::Group(number as usize));
            start = next + 1;
        }
    }
    pieces.push(Piece::Plain(&by[start..]));
    pieces.retain(|piece| *piece != Piece::Plain(""));
    pieces
}

/// How many regular expressions a thread remembers.
const COMPILED_MAX: usize = 8;

thread_local! {
    /// Regular expressions that came as texts, the one that was used last first. In the next row they are nearly always the
    /// same, and to compile one takes many times as long as to use it.
    static COMPILED: RefCell<Vec<(String, Option<Rc<Regex>>)>> = const { RefCell::new(Vec::new()) };
}

/// The regular expression that a text is; nothing, if it is none, or longer than any that could be typed.
fn compiled(pattern: &str) -> Option<Rc<Regex>> {
    if pattern.len() > QUERY_CHARS_MAX {
        return None;
    }
    COMPILED.with_borrow_mut(|known| {
        if let Some(at) = known.iter().position(|(source, _)| source == pattern) {
            known[..=at].rotate_right(1);
        } else {
            known.truncate(COMPILED_MAX - 1);
            let regex = Regex::compile(pattern, Span::default()).ok().map(Rc::new);
            known.insert(0, (pattern.to_owned(), regex));
        }
        known.first().and_then(|(_, regex)| regex.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str, pattern: &str, by: &str) -> Value {
        matches(text.to_owned(), pattern, by)
    }

    #[test]
    fn groups_are_named_by_a_backslash_and_a_digit() {
        for (text, pattern, by, expected) in [
            ("ab-cd", "([a-z])([a-z])", r"\2\1", "ba-dc"),
            ("ab", "b", r"<\0>", "a<b>"),
            ("ab", "(b)", r"\7$1${1}", "a$1${1}"),
            ("ab", "b", r"\\1\n", r"a\1n"),
            ("ab", "b", r"x\", r"ax\"),
            ("é", "", "-", "-é-"),
            ("abc", "x*", "-", "-a-b-c-"),
            ("abc", "(x*)", r"\1-", "-a-b-c-"),
            ("aab", "(a*)(b?)", r"[\1|\2]", "[aa|b]"),
            ("ab ab", r"\b(a)|(b)\b", r"<\1\2\0>", "<aa><bb> <aa><bb>"),
            ("aab", "a", "", "b"),
            ("a", "^", "", "a"),
            ("a", "a", "", ""),
            ("", "a", "b", ""),
        ] {
            assert_eq!(replaced(text, pattern, by), Value::from(expected), "{text} {pattern} {by}");
        }
        assert_eq!(replaced("a", "(", ""), Value::Null);
    }

    #[test]
    fn what_would_get_too_long_is_not_made() {
        let text = "a".repeat(1 << 20);
        let by = "b".repeat(1 << 20);
        assert_eq!(parts(text.clone(), "a", &by), Value::Null);
        assert_eq!(replaced(&text, "a", &by), Value::Null);
        assert_eq!(replaced(&text, "a", &r"\1".repeat(1 << 19)), Value::Null);
        assert_eq!(replaced(&text, "(a+)", r"\1\1\1\1\1"), Value::Null);
        assert_eq!(replaced(&text, "(a+)", r"\1\1\1\1"), Value::Text("a".repeat(4 << 20)));
        assert_eq!(parts(text.clone(), "aa", "bbbbbbbb"), Value::Text("b".repeat(4 << 20)));
        assert_eq!(parts(text.clone(), "aa", "bbbbbbbbb"), Value::Null);
        assert_eq!(parts(text, "a", ""), Value::from(""));
    }

    #[test]
    fn a_pattern_is_compiled_once_and_not_for_every_row() {
        let first = compiled("a+").unwrap();
        let second = compiled("b+").unwrap();
        assert!(Rc::ptr_eq(&first, &compiled("a+").unwrap()) && Rc::ptr_eq(&second, &compiled("b+").unwrap()));
        for number in 0..100 {
            compiled(&format!("a{{{number}}}"));
        }
        assert_eq!(COMPILED.with_borrow(Vec::len), COMPILED_MAX);
        assert!(compiled("(").is_none() && compiled("(").is_none());
        assert!(compiled(&"a".repeat(QUERY_CHARS_MAX + 1)).is_none());
    }
}
