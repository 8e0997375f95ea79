//! What is wrong with a query or a pattern, where, and what may have been meant.

use serde::Serialize;
use unicode_width::UnicodeWidthChar;

use crate::span::Span;

/// How much of a long line is shown around a fault, in characters to each side.
const SHOWN_CHARS: usize = 76;

/// What sort of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// Characters that form no word of the language.
    Lexical,
    /// Words in an order that means nothing.
    Syntax,
    /// No command of the language.
    UnknownCommand,
    /// A command that the service has and muster has not.
    UnsupportedCommand,
    /// No function of the language.
    UnknownFunction,
    /// A field that does not exist at that place.
    UnknownField,
    /// A name that is defined twice.
    Redefined,
    /// Too few or too many arguments.
    ArgumentCount,
    /// An argument that cannot be what it is.
    Argument,
    /// An aggregate where none may stand, or none where one must.
    Aggregate,
    /// Commands in an order that is not allowed.
    Order,
    /// A regular expression that cannot be compiled.
    Regex,
    /// Too long, too deep, too many.
    Limit,
    /// No fault: it can be run, but is perhaps not what was meant.
    Hint,
}

/// A fault inside of the crate, before the text is put beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
}

pub(crate) type Outcome<T> = Result<T, Box<Fault>>;

impl Fault {
    pub(crate) fn new(kind: ErrorKind, span: Span, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { kind, span, message: message.into(), suggestion: None })
    }

    /// With what may have been meant.
    pub(crate) fn or(mut self: Box<Self>, suggestion: impl Into<String>) -> Box<Self> {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// With the nearest of the words that could stand there, if one is near.
    pub(crate) fn or_nearest<'k>(
        mut self: Box<Self>,
        found: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Box<Self> {
        self.suggestion = nearest(found, known).map(str::to_owned).or(self.suggestion);
        self
    }

    pub(crate) fn in_text(self, text: &str) -> QueryError {
        QueryError::new(self, text)
    }
}

/// The word that is nearest to what was typed, if it is near enough to be meant; letters' case does not count.
pub fn nearest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if found.len() > 64 {
        return None;
    }
    let lower = found.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(&lower, &known.to_lowercase()), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| {
            let chars = known.chars().count();
            *distance <= chars.div_ceil(3) && *distance < chars && *known != found
        })
        .map(|(_, known)| known)
}

/// Why a text is no query or no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{message}, at line {line}, column {column}{}", .suggestion.as_ref().map(|it| format!("; did you mean `{it}`?")).unwrap_or_default())]
pub struct QueryError {
    /// What sort of fault it is.
    pub kind: ErrorKind,
    /// What is wrong.
    pub message: String,
    /// What may have been meant instead of the piece that is marked.
    pub suggestion: Option<String>,
    /// The first byte of the piece that is wrong.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The first character of the piece that is wrong, counted from 0.
    pub start_char: usize,
    /// The character after its last.
    pub end_char: usize,
    /// Its line, counted from 1.
    pub line: usize,
    /// Its column in characters, counted from 1.
    pub column: usize,
    /// How it is shown.
    excerpt: Box<Excerpt>,
}

/// The line in which a fault stands; of a long one the part around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Excerpt {
    text: String,
    /// How many columns of a terminal are before the fault.
    before: usize,
    /// How many it fills.
    width: usize,
}

