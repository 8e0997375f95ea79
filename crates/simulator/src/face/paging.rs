//! Pages and their tokens. A token says after which number to go on, so that a page stays right while things come and go.

use serde_json::Value;
use wire::error::ServiceError;

use super::scope::invalid;

/// Where a page begins and how long it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Only numbers from here on.
    pub(crate) from: u64,
    /// So many.
    pub(crate) most: usize,
}

impl Page {
    /// Of a JSON request with `maxResults` and `nextToken`.
    ///
    /// # Errors
    /// InvalidParameterException.
    pub(crate) fn of(request: &Value, usual: usize, most: usize) -> Result<Self, ServiceError> {
        let wanted = match request.get("maxResults").filter(|value| !value.is_null()) {
            None => usual,
            Some(value) => value
                .as_u64()
                .and_then(|wanted| usize::try_from(wanted).ok())
                .filter(|wanted| (1..=most).contains(wanted))
                .ok_or_else(|| invalid(format!("maxResults must be between 1 and {most}.")))?,
        };
        let token = request.get("nextToken").and_then(Value::as_str).filter(|token| !token.is_empty());
        let from = token.map_or(Some(0), read).ok_or_else(|| invalid("Invalid token."))?;
        Ok(Self { from, most: wanted })
    }
}

/// The token for the page that begins with this number.
pub(crate) fn token(from: u64) -> String {
    format!("bXVzdGVy{from:016x}{:04x}", check(from))
}

/// Reads a token.
pub(crate) fn read(text: &str) -> Option<u64> {
    let from = u64::from_str_radix(text.strip_prefix("bXVzdGVy")?.get(..16)?, 16).ok()?;
    (token(from) == text).then_some(from)
}

fn check(from: u64) -> u64 {
    crate::seed::mix(from) & 0xffff
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_read_back_and_others_are_refused() {
        for from in [0, 1, 250, u64::MAX] {
            assert_eq!(read(&token(from)), Some(from));
        }
        for text in ["", "x", "bXVzdGVy", "bXVzdGVy00000000000000010000", "bXVzdGVyεεεεεεεεεεεεεεεε"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(Page::of(&json!({"nextToken": "nonsense"}), 100, 100).is_err());
        assert!(Page::of(&json!({"maxResults": 101}), 100, 100).is_err());
        assert_eq!(Page::of(&json!({"maxResults": 7, "nextToken": token(3)}), 100, 100).map(|page| page.most), Ok(7));
    }
}
