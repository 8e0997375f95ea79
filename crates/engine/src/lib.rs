//! The loop around the core, and the only place that performs effects.
//!
//! | to learn | read |
//! |---|---|
//! | what the loop needs from the world, on one page | [`ports`] |

pub mod ports;
