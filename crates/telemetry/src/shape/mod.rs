//! The text of a message with holes where values stood (decision 0014).
//!
//! In the text of a shape a hole is the character U+0001, the letters of its two forms, the length of the field's name in bytes, a
//! colon and the name. JSON never has that character outside of an escape, so it cannot be mistaken.

pub(crate) mod form;
mod rebuild;

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use form::{NumberForm, TextForm};
pub use rebuild::{RebuildError, message_column};

/// The most shapes of a group.
pub const SHAPES_MAX: usize = 4_096;
/// The longest text of a shape, in bytes.
pub const SHAPE_BYTES_MAX: usize = 64 << 10;
/// The most bytes that all shapes of a group have.
pub const ALL_SHAPES_BYTES_MAX: usize = 4 << 20;

const HOLE: char = '\u{1}';

/// A place in a message where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole<'a> {
    /// The text before it, from the last hole on.
    pub before: &'a str,
    /// The field whose value stands here; `null` where it has none.
    pub field: &'a str,
    pub(crate) number: NumberForm,
    pub(crate) text: TextForm,
}

/// A shape, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape<'a> {
    /// Its holes, in the order of the text.
    pub holes: Vec<Hole<'a>>,
    /// The text behind the last hole.
    pub after: &'a str,
}

impl<'a> Shape<'a> {
    /// Takes the text of a shape apart; nothing if it is none.
    pub fn of_text(text: &'a str) -> Option<Self> {
        let mut holes = Vec::new();
        let mut rest = text;
        while let Some((before, hole)) = rest.split_once(HOLE) {
            let (length, behind) = hole.get(2..)?.split_once(':')?;
            let field = behind.get(..length.parse().ok()?)?;
            let number = NumberForm::of_letter(hole.as_bytes()[0])?;
            let text = TextForm::of_letter(hole.as_bytes()[1])?;
            holes.push(Hole { before, field, number, text });
            rest = &behind[field.len()..];
        }
        Some(Self { holes, after: rest })
    }
}

/// Writes a hole into the text of a shape.
pub(crate) fn push_hole(shape: &mut String, field: &str, number: NumberForm, text: TextForm) {
    use std::fmt::Write;
    // Writing into a String cannot fail.
    let _ = write!(shape, "{HOLE}{}{}{}:{field}", number.letter(), text.letter(), field.len());
}

/// The shapes of a group; it only grows.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, i32, RandomState>,
    bytes: usize,
}

impl Shapes {
    /// Shapes that were learnt before, in the order of their numbers.
    pub fn of_texts(texts: Vec<Arc<str>>) -> Self {
        let numbers = (0..).zip(&texts).map(|(number, text)| (Arc::clone(text), number)).collect();
        let bytes = texts.iter().map(|text| text.len()).sum();
        Self { texts, numbers, bytes }
    }

    /// Their texts; `@shape` is an index into them.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether none was learnt yet.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The number of a shape, if it was learnt.
    pub(crate) fn find(&self, text: &str) -> Option<i32> {
        self.numbers.get(text).copied()
    }

    /// Learns a shape that is new and gives its number; nothing if there is no room for it.
    pub(crate) fn learn(&mut self, text: &str) -> Option<i32> {
        if self.texts.len() >= SHAPES_MAX
            || text.len() > SHAPE_BYTES_MAX
            || self.bytes + text.len() > ALL_SHAPES_BYTES_MAX
        {
            return None;
        }
        let number = self.texts.len() as i32;
        let text: Arc<str> = text.into();
        self.bytes += text.len();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_can_be_taken_apart() {
        let mut text = "{\"a\":".to_owned();
        push_hole(&mut text, "a", NumberForm::Shortest, TextForm::Plain);
        text.push_str(",\"1\u{e9}\":");
        push_hole(&mut text, "1:\u{e9}\u{1}x", NumberForm::Fixed(2), TextForm::Ascii);
        text.push('}');
        let shape = Shape::of_text(&text).unwrap();
        assert_eq!(shape.after, "}");
        let found: Vec<_> = shape.holes.iter().map(|hole| (hole.before, hole.field)).collect();
        assert_eq!(found, [("{\"a\":", "a"), (",\"1\u{e9}\":", "1:\u{e9}\u{1}x")]);
        assert_eq!((shape.holes[1].number, shape.holes[1].text), (NumberForm::Fixed(2), TextForm::Ascii));
    }

    #[test]
    fn what_is_no_shape_is_said_to_be_none() {
        for text in ["\u{1}", "\u{1}rj", "\u{1}rj9:a", "\u{1}zj1:a", "\u{1}rjx:a", "\u{1}\u{e9}j1:a"] {
            assert_eq!(Shape::of_text(text), None, "{text:?}");
        }
    }

    #[test]
    fn there_is_room_for_so_many_shapes() {
        let mut shapes = Shapes::default();
        for number in 0..SHAPES_MAX {
            assert_eq!(shapes.learn(&number.to_string()), Some(number as i32));
        }
        assert_eq!((shapes.find("7"), shapes.learn("new"), shapes.find("new")), (Some(7), None, None));
        assert_eq!(Shapes::default().learn(&"x".repeat(SHAPE_BYTES_MAX + 1)), None);
    }
}
