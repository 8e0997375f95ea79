//! What people and scripts see: tables, JSON, NDJSON, colours.
//!
//! | to learn | read |
//! |---|---|
//! | names from outside cannot steer a terminal | [`escape`], [`json`] |
//! | columns that line up | [`table`] |
//! | moments and durations in words | [`moment`] |
//! | what stands out and in which colour | [`colour`] |
//! | a roll call | [`roll_call`] |
//! | cases | [`case`] |
//! | what room is left; how much of a task fits, and why not | [`capacity`], [`fit`], [`why`], [`bar`] |
//! | alerts and silences | [`alert`] |
//! | journal entries | [`journal`] |
//! | rows of queries | [`rows`] |
//! | how far a sweep has come | [`progress`] |

pub mod alert;
pub mod bar;
pub mod capacity;
pub mod case;
pub mod colour;
pub mod escape;
pub mod fit;
pub mod journal;
pub mod json;
pub mod moment;
pub mod progress;
pub mod roll_call;
pub mod rows;
pub mod table;
pub mod why;

use clap::ValueEnum;

/// How an answer is written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON value and nothing else.
    Json,
    /// One JSON object a line.
    Ndjson,
}