impl QueryError {
    fn new(fault: Fault, text: &str) -> Self {
        let start = floor_char(text, fault.span.start);
        let end = floor_char(text, fault.span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let before: Vec<char> = text[line_start..start].chars().collect();
        let marked = &text[start..end.clamp(start, line_end)];
        let after = &text[end.clamp(start, line_end)..line_end];
        let shown_before: String = before.iter().skip(before.len().saturating_sub(SHOWN_CHARS)).map(clean).collect();
        let shown_marked: String = marked.chars().take(SHOWN_CHARS).map(|char| clean(&char)).collect();
        let shown_after: String = after.chars().take(SHOWN_CHARS).map(|char| clean(&char)).collect();
        let columns = |text: &str| text.chars().map(|char| char.width().unwrap_or(0)).sum::<usize>();
        let start_char = text[..start].chars().count();
        Self {
            kind: fault.kind,
            message: cleaned(fault.message),
            suggestion: fault.suggestion.map(cleaned),
            start,
            end,
            start_char,
            end_char: start_char + text[start..end].chars().count(),
            line: text[..start].matches('\n').count() + 1,
            column: before.len() + 1,
            excerpt: Box::new(Excerpt {
                before: columns(&shown_before),
                width: columns(&shown_marked).max(1),
                text: shown_before + &shown_marked + &shown_after,
            }),
        }
    }

    /// The line, and under it carets that point to the fault; no control characters get through.
    pub fn pointed(&self) -> String {
        let Excerpt { text, before, width } = &*self.excerpt;
        format!("{text}\n{:before$}{:^<width$}", "", "")
    }

    /// The body that the service's API answers with.
    pub fn malformed(&self) -> MalformedQuery {
        let message = self.to_string();
        MalformedQuery {
            kind: "MalformedQueryException",
            query_compile_error: QueryCompileError {
                location: Location { start_char_offset: self.start_char, end_char_offset: self.end_char },
                message: message.clone(),
            },
            message,
        }
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn clean(char: &char) -> char {
    if char.is_control() { ' ' } else { *char }
}

/// Without control characters: names in backticks may have them, and messages are shown on terminals.
fn cleaned(text: String) -> String {
    text.chars().map(|char| clean(&char)).collect()
}

/// The API's MalformedQueryException.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MalformedQuery {
    /// The name of the exception.
    #[serde(rename = "__type")]
    pub kind: &'static str,
    /// What is wrong, and where.
    #[serde(rename = "queryCompileError")]
    pub query_compile_error: QueryCompileError,
    /// What is wrong.
    pub message: String,
}

/// The place and the words of a MalformedQueryException.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueryCompileError {
    /// Where.
    pub location: Location,
    /// What.
    pub message: String,
}

/// A piece of the query, in characters from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// The first character.
    pub start_char_offset: usize,
    /// The character after the last.
    pub end_char_offset: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_by_line_column_and_caret() {
        let text = "fields a\n| filtr b = 1";
        let error = Fault::new(ErrorKind::UnknownCommand, Span::new(11, 16), "no command").or("filter").in_text(text);
        assert_eq!((error.line, error.column, error.start_char, error.end_char), (2, 3, 11, 16));
        assert_eq!(error.pointed(), "| filtr b = 1\n  ^^^^^");
        assert_eq!(error.to_string(), "no command, at line 2, column 3; did you mean `filter`?");
    }

    #[test]
    fn wide_characters_and_controls_leave_the_caret_in_its_place() {
        let text = "\"日本\"\t\u{1b}[31m x";
        let at = text.find('x').unwrap();
        let error = Fault::new(ErrorKind::Syntax, Span::new(at, at + 1), "odd").in_text(text);
        assert_eq!(error.column, text.chars().count());
        assert_eq!(error.pointed(), "\"日本\"  [31m x\n             ^");
    }

    #[test]
    fn no_control_characters_get_into_messages() {
        let error = crate::compile("stats max(a) as `x\u{1b}[2J` | sort `x\u{1b}[2K`", &crate::rules::Rules::default());
        let error = error.unwrap_err();
        assert_eq!((error.kind, error.suggestion.as_deref()), (ErrorKind::UnknownField, Some("x [2J")));
        assert!(!error.to_string().contains(char::is_control), "{error:?}");
    }

    #[test]
    fn a_long_line_is_shown_around_its_fault() {
        let text = "a".repeat(5_000) + "!" + &"b".repeat(5_000);
        let error = Fault::new(ErrorKind::Lexical, Span::new(5_000, 5_001), "odd").in_text(&text);
        let pointed = error.pointed();
        assert!(pointed.len() < 400);
        let (line, caret) = pointed.split_once('\n').unwrap();
        assert_eq!(line.as_bytes()[caret.len() - 1], b'!');
    }

    #[test]
    fn places_outside_of_the_text_are_brought_into_it() {
        for text in ["", "é", "ab\n"] {
            for start in 0..5 {
                for end in 0..5 {
                    let error = Fault::new(ErrorKind::Syntax, Span::new(start, end), "odd").in_text(text);
                    assert!(text.is_char_boundary(error.start) && text.is_char_boundary(error.end));
                    error.pointed();
                }
            }
        }
    }

    #[test]
    fn the_body_has_the_shape_of_the_api() {
        let error = Fault::new(ErrorKind::Syntax, Span::new(2, 4), "odd").in_text("é🙂 x");
        let body = serde_json::to_value(error.malformed()).unwrap();
        assert_eq!(body["__type"], "MalformedQueryException");
        assert_eq!(
            body["queryCompileError"]["location"],
            serde_json::json!({"startCharOffset": 1, "endCharOffset": 1})
        );
        assert_eq!(body["message"], body["queryCompileError"]["message"]);
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("feilds", ["filter", "fields"]), Some("fields"));
        assert_eq!(nearest("xyz", ["filter", "fields"]), None);
        assert_eq!(nearest("FIELDS", ["fields"]), Some("fields"));
    }
}
