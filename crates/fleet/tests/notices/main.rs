//! Who is told what: stories drawn at random, storms of many sizes, and receivers that cannot be reached.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

mod account;
mod drawn;
mod storm;
mod told;
