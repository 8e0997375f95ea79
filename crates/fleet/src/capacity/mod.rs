//! Room: what tasks hold, and whether it can be had elsewhere.
//!
//! | to learn | read |
//! |---|---|
//! | network interfaces for tasks, by instance type | [`eni`] |
//! | whether the tasks of one host would find room on the others | [`room`] |

pub mod eni;
pub mod room;
