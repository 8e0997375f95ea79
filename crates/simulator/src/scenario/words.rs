//! Durations in words, and what to say about a word nobody knows.

use std::ops::Range;

use toml::Spanned;

use super::Mistake;
use crate::world::{PlaceId, Platform, World};

/// Reads `90s`, `10m`, `1h30m`, `250ms` into milliseconds.
pub(super) fn duration(text: &Spanned<String>) -> Result<i64, Mistake> {
    millis(text.get_ref()).ok_or_else(|| Mistake {
        span: text.span(),
        what: format!("`{}` is no duration: write 90s, 10m or 1h30m", text.get_ref()),
    })
}

/// A process of an Auto Scaling group that can be suspended and makes a difference here.
pub(super) fn process(word: &Spanned<String>) -> Result<String, Mistake> {
    const PROCESSES: [&str; 3] = ["Launch", "Terminate", "ReplaceUnhealthy"];
    if PROCESSES.contains(&word.get_ref().as_str()) {
        return Ok(word.get_ref().clone());
    }
    Err(unknown(word.span(), "process", word.get_ref(), &PROCESSES))
}

/// The zone of this name, wherever it is.
pub(super) fn zone(world: &World, zone: &Spanned<String>) -> Result<(PlaceId, u8), Mistake> {
    let places = world.places.iter().enumerate();
    let zones = places.flat_map(|(at, place)| {
        place.zones.iter().enumerate().map(move |(number, zone)| ((PlaceId(at as u32), number as u8), zone))
    });
    let mut names = Vec::new();
    for (id, found) in zones {
        if found.name == *zone.get_ref() {
            return Ok(id);
        }
        names.push(found.name.as_str());
    }
    Err(unknown(zone.span(), "zone", zone.get_ref(), &names))
}

/// An operating system.
pub(super) fn platform(word: &Spanned<String>) -> Result<Platform, Mistake> {
    match word.get_ref().as_str() {
        "linux" => Ok(Platform::Linux),
        "windows-2019" => Ok(Platform::Windows2019),
        "windows-2022" => Ok(Platform::Windows2022),
        other => Err(unknown(word.span(), "platform", other, &["linux", "windows-2019", "windows-2022"])),
    }
}

/// A duration without a place to point to.
pub(super) fn millis(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total: i64 = 0;
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let millis: i64 = match rest.get(..unit)? {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(millis)?)?;
        rest = rest.get(unit..)?;
    }
    Some(total)
}

/// A word that is none of the choices: says so, and which one was probably meant.
pub(super) fn unknown(span: Range<usize>, kind: &str, word: &str, choices: &[&str]) -> Mistake {
    let nearest = choices.iter().map(|choice| (distance(word, choice), choice)).min();
    let what = match nearest {
        None => format!("there is no {kind} `{word}`; there is none at all"),
        Some((apart, choice)) if apart <= 3 => format!("there is no {kind} `{word}`; did you mean `{choice}`?"),
        Some(_) => format!("there is no {kind} `{word}`; there are: {}", choices.join(", ")),
    };
    Mistake { span, what }
}

// Levenshtein, on the few short words of a scenario.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = at + 1;
        for (column, wanted) in other.iter().enumerate() {
            let substituted = corner + usize::from(letter != *wanted);
            corner = row[column + 1];
            row[column + 1] = substituted.min(row[column] + 1).min(row[column + 1] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("0"), Some(0));
        for nonsense in ["", "10", "m", "10 minutes", "99999999999999999999h", "1h30", "-5m", "ü"] {
            assert_eq!(millis(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_nearest_word_is_suggested() {
        assert_eq!(distance("agent-stp", "agent-stop"), 1);
        let mistake = unknown(0..1, "thing to do", "agent-stp", &["agent-hang", "agent-stop"]);
        assert!(mistake.what.contains("did you mean `agent-stop`?"), "{}", mistake.what);
    }
}
