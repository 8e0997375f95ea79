//! The cluster query language: what `memberOf` constraints and filters of container instances are written in
//! (aws-semantics C.4).
//!
//! ```text
//! expression = term { ("or" | "||") term }        term = factor { ("and" | "&&") factor }
//! factor     = ("not" | "!") factor | "(" expression ")" | test
//! test       = subject ("exists" | "!exists" | operator argument)
//! ```
//!
//! Where ECS documents nothing, these are the readings: words of the language in any case; `and` binds closer than `or`;
//! a pattern must match the whole value; of an attribute that a host has not, `!=`, `!in` and `!~` hold and all else
//! does not; values are compared as numbers when both are numbers, else by their letters; a test of `task:group` holds
//! when a task of such a group is on the host, and its negation when none is.
//!
//! | to learn | read |
//! |---|---|
//! | what a query is, and asking it of a host | [`Expr`], [`Host`] |
//! | from text to query | `parse` |
//! | patterns, and which of Java's are refused | [`pattern`] |
//! | what is wrong with a text, and where | [`QueryError`] |

mod error;
mod parse;
pub mod pattern;

use std::cmp::Ordering;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::error::QueryError;
use self::pattern::Pattern;

/// A query, checked and ready to be asked. Equal when the texts are.
#[derive(Clone, Debug)]
pub struct Expr {
    text: String,
    node: Node,
}

#[derive(Clone, Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Subject, Check),
}

/// What a test asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    MachineId,
    RegisteredAt,
    RunningTasks,
    TaskGroup,
}

/// What a test wants of it.
#[derive(Clone, Debug)]
enum Check {
    Exists,
    Compare(Relation, Value),
    OneOf(Vec<String>),
    Matches(Pattern),
    /// The opposite: `!=`, `!in`, `!~`, `!exists`.
    Not(Box<Check>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Count(u64),
    Time(Timestamp),
    Version(Vec<u64>),
}

/// A host as a query sees it. What is not known is `None`.
pub trait Host {
    /// Whether its agent is connected.
    fn agent_connected(&self) -> Option<bool>;
    /// `1.105.1`.
    fn agent_version(&self) -> Option<&str>;
    /// The value of an attribute, empty when it has none; `None`: the host has no such attribute.
    fn attribute(&self, name: &str) -> Option<&str>;
    /// `i-…` or `mi-…`.
    fn machine_id(&self) -> Option<String>;
    /// When it registered.
    fn registered_at(&self) -> Option<Timestamp>;
    /// Tasks that ECS counts as running.
    fn running_tasks(&self) -> u32;
    /// Whether the group of any task on it is as wanted.
    fn any_group(&self, wanted: &mut dyn FnMut(&str) -> bool) -> bool;
}

impl Expr {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.trim().to_owned(), node: parse::parse(text)? })
    }

    /// Asks it of a host.
    pub fn holds(&self, host: &dyn Host) -> bool {
        self.node.holds(host)
    }

    /// Whether hosts with the same attributes give the same answer.
    pub fn asks_attributes_only(&self) -> bool {
        self.node.every_subject(&mut |subject| matches!(subject, Subject::Attribute(_)))
    }

    /// Whether the answer hangs on the groups of the tasks on a host: it may change as copies are placed.
    pub fn asks_groups(&self) -> bool {
        !self.node.every_subject(&mut |subject| *subject != Subject::TaskGroup)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expr {}

impl Serialize for Expr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Node {
    fn holds(&self, host: &dyn Host) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(host)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(host)),
            Self::Not(node) => !node.holds(host),
            Self::Test(subject, check) => test(subject, check, host),
        }
    }

    fn every_subject(&self, is: &mut dyn FnMut(&Subject) -> bool) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().all(|node| node.every_subject(is)),
            Self::Not(node) => node.every_subject(is),
            Self::Test(subject, _) => is(subject),
        }
    }
}

fn test(subject: &Subject, check: &Check, host: &dyn Host) -> bool {
    if let Check::Not(check) = check {
        return !test(subject, check, host);
    }
    let text = |value: Option<&str>| value.is_some_and(|value| check.accepts(value));
    match subject {
        Subject::AgentConnected => {
            text(host.agent_connected().map(|connected| if connected { "true" } else { "false" }))
        }
        Subject::AgentVersion => text(host.agent_version()),
        Subject::Attribute(name) => text(host.attribute(name)),
        Subject::MachineId => text(host.machine_id().as_deref()),
        Subject::RegisteredAt => match (check, host.registered_at()) {
            // Times are written in whole seconds: `==` could never hold if the part of a second counted.
            (Check::Compare(relation, Value::Time(wanted)), Some(at)) => {
                relation.is(at.as_second().cmp(&wanted.as_second()))
            }
            _ => false,
        },
        Subject::RunningTasks => match check {
            Check::Compare(relation, Value::Count(wanted)) => relation.is(u64::from(host.running_tasks()).cmp(wanted)),
            _ => false,
        },
        Subject::TaskGroup => host.any_group(&mut |group| check.accepts(group)),
    }
}

impl Check {
    /// Whether a value is as wanted.
    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::Compare(relation, wanted) => relation.is(match wanted {
                Value::Text(wanted) => match (value.parse::<f64>(), wanted.parse::<f64>()) {
                    (Ok(value), Ok(wanted)) if *relation != Relation::Equal => value.total_cmp(&wanted),
                    _ => value.cmp(wanted),
                },
                Value::Version(wanted) => match version(value) {
                    Some(version) => version.cmp(wanted),
                    None => return false,
                },
                Value::Count(_) | Value::Time(_) => return false,
            }),
            Self::OneOf(wanted) => wanted.iter().any(|wanted| wanted == value),
            Self::Matches(pattern) => pattern.matches(value),
            Self::Not(check) => !check.accepts(value),
        }
    }
}

impl Relation {
    fn is(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering == Ordering::Equal,
            Self::Greater => ordering == Ordering::Greater,
            Self::GreaterOrEqual => ordering != Ordering::Less,
            Self::Less => ordering == Ordering::Less,
            Self::LessOrEqual => ordering != Ordering::Greater,
        }
    }
}

/// `1.105.1` as numbers, without zeros at the end, so that `1.5` and `1.5.0` are one version.
fn version(text: &str) -> Option<Vec<u64>> {
    let mut numbers = text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

#[cfg(test)]
mod tests;
