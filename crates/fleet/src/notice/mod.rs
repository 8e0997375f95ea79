//! Who is told what, when, and how often.
//!
//! | to learn | read |
//! |---|---|
//! | a message as a receiver gets it, and whether it arrived | [`page`] |
//! | who is told: the route tree | [`route`] |

pub mod page;
pub mod route;
