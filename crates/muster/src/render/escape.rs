//! Names come from outside: tags, attributes, events. Before a terminal sees them, nothing in them may steer it.

use std::borrow::Cow;

/// `text` with control characters (ANSI sequences begin with one), line breaks and marks that turn the direction of
/// writing replaced by their code points, `\u{1b}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers(c) { clean.extend(c.escape_unicode()) } else { clean.push(c) }
    }
    Cow::Owned(clean)
}

/// Control characters of ASCII and Latin-1, bidirectional marks and overrides, line and paragraph separators, and the
/// byte order mark.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_colour_move_or_reverse_the_terminal() {
        assert_eq!(clean("prod\u{1b}[2J\u{7}"), "prod\\u{1b}[2J\\u{7}");
        assert_eq!(clean("a\u{202e}b\nc\u{9b}d"), "a\\u{202e}b\\u{a}c\\u{9b}d");
    }

    #[test]
    fn ordinary_names_are_left_alone() {
        assert!(matches!(clean("größe-ß_1/漢字"), Cow::Borrowed(_)));
    }
}
