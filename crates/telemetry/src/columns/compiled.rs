//! A shape made ready for comparing messages with it.

use super::token::{Token, fits, fits_text, token, unescape};
use crate::shape::{
    Shape,
    form::{NumberForm, TextForm},
};

/// What a message has at a hole. Texts are ranges of bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Found {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// A part of the message.
    Text(u32, u32),
    /// A part of the texts that had escapes.
    Unescaped(u32, u32),
}

/// A shape with its literals in one piece.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    literals: Box<[u8]>,
    pub(crate) holes: Box<[Hole]>,
    after: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hole {
    /// Where the literal before it ends; it begins where the one before ended.
    end: u32,
    /// The number of the field.
    pub(crate) slot: u32,
    number: NumberForm,
    text: TextForm,
}

impl Compiled {
    /// Makes a shape ready; `slot` gives the number of a field.
    pub(crate) fn new(shape: &Shape<'_>, mut slot: impl FnMut(&str) -> u32) -> Self {
        let mut literals = Vec::new();
        let mut holes = Vec::with_capacity(shape.holes.len());
        for hole in &shape.holes {
            literals.extend_from_slice(hole.before.as_bytes());
            // Shapes are of some kilobytes.
            holes.push(Hole {
                end: literals.len() as u32,
                slot: slot(hole.field),
                number: hole.number,
                text: hole.text,
            });
        }
        let after = literals.len() as u32;
        literals.extend_from_slice(shape.after.as_bytes());
        Self { literals: literals.into(), holes: holes.into(), after }
    }

    /// Whether a message has this shape, and its values would be written as they stand there. The values go into `found`, those
    /// of texts with escapes into `unescaped`.
    pub(crate) fn scan(&self, message: &str, found: &mut Vec<Found>, unescaped: &mut String) -> bool {
        found.clear();
        unescaped.clear();
        let bytes = message.as_bytes();
        let (mut at, mut from) = (0, 0);
        for hole in &self.holes {
            let literal = &self.literals[from..hole.end as usize];
            if !bytes[at..].starts_with(literal) {
                return false;
            }
            at += literal.len();
            from = hole.end as usize;
            let Some((token, end)) = token(message, at) else { return false };
            let value = match token {
                Token::Integer(number) => Found::Integer(number),
                Token::Text => {
                    if hole.text != TextForm::Plain && !fits_text(hole.text, &message[at + 1..end - 1]) {
                        return false;
                    }
                    Found::Text(at as u32 + 1, end as u32 - 1)
                }
                Token::Float(number, digits) => {
                    if !fits(hole.number, &message[at..end], number, digits) {
                        return false;
                    }
                    Found::Float(number)
                }
                Token::Boolean(truth) => Found::Boolean(truth),
                Token::Null => Found::Null,
                Token::Escaped => {
                    let start = unescaped.len();
                    if !unescape(&message[at + 1..end - 1], unescaped)
                        || !is_printed_as(hole.text, &unescaped[start..], &message[at..end])
                    {
                        return false;
                    }
                    Found::Unescaped(start as u32, unescaped.len() as u32)
                }
                Token::Long => return false,
            };
            found.push(value);
            at = end;
        }
        bytes[at..] == self.literals[self.after as usize..]
    }
}

/// Whether a form writes a text as this token.
pub(crate) fn is_printed_as(form: TextForm, text: &str, token: &str) -> bool {
    let mut printed = String::with_capacity(token.len() + 16);
    form.print(text, &mut printed);
    printed == token
}
