//! How pages reach people: what receivers get, what becomes of a page that they refuse, and that no secret is told to
//! anybody but them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod retries;
mod samples;
mod secrets;
mod shapes;
mod sink;
mod wire;
