//! The in-process face: no sockets, no threads, no wall clock.
//!
//! | to learn | read |
//! |---|---|
//! | a change as the fact an observer would read out of its event | [`facts`] |
//! | what List and Describe calls would answer | [`answers`]; groups and demands: `rooms.rs` |
//! | what the calls of remedies do | [`acts`]; commands on hosts: `on_host.rs` |
//! | the engine's loop turned in virtual time | [`drive`], `muster.rs` |
//! | one of several musters is in charge | [`lease`] |
//! | a journal that outlives its muster, and may fail | [`shared`] |
//! | a journal that keeps nothing, for measurements | [`forgetful`] |
//! | the same account behind the engine's asynchronous port | [`cloud`] |

pub mod acts;
pub mod answers;
pub mod cloud;
pub mod drive;
pub mod facts;
pub mod forgetful;
pub mod lease;
mod muster;
mod on_host;
mod rooms;
pub mod shared;

pub use cloud::SimulatedCloud;
pub use drive::{Drive, Driven, Mode, Seat, Watcher, drive, drive_all};
pub use lease::SimulatedLease;
pub use shared::SharedJournal;
