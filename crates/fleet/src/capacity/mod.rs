//! Room: what is free, what fits into it, why something does not, and when it runs out.
//!
//! | to learn | read |
//! |---|---|
//! | network interfaces for tasks, by instance type | [`eni`] |
//! | what is free on hosts, zones, clusters and capacity providers; as people are shown it | [`headroom`], [`view`] |
//! | what a task needs | [`shape`] |
//! | where it may go, and the language constraints are written in | [`placement`], [`query`] |
//! | the placement twin: hosts as ECS's scheduler sees them | [`twin`] |
//! | how many more copies fit, and what stops the next | [`fit`], [`limit`] |
//! | where the next copies go; shared out among capacity providers | [`place`], [`share`] |
//! | why a task is not placed, and the smallest changes after which it is | [`explain`], [`change`] |
//! | when something runs out; of each cluster and zone | [`forecast`], [`foresight`] |
//! | whether to launch or to end machines for a declared headroom | [`keeper`] |
//! | whether the tasks of one host would find room on the others | [`room`] |

pub mod change;
pub mod eni;
pub mod explain;
pub mod fit;
pub mod forecast;
pub mod foresight;
pub mod headroom;
pub mod keeper;
pub mod limit;
pub mod place;
pub mod placement;
pub mod query;
pub mod room;
pub mod shape;
pub mod share;
pub mod twin;
pub mod view;
