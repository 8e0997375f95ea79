//! What a value is compared with: a text with `*`, a number, a regular expression.

use std::cmp::Ordering;

use crate::{
    error::{ErrorKind, Fault, Outcome},
    regex::Regex,
    span::Span,
    value::{number_of_text, number_order},
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
        match &self.operand {
            Operand::Text { pattern, .. } => self.holds(wildcard(pattern, text), None),
            Operand::Regex(regex) => self.holds(regex.is_match(text), None),
            Operand::Number(_, typed) => {
                let order = number_order(text, typed);
                self.holds(order == Some(Ordering::Equal) || typed == text, order)
            }
        }
    }

    /// Whether a JSON number fulfils it; what is in quotes is no number (uncertain).
    pub(super) fn is_met_by_number(&self, number: f64, printed: &str) -> bool {
        match &self.operand {
            Operand::Text { quoted: true, .. } => self.holds(false, None),
            Operand::Text { pattern, .. } => self.holds(wildcard(pattern, printed), None),
            Operand::Regex(regex) => self.holds(regex.is_match(printed), None),
            Operand::Number(wanted, _) => self.holds(*wanted == number, number.partial_cmp(wanted)),
        }
    }

    /// Whether the relation holds of what is equal or not, and stands in this order to a number.
    fn holds(&self, equal: bool, order: Option<Ordering>) -> bool {
        match self.relation {
            Relation::Equal => equal,
            Relation::NotEqual => !equal,
            Relation::Less => order.is_some_and(Ordering::is_lt),
            Relation::LessEqual => order.is_some_and(Ordering::is_le),
            Relation::Greater => order.is_some_and(Ordering::is_gt),
            Relation::GreaterEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

/// Whether a whole text is what a pattern says, each `*` any characters, in time linear in both.
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
