//! One lease for several musters, in virtual time, with an epoch that grows at each change of holder.

use crate::clock::{Moment, SECOND};

/// How long it is held without being renewed.
pub const LASTS_MS: i64 = 90 * SECOND;
/// How often it is renewed.
pub const RENEWED_MS: i64 = 30 * SECOND;
/// What must be left of it when a call begins: twice the longest call.
pub const LEFT_MS: i64 = 30 * SECOND;

/// The lease.
#[derive(Clone, Debug, Default)]
pub struct SimulatedLease {
    holder: Option<u8>,
    epoch: u64,
    until: Option<Moment>,
}

impl SimulatedLease {
    /// Nobody's yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes or renews it: the epoch and the end of the grant, or `None` when another holds it.
    pub fn hold(&mut self, by: u8, now: Moment) -> Option<(u64, Moment)> {
        let held = self.until.is_some_and(|until| until > now);
        if held && self.holder != Some(by) {
            return None;
        }
        if self.holder != Some(by) || !held {
            self.epoch += 1;
        }
        self.holder = Some(by);
        let until = now.plus(LASTS_MS);
        self.until = Some(until);
        Some((self.epoch, until))
    }
}
