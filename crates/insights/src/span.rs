//! Where in a text something stands.

/// A piece of a text, in bytes from its beginning; both ends are at borders of characters.
///
/// Any two spans are equal, so that trees compare by what they mean: where a query was typed is no part of that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// From the first byte to the one after the last.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The piece that reaches from the beginning of this to the end of another.
    #[must_use]
    pub fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end.max(self.start) }
    }

    /// The characters of the text that stand there; nothing, if the span is of another text.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}
