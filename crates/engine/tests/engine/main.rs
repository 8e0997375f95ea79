//! The engine as a whole: journal, turns, recovery, the loop, single passes.

mod journal;
mod looping;
mod once;
mod recovery;
mod support;
