//! EventBridge event patterns, exactly as the service matches them (spec B, after aws/event-ruler).
//!
//! A pattern is compiled once into conjunctions: `$or` is multiplied out, so that every conjunction is a plain list of
//! `(path, matchers)` in the order of the paths. An event is flattened once into `(path, scalar)` pairs which remember
//! the array elements they stand in; one conjunction may use only pairs that agree on the element of every array they
//! share (array consistency, B.2).
//!
//! | to learn | read |
//! |---|---|
//! | how a pattern's text becomes conjunctions, and what is refused | [`compile`] |
//! | what one value must look like | [`matcher`] |
//! | how an event is taken apart | [`flat`] |

mod compile;
mod flat;
mod matcher;
#[cfg(test)]
mod tests;

use flat::{Field, Membership};
use matcher::Matcher;
use serde_json::Value;

/// The longest pattern text the API takes, in characters (spec A.3).
pub const LONGEST_CHARS: usize = 4096;
/// How many combinations the `$or`s of one pattern may multiply out to (spec B.4).
pub const MOST_COMBINATIONS: usize = 1000;
/// What an event must have to be tested against a pattern by TestEventPattern (spec B.4).
pub const ENVELOPE: [&str; 7] = ["id", "account", "source", "time", "region", "resources", "detail-type"];

/// A compiled event pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    conjunctions: Vec<Vec<Condition>>,
}

/// One path and what a value there must look like: any of the matchers.
#[derive(Clone, Debug)]
struct Condition {
    path: String,
    matchers: Vec<Matcher>,
}

/// Why a pattern is not one. The service answers InvalidEventPatternException with such a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {what}{}", place(.at))]
pub struct PatternError {
    /// Path of the offending field, joined with dots; empty at the root.
    pub at: String,
    /// What is wrong.
    pub what: String,
}

fn place(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!(" at {at}") }
}

/// An event handed to TestEventPattern that is not a whole event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// The pattern is not one.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The event is not one.
    #[error("Parameter Event is not valid. Reason: {0}")]
    Event(String),
}

impl Pattern {
    /// Compiles a pattern's text.
    ///
    /// # Errors
    /// Everything that spec B.1 and B.4 call an error; text longer than [`LONGEST_CHARS`]; more than
    /// [`MOST_COMBINATIONS`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.chars().count() > LONGEST_CHARS {
            return Err(PatternError {
                at: String::new(),
                what: format!("the pattern is longer than {LONGEST_CHARS} characters"),
            });
        }
        let value = serde_json::from_str(text)
            .map_err(|error| PatternError { at: String::new(), what: format!("not JSON: {error}") })?;
        Self::compile(&value)
    }

    /// Compiles a pattern that is already parsed JSON. Duplicate keys are gone by then: the last one won.
    ///
    /// # Errors
    /// As [`Pattern::parse`], except for the length of the text.
    pub fn compile(value: &Value) -> Result<Self, PatternError> {
        compile::compile(value).map(|conjunctions| Self { conjunctions })
    }

    /// Whether the event matches.
    pub fn matches(&self, event: &Value) -> bool {
        let fields = flat::flatten(event);
        self.conjunctions.iter().any(|conditions| satisfied(conditions, &fields, &Membership::new()))
    }
}

/// Whether the conditions hold for fields that agree with `chosen`, the array elements picked so far.
///
/// Conditions are tried in the order of their paths, as event-ruler does: that order decides what `exists: false` sees,
/// for a field counts as absent when it stands in none of the elements already chosen.
fn satisfied(conditions: &[Condition], fields: &[Field<'_>], chosen: &Membership) -> bool {
    let Some((condition, rest)) = conditions.split_first() else { return true };
    let mut present = false;
    let first = fields.partition_point(|field| field.path.as_str() < condition.path.as_str());
    for field in fields[first..].iter().take_while(|field| field.path == condition.path) {
        let Some(merged) = flat::agree(chosen, &field.membership) else { continue };
        present = true;
        if condition.matchers.iter().any(|matcher| matcher.accepts(field.value)) && satisfied(rest, fields, &merged) {
            return true;
        }
    }
    !present && condition.matchers.iter().any(Matcher::accepts_absence) && satisfied(rest, fields, chosen)
}

/// What TestEventPattern answers.
///
/// # Errors
/// When the pattern is not one, or the event lacks a field of the envelope.
pub fn test_event_pattern(pattern: &str, event: &str) -> Result<bool, TestError> {
    let pattern = Pattern::parse(pattern)?;
    let event: Value = serde_json::from_str(event).map_err(|error| TestError::Event(format!("not JSON: {error}")))?;
    for field in ENVELOPE {
        if event.get(field).is_none() {
            return Err(TestError::Event(format!("the event has no field \"{field}\"")));
        }
    }
    Ok(pattern.matches(&event))
}
