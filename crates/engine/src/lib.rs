//! The loop around the core, and the only place that performs effects.
//!
//! | to learn | read |
//! |---|---|
//! | what the loop needs from the world, on one page | [`ports`] |
//! | input, step, journal, effects: one turn, in any kind of time | [`turn`] |
//! | what a turn counts | [`counters`] |
//! | coming back after a stop or a crash | [`mod@recover`] |
//! | proving that the journal's inputs give the journal's records | [`mod@check`] |
//! | the loop of `muster serve` | [`run`] |
//! | a single pass, `muster scan` | [`once`] |
//! | the journal: SQLite, hash chain, snapshots, retention | [`journal`] |
//! | how often something is told that changes now and then | [`cadence`] |
//! | the wall clock | [`clock`] |

#![forbid(unsafe_code)]

pub mod cadence;
pub mod check;
pub mod clock;
pub mod counters;
pub mod journal;
mod kept;
pub mod once;
pub mod ports;
pub mod recover;
pub mod run;
pub mod turn;

pub use once::run_once;
pub use recover::recover;
pub use run::{Engine, Handle, Options, Ports, performing};
pub use turn::{Arrival, Taken, Turn, TurnError};
