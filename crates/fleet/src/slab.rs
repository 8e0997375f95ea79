//! Things in numbered slots, found by their key. Slots are reused; order of slots is order of arrival.

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::key::Key;

/// A slot number.
pub type Slot = u32;

/// No slot.
pub const NONE: Slot = Slot::MAX;

/// Something that has a key.
pub trait Keyed {
    /// Its key.
    fn key(&self) -> Key;
}

/// The slots and their index.
#[derive(Debug)]
pub struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<Slot>,
    index: HashTable<Slot>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { items: Vec::new(), free: Vec::new(), index: HashTable::new() }
    }
}

impl<T: Keyed> Slab<T> {
    /// The slot of a key.
    pub fn find(&self, key: &Key) -> Option<Slot> {
        self.index.find(key.hash(), |&slot| self.get(slot).is_some_and(|item| item.key() == *key)).copied()
    }

    /// The thing in a slot.
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.items.get(slot as usize)?.as_ref()
    }

    /// The thing in a slot, to change it. Its key must stay.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.items.get_mut(slot as usize)?.as_mut()
    }

    /// Puts a thing into a slot. Its key must be new.
    pub fn insert(&mut self, item: T) -> Slot {
        let hash = item.key().hash();
        let slot = match self.free.pop() {
            Some(slot) => {
                self.items[slot as usize] = Some(item);
                slot
            }
            None => {
                self.items.push(Some(item));
                (self.items.len() - 1) as Slot
            }
        };
        let items = &self.items;
        self.index.insert_unique(hash, slot, |&slot| key_hash(items, slot));
        slot
    }

    /// Takes a thing out of its slot.
    pub fn remove(&mut self, slot: Slot) -> Option<T> {
        let item = self.items.get_mut(slot as usize)?.take()?;
        if let Ok(entry) = self.index.find_entry(item.key().hash(), |&other| other == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(item)
    }

    /// All things, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.items.iter().enumerate().filter_map(|(slot, item)| item.as_ref().map(|item| (slot as Slot, item)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn key_hash<T: Keyed>(items: &[Option<T>], slot: Slot) -> u64 {
    items.get(slot as usize).and_then(Option::as_ref).map_or(0, |item| item.key().hash())
}

impl<T: Serialize> Serialize for Slab<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.items, &self.free).serialize(serializer)
    }
}

impl<'de, T: Keyed + Deserialize<'de>> Deserialize<'de> for Slab<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (items, free) = <(Vec<Option<T>>, Vec<Slot>)>::deserialize(deserializer)?;
        let mut index = HashTable::with_capacity(items.len() - free.len().min(items.len()));
        for (slot, item) in items.iter().enumerate() {
            if let Some(item) = item {
                index.insert_unique(item.key().hash(), slot as Slot, |&slot| key_hash(&items, slot));
            }
        }
        Ok(Self { items, free, index })
    }
}
