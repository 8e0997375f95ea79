//! Logs Insights queries, run by DataFusion over what telemetry keeps.
//!
//! | module | what it is |
//! |---|---|
//! | [`engine`] | what queries may use, all together |
//! | [`run`] | a query from its text to its rows |
//! | `glimpse` | what is shown of a long query at once |
//! | `newest` | queries that want the newest records alone |
//! | `slices` | few rows at a time, where lists are made of them |
//! | `compact` | rows that are kept, in memory of their own |
//! | [`result`], [`statistics`] | what comes out, and what it cost |
//! | [`kind`], `cells` | the types of columns, and values out of them |
//! | `plan` | from commands to a plan |
//! | `operation`, `aggregate` | functions that DataFusion has not |
//! | `scan` | the rows of a group as a table |
//! | [`rollup`] | which queries roll-ups answer, and with which files |
//! | [`codec`] | plans as bytes |
//! | [`lookup`], [`pointer`] | uploaded tables; pointers to records |
//! | `explain` | how a query was run, in words |
//! | [`export`] | results for other programs |
//! | [`error`] | why there is no result |

#![forbid(unsafe_code)]

mod aggregate;
mod cells;
pub mod codec;
mod compact;
pub mod engine;
pub mod error;
mod explain;
pub mod export;
mod glimpse;
pub mod kind;
pub mod lookup;
mod newest;
mod operation;
mod plan;
pub mod pointer;
pub mod result;
pub mod rollup;
pub mod run;
mod scan;
mod slices;
pub mod statistics;

pub use engine::{Engine, EngineConfig};
pub use error::QueryFailed;
pub use result::{QueryResult, Row};
pub use run::{Request, Running};
