//! Records of the log.
//!
//! | bytes | of the head |
//! |---|---|
//! | 4 | `MWL2` |
//! | 1 | what the body is: 1 events, 2 a note |
//! | 3 | zero |
//! | 4 | bytes of the body |
//! | 4 | how many numbers it takes: its events, or 1 |
//! | 8 | the first of them |
//! | 8 | checksum of the body (XXH3, 64 bits) |
//! | 8 | checksum of the head up to here |
//!
//! A body of events holds the number of the group, the time at which they were taken in, the stream, and for each event its time,
//! the length of its message, how many messages before it the one stands that it is written as a [`difference`] from, and that; or
//! zero and the message. Integers are little-endian, lengths in groups of seven bits, times are milliseconds.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::difference::{self, EARLIER_MAX, most_like, push_number, take_number};
use crate::event::Event;

/// The length of a head in bytes.
pub(crate) const HEAD_BYTES: usize = 40;
/// The longest body in bytes: a batch of the largest size, with a margin for what stands around the messages.
pub(crate) const BODY_BYTES_MAX: usize = 2 << 20;

pub(crate) const MAGIC: [u8; 4] = *b"MWL2";

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Events,
    Note,
}

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) body_bytes: u32,
    pub(crate) count: u32,
    pub(crate) first: u64,
    pub(crate) checksum: u64,
}

/// The checksum of a body.
pub(crate) fn checksum(body: &[u8]) -> u64 {
    XxHash3_64::oneshot(body)
}

impl Head {
    pub(crate) fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = match self.kind {
            Kind::Events => 1,
            Kind::Note => 2,
        };
        bytes[8..12].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.count.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.checksum.to_le_bytes());
        let own = checksum(&bytes[..32]);
        bytes[32..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// Reads a head; nothing if it is none or was damaged.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEAD_BYTES)?;
        let mut reader = Reader(bytes.get(32..)?);
        if bytes[..4] != MAGIC || reader.u64()? != checksum(&bytes[..32]) {
            return None;
        }
        let kind = match bytes[4] {
            1 => Kind::Events,
            2 => Kind::Note,
            _ => return None,
        };
        let mut reader = Reader(&bytes[8..32]);
        let (body_bytes, count) = (reader.u32()?, reader.u32()?);
        let head = Self { kind, body_bytes, count, first: reader.u64()?, checksum: reader.u64()? };
        (head.body_bytes as usize <= BODY_BYTES_MAX).then_some(head)
    }
}

/// What is written down beside events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Note {
    /// A group was made; nothing is to be done, but its number is taken.
    Group {
        /// Its number.
        group: u64,
    },
    /// A stream was made.
    Stream {
        /// The number of its group.
        group: u64,
        /// Its name.
        stream: String,
        /// When.
        created_ms: i64,
    },
}

/// The body of a record, before it has a number.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) kind: Kind,
    pub(crate) count: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) checksum: u64,
}

impl Body {
    /// The body of a batch.
    pub(crate) fn of_events(group: u64, stream: &str, ingested_ms: i64, events: &[Event]) -> Self {
        let messages: usize = events.iter().map(|event| event.message.len() + 12).sum();
        let mut bytes = Vec::with_capacity(messages / 4 + stream.len() + 24);
        bytes.extend_from_slice(&group.to_le_bytes());
        bytes.extend_from_slice(&ingested_ms.to_le_bytes());
        push_text(&mut bytes, stream);
        for (at, event) in events.iter().enumerate() {
            bytes.extend_from_slice(&event.timestamp_ms.to_le_bytes());
            push_number(event.message.len(), &mut bytes);
            let start = bytes.len();
            let before = events[at.saturating_sub(EARLIER_MAX)..at].iter().rev();
            if let Some(back) = most_like(&event.message, before.map(|event| event.message.as_str())) {
                push_number(back, &mut bytes);
                difference::push(&event.message, &events[at - back].message, &mut bytes);
            }
            if bytes.len() == start || bytes.len() - start > event.message.len() {
                bytes.truncate(start);
                push_number(0, &mut bytes);
                bytes.extend_from_slice(event.message.as_bytes());
            }
        }
        Self::new(Kind::Events, events.len() as u32, bytes)
    }

