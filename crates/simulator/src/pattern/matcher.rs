//! What one value must look like (spec B.3, B.4).

use std::net::IpAddr;

use serde_json::Value;

/// One element of a leaf array.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// A string literal; an IP literal also equals the same address written otherwise.
    Text(String, Option<IpAddr>),
    Number(f64),
    Bool(bool),
    Null,
    Prefix(String),
    PrefixIgnoringCase(String),
    Suffix(String),
    SuffixIgnoringCase(String),
    IgnoringCase(String),
    Wildcard(Wildcard),
    /// A scalar is there, and none of these accepts it.
    AnythingBut(Vec<Matcher>),
    Numeric {
        lower: Option<(f64, bool)>,
        upper: Option<(f64, bool)>,
    },
    Present,
    Absent,
    Cidr {
        network: IpAddr,
        bits: u8,
    },
}

impl Matcher {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned(), text.parse().ok())
    }

    /// Whether this scalar will do.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Bool(wanted) => value.as_bool() == Some(*wanted),
            Self::Null => value.is_null(),
            Self::Present => true,
            Self::Absent => false,
            Self::AnythingBut(listed) => !listed.iter().any(|matcher| matcher.accepts(value)),
            Self::Number(wanted) => value.as_f64() == Some(*wanted),
            Self::Numeric { lower, upper } => value.as_f64().is_some_and(|number| {
                lower.is_none_or(|(bound, inclusive)| if inclusive { number >= bound } else { number > bound })
                    && upper.is_none_or(|(bound, inclusive)| if inclusive { number <= bound } else { number < bound })
            }),
            _ => value.as_str().is_some_and(|text| self.accepts_text(text)),
        }
    }

    /// Whether a field that is not there will do.
    pub(super) fn accepts_absence(&self) -> bool {
        matches!(self, Self::Absent)
    }

    fn accepts_text(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted, address) => {
                wanted == text || address.is_some_and(|address| text.parse() == Ok::<IpAddr, _>(address))
            }
            Self::Prefix(wanted) => text.starts_with(wanted.as_str()),
            Self::Suffix(wanted) => text.ends_with(wanted.as_str()),
            Self::PrefixIgnoringCase(wanted) => starts_alike(&mut text.chars(), wanted.chars()),
            Self::SuffixIgnoringCase(wanted) => starts_alike(&mut text.chars().rev(), wanted.chars().rev()),
            Self::IgnoringCase(wanted) => {
                let mut text = text.chars();
                starts_alike(&mut text, wanted.chars()) && text.next().is_none()
            }
            Self::Wildcard(wildcard) => wildcard.accepts(text),
            Self::Cidr { network, bits } => text.parse().is_ok_and(|address| inside(address, *network, *bits)),
            _ => false,
        }
    }
}

/// Whether `text` starts with `wanted`, ignoring case character by character; consumes what was compared.
fn starts_alike(text: &mut impl Iterator<Item = char>, wanted: impl Iterator<Item = char>) -> bool {
    for character in wanted {
        if !text.next().is_some_and(|other| alike(character, other)) {
            return false;
        }
    }
    true
}

/// Equal up to simple upper or lower folding of the one character: no normalisation, no folding into several.
fn alike(a: char, b: char) -> bool {
    a == b || a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase())
}

fn inside(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differing = u32::from(address) ^ u32::from(network);
            differing.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differing = u128::from(address) ^ u128::from(network);
            differing.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// A wildcard: literal pieces with one `*` between each two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard {
    pieces: Vec<String>,
}

impl Wildcard {
    /// Reads `\*`, `\\` and `*`.
    ///
    /// # Errors
    /// Any other escape; two adjacent stars.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut after_star = false;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if after_star => return Err(format!("two adjacent wildcard characters in \"{text}\"")),
                '*' => {
                    pieces.push(String::new());
                    after_star = true;
                    continue;
                }
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    _ => return Err(format!("only \\* and \\\\ may be escaped in the wildcard \"{text}\"")),
                },
                other => other,
            };
            after_star = false;
            if let Some(piece) = pieces.last_mut() {
                piece.push(literal);
            }
        }
        Ok(Self { pieces })
    }

    fn accepts(&self, text: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return false };
        let Some((last, middle)) = rest.split_last() else { return text == first };
        let Some(mut remaining) = text.strip_prefix(first.as_str()) else { return false };
        for piece in middle {
            let Some(found) = remaining.find(piece.as_str()) else { return false };
            remaining = &remaining[found + piece.len()..];
        }
        remaining.ends_with(last.as_str())
    }
}
