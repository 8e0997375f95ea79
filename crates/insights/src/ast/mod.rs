//! Queries as trees. Two trees are equal if they mean the same words in the same order: spans and spacing do not count.
//!
//! `Display` prints a query that is read as the same tree.

mod command;
mod expression;
mod print;
mod print_command;
mod source;

pub use command::{
    AddTotals, AppendColumns, Autoregress, Command, FieldRef, Fill, IndexTest, IndexWanted, Item, Join, JoinKind,
    KeyPair, Limit, LimitForm, Lookup, Name, Outlier, OutlierAction, Output, Parse, ParseMode, Sessionize, SortKey,
    Spanned, Stats, TimeShift, Verb, Wild,
};
pub use expression::{
    Call, Comparison, Expr, ExprKind, In, Like, LikePattern, Logic, NumberLiteral, Operator, Part, Path, Place,
};
pub use source::{Instant, Source, SourceKind, Tag};

/// A query: where from, and what to do with it, one command after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The log groups, if the query names them itself.
    pub source: Option<Source>,
    /// The commands in their order, at least one.
    pub commands: Vec<Command>,
}
