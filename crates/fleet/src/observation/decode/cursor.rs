//! Walks a scanned document from value to value and reads only what it is asked for.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{
    Undecodable,
    scan::{Block, not_json},
    time::{parse_epoch, parse_time},
    unescape::unescape,
};
use crate::observation::Text;

/// A place in a document. It always stands outside of strings.
///
/// Reading methods expect the cursor before a value and leave it behind it. `null` reads as `None`; a value of another
/// type is an [`Undecodable::Field`] of the path given.
pub(super) struct Cursor<'a, 'b> {
    text: &'a str,
    blocks: &'b [Block],
    any_escape: bool,
    at: usize,
}

/// Whether the next member is the first of its object or array.
pub(super) struct First(bool);

impl<'a, 'b> Cursor<'a, 'b> {
    /// `blocks` and `any_escape` are what [`scan`](super::scan::scan) said of `text`.
    pub(super) fn new(text: &'a str, blocks: &'b [Block], any_escape: bool) -> Self {
        Self { text, blocks, any_escape, at: 0 }
    }

    /// Whether any string of the document has an escape in it.
    pub(super) fn any_escape(&self) -> bool {
        self.any_escape
    }

    /// The place, to come [`back`](Self::back) to.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// Goes to a place seen before.
    pub(super) fn back(&mut self, place: usize) {
        self.at = place;
    }

