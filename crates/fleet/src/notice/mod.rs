//! Who is told what, when, and how often.
//!
//! | to learn | read |
//! |---|---|
//! | a message as a receiver gets it, and whether it arrived | [`page`] |
//! | who is told: the route tree | [`route`] |

pub mod page;
pub mod route;

use crate::{effect::Effect, journal::Trouble, notice::page::Delivery, operator::Asked, state::Fleet};

impl Fleet {
    /// What became of a page.
    pub(crate) fn told(&mut self, _delivery: &Delivery<'_>, _effects: &mut Vec<Effect>) {}

    /// Sends no pages about these for a while. Returns what was asked in words, and the answer.
    pub(crate) fn silence(
        &mut self,
        _clusters: &[String],
        _troubles: &[Trouble],
        _hosts: &[String],
        _secs: u32,
        _asked: &Asked<'_>,
    ) -> (String, Result<String, String>) {
        ("silence".to_owned(), Err("there are no pages yet".to_owned()))
    }

    /// Ends a silence.
    pub(crate) fn unsilence(&mut self, _silence: u32) -> Result<String, String> {
        Err("there are no pages yet".to_owned())
    }
}
