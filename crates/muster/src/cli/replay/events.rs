//! Takes a recording apart: one event a line, or one JSON array, without trusting either.

use std::io::{self, BufRead, Read as _};

use fleet::observation::decode::MAX_EVENT_BYTES;
use serde_json::value::RawValue;

/// An array is read whole; a recording beyond this belongs on lines.
const ARRAY_BYTES: u64 = 1 << 30;

/// One event as recorded, or why there is none on this line.
#[derive(Debug)]
pub(super) struct Event<'a> {
    pub(super) line: u64,
    pub(super) body: Result<&'a [u8], String>,
}

/// The events of a recording, in its order.
pub(super) struct Events<R> {
    input: R,
    form: Option<Form>,
    line: u64,
    buffer: Vec<u8>,
}

enum Form {
    Lines,
    /// Events of an array, last one first, each with its line.
    Array(Vec<(u64, Box<RawValue>)>),
    /// Not an array after all.
    Broken(Option<(u64, String)>),
}

impl<R: BufRead> Events<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, form: None, line: 0, buffer: Vec::new() }
    }

    /// The next event; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Event<'_>>> {
        if self.form.is_none() {
            self.form = Some(self.recognise()?);
        }
        match self.form.as_mut() {
            Some(Form::Array(events)) => Ok(events.pop().map(|(line, event)| {
                self.buffer = Box::<str>::from(event).into_boxed_bytes().into_vec();
                Event { line, body: Ok(&self.buffer) }
            })),
            Some(Form::Broken(broken)) => Ok(broken.take().map(|(line, reason)| Event { line, body: Err(reason) })),
            Some(Form::Lines) | None => self.next_line(),
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Event<'_>>> {
        loop {
            self.buffer.clear();
            let limit = MAX_EVENT_BYTES as u64 + 1;
            let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.buffer.last() != Some(&b'\n') && self.buffer.len() as u64 == limit {
                let bytes = self.buffer.len() as u64 + skip_line(&mut self.input)?;
                let reason =
                    format!("the line has {bytes} bytes, more than the {MAX_EVENT_BYTES} that an event may have");
                return Ok(Some(Event { line: self.line, body: Err(reason) }));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(Some(Event { line: self.line, body: Ok(self.buffer.trim_ascii()) }));
            }
        }
    }

    /// Skips blank space to see how the recording begins.
    fn recognise(&mut self) -> io::Result<Form> {
        loop {
            let ahead = self.input.fill_buf()?;
            let blank = ahead.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let first = ahead.get(blank).copied();
            let end = ahead.is_empty();
            self.line += ahead[..blank].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.input.consume(blank);
            match first {
                Some(b'[') => return self.array(),
                None if !end => {}
                _ => return Ok(Form::Lines),
            }
        }
    }

    fn array(&mut self) -> io::Result<Form> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(ARRAY_BYTES + 1).read_to_end(&mut bytes)?;
        let broken = |line: u64, reason: String| Form::Broken(Some((line, reason)));
        if bytes.len() as u64 > ARRAY_BYTES {
            return Ok(broken(self.line + 1, "the array is larger than 1 GiB; write one event a line instead".into()));
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let line = newlines(&bytes[..error.valid_up_to()]);
                return Ok(broken(self.line + line + 1, "not UTF-8".into()));
            }
        };
        let events: Vec<&RawValue> = match serde_json::from_str(text) {
            Ok(events) => events,
            Err(error) => return Ok(broken(self.line + error.line() as u64, format!("not a JSON array: {error}"))),
        };
        // The values lie in the text in order, so lines are counted from one to the next.
        let (mut line, mut counted) = (self.line + 1, 0);
        let mut located = Vec::with_capacity(events.len());
        for event in events {
            let start = event.get().as_ptr().addr() - text.as_ptr().addr();
            line += newlines(&text.as_bytes()[counted..start]);
            counted = start;
            located.push((line, event.to_owned()));
        }
        located.reverse();
        Ok(Form::Array(located))
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Reads to the end of the line without keeping it; gives how many bytes that were.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let ahead = input.fill_buf()?;
        if ahead.is_empty() {
            return Ok(skipped);
        }
        let end = ahead.iter().position(|byte| *byte == b'\n');
        let consumed = end.map_or(ahead.len(), |end| end + 1);
        input.consume(consumed);
        skipped += consumed as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(u64, Result<String, String>)> {
        let mut events = Events::new(input);
        let mut all = Vec::new();
        while let Some(event) = events.next().unwrap() {
            all.push((event.line, event.body.map(|body| String::from_utf8_lossy(body).into_owned())));
        }
        all
    }

    #[test]
    fn lines_keep_their_numbers_and_blank_ones_are_no_events() {
        assert_eq!(
            all(b"\n{\"a\":1}\n\n  \r\nnonsense"),
            [(2, Ok("{\"a\":1}".to_owned())), (5, Ok("nonsense".to_owned()))]
        );
    }

    #[test]
    fn an_array_gives_its_events_with_the_lines_they_stand_on() {
        assert_eq!(
            all(b" \n[{\"a\":1},\n {\"b\":\n2}, 3]"),
            [(2, Ok("{\"a\":1}".to_owned())), (3, Ok("{\"b\":\n2}".to_owned())), (4, Ok("3".to_owned()))]
        );
        assert_eq!(all(b"[]"), []);
    }

    #[test]
    fn an_array_that_breaks_off_is_reported_with_its_line() {
        let all = all(b"[{\"a\":1},\n{\"b\"");
        assert_eq!((all.len(), all[0].0), (1, 2));
        assert!(all[0].1.as_ref().unwrap_err().contains("not a JSON array"));
    }

    #[test]
    fn an_enormous_line_is_reported_and_the_next_one_is_read() {
        let mut input = vec![b'x'; MAX_EVENT_BYTES + 10];
        input.extend_from_slice(b"\n{}\n");
        let all = all(&input);
        assert!(all[0].1.as_ref().unwrap_err().contains("1048587 bytes"), "{:?}", all[0].1);
        assert_eq!(all[1], (2, Ok("{}".to_owned())));
    }

    #[test]
    fn an_empty_recording_has_no_events() {
        assert_eq!(all(b""), []);
        assert_eq!(all(b"  \n \n"), []);
    }
}
