//! Tokens: where the next page of a list begins. Opaque to clients, and refused when they are not ours.

use sha2::{Digest as _, Sha256};

use super::{error::ApiError, port::Place};

/// A token of FilterLogEvents is good for so long (spec §7).
const LASTS_MS: i64 = 24 * 3_600_000;

/// The refusal of every token that is not ours, in the service's words.
pub(super) fn invalid() -> ApiError {
    ApiError::invalid("The specified nextToken is invalid.")
}

/// A token that holds `text`: the text in hexadecimal behind the beginning of a digest, so that what is no token of this list is
/// noticed.
pub(super) fn of(list: &str, text: &str) -> String {
    format!("{}{}", mark(list, text), hex::encode(text))
}

/// What a token of this list holds.
pub(super) fn read(list: &str, token: &str) -> Result<String, ApiError> {
    let (told, held) = token.split_at_checked(MARK_CHARS).ok_or_else(invalid)?;
    let text = hex::decode(held).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(invalid)?;
    if mark(list, &text) == told { Ok(text) } else { Err(invalid()) }
}

const MARK_CHARS: usize = 16;

fn mark(list: &str, text: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(list);
    digest.update([0]);
    digest.update(text);
    hex::encode(&digest.finalize()[..MARK_CHARS / 2])
}

/// A token of FilterLogEvents: the place of the event that was looked at last, and when it was given.
pub(super) fn of_place(list: &str, place: Place, now_ms: i64) -> String {
    of(list, &format!("{now_ms} {}", words(place)))
}

/// The place that a token of FilterLogEvents holds.
pub(super) fn read_place(list: &str, token: &str, now_ms: i64) -> Result<Place, ApiError> {
    let text = read(list, token)?;
    let (given, rest) = text.split_once(' ').ok_or_else(invalid)?;
    let given: i64 = given.parse().map_err(|_| invalid())?;
    if now_ms.saturating_sub(given) > LASTS_MS {
        return Err(ApiError::invalid("The specified nextToken has expired."));
    }
    place(rest).ok_or_else(invalid)
}

/// A place in words.
pub(super) fn words(place: Place) -> String {
    format!("{} {} {}", place.timestamp_ms, place.ingestion_ms, place.number)
}

/// A place out of its words.
pub(super) fn place(words: &str) -> Option<Place> {
    let mut words = words.split(' ');
    let place = Place {
        timestamp_ms: words.next()?.parse().ok()?,
        ingestion_ms: words.next()?.parse().ok()?,
        number: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(place)
}

/// A page of a list that is there as a whole: from behind the element that the token names, so many. `key` names an element.
pub(super) fn page<T>(
    list: &str,
    all: Vec<T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    count: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let after = token.map(|token| read(list, token)).transpose()?;
    // An element that is gone meanwhile leaves its place in the order: the list is sorted by its key, or the page begins anew.
    let from = match &after {
        None => 0,
        Some(after) => all
            .iter()
            .position(|one| key(one) == *after)
            .map_or_else(|| all.iter().position(|one| key(one) > *after).unwrap_or(all.len()), |at| at + 1),
    };
    let more = all.len() > from + count;
    let page: Vec<T> = all.into_iter().skip(from).take(count).collect();
    let next = page.last().filter(|_| more).map(|last| of(list, &key(last)));
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_by_the_list_that_gave_it_and_by_no_other() {
        let place = Place { timestamp_ms: -5, ingestion_ms: 7, number: u64::MAX };
        let token = of_place("groups", place, 1_000);
        assert_eq!(read_place("groups", &token, 1_000 + LASTS_MS), Ok(place));
        assert!(read_place("groups", &token, 1_001 + LASTS_MS).unwrap_err().message().contains("expired"));
        for wrong in ["", "x", "ä", &token[1..], &format!("{token}00"), "00000000000000000000000000000000"] {
            let error = read_place("groups", wrong, 1_000).unwrap_err();
            assert_eq!(error.message(), "The specified nextToken is invalid.", "{wrong}");
        }
        assert!(read_place("streams", &token, 1_000).is_err());
    }

    #[test]
    fn pages_hold_everything_once_also_when_an_element_goes() {
        let all = || vec!["a".to_owned(), "b".to_owned(), "c".to_owned(), "d".to_owned(), "e".to_owned()];
        let page = |all, token: Option<&str>| page("l", all, Clone::clone, token, 2).unwrap();
        let (first, token) = page(all(), None);
        assert_eq!(first, ["a", "b"]);
        let without_b = all().into_iter().filter(|one| one != "b").collect();
        let (second, token) = page(without_b, token.as_deref());
        assert_eq!(second, ["c", "d"]);
        let (third, token) = page(all(), token.as_deref());
        assert_eq!((third, token), (vec!["e".to_owned()], None));
    }
}
