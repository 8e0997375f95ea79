//! What is over, remembered for a while, so that a late event does not bring it back.

use std::collections::VecDeque;

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{host::Millis, key::Key};

/// Room is made for so many at least when there is none left, and for an eighth of what there is.
const ROOM_MIN: usize = 64;

/// Tasks or hosts that are over. Bounded: what is forgotten leaves its time behind, and an older event about a stranger is
/// looked up before it is trusted.
#[derive(Debug, Default)]
pub struct Departed {
    /// In the order in which they departed.
    order: VecDeque<Gone>,
    /// The number of each, counted from the first that ever departed; 32 bits of it are enough to tell those apart that
    /// are remembered.
    numbers: HashTable<u32>,
    /// The number of the first in `order`.
    first: u32,
    forgotten_until: Millis,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Gone {
    key: Key,
    version: i64,
    at: Millis,
}

impl Departed {
    /// Remembers one with its last version and time, and forgets the oldest past `limit`.
    pub fn remember(&mut self, key: Key, version: i64, at: Millis, limit: usize) {
        if let Some(place) = self.place(&key) {
            self.order[place].version = version;
        } else {
            self.push(Gone { key, version, at });
        }
        while self.order.len() > limit {
            self.forget_oldest();
        }
    }

    /// Whether an event with this version tells of a time before its subject was over.
    pub fn outlived(&self, key: &Key, version: Option<i64>) -> bool {
        self.place(key).is_some_and(|place| version.is_none_or(|version| version <= self.order[place].version))
    }

    /// Whether an event of this time about a stranger may be about something forgotten.
    pub fn may_have_forgotten(&self, at: Millis) -> bool {
        at <= self.forgotten_until
    }

    fn place(&self, key: &Key) -> Option<usize> {
        let place = |number: u32| number.wrapping_sub(self.first) as usize;
        self.numbers.find(key.hash(), |&number| self.order[place(number)].key == *key).map(|&number| place(number))
    }

    fn push(&mut self, gone: Gone) {
        if self.order.len() == self.order.capacity() {
            // A ring uses all of its room sooner or later; doubling it would waste up to half.
            self.order.reserve_exact((self.order.len() / 8).max(ROOM_MIN));
        }
        let number = self.first.wrapping_add(self.order.len() as u32);
        self.order.push_back(gone);
        let (order, first) = (&self.order, self.first);
        self.numbers
            .insert_unique(gone.key.hash(), number, |number| order[number.wrapping_sub(first) as usize].key.hash());
    }

    fn forget_oldest(&mut self) {
        let Some(gone) = self.order.front() else { return };
        if let Ok(entry) = self.numbers.find_entry(gone.key.hash(), |&number| number == self.first) {
            entry.remove();
        }
        self.forgotten_until = self.forgotten_until.max(gone.at);
        self.order.pop_front();
        self.first = self.first.wrapping_add(1);
    }
}

impl Serialize for Departed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.order, self.forgotten_until).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Departed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (order, forgotten_until) = <(Vec<Gone>, Millis)>::deserialize(deserializer)?;
        let mut departed = Self { forgotten_until, ..Self::default() };
        departed.order.reserve_exact(order.len());
        for gone in order {
            departed.push(gone);
        }
        Ok(departed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::Names;

    fn keys(count: usize) -> Vec<Key> {
        let mut names = Names::default();
        (0..count).map(|number| Key::keep_arn(&mut names, &format!("task/prod/{number}"))).collect()
    }

    #[test]
    fn what_is_over_stays_over_until_a_newer_version_says_otherwise() {
        let key = keys(1)[0];
        let mut departed = Departed::default();
        departed.remember(key, 6, 1000, 2);
        assert!(departed.outlived(&key, Some(5)) && departed.outlived(&key, Some(6)));
        assert!(!departed.outlived(&key, Some(7)));
    }

    #[test]
    fn what_is_forgotten_leaves_its_time_behind() {
        let mut departed = Departed::default();
        for (key, at) in keys(3).into_iter().zip([1000, 2000, 3000]) {
            departed.remember(key, 6, at, 2);
        }
        assert!(departed.may_have_forgotten(1000) && !departed.may_have_forgotten(1001));
    }

    #[test]
    fn room_is_at_most_an_eighth_more_than_what_is_remembered() {
        let mut departed = Departed::default();
        for key in keys(20_000) {
            departed.remember(key, 1, 0, 8_836);
        }
        assert!((8_836..=8_836 * 9 / 8 + 2).contains(&departed.order.capacity()), "{}", departed.order.capacity());
    }

    proptest! {
        #[test]
        fn the_last_ones_are_remembered_with_their_last_versions_also_after_a_restart(
            told in prop::collection::vec((0..12_usize, 0..5_i64), 0..60), limit in 1..8_usize,
        ) {
            let keys = keys(12);
            let mut departed = Departed { first: u32::MAX - 20, ..Departed::default() };
            let mut reference: Vec<(usize, i64)> = Vec::new();
            for (at, (key, version)) in told.into_iter().enumerate() {
                departed.remember(keys[key], version, at as Millis, limit);
                match reference.iter_mut().find(|it| it.0 == key) {
                    Some(found) => found.1 = version,
                    None => reference.push((key, version)),
                }
                let over = reference.len().saturating_sub(limit);
                reference.drain(..over);
                let bytes = postcard::to_stdvec(&departed).unwrap();
                let restored: Departed = postcard::from_bytes(&bytes).unwrap();
                for (number, key) in keys.iter().enumerate() {
                    let version = reference.iter().find(|it| it.0 == number).map(|it| it.1);
                    for asked in 0..5 {
                        let expected = version.is_some_and(|version| asked <= version);
                        prop_assert_eq!(departed.outlived(key, Some(asked)), expected);
                        prop_assert_eq!(restored.outlived(key, Some(asked)), expected);
                    }
                }
            }
        }
    }
}
