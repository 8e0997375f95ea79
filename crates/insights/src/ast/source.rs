//! Where a query's records come from, when it says so itself.

use crate::{period::Period, span::Span};

/// `SOURCE …`
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Which log groups.
    pub kind: SourceKind,
    /// The beginning of the time, if said here.
    pub start: Option<Instant>,
    /// Its end.
    pub end: Option<Instant>,
    /// Where it stands.
    pub span: Span,
}

/// Which log groups.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// `SOURCE "a", "b"`
    Groups(Vec<String>),
    /// `SOURCE logGroups(…)`: all, narrowed down.
    Matching {
        /// Beginnings of names, at most 5.
        name_prefixes: Vec<String>,
        /// Accounts, at most 20.
        accounts: Vec<String>,
        /// `STANDARD`, `INFREQUENT_ACCESS`.
        classes: Vec<String>,
    },
    /// `SOURCE dataSource([…])`, at most 10.
    DataSources(Vec<String>),
    /// `SOURCE logGroupTags([…])`, at most 5 tags.
    Tagged(Vec<Tag>),
}

/// A tag that a log group must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// One of these values, at most 5; `*` and `!` as typed.
    pub values: Vec<String>,
}

/// An instant, as `SOURCE` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instant {
    /// `now`
    Now,
    /// `-1d`
    Ago(Period),
    /// Milliseconds since 1970, as DescribeQueries prints them.
    At(u64),
}
