//! The swarm: every seed tells another story, lives it through the engine's own turn in virtual time, and is judged by
//! those who know the truth. First everything goes wrong that can; then the faults heal, and what can be repaired must be.
//!
//! | to learn | read |
//! |---|---|
//! | a story as data | [`story`] |
//! | how a seed draws one, and its policy | [`draw`], [`policy`] |
//! | how one is lived and judged | [`live`] |
//! | how a failing one is made smaller | [`shrink`] |
//! | many of them at once, and what is said of them | [`many`] |
//! | which states were reached | [`coverage`] |

pub mod coverage;
pub mod draw;
pub mod live;
pub mod many;
pub mod policy;
pub mod shrink;
pub mod story;

pub use coverage::Coverage;
pub use draw::draw;
pub use live::{Lived, live};
pub use shrink::shrink;
pub use story::Story;

/// Seeds whose stories once failed, with the reason: `tests/seeds.txt`. They are lived first, always.
pub fn once_failed() -> impl Iterator<Item = (u64, &'static str)> {
    let lines = include_str!("../../tests/seeds.txt").lines();
    lines.filter_map(|line| {
        let (seed, why) = line.split_once(' ')?;
        Some((seed.parse::<u64>().ok()?, why))
    })
}
