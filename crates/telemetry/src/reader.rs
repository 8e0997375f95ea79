//! Events of one group in their order, some at a time: what GetLogEvents and FilterLogEvents give. A query engine is not needed for it.
//!
//! Files are looked at twice: first the times, streams and numbers of their rows, to choose the next ones; then, of the rows chosen,
//! everything that their messages are made of.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap},
    ops::Range,
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, StringArray, UInt32Array},
    compute::{cast, take_record_batch},
    datatypes::{DataType, Int64Type},
    error::ArrowError,
    record_batch::RecordBatch,
};
use bytes::Bytes;
use futures::{FutureExt as _, TryFutureExt as _, TryStreamExt as _, future::BoxFuture};
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderOptions, RowSelection, RowSelector},
        async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder},
    },
    errors::ParquetError,
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader},
        statistics::Statistics,
    },
};

use crate::{
    field::{EVENT, INGESTION_TIME, LOG_STREAM, TIMESTAMP},
    shape::{RebuildError, message_column},
    snapshot::{File, Group},
};

/// The place of an event in the order that events are told in: by time, then by arrival, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its time, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// When it came in.
    pub ingestion_ms: i64,
    /// Its number in the store.
    pub number: u64,
}

/// An event that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub place: Place,
    /// Its stream.
    pub stream: String,
    /// Its text.
    pub message: String,
}

/// Which events are wanted.
pub struct Wanted<'a> {
    /// Of which streams.
    pub streams: &'a (dyn Fn(&str) -> bool + Send + Sync),
    /// The earliest time, in milliseconds since 1970.
    pub from_ms: i64,
    /// The latest time; it counts.
    pub to_ms: i64,
    /// Only those beyond this place, in the direction of reading.
    pub beyond: Option<Place>,
    /// From the newest backwards.
    pub newest_first: bool,
    /// So many at most.
    pub count: usize,
}

impl std::fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("from_ms", &self.from_ms).field("to_ms", &self.to_ms).finish_non_exhaustive()
    }
}

/// Why events could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be read.
    #[error("reading {path}: {source}")]
    File {
        /// Its path below the root of the store.
        path: String,
        /// What Parquet says.
        source: ParquetError,
    },
    /// A column is not what it should be.
    #[error("reading the column {column} of {group}: {source}")]
    Column {
        /// The group.
        group: String,
        /// The column.
        column: &'static str,
        /// What Arrow says.
        source: ArrowError,
    },
    /// Messages cannot be put together.
    #[error("putting the messages of {group} together: {source}")]
    Messages {
        /// The group.
        group: String,
        /// Why.
        source: RebuildError,
    },
}

/// A row that may be one of the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    place: Place,
    newest_first: bool,
    /// Batches first, then files.
    source: usize,
    row: usize,
}

impl Ord for Candidate {
    /// The greatest is the one that is given up first.
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.place.cmp(&other.place);
        if self.newest_first { order.reverse() } else { order }
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The next events of a group, in the order that is wanted.
///
/// # Errors
/// When a file cannot be read, or does not hold what the group's catalog says.
pub async fn events(group: &Group, store: &Arc<dyn ObjectStore>, wanted: &Wanted<'_>) -> Result<Vec<Found>, ReadError> {
    let mut reading = Reading { group, store, wanted, nearest: BinaryHeap::new(), row_groups: BTreeMap::new() };
    if wanted.count == 0 || wanted.from_ms > wanted.to_ms {
        return Ok(Vec::new());
    }
    for (source, batch) in group.batches.iter().enumerate() {
        reading.weigh(source, 0, batch)?;
    }
    let mut files: Vec<(usize, &File)> = group.files.iter().enumerate().collect();
    // Once enough is found, files that begin behind it need not be opened.
    files.sort_by_key(|(_, file)| if wanted.newest_first { file.to_ms.saturating_neg() } else { file.from_ms });
    for (number, file) in files {
        if file.meets(wanted.from_ms, wanted.to_ms) && !reading.is_beyond_reach(file) {
            reading.look_into(number, file).await?;
        }
    }
    reading.read().await
}

struct Reading<'a> {
    group: &'a Group,
    store: &'a Arc<dyn ObjectStore>,
    wanted: &'a Wanted<'a>,
    nearest: BinaryHeap<Candidate>,
    /// The row groups that were looked at, by file.
    row_groups: BTreeMap<usize, Vec<usize>>,
}

