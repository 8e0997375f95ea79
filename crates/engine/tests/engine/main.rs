//! The engine as a whole: journal, turns, recovery, the loop, single passes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod journal;
mod leading;
mod looping;
mod once;
mod operator;
mod performing;
mod recovery;
mod support;
mod telling;
