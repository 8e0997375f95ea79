//! Rows become a Parquet file.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parquet::{
    arrow::ArrowSchemaConverter,
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::ColumnDescPtr,
};

use super::{
    chunk::{Packed, booleans, numbers, plain_texts, texts},
    pages::Chunk,
};
use crate::{
    columns::{Presence, Rows, TextValues, Texts, Values},
    field::{EVENT, INGESTION_TIME, Kind, LOG_STREAM, MESSAGE, REST, SHAPE, TIMESTAMP},
};

/// A column of a file.
struct Column<'a> {
    name: &'a str,
    data: Data<'a>,
}

#[derive(Clone, Copy)]
enum Data<'a> {
    Millis(&'a [i64]),
    Numbers(&'a [i64]),
    Integers(&'a Values<i64>),
    Shapes(&'a Values<i32>),
    Floats(&'a Values<f64>),
    Booleans(&'a Values<bool>),
    Texts(&'a TextValues),
}

fn columns_of(rows: &Rows) -> Vec<Column<'_>> {
    let mut columns = vec![
        Column { name: TIMESTAMP, data: Data::Millis(&rows.timestamps) },
        Column { name: INGESTION_TIME, data: Data::Millis(&rows.ingestion_times) },
        Column { name: LOG_STREAM, data: Data::Texts(&rows.streams) },
        Column { name: EVENT, data: Data::Numbers(&rows.events) },
        Column { name: MESSAGE, data: Data::Texts(&rows.messages) },
        Column { name: SHAPE, data: Data::Shapes(&rows.shapes) },
        Column { name: REST, data: Data::Texts(&rows.rest) },
    ];
    for column in rows.seen() {
        let at = column.at as usize;
        let data = match column.kind {
            Kind::Integer => Data::Integers(&rows.integers[at]),
            Kind::Float => Data::Floats(&rows.floats[at]),
            Kind::Boolean => Data::Booleans(&rows.booleans[at]),
            Kind::Text => Data::Texts(&rows.texts[at]),
        };
        columns.push(Column { name: &column.name, data });
    }
    columns
}

impl Column<'_> {
    /// The column as the file's schema has it.
    fn field(&self) -> Field {
        let (kind, optional) = match self.data {
            Data::Millis(_) => (DataType::Timestamp(TimeUnit::Millisecond, None), false),
            Data::Numbers(_) => (DataType::Int64, false),
            Data::Integers(_) => (DataType::Int64, true),
            Data::Shapes(_) => (DataType::Int32, true),
            Data::Floats(_) => (DataType::Float64, true),
            Data::Booleans(_) => (DataType::Boolean, true),
            Data::Texts(_) => (DataType::Utf8, self.name != LOG_STREAM),
        };
        Field::new(self.name, kind, optional)
    }
}

/// A file that is not written yet.
pub(crate) struct Sealed {
    /// The day of its rows, counted from 1970.
    pub(crate) day: i64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u64,
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) ingested_to_ms: i64,
}

/// Writes rows into one file for each of their days.
pub(crate) fn seal(rows: &Rows, sorted_by: &[String]) -> Result<Vec<Sealed>, ParquetError> {
    let mut sealed = Vec::new();
    for (day, order) in super::order(rows, sorted_by) {
        let mut groups = RowGroups::new(&columns_of(rows).iter().map(Column::field).collect::<Vec<_>>())?;
        groups.push(rows, &order)?;
        sealed.push(groups.finish(day)?);
    }
    Ok(sealed)
}

/// A file as it grows, one row group after the other.
pub(crate) struct RowGroups {
    schema: Arc<Schema>,
    writer: SerializedFileWriter<Vec<u8>>,
    rows: u64,
    from_ms: i64,
    to_ms: i64,
    ingested_to_ms: i64,
}

impl RowGroups {
    /// A file with these columns.
    pub(crate) fn new(fields: &[Field]) -> Result<Self, ParquetError> {
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let descriptor = ArrowSchemaConverter::new().convert(&schema)?;
        let properties = WriterProperties::builder().set_created_by("muster".to_owned()).build();
        let writer = SerializedFileWriter::new(Vec::new(), descriptor.root_schema_ptr(), Arc::new(properties))?;
        Ok(Self { schema, writer, rows: 0, from_ms: i64::MAX, to_ms: i64::MIN, ingested_to_ms: i64::MIN })
    }

    /// How many rows were written.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row group of those rows, in this order. Columns that the file does not have are left out.
    pub(crate) fn push(&mut self, rows: &Rows, order: &[u32]) -> Result<(), ParquetError> {
        let times = order.iter().map(|row| (rows.timestamps[*row as usize], rows.ingestion_times[*row as usize]));
        let bounds = times
            .fold((self.from_ms, self.to_ms, self.ingested_to_ms), |(from, to, ingested), (time, taken)| {
                (from.min(time), to.max(time), ingested.max(taken))
            });
        (self.from_ms, self.to_ms, self.ingested_to_ms) = bounds;
        self.rows += order.len() as u64;
        let columns = columns_of(rows);
        let by_name: HashMap<&str, Data<'_>, RandomState> = columns.iter().map(|it| (it.name, it.data)).collect();
        let descriptors: Vec<ColumnDescPtr> = self.writer.schema_descr().columns().to_vec();
        let mut group = self.writer.next_row_group()?;
        for (field, descriptor) in self.schema.fields().iter().zip(descriptors) {
            let (bytes, close) = match by_name.get(&**field.name()) {
                Some(data) => data.chunk(descriptor, rows.len, order)?,
                None => nothing(field, descriptor, order.len())?,
            };
            group.append_column(&bytes, close)?;
        }
        group.close()?;
        Ok(())
    }

    /// The whole file.
    pub(crate) fn finish(self, day: i64) -> Result<Sealed, ParquetError> {
        let Self { rows, from_ms, to_ms, ingested_to_ms, writer, .. } = self;
        Ok(Sealed { day, bytes: writer.into_inner()?, rows, from_ms, to_ms, ingested_to_ms })
    }
}

impl Data<'_> {
    /// The values in order, encoded.
    fn chunk(self, descriptor: ColumnDescPtr, rows: usize, order: &[u32]) -> Result<Chunk, ParquetError> {
        match self {
            Self::Millis(values) | Self::Numbers(values) => {
                let values = order.iter().map(|row| values[*row as usize]).collect();
                numbers(descriptor, &Packed { values, present: None })
            }
            Self::Integers(it) => {
                let places = Places::new(&it.presence, rows, order);
                numbers(descriptor, &places.pack(order, |at| it.values[at]))
            }
            Self::Shapes(it) => {
                let places = Places::new(&it.presence, rows, order);
                numbers(descriptor, &places.pack(order, |at| it.values[at]))
            }
            Self::Floats(it) => {
                let places = Places::new(&it.presence, rows, order);
                numbers(descriptor, &places.pack(order, |at| it.values[at]))
            }
            Self::Booleans(it) => {
                let places = Places::new(&it.presence, rows, order);
                booleans(descriptor, &places.pack(order, |at| it.values[at]))
            }
            Self::Texts(it) => {
                let places = Places::new(&it.presence, rows, order);
                match &it.texts {
                    Texts::Dictionary(dictionary) => {
                        texts(descriptor, places.pack(order, |at| dictionary.ids[at]), &dictionary.texts)
                    }
                    Texts::Plain(plain) => plain_texts(descriptor, &places.pack(order, |at| plain.get(at))),
                }
            }
        }
    }
}

/// A column of a row group that no row has.
fn nothing(field: &Field, descriptor: ColumnDescPtr, rows: usize) -> Result<Chunk, ParquetError> {
    let absent = vec![false; rows];
    let present = Some(absent.as_slice());
    match field.data_type() {
        DataType::Int32 => numbers::<i32>(descriptor, &Packed { values: Vec::new(), present }),
        DataType::Float64 => numbers::<f64>(descriptor, &Packed { values: Vec::new(), present }),
        DataType::Boolean => booleans(descriptor, &Packed { values: Vec::new(), present }),
        DataType::Utf8 => plain_texts(descriptor, &Packed { values: Vec::new(), present }),
        _ => numbers::<i64>(descriptor, &Packed { values: Vec::new(), present }),
    }
}

/// Where the value of each row stands.
struct Places {
    /// By row; empty if each has one, which then stands where the row does.
    places: Vec<u32>,
    /// Which rows have a value, in order.
    present: Option<Vec<bool>>,
}

const NOWHERE: u32 = u32::MAX;

impl Places {
    fn new(presence: &Presence, rows: usize, order: &[u32]) -> Self {
        if presence.is_full(rows) {
            return Self { places: Vec::new(), present: None };
        }
        let mut next = 0;
        let places: Vec<u32> = (0..rows)
            .map(|row| {
                let has = presence.has(row);
                next += u32::from(has);
                if has { next - 1 } else { NOWHERE }
            })
            .collect();
        let present = order.iter().map(|row| places[*row as usize] != NOWHERE).collect();
        Self { places, present: Some(present) }
    }

    fn pack<T>(&self, order: &[u32], value: impl Fn(usize) -> T) -> Packed<'_, T> {
        let values = if self.present.is_none() {
            order.iter().map(|row| value(*row as usize)).collect()
        } else {
            let places = order.iter().map(|row| self.places[*row as usize]).filter(|at| *at != NOWHERE);
            places.map(|at| value(at as usize)).collect()
        };
        Packed { values, present: self.present.as_deref() }
    }
}
