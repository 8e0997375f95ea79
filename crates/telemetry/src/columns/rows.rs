//! Rows as columns, as they grow.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringBuilder, TimestampMillisecondArray},
    buffer::NullBuffer,
    datatypes::{DataType, Field, Schema, TimeUnit},
    record_batch::RecordBatch,
};

use super::{presence::Presence, text::Texts};
use crate::field::{EVENT, INGESTION_TIME, Kind, LOG_STREAM, MESSAGE, REST, SHAPE, TIMESTAMP};

/// Values of one kind, for those rows that have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values<T> {
    pub(crate) presence: Presence,
    pub(crate) values: Vec<T>,
}

impl<T> Values<T> {
    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: T) {
        self.presence.mark(row);
        self.values.push(value);
    }

    fn bytes(&self) -> usize {
        self.presence.bytes() + self.values.capacity() * size_of::<T>()
    }
}

/// Texts, for those rows that have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextValues {
    pub(crate) presence: Presence,
    pub(crate) texts: Texts,
}

impl TextValues {
    fn plain() -> Self {
        Self { presence: Presence::default(), texts: Texts::plain() }
    }

    #[inline]
    pub(crate) fn push(&mut self, row: usize, text: &str) {
        self.presence.mark(row);
        self.texts.push(text);
    }

    fn bytes(&self) -> usize {
        self.presence.bytes() + self.texts.bytes()
    }
}

/// A column of a field: its name, and where its values are.
#[derive(Clone, Debug)]
pub(crate) struct FieldColumn {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) at: u32,
}

/// Rows of a group.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) len: usize,
    pub(crate) timestamps: Vec<i64>,
    pub(crate) ingestion_times: Vec<i64>,
    pub(crate) events: Vec<i64>,
    pub(crate) streams: TextValues,
    pub(crate) messages: TextValues,
    pub(crate) shapes: Values<i32>,
    pub(crate) rest: TextValues,
    /// The columns of the fields, in the order in which they were made.
    pub(crate) columns: Vec<FieldColumn>,
    pub(crate) integers: Vec<Values<i64>>,
    pub(crate) floats: Vec<Values<f64>>,
    pub(crate) booleans: Vec<Values<bool>>,
    pub(crate) texts: Vec<TextValues>,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            len: 0,
            timestamps: Vec::new(),
            ingestion_times: Vec::new(),
            events: Vec::new(),
            streams: TextValues::default(),
            messages: TextValues::plain(),
            shapes: Values::default(),
            rest: TextValues::plain(),
            columns: Vec::new(),
            integers: Vec::new(),
            floats: Vec::new(),
            booleans: Vec::new(),
            texts: Vec::new(),
        }
    }
}

impl Rows {
    /// Adds a column and says where its values are.
    pub(crate) fn add_column(&mut self, name: &str, kind: Kind) -> u32 {
        let at = match kind {
            Kind::Integer => grown(&mut self.integers),
            Kind::Float => grown(&mut self.floats),
            Kind::Boolean => grown(&mut self.booleans),
            Kind::Text => grown(&mut self.texts),
        };
        self.columns.push(FieldColumn { name: name.into(), kind, at });
        at
    }

