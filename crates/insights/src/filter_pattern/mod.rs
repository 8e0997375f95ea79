//! Filter patterns of CloudWatch Logs: words, JSON selectors, and fields between blanks.
//!
//! Everything is case-sensitive. What a pattern extracts is what TestMetricFilter answers.

mod condition;
mod cursor;
mod json;
mod spaces;
mod terms;

use std::collections::BTreeMap;

use crate::{
    error::{ErrorKind, Fault, Outcome, QueryError},
    limits::PATTERN_CHARS_MAX,
    span::Span,
};

use json::JsonPattern;
use spaces::SpacePattern;
use terms::Terms;

/// A filter pattern that was read.
#[derive(Clone, Debug)]
pub struct FilterPattern {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Terms(Terms),
    Json(JsonPattern),
    Spaces(SpacePattern),
}

/// The values that a pattern takes out of a message, by the names that metric filters call them: `$.a.b`, `$name`, `$3`.
pub type Extracted = BTreeMap<String, String>;

impl FilterPattern {
    /// Reads a pattern; an empty one matches everything.
    ///
    /// # Errors
    /// What is wrong with it first, and where.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::read(text).map_err(|fault| fault.in_text(text))
    }

    fn read(text: &str) -> Outcome<Self> {
        if let Some((at, _)) = text.char_indices().nth(PATTERN_CHARS_MAX) {
            let message = format!("a filter pattern longer than {PATTERN_CHARS_MAX} characters");
            return Err(Fault::new(ErrorKind::Limit, Span::new(at, text.len()), message));
        }
        let form = match text.trim_start().chars().next() {
            Some('{') => Form::Json(JsonPattern::read(text)?),
            Some('[') => Form::Spaces(SpacePattern::read(text)?),
            _ => Form::Terms(Terms::read(text)?),
        };
        Ok(Self { form })
    }

    /// What the pattern takes out of a message, if it matches.
    pub fn test(&self, message: &str) -> Option<Extracted> {
        match &self.form {
            Form::Terms(terms) => terms.is_match(message).then(Extracted::new),
            Form::Json(pattern) => pattern.test(message),
            Form::Spaces(pattern) => pattern.test(message),
        }
    }

    /// Whether a message matches.
    pub fn is_match(&self, message: &str) -> bool {
        match &self.form {
            Form::Terms(terms) => terms.is_match(message),
            Form::Json(pattern) => pattern.is_match(message),
            Form::Spaces(pattern) => pattern.is_match(message),
        }
    }
}

#[cfg(test)]
mod tests;
