//! What the measurements share: a made-up world and its events, the patterns, and the figures of this process.
//!
//! | to learn | read |
//! |---|---|
//! | the events that are decoded | [`corpus`] |
//! | the eight patterns, as EventBridge writes them and as predicates on what was decoded | [`pattern`] |
//! | CPU time and memory of this process | [`usage`] |

pub mod corpus;
pub mod pattern;
pub mod usage;