impl Reading<'_> {
    /// The last place that would still be given, once there are enough.
    fn reach(&self) -> Option<Place> {
        self.nearest.peek().filter(|_| self.nearest.len() >= self.wanted.count).map(|candidate| candidate.place)
    }

    fn is_beyond_reach(&self, file: &File) -> bool {
        self.reach().is_some_and(|reach| match self.wanted.newest_first {
            true => file.to_ms < reach.timestamp_ms,
            false => file.from_ms > reach.timestamp_ms,
        })
    }

    /// Weighs the rows of a batch; `first_row` is the number of its first one in its source.
    fn weigh(&mut self, source: usize, first_row: usize, batch: &RecordBatch) -> Result<(), ReadError> {
        let group = self.group;
        let times = whole_numbers(batch, TIMESTAMP, group)?;
        let arrivals = whole_numbers(batch, INGESTION_TIME, group)?;
        let numbers = whole_numbers(batch, EVENT, group)?;
        let streams = texts(batch, LOG_STREAM, group)?;
        let Wanted { from_ms, to_ms, beyond, newest_first, count, .. } = *self.wanted;
        for row in 0..batch.num_rows() {
            let timestamp_ms = times.value(row);
            if timestamp_ms < from_ms || timestamp_ms > to_ms {
                continue;
            }
            let number = numbers.value(row).cast_unsigned();
            let place = Place { timestamp_ms, ingestion_ms: arrivals.value(row), number };
            let candidate = Candidate { place, newest_first, source, row: first_row + row };
            let is_behind = beyond.is_some_and(|beyond| if newest_first { place >= beyond } else { place <= beyond });
            let is_far = self.nearest.len() >= count && self.nearest.peek().is_some_and(|last| candidate >= *last);
            if is_behind || is_far || !(self.wanted.streams)(streams.value(row)) {
                continue;
            }
            self.nearest.push(candidate);
            if self.nearest.len() > count {
                self.nearest.pop();
            }
        }
        Ok(())
    }

    async fn open(&self, file: &File) -> Result<ParquetRecordBatchStreamBuilder<Stored>, ReadError> {
        let path = Path::from(file.path.as_str());
        let reader = Stored { store: self.store.clone(), path, bytes: file.bytes };
        ParquetRecordBatchStreamBuilder::new(reader).await.map_err(|source| failed(file, source))
    }

    /// Weighs the rows of a file.
    async fn look_into(&mut self, number: usize, file: &File) -> Result<(), ReadError> {
        let builder = self.open(file).await?;
        let chosen = row_groups_within(builder.metadata(), self.wanted.from_ms, self.wanted.to_ms);
        if chosen.is_empty() {
            return Ok(());
        }
        let system = [TIMESTAMP, INGESTION_TIME, EVENT, LOG_STREAM];
        let mask = ProjectionMask::columns(builder.parquet_schema(), system);
        let stream = builder.with_projection(mask).with_row_groups(chosen.clone()).build();
        let mut stream = stream.map_err(|source| failed(file, source))?;
        self.row_groups.insert(number, chosen);
        let mut row = 0;
        while let Some(batch) = stream.try_next().await.map_err(|source| failed(file, source))? {
            self.weigh(self.group.batches.len() + number, row, &batch)?;
            row += batch.num_rows();
        }
        Ok(())
    }

    /// Reads the rows that were chosen.
    async fn read(self) -> Result<Vec<Found>, ReadError> {
        let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for candidate in &self.nearest {
            rows.entry(candidate.source).or_default().push(candidate.row);
        }
        let mut found = Vec::with_capacity(self.nearest.len());
        for (source, mut rows) in rows {
            rows.sort_unstable();
            match self.group.batches.get(source) {
                Some(batch) => {
                    // A batch in memory has some thousands of rows.
                    let indexes: UInt32Array = rows.iter().map(|row| u32::try_from(*row).unwrap_or(u32::MAX)).collect();
                    let chosen = take_record_batch(batch, &indexes).map_err(|source| ReadError::Column {
                        group: self.group.name.clone(),
                        column: EVENT,
                        source,
                    })?;
                    self.put_together(&chosen, &mut found)?;
                }
                None => {
                    let number = source - self.group.batches.len();
                    let Some(file) = self.group.files.get(number) else { continue };
                    let builder = self.open(file).await?;
                    let row_groups = self.row_groups.get(&number).cloned().unwrap_or_default();
                    let stream = builder.with_row_groups(row_groups).with_row_selection(selection(&rows)).build();
                    let mut stream = stream.map_err(|source| failed(file, source))?;
                    while let Some(batch) = stream.try_next().await.map_err(|source| failed(file, source))? {
                        self.put_together(&batch, &mut found)?;
                    }
                }
            }
        }
        found.sort_unstable_by_key(|event: &Found| event.place);
        if self.wanted.newest_first {
            found.reverse();
        }
        Ok(found)
    }

    fn put_together(&self, batch: &RecordBatch, found: &mut Vec<Found>) -> Result<(), ReadError> {
        let group = self.group;
        let messages = message_column(batch, &group.fields, &group.shapes)
            .map_err(|source| ReadError::Messages { group: group.name.clone(), source })?;
        let times = whole_numbers(batch, TIMESTAMP, group)?;
        let arrivals = whole_numbers(batch, INGESTION_TIME, group)?;
        let numbers = whole_numbers(batch, EVENT, group)?;
        let streams = texts(batch, LOG_STREAM, group)?;
        for row in 0..batch.num_rows() {
            found.push(Found {
                place: Place {
                    timestamp_ms: times.value(row),
                    ingestion_ms: arrivals.value(row),
                    number: numbers.value(row).cast_unsigned(),
                },
                stream: streams.value(row).to_owned(),
                message: if messages.is_valid(row) { messages.value(row).to_owned() } else { String::new() },
            });
        }
        Ok(())
    }
}

