//! Telling unversioned events apart by what they say (spec A.2): service actions, deployments, unknown events.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::BuildHasher as _,
};

use serde::{Deserialize, Serialize};

use crate::names::HASHER;

/// How many contents are remembered: the redeliveries of a day are minutes, not thousands of events, apart.
const REMEMBERED: usize = 8192;

/// Fingerprints of the contents seen lately.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ContentKeys {
    order: VecDeque<u64>,
    seen: BTreeSet<u64>,
}

impl ContentKeys {
    /// The fingerprint of a content.
    pub fn print(parts: &[&str]) -> u64 {
        HASHER.hash_one(parts)
    }

    /// Whether this content was seen lately.
    pub fn holds(&self, print: u64) -> bool {
        self.seen.contains(&print)
    }

    /// Remembers a content.
    pub fn remember(&mut self, print: u64) {
        if self.seen.insert(print) {
            self.order.push_back(print);
        }
        while self.order.len() > REMEMBERED {
            if let Some(print) = self.order.pop_front() {
                self.seen.remove(&print);
            }
        }
    }
}
