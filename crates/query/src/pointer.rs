//! Pointers to records, `@ptr`: what GetLogRecord takes.

use std::{fmt, str::FromStr};

/// Which record is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Account and group, `111122223333:/lab/depot`.
    pub log: String,
    /// When it happened, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Its number in the store.
    pub event: u64,
}

/// The signs of base64 that stand in URLs as they are.
const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Pointer {
    /// Time, number and group in base64, without padding.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = format!("{} {} {}", self.timestamp_ms, self.event, self.log);
        for piece in plain.as_bytes().chunks(3) {
            let three = [piece[0], piece.get(1).copied().unwrap_or(0), piece.get(2).copied().unwrap_or(0)];
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for sign in 0..=piece.len() {
                let six = (bits >> (18 - 6 * sign)) & 63;
                formatter.write_str(std::str::from_utf8(&[SIGNS[six as usize]]).unwrap_or_default())?;
            }
        }
        Ok(())
    }
}

/// A text that is no pointer of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no pointer to a record; pointers are the `@ptr` of query results")]
pub struct NoPointer;

impl FromStr for Pointer {
    type Err = NoPointer;

    fn from_str(text: &str) -> Result<Self, NoPointer> {
        let mut bytes = Vec::new();
        for piece in text.as_bytes().chunks(4) {
            let mut bits = 0_u32;
            for sign in piece {
                let six = SIGNS.iter().position(|known| known == sign).ok_or(NoPointer)?;
                bits = bits << 6 | u32::try_from(six).map_err(|_| NoPointer)?;
            }
            bits <<= 6 * (4 - piece.len());
            let kept = piece.len().checked_sub(1).filter(|it| *it > 0).ok_or(NoPointer)?;
            bytes.extend(&bits.to_be_bytes()[1..=kept]);
        }
        let plain = String::from_utf8(bytes).map_err(|_| NoPointer)?;
        let mut words = plain.splitn(3, ' ');
        let mut word = || words.next().ok_or(NoPointer);
        let timestamp_ms = word()?.parse().map_err(|_| NoPointer)?;
        let event = word()?.parse().map_err(|_| NoPointer)?;
        Ok(Self { log: word()?.to_owned(), timestamp_ms, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_comes_back_as_it_was() {
        for log in ["1:/a", "111122223333:/lab/depot é", "x y", ""] {
            for event in [0, 7, u64::MAX] {
                let pointer = Pointer { log: log.into(), timestamp_ms: -event.cast_signed().saturating_abs(), event };
                assert_eq!(pointer.to_string().parse(), Ok(pointer));
            }
        }
    }

    #[test]
    fn other_texts_are_no_pointers() {
        for text in ["", "A", "!!!!", "AAAA", "é", "MSAy"] {
            assert_eq!(text.parse::<Pointer>(), Err(NoPointer), "{text}");
        }
    }
}