    /// The body of a note.
    pub(crate) fn of_note(note: &Note) -> Self {
        // Numbers and texts always have a JSON form.
        Self::new(Kind::Note, 1, serde_json::to_vec(note).unwrap_or_default())
    }

    fn new(kind: Kind, count: u32, bytes: Vec<u8>) -> Self {
        let checksum = checksum(&bytes);
        Self { kind, count, bytes, checksum }
    }

    /// Its head, when it has got its number.
    pub(crate) fn head(&self, first: u64) -> Head {
        Head { kind: self.kind, body_bytes: self.bytes.len() as u32, count: self.count, first, checksum: self.checksum }
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    // Limits of batches and of names keep this below 4 GiB.
    bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// A body of events as it is read back.
#[derive(Clone, Debug)]
pub(crate) struct EventsBody<'a> {
    pub(crate) group: u64,
    pub(crate) ingested_ms: i64,
    pub(crate) stream: &'a str,
    pub(crate) events: Vec<(i64, String)>,
}

impl<'a> EventsBody<'a> {
    /// Reads a body of so many events; nothing if it is none.
    pub(crate) fn of_bytes(bytes: &'a [u8], count: u32) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (group, ingested_ms, stream) = (reader.u64()?, reader.u64()? as i64, reader.text()?);
        let mut events: Vec<(i64, String)> = Vec::with_capacity((count as usize).min(bytes.len() / 10));
        for at in 0..count as usize {
            let timestamp_ms = reader.u64()? as i64;
            let (length, back) = (take_number(&mut reader.0)?, take_number(&mut reader.0)?);
            let message = if back == 0 {
                reader.take(length)?.to_vec()
            } else {
                let earlier = &events.get(at.checked_sub(back)?)?.1;
                difference::take(&mut reader.0, length, earlier.as_bytes())?
            };
            events.push((timestamp_ms, String::from_utf8(message).ok()?));
        }
        reader.0.is_empty().then_some(Self { group, ingested_ms, stream, events })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_written() {
        let (long, alike) = ("the same beginning, and é", "the same beginning, or è, or not");
        let events = [("a", 5), ("é\n", -6), (long, 7), (alike, 8), ("", 9)]
            .map(|(message, timestamp_ms)| Event { timestamp_ms, message: message.to_owned() });
        let body = Body::of_events(7, "stream", 8, &events);
        let head = Head::of_bytes(&body.head(40).to_bytes()).unwrap();
        assert_eq!((head.first, head.count, head.checksum), (40, 5, checksum(&body.bytes)));
        let read = EventsBody::of_bytes(&body.bytes, head.count).unwrap();
        assert_eq!((read.group, read.stream, read.ingested_ms), (7, "stream", 8));
        let found: Vec<_> = read.events.iter().map(|(at, message)| (message.as_str(), *at)).collect();
        assert_eq!(found, [("a", 5), ("é\n", -6), (long, 7), (alike, 8), ("", 9)]);
    }

    #[test]
    fn damage_is_noticed() {
        let body = Body::of_note(&Note::Group { group: 1 });
        let head = body.head(3).to_bytes();
        for bit in 0..HEAD_BYTES * 8 {
            let mut damaged = head;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::of_bytes(&damaged), None, "bit {bit}");
        }
        assert_eq!(Head::of_bytes(&head[..39]), None);
        let events = Body::of_events(7, "s", 8, &[Event { timestamp_ms: 1, message: "m".to_owned() }]);
        for length in 0..events.bytes.len() {
            assert!(EventsBody::of_bytes(&events.bytes[..length], 1).is_none());
        }
        assert!(EventsBody::of_bytes(&events.bytes, 2).is_none());
        assert!(EventsBody::of_bytes(&events.bytes, 0).is_none());
    }
}
