//! Patterns of `=~`. ECS takes Java's; here they are matched in time linear in the value, whatever the pattern, so that
//! those of Java's constructs that cannot be, or that are written alike and mean something else, are refused by name:
//!
//! - look-ahead and look-behind `(?=` `(?!` `(?<=` `(?<!`, atomic groups `(?>`, back references `\1` `\k<name>`
//! - possessive quantifiers `*+` `++` `?+` `}+`
//! - classes inside classes `[a[b]]` and their intersection `&&`
//! - properties `\p{…}` `\P{…}`, quotation `\Q…\E`, and `\G \Z \R \X \N \h \H \v \V \c \0 \e`
//! - the flags `d` and `u`
//!
//! `\d`, `\w`, `\s` and `\b` know ASCII alone, as Java's do without its Unicode flags.

use regex_lite::{Regex, RegexBuilder};

/// A pattern that a whole value must match.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// The most memory that a pattern may take: repetitions of repetitions multiply.
const MAX_BYTES: usize = 1 << 20;

impl Pattern {
    /// Reads a pattern; or what is wrong, with its place in bytes.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        if let Some((at, what)) = refused(text) {
            return Err((at, format!("{what}, which muster does not support")));
        }
        let whole = format!("^(?:{text})$");
        let flags_of_its_own = |error: regex_lite::Error| (0, format!("the pattern cannot be read: {error}"));
        // Read alone first: a pattern that closes a group it has not opened must not close ours.
        Regex::new(text).map_err(flags_of_its_own)?;
        RegexBuilder::new(&whole).size_limit(MAX_BYTES).build().map(Self).map_err(flags_of_its_own)
    }

    /// Whether the whole value matches.
    pub fn matches(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}

/// The first construct of Java's that is not supported, and where.
fn refused(text: &str) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    let (mut at, mut in_class, mut quantified) = (0, false, false);
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        let was_quantified = std::mem::replace(&mut quantified, false);
        match rest {
            [b'\\', escaped, ..] => {
                match escaped {
                    b'1'..=b'9' | b'k' => return Some((at, "a back reference")),
                    b'p' | b'P' => return Some((at, "a class by property")),
                    b'Q' | b'E' => return Some((at, "quotation by \\Q and \\E")),
                    b'G' | b'Z' | b'R' | b'X' | b'N' | b'h' | b'H' | b'v' | b'V' | b'c' | b'0' | b'e' => {
                        return Some((at, "an escape of Java's own"));
                    }
                    _ => {}
                }
                at += 2;
                continue;
            }
            [b'[', ..] if in_class => return Some((at, "a class inside a class")),
            [b'&', b'&', ..] if in_class => return Some((at, "an intersection of classes")),
            [b'[', ..] => {
                in_class = true;
                at += 1 + usize::from(rest.get(1) == Some(&b'^'));
                // A bracket at the beginning of a class is meant as itself.
                at += usize::from(bytes.get(at) == Some(&b']'));
                continue;
            }
            [b']', ..] => in_class = false,
            _ if in_class => {}
            [b'(', b'?', b'=' | b'!', ..] | [b'(', b'?', b'<', b'=' | b'!', ..] => {
                return Some((at, "looking ahead or behind"));
            }
            [b'(', b'?', b'>', ..] => return Some((at, "an atomic group")),
            [b'(', b'?', flags @ ..] if flags.first().is_some_and(|flag| b"dimsuxU-".contains(flag)) => {
                let java_only =
                    flags.iter().take_while(|flag| b"dimsuxU-".contains(flag)).any(|flag| b"du".contains(flag));
                if java_only {
                    return Some((at, "a flag of Java's own"));
                }
                at += 2;
                continue;
            }
            [b'+', ..] if was_quantified => return Some((at, "a possessive quantifier")),
            // After `(?` the question mark is none.
            [b'(', b'?', ..] => {
                at += 2;
                continue;
            }
            [b'*' | b'+' | b'?' | b'}', ..] => quantified = !was_quantified || rest[0] == b'}',
            _ => {}
        }
        at += 1;
    }
    None
}
