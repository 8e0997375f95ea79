//! The CloudWatch Logs Insights language, and the filter patterns of CloudWatch Logs: read, checked, explained.
//!
//! Nothing here runs a query: no clock, no disk, no engine. What only needs to read the language does not wait for one to
//! compile, and two engines can be held against one meaning.
//!
//! | module | what it is |
//! |---|---|
//! | [`lexer`], [`parser`] | from characters to words, from words to a tree |
//! | [`ast`] | the tree; it prints as a query that is read as the same tree |
//! | [`mod@check`] | what a query reads and gives, and whether its commands may stand as they do |
//! | [`command`], [`function`] | the tables of both |
//! | [`value`], [`rules`] | what values mean, its uncertain rows marked and configurable |
//! | [`evaluate`] | an expression for one row |
//! | [`extract`], [`record`] | fields out of texts and of JSON |
//! | [`filter_pattern`] | the other, smaller language: filters of metrics, subscriptions and searches |
//! | [`error`] | what is wrong, where, and what may have been meant |

#![forbid(unsafe_code)]

pub mod ast;
pub mod check;
pub mod command;
pub mod error;
pub mod evaluate;
pub mod extract;
pub mod filter_pattern;
pub mod function;
pub mod lexer;
pub mod limits;
pub mod parser;
pub mod period;
pub mod record;
pub mod regex;
pub mod rules;
pub mod span;
pub mod value;

pub use check::{Checked, check, compile};
pub use error::QueryError;
pub use filter_pattern::FilterPattern;
pub use parser::parse;
