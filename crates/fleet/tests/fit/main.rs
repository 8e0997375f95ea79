//! Headroom, fit, placement and its explanation from outside: facts go in, answers come out.
#![allow(clippy::unwrap_used, reason = "the facts are made here")]

mod account;
mod brute;
mod explained;
mod fits;
mod headroom;
mod placed;
mod shared_out;
mod speed;
