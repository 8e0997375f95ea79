//! Strings with escapes, the rare case: the only one that copies.

use super::{
    Undecodable,
    scan::{code_unit, not_json},
};

/// Resolves the escapes of a string's inside. `offset` is where it begins in the document, for the error.
#[cold]
pub(super) fn unescape(text: &str, offset: usize) -> Result<String, Undecodable> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let place = offset + text.len() - rest.len() + at;
        let (character, length) = escape(&rest.as_bytes()[at..]).ok_or_else(|| not_json(place, "unknown escape"))?;
        plain.push(character);
        rest = rest.get(at + length..).unwrap_or_default();
    }
    plain.push_str(rest);
    Ok(plain)
}

/// The character that the escape at the beginning of `bytes` stands for, and the escape's length.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = code_unit(bytes, 0)?;
            let units = [first, code_unit(bytes, 6).unwrap_or_default()];
            let count = if (0xD800..0xDC00).contains(&first) { 2 } else { 1 };
            let character = char::decode_utf16(units.into_iter().take(count)).next()?.ok()?;
            return Some((character, 6 * count));
        }
        _ => return None,
    };
    Some((simple, 2))
}