    /// Takes the rows out; what stays has the same columns and no rows.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self {
            columns: self.columns.clone(),
            integers: vec![Values::default(); self.integers.len()],
            floats: vec![Values::default(); self.floats.len()],
            booleans: vec![Values::default(); self.booleans.len()],
            texts: vec![TextValues::default(); self.texts.len()],
            ..Self::default()
        };
        std::mem::replace(self, empty)
    }

    /// The bytes that the rows take in memory.
    pub(crate) fn bytes(&self) -> usize {
        (self.timestamps.capacity() + self.ingestion_times.capacity() + self.events.capacity()) * 8
            + self.streams.bytes()
            + self.messages.bytes()
            + self.shapes.bytes()
            + self.rest.bytes()
            + self.integers.iter().map(Values::bytes).sum::<usize>()
            + self.floats.iter().map(Values::bytes).sum::<usize>()
            + self.booleans.iter().map(Values::bytes).sum::<usize>()
            + self.texts.iter().map(TextValues::bytes).sum::<usize>()
    }

    fn presence(&self, column: &FieldColumn) -> &Presence {
        let at = column.at as usize;
        match column.kind {
            Kind::Integer => &self.integers[at].presence,
            Kind::Float => &self.floats[at].presence,
            Kind::Boolean => &self.booleans[at].presence,
            Kind::Text => &self.texts[at].presence,
        }
    }

    /// The columns of fields that some row has.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &FieldColumn> {
        self.columns.iter().filter(|column| self.presence(column).values() > 0)
    }

    /// Some rows as Arrow has them: the system's columns, then those of the fields that any row of all has.
    pub(crate) fn batch(&self, rows: Range<usize>) -> RecordBatch {
        let millis =
            |values: &[i64]| -> ArrayRef { Arc::new(TimestampMillisecondArray::from(values[rows.clone()].to_vec())) };
        let time = DataType::Timestamp(TimeUnit::Millisecond, None);
        let mut fields = vec![
            Field::new(TIMESTAMP, time.clone(), false),
            Field::new(INGESTION_TIME, time, false),
            Field::new(LOG_STREAM, DataType::Utf8, false),
            Field::new(EVENT, DataType::Int64, false),
            Field::new(MESSAGE, DataType::Utf8, true),
            Field::new(SHAPE, DataType::Int32, true),
            Field::new(REST, DataType::Utf8, true),
        ];
        let mut columns = vec![
            millis(&self.timestamps),
            millis(&self.ingestion_times),
            texts(&self.streams, &rows),
            Arc::new(Int64Array::from(self.events[rows.clone()].to_vec())),
            texts(&self.messages, &rows),
            {
                let (values, nulls) = numbers(&self.shapes, &rows);
                Arc::new(Int32Array::new(values.into(), nulls))
            },
            texts(&self.rest, &rows),
        ];
        for column in self.seen() {
            let at = column.at as usize;
            let (of, array): (_, ArrayRef) = match column.kind {
                Kind::Integer => {
                    let (values, nulls) = numbers(&self.integers[at], &rows);
                    (DataType::Int64, Arc::new(Int64Array::new(values.into(), nulls)))
                }
                Kind::Float => {
                    let (values, nulls) = numbers(&self.floats[at], &rows);
                    (DataType::Float64, Arc::new(Float64Array::new(values.into(), nulls)))
                }
                Kind::Boolean => {
                    let (values, nulls) = numbers(&self.booleans[at], &rows);
                    (DataType::Boolean, Arc::new(BooleanArray::new(values.into(), nulls)))
                }
                Kind::Text => (DataType::Utf8, texts(&self.texts[at], &rows)),
            };
            fields.push(Field::new(&*column.name, of, true));
            columns.push(array);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .expect("each column has the rows of the range and the kind of its field")
    }
}

fn grown<T: Default>(list: &mut Vec<T>) -> u32 {
    list.push(T::default());
    // There are at most some thousands of columns.
    (list.len() - 1) as u32
}

fn numbers<T: Copy + Default>(column: &Values<T>, rows: &Range<usize>) -> (Vec<T>, Option<NullBuffer>) {
    let presence = &column.presence;
    let (from, to) = (presence.before(rows.start), presence.before(rows.end));
    if to - from == rows.len() {
        return (column.values[from..to].to_vec(), None);
    }
    let mut packed = column.values[from..to].iter().copied();
    let spread =
        rows.clone().map(|row| if presence.has(row) { packed.next().unwrap_or_default() } else { T::default() });
    let valid: Vec<bool> = rows.clone().map(|row| presence.has(row)).collect();
    (spread.collect(), Some(valid.into()))
}

fn texts(column: &TextValues, rows: &Range<usize>) -> ArrayRef {
    let presence = &column.presence;
    let mut at = presence.before(rows.start);
    let mut out = StringBuilder::with_capacity(rows.len(), rows.len() * 8);
    for row in rows.clone() {
        if presence.has(row) {
            out.append_value(column.texts.get(at));
            at += 1;
        } else {
            out.append_null();
        }
    }
    Arc::new(out.finish())
}
