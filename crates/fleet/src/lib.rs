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
//! | the beliefs themselves, packed | [`state`], [`host`], [`machine`], [`task`], [`cluster`], [`names`], [`pool`], [`key`], [`slab`] |
//! | how facts become beliefs; duplicates, stale facts, gaps | `apply`, [`admission`], [`content`], [`departed`] |
//! | roll call: witnesses to verdict, reasons, confidence | [`verdict`], [`judge`], [`roll_call`] |
//! | open troubles and their one transition table; deadlines | [`case`], [`review`], [`timer`], [`look`] |
//! | too many at once: doubt, named by its cohort | [`doubt`], [`cohort`] |
//! | what may be done, and the single calls it is made of | [`remedy`] |
//! | declared headroom, and the groups that keep it | [`keeping`] |
//! | what is free, what fits and why not, when it runs out | [`capacity`] |
//! | how much is waited and tolerated, what may be disturbed and when | [`policy`] |
//! | what an operator may ask for | [`operator`] |
//! | who is in charge of acting | [`charge`] |
//! | who is told what | [`notice`] |
//! | what is written down for ever | [`journal`] |
//! | invariants by id | [`invariant`] |
//! | what people are shown | [`view`] |
//! | who is there and what runs where, for records | [`census`] |
//! | surviving a restart | [`snapshot`] |

mod apply;

pub mod admission;
pub mod capacity;
pub mod case;
pub mod census;
pub mod charge;
pub mod cluster;
pub mod cohort;
pub mod content;
pub mod departed;
pub mod doubt;
pub mod effect;
pub mod glob;
pub mod host;
pub mod id;
pub mod input;
pub mod invariant;
pub mod journal;
pub mod judge;
pub mod keeping;
pub mod key;
pub mod look;
pub mod machine;
pub mod names;
pub mod notice;
pub mod observation;
pub mod operator;
pub mod policy;
pub mod pool;
pub mod remedy;
pub mod repair;
pub mod review;
pub mod roll_call;
pub mod slab;
pub mod snapshot;
pub mod state;
pub mod step;
pub mod task;
pub mod timer;
pub mod verdict;
pub mod view;

pub use step::{Fleet, step};
