//! Events become rows of columns.
//!
//! Messages of one writer say the same names each time. So a message is first compared with the shape that came after the last
//! one before, then with those that were seen lately: literal by literal, and only what stands in the holes is read. A message
//! that fits none of them is read as JSON, and its shape is learnt.

mod compiled;
mod presence;
mod rows;
mod slots;
mod text;
mod token;
mod walk;

use arrow::record_batch::RecordBatch;
use insights::limits::DISCOVERED_FIELDS_MAX;

use crate::{
    event::Event,
    field::{FieldIndex, Kind},
    shape::{
        Shape, Shapes,
        form::{NumberForm, TEXT_FORMS, TextForm},
        push_hole,
    },
};
use compiled::{Compiled, Found, is_printed_as};
pub(crate) use presence::Presence;
pub(crate) use rows::{Rows, TextValues, Values};
use slots::{NO_COLUMN, Slots};
pub(crate) use text::{Plain, Texts};
use token::{Token, fits, fits_text, unescape};
use walk::{Leaf, Walk};

/// The most columns of fields that a group has; further fields are kept in `@rest`.
pub const COLUMNS_MAX: usize = 2_000;
/// The longest name of a field that has a column, in bytes.
pub const NAME_BYTES_MAX: usize = 1_024;

/// How many shapes are compared before a message is read as JSON.
const RECENT_MAX: usize = 6;

/// Takes events of one log group and lays them out as columns.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    fields: FieldIndex,
    shapes: Shapes,
    rows: Rows,
    slots: Slots,
    /// Shapes made ready, by their numbers.
    compiled: Vec<Option<Compiled>>,
    /// Which shape came after each one last.
    successors: Vec<u32>,
    /// Shapes that were seen lately, the latest first.
    recent: Vec<u32>,
    found: Vec<Found>,
    unescaped: String,
    walk: Walk,
    candidate: String,
}

impl Builder {
    /// A builder that knows the fields and shapes which its group has already.
    pub fn new(fields: FieldIndex, shapes: Shapes) -> Self {
        Self { fields, shapes, ..Self::default() }
    }

    /// The fields that the group has now.
    pub fn fields(&self) -> &FieldIndex {
        &self.fields
    }

