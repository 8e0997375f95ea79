//! What a value is compared with: a text with `*`, a number, a regular expression.

use std::cmp::Ordering;

use crate::{
    error::{ErrorKind, Fault, Outcome},
    regex::Regex,
    span::Span,
    value::number_of_text,
};

use super::cursor::Cursor;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// What a value is compared with.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// In quotes, or a word; `*` stands for any characters.
    Text {
        pattern: String,
        quoted: bool,
    },
    /// A number, as typed.
    Number(f64, String),
    Regex(Regex),
}

/// A comparison.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) relation: Relation,
    pub(super) operand: Operand,
}

impl Cursor<'_> {
    /// A relation and what follows it.
    pub(super) fn condition(&mut self) -> Outcome<Option<Condition>> {
        const RELATIONS: [(&str, Relation); 6] = [
            ("!=", Relation::NotEqual),
            ("<=", Relation::LessEqual),
            (">=", Relation::GreaterEqual),
            ("=", Relation::Equal),
            ("<", Relation::Less),
            (">", Relation::Greater),
        ];
        self.blanks();
        let start = self.at;
        if self.sign("==") {
            return Err(self.fault(start, "`==` is no operator here, one `=` compares").or("="));
        }
        let Some((_, relation)) = RELATIONS.into_iter().find(|(sign, _)| self.sign(sign)) else {
            return Ok(None);
        };
        let before = self.at;
        let operand = self.operand()?;
        let ordered = !matches!(relation, Relation::Equal | Relation::NotEqual);
        if ordered && !matches!(operand, Operand::Number(..)) {
            let message = "only numbers are less or more";
            return Err(Fault::new(ErrorKind::Argument, Span::new(before, self.at), message));
        }
        Ok(Some(Condition { relation, operand }))
    }

    fn operand(&mut self) -> Outcome<Operand> {
        match self.peek() {
            Some('"') => Ok(Operand::Text { pattern: self.quoted()?, quoted: true }),
            Some('%') => Ok(Operand::Regex(self.regex()?)),
            _ => {
                let start = self.at;
                let bare = self.take_while(|char| char.is_alphanumeric() || "_*.+-".contains(char));
                if bare.is_empty() {
                    return Err(
                        self.unexpected("a value: a word, a number, a text in quotes or a `%regular expression%`")
                    );
                }
                if let Some(number) = number_of_text(bare) {
                    return Ok(Operand::Number(number, bare.to_owned()));
                }
                if bare.contains(['+', '-']) {
                    return Err(self.fault(start, format!("`{bare}` stands in quotes")).or(format!("\"{bare}\"")));
                }
                Ok(Operand::Text { pattern: bare.to_owned(), quoted: false })
            }
        }
    }
}

impl Condition {
    /// Whether a text fulfils it.
    pub(super) fn is_met_by_text(&self, text: &str) -> bool {
        self.of(
            |operand| match operand {
                Operand::Text { pattern, .. } => wildcard(pattern, text),
                Operand::Number(number, typed) => number_of_text(text) == Some(*number) || typed == text,
                Operand::Regex(regex) => regex.is_match(text),
            },
            number_of_text(text),
        )
    }

    /// Whether a JSON number fulfils it; what is in quotes is no number (uncertain).
    pub(super) fn is_met_by_number(&self, number: f64, printed: &str) -> bool {
        self.of(
            |operand| match operand {
                Operand::Text { quoted: true, .. } => false,
                Operand::Text { pattern, .. } => wildcard(pattern, printed),
                Operand::Number(wanted, _) => *wanted == number,
                Operand::Regex(regex) => regex.is_match(printed),
            },
            Some(number),
        )
    }

    fn of(&self, equals: impl Fn(&Operand) -> bool, number: Option<f64>) -> bool {
        let order = match (&self.operand, number) {
            (Operand::Number(wanted, _), Some(number)) => number.partial_cmp(wanted),
            _ => None,
        };
        match self.relation {
            Relation::Equal => equals(&self.operand),
            Relation::NotEqual => !equals(&self.operand),
            Relation::Less => order.is_some_and(Ordering::is_lt),
            Relation::LessEqual => order.is_some_and(Ordering::is_le),
            Relation::Greater => order.is_some_and(Ordering::is_gt),
            Relation::GreaterEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

/// Whether a whole text is what a pattern says, each `*` any characters. Time grows with the product of both at worst.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
