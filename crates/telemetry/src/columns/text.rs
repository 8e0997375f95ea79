//! Columns of texts: each text once and a number per row, or one after the other where most differ.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// From so many different texts on, a column in which most differ keeps them one after the other.
const DIFFERENT_MAX: usize = 1 << 16;

/// Texts of a column, in the order of their rows.
#[derive(Clone, Debug)]
pub(crate) enum Texts {
    /// Each text once.
    Dictionary(Dictionary),
    /// One after the other.
    Plain(Plain),
}

/// Different texts, and which of them each row has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    /// The number of each row's text.
    pub(crate) ids: Vec<u32>,
    /// The texts.
    pub(crate) texts: Plain,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

/// Texts one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plain {
    text: String,
    ends: Vec<u32>,
}

impl Plain {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        // A builder is sealed long before it holds 4 GiB.
        self.ends.push(self.text.len() as u32);
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> &str {
        let from = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.text[from..self.ends[at] as usize]
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 4
    }
}

impl Dictionary {
    #[inline]
    fn push(&mut self, text: &str) {
        if let Some(&last) = self.ids.last()
            && self.texts.get(last as usize) == text
        {
            self.ids.push(last);
            return;
        }
        let hash = self.hasher.hash_one(text.as_bytes());
        let (texts, hasher) = (&mut self.texts, &self.hasher);
        let found = self.numbers.find(hash, |number| texts.get(*number as usize) == text).copied();
        let id = found.unwrap_or_else(|| {
            let number = texts.len() as u32;
            texts.push(text);
            self.numbers.insert_unique(hash, number, |number| hasher.hash_one(texts.get(*number as usize).as_bytes()));
            number
        });
        self.ids.push(id);
    }

    fn is_pointless(&self) -> bool {
        self.texts.len() >= DIFFERENT_MAX && self.texts.len() / 4 * 5 >= self.ids.len()
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::Dictionary(Dictionary::default())
    }
}

impl Texts {
    /// One after the other from the beginning, for texts that seldom repeat.
    pub(crate) fn plain() -> Self {
        Self::Plain(Plain::default())
    }

    #[inline]
    pub(crate) fn push(&mut self, text: &str) {
        match self {
            Self::Dictionary(dictionary) => {
                dictionary.push(text);
                if dictionary.is_pointless() {
                    self.lay_out();
                }
            }
            Self::Plain(plain) => plain.push(text),
        }
    }

    #[cold]
    fn lay_out(&mut self) {
        if let Self::Dictionary(dictionary) = self {
            let mut plain = Plain::default();
            dictionary.ids.iter().for_each(|id| plain.push(dictionary.texts.get(*id as usize)));
            *self = Self::Plain(plain);
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> &str {
        match self {
            Self::Dictionary(dictionary) => dictionary.texts.get(dictionary.ids[at] as usize),
            Self::Plain(plain) => plain.get(at),
        }
    }

    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Dictionary(it) => it.texts.bytes() + it.ids.capacity() * 4 + it.numbers.capacity() * 5,
            Self::Plain(plain) => plain.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_in_their_order() {
        let mut texts = Texts::default();
        let rows: Vec<String> = (0..1_000_u32).map(|row| format!("text {}", row * 7 % 13)).collect();
        rows.iter().for_each(|row| texts.push(row));
        assert!(rows.iter().enumerate().all(|(at, row)| texts.get(at) == row));
        assert!(matches!(texts, Texts::Dictionary(it) if it.texts.len() == 13));
    }

    #[test]
    fn texts_that_all_differ_are_kept_one_after_the_other() {
        let mut texts = Texts::default();
        (0..DIFFERENT_MAX + 10).for_each(|row| texts.push(&row.to_string()));
        assert!(matches!(texts, Texts::Plain(_)));
        assert_eq!((texts.get(0), texts.get(70)), ("0", "70"));
        assert_eq!(texts.get(DIFFERENT_MAX + 9), (DIFFERENT_MAX + 9).to_string());
    }
}
