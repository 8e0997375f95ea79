//! The in-process face: no sockets, no threads, no wall clock.
//!
//! | to learn | read |
//! |---|---|
//! | a change as the fact an observer would read out of its event | [`facts`] |
//! | what List and Describe calls would answer | [`answers`] |
//! | what the calls of remedies do | [`acts`] |
//! | the engine's loop turned in virtual time | [`drive`] |
//! | a journal that keeps nothing, for measurements | [`forgetful`] |
//! | the same account behind the engine's asynchronous port | [`cloud`] |

pub mod acts;
pub mod answers;
pub mod cloud;
pub mod drive;
pub mod facts;
pub mod forgetful;

pub use cloud::SimulatedCloud;
pub use drive::{Drive, Mode, Watcher, drive};