    /// Nothing but white space may follow the document.
    pub(super) fn end(&mut self) -> Result<(), Undecodable> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(not_json(self.at, "something follows the end of the event")),
        }
    }

    /// Enters an object.
    #[inline(always)]
    pub(super) fn object(&mut self, path: &'static str) -> Result<First, Undecodable> {
        self.enter(b'{', path, "an object")
    }

    /// Enters an object; `None` when it is null.
    #[inline(always)]
    pub(super) fn object_or_null(&mut self, path: &'static str) -> Result<Option<First>, Undecodable> {
        if self.null()? {
            return Ok(None);
        }
        self.object(path).map(Some)
    }

    /// Enters an array; `None` when it is null.
    #[inline(always)]
    pub(super) fn array(&mut self, path: &'static str) -> Result<Option<First>, Undecodable> {
        if self.null()? {
            return Ok(None);
        }
        self.enter(b'[', path, "an array").map(Some)
    }

    #[inline(always)]
    fn enter(&mut self, bracket: u8, path: &'static str, wanted: &str) -> Result<First, Undecodable> {
        if self.peek() != Some(bracket) {
            return Err(self.unexpected(path, wanted));
        }
        self.at += 1;
        Ok(First(true))
    }

    /// The next key of the object, or `None` behind its end. The cursor then stands before the key's value.
    #[inline(always)]
    pub(super) fn key(&mut self, first: &mut First) -> Result<Option<Cow<'a, [u8]>>, Undecodable> {
        if !self.member(first, b'}')? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(not_json(self.at, "expected a key"));
        }
        let key = match self.string()? {
            Cow::Borrowed(key) => Cow::Borrowed(key.as_bytes()),
            Cow::Owned(key) => Cow::Owned(key.into_bytes()),
        };
        if self.peek() != Some(b':') {
            return Err(not_json(self.at, "expected a colon"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether the array has another element; the cursor then stands before it, else behind the array.
    #[inline(always)]
    pub(super) fn element(&mut self, first: &mut First) -> Result<bool, Undecodable> {
        self.member(first, b']')
    }

    #[inline(always)]
    fn member(&mut self, first: &mut First, closing: u8) -> Result<bool, Undecodable> {
        let was_first = std::mem::replace(&mut first.0, false);
        match self.peek() {
            Some(byte) if byte == closing => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !was_first => {
                self.at += 1;
                if self.peek() == Some(closing) {
                    return Err(not_json(self.at, "a comma before the end"));
                }
                Ok(true)
            }
            Some(_) if was_first => Ok(true),
            _ => Err(not_json(self.at, "expected a comma or the end")),
        }
    }

    /// Reads a string.
    #[inline(always)]
    pub(super) fn text(&mut self, path: &'static str) -> Result<Option<Text<'a>>, Undecodable> {
        if self.peek() == Some(b'"') {
            return self.string().map(Some);
        }
        if self.null()? { Ok(None) } else { Err(self.unexpected(path, "a string")) }
    }

    /// Reads true or false.
    #[inline(always)]
    pub(super) fn flag(&mut self, path: &'static str) -> Result<Option<bool>, Undecodable> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| Some(true)),
            Some(b'f') => self.word("false").map(|()| Some(false)),
            _ if self.null()? => Ok(None),
            _ => Err(self.unexpected(path, "true or false")),
        }
    }

    /// Reads a whole number.
    #[inline(always)]
    pub(super) fn integer(&mut self, path: &'static str) -> Result<Option<i64>, Undecodable> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => {
                let number = self.number()?;
                match number.parse() {
                    Ok(integer) => Ok(Some(integer)),
                    Err(_) => {
                        Err(Undecodable::Field { path, what: format!("{number} is not a whole number of 64 bits") })
                    }
                }
            }
            _ if self.null()? => Ok(None),
            _ => Err(self.unexpected(path, "a whole number")),
        }
    }

    /// Reads a whole number that counts something.
    #[inline(always)]
    pub(super) fn count(&mut self, path: &'static str) -> Result<Option<u32>, Undecodable> {
        let Some(integer) = self.integer(path)? else { return Ok(None) };
        match u32::try_from(integer) {
            Ok(count) => Ok(Some(count)),
            Err(_) => Err(Undecodable::Field { path, what: format!("{integer} cannot be a count") }),
        }
    }

    /// Reads a time: ISO-8601, or epoch seconds.
    #[inline(always)]
    pub(super) fn time(&mut self, path: &'static str) -> Result<Option<Timestamp>, Undecodable> {
        let (time, text) = match self.peek() {
            Some(b'"') => {
                let text = self.string()?;
                (parse_time(&text), text)
            }
            Some(b'-' | b'0'..=b'9') => {
                let text = self.number()?;
                (parse_epoch(text), Cow::Borrowed(text))
            }
            _ if self.null()? => return Ok(None),
            _ => return Err(self.unexpected(path, "a time")),
        };
        match time {
            Some(time) => Ok(Some(time)),
            None => Err(Undecodable::Field { path, what: format!("not a time: {:?}", shortened(&text)) }),
        }
    }

    /// Passes over an array and returns it as it stands; `None` when it is null.
    #[inline(always)]
    pub(super) fn raw_array(&mut self, path: &'static str) -> Result<Option<&'a str>, Undecodable> {
        if self.peek() == Some(b'[') {
            let start = self.at;
            self.container(true)?;
            return self.slice(start, self.at).map(Some);
        }
        if self.null()? { Ok(None) } else { Err(self.unexpected(path, "an array")) }
    }

    /// Passes over any value. Inside containers only strings and brackets are looked at.
    #[inline(always)]
    pub(super) fn skip(&mut self) -> Result<(), Undecodable> {
        match self.peek() {
            Some(b'"') => {
                self.at = self.closing_quote()? + 1;
                Ok(())
            }
            Some(b'{') => self.container(false),
            Some(b'[') => self.container(true),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number().map(|_| ()),
            _ => Err(not_json(self.at, "expected a value")),
        }
    }

    /// The next byte that is not white space.
    #[inline(always)]
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    #[cold]
    fn unexpected(&mut self, path: &'static str, wanted: &str) -> Undecodable {
        match self.skip() {
            Ok(()) => Undecodable::Field { path, what: format!("expected {wanted}") },
            Err(fault) => fault,
        }
    }

    #[inline(always)]
    fn null(&mut self) -> Result<bool, Undecodable> {
        if self.peek() == Some(b'n') { self.word("null").map(|()| true) } else { Ok(false) }
    }

    #[inline(always)]
    fn word(&mut self, word: &str) -> Result<(), Undecodable> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            self.delimiter()
        } else {
            Err(not_json(self.at, "expected a value"))
        }
    }

    /// A number by the grammar of JSON, as it stands.
    fn number(&mut self) -> Result<&'a str, Undecodable> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut end = start + usize::from(bytes.get(start) == Some(&b'-'));
        let whole = end;
        end = digits(whole);
        let mut well_formed = end == whole + 1 || (end > whole && bytes[whole] != b'0');
        if bytes.get(end) == Some(&b'.') {
            let fraction = end + 1;
            end = digits(fraction);
            well_formed &= end > fraction;
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            end = digits(exponent);
            well_formed &= end > exponent;
        }
        if !well_formed {
            return Err(not_json(start, "a malformed number"));
        }
        self.at = end;
        self.delimiter()?;
        self.slice(start, end)
    }

    /// A number or word must end where it ends.
    #[inline(always)]
    fn delimiter(&self) -> Result<(), Undecodable> {
        match self.text.as_bytes().get(self.at) {
            None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') => Ok(()),
            Some(_) => Err(not_json(self.at, "expected a comma or the end")),
        }
    }

    /// The string whose opening quote is next.
    #[inline(always)]
    fn string(&mut self) -> Result<Text<'a>, Undecodable> {
        let start = self.at + 1;
        let end = self.closing_quote()?;
        self.at = end + 1;
        let text = self.slice(start, end)?;
        if self.any_escape { resolved(text, start) } else { Ok(Cow::Borrowed(text)) }
    }

    #[inline(always)]
    fn closing_quote(&self) -> Result<usize, Undecodable> {
        let from = self.at + 1;
        let mut index = from / 64;
        let mut above = u64::MAX << (from % 64);
        while let Some(block) = self.blocks.get(index) {
            let quotes = block.quotes & above;
            if quotes != 0 {
                return Ok(index * 64 + quotes.trailing_zeros() as usize);
            }
            above = u64::MAX;
            index += 1;
        }
        Err(not_json(self.at, "a string that does not end"))
    }

    /// Passes over the array or object that begins here, counting only its own kind of bracket.
    #[inline]
    fn container(&mut self, square: bool) -> Result<(), Undecodable> {
        let from = self.at + 1;
        let mut index = from / 64;
        let mut above = u64::MAX << (from % 64);
        let mut depth = 1;
        while let Some(block) = self.blocks.get(index) {
            let (open, close) =
                if square { (block.square_open, block.square_close) } else { (block.curly_open, block.curly_close) };
            let (mut open, mut close) = (open & above, close & above);
            while close != 0 {
                let below = (close & close.wrapping_neg()) - 1;
                depth += (open & below).count_ones();
                open &= !below;
                depth -= 1;
                if depth == 0 {
                    self.at = index * 64 + close.trailing_zeros() as usize + 1;
                    return Ok(());
                }
                close &= close - 1;
            }
            depth += open.count_ones();
            above = u64::MAX;
            index += 1;
        }
        Err(not_json(self.at, "a bracket that is not closed"))
    }

    #[inline(always)]
    fn slice(&self, start: usize, end: usize) -> Result<&'a str, Undecodable> {
        self.text.get(start..end).ok_or_else(|| not_json(start, "text that ends inside a character"))
    }
}

#[cold]
#[inline(never)]
fn resolved(text: &str, offset: usize) -> Result<Text<'_>, Undecodable> {
    if text.as_bytes().contains(&b'\\') { unescape(text, offset).map(Cow::Owned) } else { Ok(Cow::Borrowed(text)) }
}

/// The first 40 characters: enough to recognise, not enough to flood a log.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}
