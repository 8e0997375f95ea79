//! A pretend AWS account with its own truth, on virtual time or on the wire.
//!
//! It shares no belief with whoever watches it: it links the engine's port types and drives the engine's loop, and knows
//! of no decision.
//!
//! | to learn | read |
//! |---|---|
//! | what there is: hosts, machines, agents, groups, services, tasks | [`world`] |
//! | virtual time, and chance that can be repeated | [`clock`], [`seed`] |

pub mod clock;
pub mod seed;
pub mod world;
