//! From the bytes of an EventBridge event to an [`Observation`].
//!
//! The event is scanned once for its strings and brackets; then a cursor walks the envelope and
//! the detail, reads the fields that become beliefs, and passes over everything else without looking inside.
//! Unknown fields are ignored, the last of duplicate keys wins, `null` is the same as absent.

mod attributes;
mod cursor;
mod ecs;
mod machine;
mod resources;
mod scan;
mod time;
mod unescape;

use self::cursor::Cursor;
use super::{Fact, Observation, Source, Text};

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

/// Events up to this size are scanned without asking for memory.
const USUAL_BLOCKS: usize = 64;

/// Reads one EventBridge event (spec A).
pub fn decode_event(body: &[u8]) -> Result<Observation<'_>, Undecodable> {
    if body.len() > MAX_EVENT_BYTES {
        return Err(Undecodable::TooLarge { bytes: body.len(), limit: MAX_EVENT_BYTES });
    }
    let text = std::str::from_utf8(body).map_err(|error| Undecodable::NotUtf8 { offset: error.valid_up_to() })?;
    with_cursor(text, |cursor| {
        let observation = envelope(cursor)?;
        cursor.end()?;
        Ok(observation)
    })
}

/// Scans `text` and hands a cursor at its beginning to `read`.
#[inline(always)]
fn with_cursor<'a, T>(
    text: &'a str,
    read: impl FnOnce(&mut Cursor<'a, '_>) -> Result<T, Undecodable>,
) -> Result<T, Undecodable> {
    let needed = scan::blocks_needed(text.len());
    let (mut few, mut many);
    let blocks = if needed <= USUAL_BLOCKS {
        few = [scan::Block::default(); USUAL_BLOCKS];
        &mut few[..needed]
    } else {
        many = vec![scan::Block::default(); needed];
        &mut many[..]
    };
    let any_escape = scan::scan(text.as_bytes(), blocks)?;
    read(&mut Cursor::new(text, blocks, any_escape))
}

/// The envelope's fields that say what the detail is about.
#[derive(Default)]
struct Envelope<'a> {
    source: Option<Text<'a>>,
    detail_type: Option<Text<'a>>,
    account: Option<Text<'a>>,
    region: Option<Text<'a>>,
    /// The first of `resources`.
    resource: Option<Text<'a>>,
}

/// What the detail holds, by the envelope.
#[derive(Clone, Copy)]
enum Kind {
    Ecs(ecs::Kind),
    Machine(machine::Kind),
    Unknown,
}

#[inline(always)]
fn envelope<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Observation<'a>, Undecodable> {
    let mut envelope = Envelope::default();
    let mut at = None;
    let mut detail_place = None;
    // Read on the way when everything it depends on has come before it, as in events from AWS; else afterwards.
    let mut fact = None;
    let mut first = cursor.object("event")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"detail" => {
                let place = cursor.place();
                detail_place = Some(place);
                // A fault may be none once the envelope's last fields are known: it is met again afterwards.
                fact = if envelope.is_complete() { envelope.detail(cursor).ok() } else { None };
                if fact.is_none() {
                    cursor.back(place);
                    cursor.skip()?;
                }
                continue;
            }
            b"time" => {
                at = cursor.time("time")?;
                continue;
            }
            b"source" => envelope.source = cursor.text("source")?,
            b"detail-type" => envelope.detail_type = cursor.text("detail-type")?,
            b"account" => envelope.account = cursor.text("account")?,
            b"region" => envelope.region = cursor.text("region")?,
            b"resources" => envelope.resource = first_resource(cursor)?,
            _ => {
                cursor.skip()?;
                continue;
            }
        }
        // A field that the fact may depend on came after it.
        fact = None;
    }
    let end = cursor.place();
    let fact = match (fact, detail_place) {
        (Some(fact), _) => fact,
        (None, Some(place)) => {
            cursor.back(place);
            envelope.detail(cursor)?
        }
        (None, None) => match envelope.kind()? {
            Kind::Unknown => envelope.unknown(),
            _ => return Err(missing("detail")),
        },
    };
    cursor.back(end);
    Ok(Observation { at: at.ok_or_else(|| missing("time"))?, source: Source::Event, fact })
}

fn first_resource<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Option<Text<'a>>, Undecodable> {
    let Some(mut first) = cursor.array("resources")? else { return Ok(None) };
    if !cursor.element(&mut first)? {
        return Ok(None);
    }
    let resource = cursor.text("resources[0]")?;
    while cursor.element(&mut first)? {
        cursor.skip()?;
    }
    Ok(resource)
}

impl<'a> Envelope<'a> {
    fn is_complete(&self) -> bool {
        self.source.is_some()
            && self.detail_type.is_some()
            && self.account.is_some()
            && self.region.is_some()
            && self.resource.is_some()
    }

    fn kind(&self) -> Result<Kind, Undecodable> {
        let source = self.source.as_deref().ok_or_else(|| missing("source"))?;
        let detail_type = self.detail_type.as_deref().ok_or_else(|| missing("detail-type"))?;
        Ok(match source {
            "aws.ecs" => ecs::Kind::of(detail_type).map_or(Kind::Unknown, Kind::Ecs),
            "aws.ec2" | "aws.autoscaling" => {
                machine::Kind::of(source, detail_type).map_or(Kind::Unknown, Kind::Machine)
            }
            _ => Kind::Unknown,
        })
    }

    #[inline]
    fn detail(&self, cursor: &mut Cursor<'a, '_>) -> Result<Fact<'a>, Undecodable> {
        match self.kind()? {
            Kind::Ecs(kind) => ecs::detail(kind, cursor, self),
            Kind::Machine(kind) => machine::detail(kind, cursor, self),
            Kind::Unknown => {
                cursor.skip()?;
                Ok(self.unknown())
            }
        }
    }

    fn unknown(&self) -> Fact<'a> {
        Fact::Unknown {
            source: self.source.clone().unwrap_or_default(),
            detail_type: self.detail_type.clone().unwrap_or_default(),
        }
    }

    /// `ACCOUNT/REGION`.
    fn whereabouts(&self) -> Result<Text<'a>, Undecodable> {
        let account = filled(self.account.clone(), "account")?;
        let region = filled(self.region.clone(), "region")?;
        Ok(format!("{account}/{region}").into())
    }
}

fn missing(path: &'static str) -> Undecodable {
    Undecodable::Field { path, what: "missing".into() }
}

/// Text that must be there and must say something.
fn filled<'a>(text: Option<Text<'a>>, path: &'static str) -> Result<Text<'a>, Undecodable> {
    match text {
        Some(text) if !text.is_empty() => Ok(text),
        Some(_) => Err(Undecodable::Field { path, what: "empty".into() }),
        None => Err(missing(path)),
    }
}

/// An ARN that must be there.
fn arn<'a>(text: Option<Text<'a>>, path: &'static str) -> Result<Text<'a>, Undecodable> {
    let text = filled(text, path)?;
    if text.starts_with("arn:") { Ok(text) } else { Err(Undecodable::Field { path, what: "not an ARN".into() }) }
}