    /// The shapes that the group has now.
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.len == 0
    }

    /// The bytes of memory that the rows take.
    pub fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// Adds an event: the stream it came in, when it was taken in (milliseconds), and its number in the store.
    pub fn push(&mut self, stream: &str, event: &Event, ingested_ms: i64, number: u64) {
        self.push_message(stream, event.timestamp_ms, &event.message, ingested_ms, number);
    }

    /// The same for a message that need not be owned.
    pub(crate) fn push_message(
        &mut self,
        stream: &str,
        timestamp_ms: i64,
        message: &str,
        ingested_ms: i64,
        number: u64,
    ) {
        let row = self.rows.len;
        self.rows.timestamps.push(timestamp_ms);
        self.rows.ingestion_times.push(ingested_ms);
        // Numbers count events; no store sees 2^63 of them.
        self.rows.events.push(number as i64);
        self.rows.streams.push(row, stream);
        if !self.push_known(row, message) {
            self.push_new(row, message);
        }
        self.rows.len = row + 1;
    }

    /// The rows as Arrow has them. The builder is empty afterwards and keeps its fields and shapes.
    pub fn finish(&mut self) -> RecordBatch {
        let rows = self.take_rows();
        rows.batch(0..rows.len)
    }

    /// Forgets the rows. Fields and shapes stay.
    pub fn clear(&mut self) {
        self.take_rows();
    }

    /// Some rows as Arrow has them; they stay here.
    pub(crate) fn batch(&self, rows: std::ops::Range<usize>) -> RecordBatch {
        self.rows.batch(rows)
    }

    /// Takes the rows out for sealing.
    pub(crate) fn take_rows(&mut self) -> Rows {
        self.slots.begin();
        self.rows.take()
    }

    /// Adds a message of a shape that was seen lately; false if it has none of them.
    fn push_known(&mut self, row: usize, message: &str) -> bool {
        let Some(&last) = self.recent.first() else { return false };
        let likely = self.successors[last as usize];
        if self.push_as(row, message, likely) {
            return true;
        }
        for at in 0..self.recent.len() {
            let shape = self.recent[at];
            if shape != likely && self.push_as(row, message, shape) {
                return true;
            }
        }
        false
    }

    #[inline]
    fn push_as(&mut self, row: usize, message: &str, shape: u32) -> bool {
        let Some(Some(compiled)) = self.compiled.get(shape as usize) else { return false };
        if !compiled.scan(message, &mut self.found, &mut self.unescaped) {
            return false;
        }
        for (hole, found) in compiled.holes.iter().zip(&self.found) {
            if let Some(kind) = kind_of(found)
                && self.slots.column(hole.slot, kind) == NO_COLUMN
                && !self.slots.add_column(hole.slot, kind, &mut self.fields, &mut self.rows)
            {
                return false;
            }
        }
        for (hole, found) in compiled.holes.iter().zip(&self.found) {
            let Some(kind) = kind_of(found) else { continue };
            let at = self.slots.column(hole.slot, kind) as usize;
            match *found {
                Found::Null => {}
                Found::Integer(number) => self.rows.integers[at].push(row, number),
                Found::Float(number) => self.rows.floats[at].push(row, number),
                Found::Boolean(truth) => self.rows.booleans[at].push(row, truth),
                Found::Text(from, end) => self.rows.texts[at].push(row, &message[from as usize..end as usize]),
                Found::Unescaped(from, end) => {
                    self.rows.texts[at].push(row, &self.unescaped[from as usize..end as usize]);
                }
            }
        }
        self.rows.shapes.push(row, shape as i32);
        self.note(shape);
        true
    }

    /// Remembers which shape came last.
    #[inline]
    fn note(&mut self, shape: u32) {
        match self.recent.first() {
            Some(&last) => {
                self.successors[last as usize] = shape;
                if last == shape {
                    return;
                }
            }
            None => {
                self.recent.push(shape);
                return;
            }
        }
        if let Some(at) = self.recent.iter().position(|it| *it == shape) {
            self.recent[..=at].rotate_right(1);
        } else {
            self.recent.insert(0, shape);
            self.recent.truncate(RECENT_MAX);
        }
    }

    /// Adds any message.
    #[cold]
    fn push_new(&mut self, row: usize, message: &str) {
        let mut walk = std::mem::take(&mut self.walk);
        if walk.run(message) {
            let shape = self.push_leaves(row, message, &walk);
            match shape {
                Some(shape) => {
                    self.rows.shapes.push(row, shape);
                    self.make_ready(shape as u32);
                    self.note(shape as u32);
                }
                None => self.rows.messages.push(row, message),
            }
        } else {
            self.rows.messages.push(row, message);
        }
        self.walk = walk;
    }

    /// Puts the leaves of a message into their columns and gives the number of its shape, if its text can be rebuilt from them.
    fn push_leaves(&mut self, row: usize, message: &str, walk: &Walk) -> Option<i32> {
        let mut values = 0;
        let counted = walk.leaves.iter().take_while(|leaf| {
            values += usize::from(leaf.token != Token::Null);
            values <= DISCOVERED_FIELDS_MAX
        });
        let leaves = &walk.leaves[..counted.count()];
        let mut has_columns = true;
        for leaf in leaves {
            has_columns &=
                kind_of_token(&leaf.token).is_none_or(|kind| self.column_of(walk.path(leaf), kind).is_some());
        }
        let whole = has_columns && walk.leaves.len() <= DISCOVERED_FIELDS_MAX;
        let shape = if whole && self.write_candidate(message, walk) { self.learn(walk) } else { None };
        if shape.is_some() {
            for leaf in leaves {
                self.push_leaf(row, message, leaf, walk.path(leaf));
            }
        } else {
            self.push_last_leaves(row, message, walk, leaves);
        }
        shape
    }

    /// Where the values of a field of this kind are, made if there was no such column; nothing if there is no room for it.
    fn column_of(&mut self, path: &str, kind: Kind) -> Option<(u32, usize)> {
        if path.len() > NAME_BYTES_MAX {
            return None;
        }
        let known = self.slots.find(path);
        if known.is_none() && !slots::has_room(&self.fields, path, kind) {
            return None;
        }
        let slot = known.unwrap_or_else(|| self.slots.of(path));
        if self.slots.column(slot, kind) == NO_COLUMN
            && !self.slots.add_column(slot, kind, &mut self.fields, &mut self.rows)
        {
            return None;
        }
        Some((slot, self.slots.column(slot, kind) as usize))
    }

    fn push_leaf(&mut self, row: usize, message: &str, leaf: &Leaf, path: &str) -> bool {
        let Some((slot, at)) = kind_of_token(&leaf.token).and_then(|kind| self.column_of(path, kind)) else {
            return false;
        };
        if !self.slots.mark(slot, row) {
            return true;
        }
        let text = &message[leaf.at.0..leaf.at.1];
        match leaf.token {
            Token::Null => {}
            Token::Boolean(truth) => self.rows.booleans[at].push(row, truth),
            Token::Integer(number) => self.rows.integers[at].push(row, number),
            Token::Float(number, _) => self.rows.floats[at].push(row, number),
            Token::Long => self.rows.texts[at].push(row, text),
            Token::Text => self.rows.texts[at].push(row, &text[1..text.len() - 1]),
            Token::Escaped => {
                self.unescaped.clear();
                unescape(&text[1..text.len() - 1], &mut self.unescaped);
                self.rows.texts[at].push(row, &self.unescaped);
            }
        }
        true
    }

    /// Puts leaves into their columns where a path may be there twice, or a field may have no column. The last value counts.
    fn push_last_leaves(&mut self, row: usize, message: &str, walk: &Walk, leaves: &[Leaf]) {
        let mut rest = Vec::new();
        for leaf in leaves.iter().rev().filter(|leaf| leaf.token != Token::Null) {
            if !self.push_leaf(row, message, leaf, walk.path(leaf)) {
                rest.push(leaf);
            }
        }
        if rest.is_empty() {
            return;
        }
        let mut object = "{".to_owned();
        for leaf in rest.iter().rev() {
            if object.len() > 1 {
                object.push(',');
            }
            TextForm::Plain.print(walk.path(leaf), &mut object);
            object.push(':');
            object.push_str(&message[leaf.at.0..leaf.at.1]);
        }
        object.push('}');
        self.rows.rest.push(row, &object);
    }

    /// Writes the shape that a message would have; false if its values cannot be written as they stand there.
    fn write_candidate(&mut self, message: &str, walk: &Walk) -> bool {
        self.candidate.clear();
        let mut from = 0;
        for leaf in &walk.leaves {
            let path = walk.path(leaf);
            let hints = self.slots.find(path).map(|slot| self.slots.hints(slot)).unwrap_or_default();
            let text = &message[leaf.at.0..leaf.at.1];
            let (mut number_form, mut text_form) = hints;
            match leaf.token {
                Token::Null | Token::Boolean(_) | Token::Integer(_) => {}
                Token::Long => return false,
                Token::Float(number, digits) => {
                    if !fits(number_form, text, number, digits) {
                        let Some(form) = NumberForm::of_text(text, number) else { return false };
                        number_form = form;
                    }
                }
                Token::Text => {
                    if !fits_text(text_form, &text[1..text.len() - 1]) {
                        text_form = TextForm::Plain;
                    }
                }
                Token::Escaped => {
                    self.unescaped.clear();
                    unescape(&text[1..text.len() - 1], &mut self.unescaped);
                    let mut forms = [text_form].into_iter().chain(TEXT_FORMS);
                    let Some(form) = forms.find(|form| is_printed_as(*form, &self.unescaped, text)) else {
                        return false;
                    };
                    text_form = form;
                }
            }
            self.candidate.push_str(&message[from..leaf.at.0]);
            push_hole(&mut self.candidate, path, number_form, text_form);
            from = leaf.at.1;
        }
        self.candidate.push_str(&message[from..]);
        true
    }

    /// The number of the shape that was just written; nothing if there is no room for it or a path is there twice.
    fn learn(&mut self, walk: &Walk) -> Option<i32> {
        if let Some(number) = self.shapes.find(&self.candidate) {
            return Some(number);
        }
        let mut paths: Vec<&str> = walk.leaves.iter().map(|leaf| walk.path(leaf)).collect();
        paths.sort_unstable();
        if paths.windows(2).any(|two| two[0] == two[1]) || paths.iter().any(|path| path.len() > NAME_BYTES_MAX) {
            return None;
        }
        let number = self.shapes.learn(&self.candidate)?;
        let shape = Shape::of_text(&self.candidate)?;
        for hole in &shape.holes {
            let slot = self.slots.of(hole.field);
            self.slots.hint(slot, hole.number, hole.text);
        }
        Some(number)
    }

    /// Makes a shape ready for being compared with messages.
    fn make_ready(&mut self, number: u32) {
        let at = number as usize;
        if self.compiled.len() <= at {
            self.compiled.resize(at + 1, None);
            self.successors.resize(at + 1, number);
        }
        if self.compiled[at].is_none()
            && let Some(shape) = self.shapes.texts().get(at).and_then(|text| Shape::of_text(text))
        {
            self.compiled[at] = Some(Compiled::new(&shape, |field| self.slots.of(field)));
        }
    }
}

#[inline]
fn kind_of(found: &Found) -> Option<Kind> {
    match found {
        Found::Null => None,
        Found::Integer(_) => Some(Kind::Integer),
        Found::Float(_) => Some(Kind::Float),
        Found::Boolean(_) => Some(Kind::Boolean),
        Found::Text(..) | Found::Unescaped(..) => Some(Kind::Text),
    }
}

fn kind_of_token(token: &Token) -> Option<Kind> {
    match token {
        Token::Null => None,
        Token::Integer(_) => Some(Kind::Integer),
        Token::Float(..) => Some(Kind::Float),
        Token::Boolean(_) => Some(Kind::Boolean),
        Token::Text | Token::Escaped | Token::Long => Some(Kind::Text),
    }
}

#[cfg(test)]
mod tests;
