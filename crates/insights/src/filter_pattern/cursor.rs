//! The place in a pattern that is being read.

use crate::{
    error::{ErrorKind, Fault, Outcome},
    regex::Regex,
    span::Span,
};

/// The signs that a regular expression of a pattern may consist of, besides letters and digits.
const REGEX_SIGNS: &str = ":_#=@/;,-^$?[]{}|\\*+.";

/// The most regular expressions in a pattern of selectors or fields.
pub(super) const REGEXES_MAX: usize = 2;

pub(super) struct Cursor<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
    pub(super) regexes: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, regexes: 0 }
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The next character, blanks passed over.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.blanks();
        self.rest().chars().next()
    }

    /// Passes over a sign if it comes next, after blanks.
    pub(super) fn sign(&mut self, sign: &str) -> bool {
        self.blanks();
        let comes = self.rest().starts_with(sign);
        self.at += if comes { sign.len() } else { 0 };
        comes
    }

    /// Passes over a word in any case if it comes next, after blanks.
    pub(super) fn word(&mut self, word: &str) -> bool {
        self.blanks();
        let rest = self.rest();
        let comes = rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(|char: char| char.is_alphanumeric() || char == '_');
        self.at += if comes { word.len() } else { 0 };
        comes
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|char| !wanted(char)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    pub(super) fn fault(&self, start: usize, message: impl Into<String>) -> Box<Fault> {
        Fault::new(ErrorKind::Syntax, Span::new(start, self.at.max(start)), message)
    }

    /// What is wrong where something else had to stand.
    pub(super) fn unexpected(&mut self, wanted: &str) -> Box<Fault> {
        match self.peek() {
            None => {
                Fault::new(ErrorKind::Syntax, Span::new(self.at, self.at), format!("expected {wanted}, found the end"))
            }
            Some(char) => {
                let span = Span::new(self.at, self.at + char.len_utf8());
                Fault::new(ErrorKind::Syntax, span, format!("expected {wanted}, found `{char}`"))
            }
        }
    }

    /// What stands between quotes; `\"` for a quote.
    pub(super) fn quoted(&mut self) -> Outcome<String> {
        let start = self.at;
        self.at += 1;
        let mut inside = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.at += at + 1;
                    return Ok(inside);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => inside.push(escaped),
                    Some((_, other)) => inside.extend(['\\', other]),
                    None => break,
                },
                other => inside.push(other),
            }
        }
        Err(Fault::new(ErrorKind::Lexical, Span::new(start, start + 1), "a quote that is not closed"))
    }

    /// What stands between percent signs.
    pub(super) fn regex(&mut self) -> Outcome<Regex> {
        let start = self.at;
        self.at += 1;
        let Some(end) = self.rest().find('%') else {
            let message = "a regular expression that is not closed with `%`";
            return Err(Fault::new(ErrorKind::Lexical, Span::new(start, start + 1), message));
        };
        let source = &self.rest()[..end];
        let inside = self.at;
        self.at += end + 1;
        let place = |at: usize, len: usize| Span::new(inside + at, inside + at + len);
        if source.is_empty() {
            return Err(self.fault(start, "an empty regular expression"));
        }
        if let Some(at) = source.find(['(', ')']) {
            let message = "filter patterns take no parentheses in regular expressions";
            return Err(Fault::new(ErrorKind::Regex, place(at, 1), message));
        }
        let odd = |char: char| !(char.is_ascii_alphanumeric() || REGEX_SIGNS.contains(char));
        if let Some((at, char)) = source.char_indices().find(|(_, char)| odd(*char)) {
            let message = format!("filter patterns take no `{char}` in regular expressions");
            return Err(Fault::new(ErrorKind::Regex, place(at, char.len_utf8()), message));
        }
        self.regexes += 1;
        Regex::compile(source, Span::new(start, self.at))
    }

    /// Whether too many regular expressions were read.
    pub(super) fn regexes_within_bounds(&self) -> Outcome<()> {
        if self.regexes > REGEXES_MAX {
            let message = format!("more than {REGEXES_MAX} regular expressions in one pattern");
            return Err(Fault::new(ErrorKind::Limit, Span::new(0, self.text.len()), message));
        }
        Ok(())
    }
}
