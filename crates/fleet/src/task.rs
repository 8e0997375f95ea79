//! What is believed of one task: as little as the roll call needs, since there are fifty a host.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    host::Millis,
    key::Key,
    names::Name,
    observation::TaskStatus,
    slab::{Keyed, Slot},
};

/// One task that is not over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Task ARN.
    pub key: Key,
    /// Last version believed, or [`UNVERSIONED`](crate::host::UNVERSIONED).
    pub version: i64,
    /// `at` of the fact last believed.
    pub fact_at: Millis,
    /// Its host, or [`NONE`](crate::slab::NONE): not placed, or Fargate.
    pub host: Slot,
    /// Next task on the same host.
    pub next: Slot,
    /// Previous task on the same host.
    pub previous: Slot,
    /// `service:NAME` or `family:NAME`.
    pub group: Option<Name>,
    /// Cluster ARN.
    pub cluster: Name,
    /// `lastStatus`.
    pub status: TaskStatus,
    /// `desiredStatus` is RUNNING.
    pub desired_running: bool,
    /// Versions were skipped; a look is due.
    pub gap: bool,
    /// It holds a network interface of its own.
    pub awsvpc: bool,
}

impl Keyed for Task {
    fn key(&self) -> Key {
        self.key
    }
}

/// Tasks and hosts that are over, remembered for a while so that a late event does not bring them back. Bounded: what
/// is forgotten leaves its time behind, and an older event about a stranger is looked up before it is trusted.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Departed {
    order: VecDeque<(Key, Millis)>,
    versions: BTreeMap<Key, i64>,
    forgotten_until: Millis,
}

impl Departed {
    /// Remembers one with its last version and time, and forgets the oldest past `limit`.
    pub fn remember(&mut self, key: Key, version: i64, at: Millis, limit: usize) {
        if self.versions.insert(key, version).is_none() {
            self.order.push_back((key, at));
        }
        while self.order.len() > limit {
            if let Some((key, at)) = self.order.pop_front() {
                self.versions.remove(&key);
                self.forgotten_until = self.forgotten_until.max(at);
            }
        }
    }

    /// Whether an event with this version tells of a time before its subject was over.
    pub fn outlived(&self, key: &Key, version: Option<i64>) -> bool {
        self.versions.get(key).is_some_and(|last| version.is_none_or(|version| version <= *last))
    }

    /// Whether an event of this time about a stranger may be about something forgotten.
    pub fn may_have_forgotten(&self, at: Millis) -> bool {
        at <= self.forgotten_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    #[test]
    fn what_is_over_stays_over_until_a_newer_version_says_otherwise() {
        let mut names = Names::default();
        let key = Key::keep_arn(&mut names, "task/prod/a");
        let mut departed = Departed::default();
        departed.remember(key, 6, 1000, 2);
        assert!(departed.outlived(&key, Some(5)) && departed.outlived(&key, Some(6)));
        assert!(!departed.outlived(&key, Some(7)));
    }

    #[test]
    fn what_is_forgotten_leaves_its_time_behind() {
        let mut names = Names::default();
        let mut departed = Departed::default();
        for (number, at) in [(1, 1000), (2, 2000), (3, 3000)] {
            departed.remember(Key::keep_arn(&mut names, &format!("task/prod/{number}")), 6, at, 2);
        }
        assert!(departed.may_have_forgotten(1000) && !departed.may_have_forgotten(1001));
    }
}
