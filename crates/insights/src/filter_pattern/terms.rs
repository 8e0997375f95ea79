//! Patterns of words: all must occur, some must not, any of some.

use crate::{
    error::{ErrorKind, Fault, Outcome},
    regex::Regex,
    span::Span,
};

use super::cursor::Cursor;

#[derive(Clone, Debug)]
pub(super) struct Terms {
    required: Vec<Term>,
    excluded: Vec<Term>,
    any: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Term {
    fn occurs(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}

impl Terms {
    pub(super) fn read(text: &str) -> Outcome<Self> {
        let mut cursor = Cursor::new(text);
        let mut terms = Self { required: Vec::new(), excluded: Vec::new(), any: Vec::new() };
        while cursor.peek().is_some() {
            let start = cursor.at;
            let list = if cursor.sign("?") {
                &mut terms.any
            } else if cursor.sign("-") {
                &mut terms.excluded
            } else {
                &mut terms.required
            };
            if cursor.rest().starts_with(char::is_whitespace) || cursor.rest().is_empty() {
                return Err(cursor.fault(start, "a sign without a term"));
            }
            list.push(term(&mut cursor)?);
        }
        Ok(terms)
    }

    /// Terms with `?` count only where there are no others.
    pub(super) fn is_match(&self, message: &str) -> bool {
        if self.required.is_empty() && self.excluded.is_empty() && !self.any.is_empty() {
            return self.any.iter().any(|term| term.occurs(message));
        }
        self.required.iter().all(|term| term.occurs(message)) && !self.excluded.iter().any(|term| term.occurs(message))
    }
}

fn term(cursor: &mut Cursor<'_>) -> Outcome<Term> {
    if cursor.rest().starts_with('"') {
        return cursor.quoted().map(Term::Text);
    }
    if cursor.rest().starts_with('%') {
        return cursor.regex().map(Term::Regex);
    }
    let start = cursor.at;
    let word = cursor.take_while(|char| !char.is_whitespace());
    match word.char_indices().find(|(_, char)| !(char.is_alphanumeric() || *char == '_')) {
        None => Ok(Term::Text(word.to_owned())),
        Some((at, char)) => {
            let span = Span::new(start + at, start + at + char.len_utf8());
            let message = format!("a term with `{char}` stands in quotes");
            Err(Fault::new(ErrorKind::Syntax, span, message).or(format!("\"{}\"", word.replace('"', "\\\""))))
        }
    }
}
