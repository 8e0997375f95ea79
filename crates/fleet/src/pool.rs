//! Lists that many hosts share (attributes, ports), kept once while anybody uses them.

use std::{
    hash::{BuildHasher as _, Hash},
    num::NonZeroU32,
};

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::HASHER;

/// The number of a kept list. Equal lists have equal numbers while they are kept; numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shared(NonZeroU32);

/// The kept lists, each with the number of its users.
#[derive(Debug)]
pub struct Pool<T> {
    lists: Vec<Kept<T>>,
    free: Vec<Shared>,
    index: HashTable<Shared>,
}

/// A list and how many use it; nothing where a number is free.
type Kept<T> = Option<(Box<[T]>, u32)>;

impl Shared {
    fn slot(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { lists: Vec::new(), free: Vec::new(), index: HashTable::new() }
    }
}

impl<T: Hash + Eq + Clone> Pool<T> {
    /// The number of a list, which has one user more from now on.
    pub fn keep(&mut self, list: &[T]) -> Shared {
        let hash = HASHER.hash_one(list);
        if let Some(number) = self.index.find(hash, |number| self.list(*number) == list).copied() {
            if let Some(Some((_, users))) = self.lists.get_mut(number.slot()) {
                *users += 1;
            }
            return number;
        }
        let entry = Some((list.into(), 1));
        let number = match self.free.pop() {
            Some(number) => {
                self.lists[number.slot()] = entry;
                number
            }
            None => {
                self.lists.push(entry);
                let last = u32::try_from(self.lists.len()).ok().and_then(NonZeroU32::new);
                Shared(last.unwrap_or(NonZeroU32::MAX))
            }
        };
        let lists = &self.lists;
        self.index.insert_unique(hash, number, |number| hash_of(lists, *number));
        number
    }

    /// One user less; without any the list is forgotten.
    pub fn release(&mut self, number: Option<Shared>) {
        let Some(number) = number else { return };
        let Some(entry) = self.lists.get_mut(number.slot()) else { return };
        let Some((_, users)) = entry else { return };
        *users = users.saturating_sub(1);
        if *users > 0 {
            return;
        }
        let hash = hash_of(&self.lists, number);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == number) {
            found.remove();
        }
        self.lists[number.slot()] = None;
        self.free.push(number);
    }

    /// The list behind a number.
    pub fn list(&self, number: Shared) -> &[T] {
        self.lists.get(number.slot()).and_then(Option::as_ref).map_or(&[], |(list, _)| list)
    }

    /// How many lists are kept.
    pub fn len(&self) -> usize {
        self.lists.len() - self.free.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many use a list.
    pub fn users(&self, number: Shared) -> u32 {
        self.lists.get(number.slot()).and_then(Option::as_ref).map_or(0, |(_, users)| *users)
    }
}

fn hash_of<T: Hash>(lists: &[Kept<T>], number: Shared) -> u64 {
    lists.get(number.slot()).and_then(Option::as_ref).map_or(0, |(list, _)| HASHER.hash_one(&**list))
}

impl<T: Serialize> Serialize for Pool<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.lists, &self.free).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Hash> Deserialize<'de> for Pool<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (lists, free) = <(Vec<Kept<T>>, Vec<Shared>)>::deserialize(deserializer)?;
        let mut index = HashTable::new();
        for (slot, list) in lists.iter().enumerate() {
            if let (Some((list, _)), Some(number)) = (list, u32::try_from(slot + 1).ok().and_then(NonZeroU32::new)) {
                index.insert_unique(HASHER.hash_one(&**list), Shared(number), |number| hash_of(&lists, *number));
            }
        }
        Ok(Self { lists, free, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_kept_once_and_forgotten_with_their_last_user() {
        let mut pool = Pool::default();
        let (a, b) = (pool.keep(&[1, 2]), pool.keep(&[3]));
        assert_eq!((pool.keep(&[1, 2]), pool.len(), pool.users(a)), (a, 2, 2));
        pool.release(Some(a));
        assert_eq!(pool.list(a), [1, 2]);
        pool.release(Some(a));
        pool.release(None);
        assert_eq!((pool.list(a), pool.list(b), pool.len()), (&[][..], &[3][..], 1));
        assert_eq!(pool.keep(&[4]), a);
    }

    #[test]
    fn a_pool_comes_back_as_it_was_saved() {
        let mut pool = Pool::default();
        let (a, b) = (pool.keep(&[1_u8, 2]), pool.keep(&[3]));
        pool.release(Some(a));
        let bytes = postcard::to_allocvec(&pool).unwrap();
        let mut back: Pool<u8> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((back.keep(&[3]), back.keep(&[9]), back.list(b)), (b, a, &[3][..]));
    }
}
