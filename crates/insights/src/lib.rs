//! The CloudWatch Logs Insights language, and the filter patterns of CloudWatch Logs: read, checked, explained.
//!
//! Nothing here runs a query: no clock, no disk, no engine. What only needs to read the language does not wait for one to
//! compile, and two engines can be held against one meaning.
//!
//! | module | what it is |
//! |---|---|
//! | [`lexer`], [`parser`] | from characters to words, from words to a tree |
//! | [`ast`] | the tree; it prints as a query that is read as the same tree |
//! | [`command`], [`function`] | the tables of both |
//! | [`value`], [`rules`] | what values mean, its uncertain rows marked and configurable |
//! | [`evaluate`] | an expression for one row |
//! | [`extract`], [`record`] | fields out of texts and of JSON |
//! | [`error`] | what is wrong, where, and what may have been meant |

pub mod ast;
pub mod command;
pub mod error;
pub mod evaluate;
pub mod extract;
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

pub use error::QueryError;
pub use parser::parse;
