//! What muster believes about ECS hosts, and what it decides.
//!
//! The promise: nothing in here reads a clock, a socket, a random number, the environment or the order of a hash map.
//! The same inputs in the same order give the same beliefs and the same effects, on every machine, for ever.
//!
//! | to learn | read |
//! |---|---|
//! | the only door: an input goes in, effects come out | [`step`] |
//! | dated facts and where they come from | [`observation`] |
//! | what goes in and what is asked of the shell | [`input`], [`effect`] |
//! | the beliefs themselves, packed | [`host`], [`machine`], [`task`], [`cluster`], [`names`], [`slab`] |
//! | how facts become beliefs; duplicates, stale facts, gaps | [`apply`], [`admission`] |
//! | roll call: witnesses to verdict, reasons, confidence | [`verdict`], [`judge`] |
//! | open troubles and their one transition table | [`case`] |
//! | too many at once: doubt, named by its cohort | [`doubt`] |
//! | what would be done, and why not | [`remedy`] |
//! | how much is waited and tolerated | [`policy`] |
//! | what is written down for ever | [`journal`] |
//! | invariants by id | [`invariant`] |
//! | what people are shown | [`view`] |
//! | surviving a restart | [`snapshot`] |

pub mod admission;
pub mod effect;
pub mod id;
pub mod input;
pub mod journal;
pub mod observation;
pub mod policy;
pub mod remedy;
pub mod snapshot;
pub mod step;
pub mod verdict;
pub mod view;

pub use step::{Fleet, step};
