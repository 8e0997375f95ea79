//! Texts that many things share (zones, AMIs, ARN prefixes), kept once and named by a small number.

use std::num::NonZeroU32;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use std::hash::BuildHasher as _;

/// The number of a kept text. Equal texts have equal numbers; the order of numbers is the order of first sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(NonZeroU32);

/// A fixed seed: the order inside the table is never observed, but the same journal should cost the same everywhere.
pub(crate) const HASHER: FixedState = FixedState::with_seed(0x6d75_7374_6572);

/// The kept texts.
#[derive(Debug, Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    index: HashTable<Name>,
}

impl Names {
    /// The number of `text`, kept from now on.
    pub fn keep(&mut self, text: &str) -> Name {
        let hash = HASHER.hash_one(text);
        if let Some(name) = self.index.find(hash, |name| &*self.texts[name.slot()] == text) {
            return *name;
        }
        let number = u32::try_from(self.texts.len() + 1).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        let name = Name(number);
        self.texts.push(text.into());
        let texts = &self.texts;
        self.index.insert_unique(hash, name, |name| HASHER.hash_one(&*texts[name.slot()]));
        name
    }

    /// The number of `text`, if it is kept.
    pub fn find(&self, text: &str) -> Option<Name> {
        self.index.find(HASHER.hash_one(text), |name| &*self.texts[name.slot()] == text).copied()
    }

    /// The text behind a number.
    pub fn text(&self, name: Name) -> &str {
        self.texts.get(name.slot()).map_or("", |text| text)
    }

    /// The text behind a number, owned.
    pub fn owned(&self, name: Option<Name>) -> Option<String> {
        name.map(|name| self.text(name).to_owned())
    }
}

impl Name {
    fn slot(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The bare number, for packing.
    pub(crate) fn number(self) -> u32 {
        self.0.get()
    }

    /// From a bare number.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut names = Self::default();
        for text in Vec::<Box<str>>::deserialize(deserializer)? {
            names.keep(&text);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_number_and_are_found_again() {
        let mut names = Names::default();
        let a = names.keep("eu-central-1a");
        let b = names.keep("eu-central-1b");
        assert_ne!(a, b);
        assert_eq!(names.keep("eu-central-1a"), a);
        assert_eq!((names.text(b), names.find("nowhere")), ("eu-central-1b", None));
    }
}
