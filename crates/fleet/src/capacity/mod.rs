//! Room: what is free, what fits into it, why something does not, and when it runs out.
//!
//! | to learn | read |
//! |---|---|
//! | network interfaces for tasks, by instance type | [`eni`] |
//! | what is free on hosts, zones, clusters and capacity providers | [`headroom`] |
//! | where a task may go: constraints, strategies, subnets | [`placement`] |
//! | whether the tasks of one host would find room on the others | [`room`] |

pub mod eni;
pub mod headroom;
pub mod placement;
pub mod room;
