//! The engine as a whole: journal, turns, recovery, the loop, single passes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod journal;
mod looping;
mod once;
mod recovery;
mod support;
