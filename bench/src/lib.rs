//! What the measurements share: made-up worlds and their events, the patterns, and the figures of this process.
//!
//! | to learn | read |
//! |---|---|
//! | the events that are decoded | [`corpus`] |
//! | the eight patterns, as EventBridge writes them and as predicates on what was decoded | [`pattern`] |
//! | hosts that come and go when a schedule says so, as the engine's cloud | [`account`] |
//! | a receiver of pages | [`sink`] |
//! | muster's own loop, journal and senders between the two | [`rig`] |
//! | quantiles of durations | [`histogram`] |
//! | calls of the API in a day, beside those of the seed | [`ledger`] |
//! | CPU time and memory of this process | [`usage`] |

pub mod account;
pub mod corpus;
pub mod histogram;
pub mod ledger;
pub mod pattern;
pub mod rig;
pub mod sink;
pub mod usage;