/// A file in an object store, for Parquet's reader.
struct Stored {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

fn outside(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for Stored {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.store.get_range(&self.path, range).map_err(outside).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(outside) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}

fn failed(file: &File, source: ParquetError) -> ReadError {
    ReadError::File { path: file.path.clone(), source }
}

/// The rows with these numbers, in their order, each once.
fn selection(rows: &[usize]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0;
    for row in rows {
        if *row > next {
            selectors.push(RowSelector::skip(row - next));
        }
        selectors.push(RowSelector::select(1));
        next = row + 1;
    }
    RowSelection::from(selectors)
}

/// Row groups that may hold events of these times, by what the file says of itself.
fn row_groups_within(file: &ParquetMetaData, from_ms: i64, to_ms: i64) -> Vec<usize> {
    let columns = file.file_metadata().schema_descr().columns();
    let Some(at) = columns.iter().position(|column| column.name() == TIMESTAMP) else { return Vec::new() };
    let fits = |group: &parquet::file::metadata::RowGroupMetaData| match group.column(at).statistics() {
        Some(Statistics::Int64(times)) => {
            times.max_opt().is_none_or(|max| *max >= from_ms) && times.min_opt().is_none_or(|min| *min <= to_ms)
        }
        _ => true,
    };
    (0..file.num_row_groups()).filter(|number| fits(file.row_group(*number))).collect()
}

fn column(batch: &RecordBatch, name: &'static str, kind: &DataType, group: &Group) -> Result<ArrayRef, ReadError> {
    let failed = |source| ReadError::Column { group: group.name.clone(), column: name, source };
    let found = batch.column_by_name(name);
    let found = found.ok_or_else(|| failed(ArrowError::SchemaError("it is not there".to_owned())))?;
    cast(found, kind).map_err(failed)
}

fn whole_numbers(batch: &RecordBatch, name: &'static str, group: &Group) -> Result<Int64Array, ReadError> {
    Ok(column(batch, name, &DataType::Int64, group)?.as_primitive::<Int64Type>().clone())
}

fn texts(batch: &RecordBatch, name: &'static str, group: &Group) -> Result<StringArray, ReadError> {
    Ok(column(batch, name, &DataType::Utf8, group)?.as_string::<i32>().clone())
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::event::Event;

    fn line(number: i64) -> (String, Event) {
        let message = match number % 3 {
            0 => format!(r#"{{"number":{number},"text":"a \"quoted\" one"}}"#),
            1 => format!("plain {number}"),
            _ => format!(r#"{{"other":{{"deep":{number}.5}}}}"#),
        };
        (format!("s{}", number % 2), Event { timestamp_ms: 1_000 + number / 2, message })
    }

    fn in_memory(numbers: std::ops::Range<i64>) -> Group {
        Group::of_events("g", "210987654321", 0, numbers.map(line))
    }

    fn store() -> Arc<dyn ObjectStore> {
        Arc::new(InMemory::new())
    }

    /// The same events in files of some rows each, in small row groups.
    async fn in_files(numbers: std::ops::Range<i64>, rows: usize) -> (Group, Arc<dyn ObjectStore>) {
        let store = store();
        let mut group = in_memory(numbers);
        let whole = arrow::compute::concat_batches(&group.batches[0].schema(), &group.batches).unwrap();
        group.batches.clear();
        for start in (0..whole.num_rows()).step_by(rows) {
            let part = whole.slice(start, rows.min(whole.num_rows() - start));
            let mut bytes = Vec::new();
            let properties =
                parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(4)).build();
            let mut writer = ArrowWriter::try_new(&mut bytes, part.schema(), Some(properties)).unwrap();
            writer.write(&part).unwrap();
            writer.close().unwrap();
            let times = whole_numbers(&part, TIMESTAMP, &group).unwrap();
            let path = format!("g/{start}.parquet");
            group.files.push(File {
                path: path.clone(),
                bytes: bytes.len() as u64,
                rows: part.num_rows() as u64,
                from_ms: times.values().iter().copied().min().unwrap(),
                to_ms: times.values().iter().copied().max().unwrap(),
            });
            store.put(&Path::from(path), bytes.into()).await.unwrap();
        }
        (group, store)
    }

    fn wanted(count: usize) -> Wanted<'static> {
        Wanted { streams: &|_| true, from_ms: 0, to_ms: i64::MAX, beyond: None, newest_first: false, count }
    }

    /// Everything, page by page.
    async fn pages(group: &Group, store: &Arc<dyn ObjectStore>, mut wanted: Wanted<'_>) -> Vec<Found> {
        let mut all = Vec::new();
        loop {
            let page = events(group, store, &wanted).await.unwrap();
            assert!(page.len() <= wanted.count);
            let Some(last) = page.last() else { return all };
            wanted.beyond = Some(last.place);
            all.extend(page);
        }
    }

    #[tokio::test]
    async fn pages_tell_everything_once_in_order_from_memory_and_from_files() {
        let expected: Vec<String> = (0..50).map(|number| line(number).1.message).collect();
        let (in_files, files) = in_files(0..50, 13).await;
        let mut half = in_files.clone();
        half.files.truncate(2);
        half.batches = in_memory(0..50).batches.iter().map(|batch| batch.slice(26, 24)).collect();
        for (group, store) in [(in_memory(0..50), store()), (in_files, files.clone()), (half, files)] {
            for count in [1, 7, 50, 1_000] {
                let told: Vec<String> =
                    pages(&group, &store, wanted(count)).await.into_iter().map(|event| event.message).collect();
                assert_eq!(told, expected, "{count}");
                let mut back = pages(&group, &store, Wanted { newest_first: true, ..wanted(count) }).await;
                back.reverse();
                assert_eq!(back.into_iter().map(|event| event.message).collect::<Vec<_>>(), expected, "{count}");
            }
        }
    }

    #[tokio::test]
    async fn only_the_times_and_streams_that_are_wanted_are_told() {
        let (group, store) = in_files(0..50, 13).await;
        let some = Wanted { streams: &|stream| stream == "s1", from_ms: 1_003, to_ms: 1_005, ..wanted(100) };
        let told = events(&group, &store, &some).await.unwrap();
        let numbers: Vec<u64> = told.iter().map(|event| event.place.number).collect();
        assert_eq!(numbers, [7, 9, 11]);
        assert!(told.iter().all(|event| event.stream == "s1"));
        let none = Wanted { from_ms: 5_000, ..wanted(100) };
        assert!(events(&group, &store, &none).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_named() {
        let (group, _) = in_files(0..5, 5).await;
        let error = events(&group, &store(), &wanted(5)).await.unwrap_err().to_string();
        assert!(error.contains("g/0.parquet"), "{error}");
    }
}
