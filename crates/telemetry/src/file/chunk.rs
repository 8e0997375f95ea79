//! Columns become column chunks.

use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    bloom_filter::Sbbf,
    column::writer::get_column_writer,
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type},
    errors::Result,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        statistics::Statistics,
        writer::{SerializedPageWriter, TrackedWrite},
    },
    schema::types::ColumnDescPtr,
};

use super::pages::{Chunk, Numbered, PAGE_ROWS_MAX, ZSTD_LEVEL, chunk};
use crate::columns::Plain;

/// Texts that are longer are not in statistics, in bytes.
const STATISTIC_BYTES_MAX: usize = 128;
/// Of a column with more different texts it is worth knowing which ones are not in a file.
const BLOOM_TEXTS_MIN: usize = 256;
/// Of texts that are longer on average nobody looks for one as a whole, in bytes.
const BLOOM_BYTES_MAX: usize = 64;
/// One of so many absent values is believed to be there.
const BLOOM_FALSE_SHARE: f64 = 0.01;
/// A dictionary has at most so many numbers.
const DICTIONARY_MAX: usize = 1 << 17;
/// So many values are looked at before a dictionary is tried.
const SAMPLE: usize = 1_024;
/// What BYTE_STREAM_SPLIT and zstd leave of a double, in bits: its first bytes are alike.
const SPLIT_BITS: usize = 52;

/// Values of a column in their order, without those rows that have none.
pub(crate) struct Packed<'a, T> {
    pub(crate) values: Vec<T>,
    /// Which rows have one; nothing, if each has.
    pub(crate) present: Option<&'a [bool]>,
}

/// A number of a column.
pub(crate) trait Number: Copy + PartialEq + PartialOrd {
    type Parquet: DataType<T = Self>;
    /// What is done with values that hardly repeat.
    const ENCODING: Encoding;
    fn bits(self) -> u64;
    fn push(self, out: &mut Vec<u8>);
    fn statistics(least: Option<Vec<u8>>, largest: Option<Vec<u8>>, nulls: u64) -> Statistics;
    /// How many bits all values have without a dictionary.
    fn plain_bits(values: &[Self]) -> usize;
}

impl Number for i64 {
    type Parquet = Int64Type;
    const ENCODING: Encoding = Encoding::DELTA_BINARY_PACKED;

    fn bits(self) -> u64 {
        self as u64
    }

    fn push(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn statistics(least: Option<Vec<u8>>, largest: Option<Vec<u8>>, nulls: u64) -> Statistics {
        let read = |bytes: Option<Vec<u8>>| bytes.and_then(|it| it.try_into().ok()).map(Self::from_le_bytes);
        Statistics::int64(read(least), read(largest), None, Some(nulls), false)
    }

    /// Deltas are packed in blocks of 128 above their least one, 32 to a width.
    fn plain_bits(values: &[Self]) -> usize {
        let deltas: Vec<i64> = values.windows(2).map(|two| two[1].wrapping_sub(two[0])).collect();
        let blocks = deltas.chunks(128).map(|block| {
            let least = block.iter().min().copied().unwrap_or_default();
            let small =
                block.chunks(32).map(|it| it.iter().map(|it| it.wrapping_sub(least) as u64).max().unwrap_or_default());
            64 + small.map(|largest| 32 * (64 - largest.leading_zeros() as usize)).sum::<usize>()
        });
        blocks.sum()
    }
}

impl Number for i32 {
    type Parquet = Int32Type;
    const ENCODING: Encoding = Encoding::DELTA_BINARY_PACKED;

    fn bits(self) -> u64 {
        u64::from(self as u32)
    }

    fn push(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn statistics(least: Option<Vec<u8>>, largest: Option<Vec<u8>>, nulls: u64) -> Statistics {
        let read = |bytes: Option<Vec<u8>>| bytes.and_then(|it| it.try_into().ok()).map(Self::from_le_bytes);
        Statistics::int32(read(least), read(largest), None, Some(nulls), false)
    }

    fn plain_bits(values: &[Self]) -> usize {
        values.len() * 32
    }
}

impl Number for f64 {
    type Parquet = DoubleType;
    const ENCODING: Encoding = Encoding::BYTE_STREAM_SPLIT;

    fn bits(self) -> u64 {
        self.to_bits()
    }

    fn push(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn statistics(least: Option<Vec<u8>>, largest: Option<Vec<u8>>, nulls: u64) -> Statistics {
        let read = |bytes: Option<Vec<u8>>| bytes.and_then(|it| it.try_into().ok()).map(Self::from_le_bytes);
        // Both zeros are one value to readers, so the bounds hold both.
        let least = read(least).map(|it| if it == 0.0 { -0.0 } else { it });
        let largest = read(largest).map(|it| if it == 0.0 { 0.0 } else { it });
        Statistics::double(least, largest, None, Some(nulls), false)
    }

    fn plain_bits(values: &[Self]) -> usize {
        values.len() * SPLIT_BITS
    }
}

/// A column of numbers.
pub(crate) fn numbers<T: Number>(descriptor: ColumnDescPtr, column: &Packed<'_, T>) -> Result<Chunk> {
    if let Some((ids, texts)) = dictionary_of(&column.values) {
        let mut values = Vec::with_capacity(texts.len() * 8);
        texts.iter().for_each(|it| it.push(&mut values));
        let statistic = |id: u32| {
            let mut bytes = Vec::new();
            texts[id as usize].push(&mut bytes);
            Some(bytes)
        };
        let numbered = Numbered {
            ids: &ids,
            present: column.present,
            values,
            count: texts.len(),
            statistic: &statistic,
            bloom: None,
        };
        return chunk(descriptor, numbered, T::statistics);
    }
    plain::<T::Parquet>(descriptor, &column.values, column.present, T::ENCODING)
}

/// The different values in their order and the number of each row's, if a dictionary makes the column smaller.
fn dictionary_of<T: Number>(values: &[T]) -> Option<(Vec<u32>, Vec<T>)> {
    if values.is_empty() {
        return None;
    }
    let limit = (values.len() / 2).clamp(16, DICTIONARY_MAX);
    if hardly_repeat(values) {
        return None;
    }
    let mut numbers: HashMap<u64, u32, RandomState> = HashMap::default();
    let mut different: Vec<T> = Vec::new();
    let mut ids: Vec<u32> = Vec::with_capacity(values.len());
    let (mut last, mut runs) = (None, 0);
    for value in values {
        let bits = value.bits();
        let id = match last {
            Some((before, id)) if before == bits => id,
            _ => {
                runs += 1;
                let id = *numbers.entry(bits).or_insert_with(|| {
                    different.push(*value);
                    (different.len() - 1) as u32
                });
                if different.len() > limit {
                    return None;
                }
                last = Some((bits, id));
                id
            }
        };
        ids.push(id);
    }
    let width = super::hybrid::width_of(different.len()) as usize;
    let bits = (ids.len() * width).min(runs * (16 + width)) + different.len() * 48;
    if bits > T::plain_bits(values) {
        return None;
    }
    let mut sorted: Vec<u32> = (0..different.len() as u32).collect();
    sorted.sort_by(|a, b| {
        let (a, b) = (different[*a as usize], different[*b as usize]);
        a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut rank = vec![0; different.len()];
    (0..).zip(&sorted).for_each(|(at, id)| rank[*id as usize] = at);
    ids.iter_mut().for_each(|id| *id = rank[*id as usize]);
    Some((ids, sorted.iter().map(|id| different[*id as usize]).collect()))
}

/// Whether nearly all of a sample of values differ.
fn hardly_repeat<T: Number>(values: &[T]) -> bool {
    let step = (values.len() / SAMPLE).max(1);
    let sample = values.iter().step_by(step).take(SAMPLE);
    let different: HashSet<u64, RandomState> = sample.clone().map(|it| it.bits()).collect();
    different.len() * 16 > sample.len() * 15 && sample.len() == SAMPLE
}

/// A column of texts that are there once each: `ids` say which one a row has.
pub(crate) fn texts(descriptor: ColumnDescPtr, ids: Packed<'_, u32>, texts: &Plain) -> Result<Chunk> {
    let Packed { values: mut ids, present } = ids;
    let mut used = vec![false; texts.len()];
    ids.iter().for_each(|id| used[*id as usize] = true);
    let mut sorted: Vec<u32> = (0..texts.len() as u32).filter(|id| used[*id as usize]).collect();
    sorted.sort_unstable_by_key(|id| texts.get(*id as usize));
    let mut rank = vec![0; texts.len()];
    (0..).zip(&sorted).for_each(|(at, id)| rank[*id as usize] = at);
    ids.iter_mut().for_each(|id| *id = rank[*id as usize]);
    let mut values = Vec::new();
    for text in sorted.iter().map(|id| texts.get(*id as usize)) {
        values.extend_from_slice(&(text.len() as u32).to_le_bytes());
        values.extend_from_slice(text.as_bytes());
    }
    let bytes = values.len() - sorted.len() * 4;
    let bloom = if sorted.len() >= BLOOM_TEXTS_MIN && bytes / sorted.len() <= BLOOM_BYTES_MAX {
        let mut bloom = Sbbf::new_with_ndv_fpp(sorted.len() as u64, BLOOM_FALSE_SHARE)?;
        sorted.iter().for_each(|id| bloom.insert(texts.get(*id as usize)));
        Some(bloom)
    } else {
        None
    };
    let statistic = |id: u32| {
        let text = texts.get(sorted[id as usize] as usize);
        (text.len() <= STATISTIC_BYTES_MAX).then(|| text.as_bytes().to_vec())
    };
    let numbered = Numbered { ids: &ids, present, values, count: sorted.len(), statistic: &statistic, bloom };
    chunk(descriptor, numbered, |least, largest, nulls| {
        let bytes = |it: Option<Vec<u8>>| it.map(ByteArray::from);
        Statistics::byte_array(bytes(least), bytes(largest), None, Some(nulls), false)
    })
}

/// A column of texts that hardly repeat.
pub(crate) fn plain_texts(descriptor: ColumnDescPtr, column: &Packed<'_, &str>) -> Result<Chunk> {
    let mut all = Vec::with_capacity(column.values.iter().map(|text| text.len()).sum());
    column.values.iter().for_each(|text| all.extend_from_slice(text.as_bytes()));
    let all = Bytes::from(all);
    let mut from = 0;
    let values: Vec<ByteArray> = column
        .values
        .iter()
        .map(|text| {
            let end = from + text.len();
            let value = ByteArray::from(all.slice(from..end));
            from = end;
            value
        })
        .collect();
    plain::<ByteArrayType>(descriptor, &values, column.present, Encoding::DELTA_LENGTH_BYTE_ARRAY)
}

/// A column of truths.
pub(crate) fn booleans(descriptor: ColumnDescPtr, column: &Packed<'_, bool>) -> Result<Chunk> {
    plain::<BoolType>(descriptor, &column.values, column.present, Encoding::PLAIN)
}

/// A column as Parquet's own writer encodes it, without a dictionary.
fn plain<T: DataType>(
    descriptor: ColumnDescPtr,
    values: &[T::T],
    present: Option<&[bool]>,
    encoding: Encoding,
) -> Result<Chunk> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_dictionary_enabled(false)
        .set_encoding(encoding)
        .build();
    let optional = descriptor.max_def_level() > 0;
    let levels: Option<Vec<i16>> = match present {
        Some(present) => Some(present.iter().map(|it| i16::from(*it)).collect()),
        None if optional => Some(vec![1; values.len()]),
        None => None,
    };
    let mut sink = TrackedWrite::new(Vec::new());
    let pages = Box::new(SerializedPageWriter::new(&mut sink));
    let mut writer = get_column_writer(descriptor, Arc::new(properties), pages);
    let typed = parquet::column::writer::get_typed_column_writer_mut::<T>(&mut writer);
    typed.write_batch(values, levels.as_deref(), None)?;
    let close = writer.close()?;
    Ok((sink.into_inner()?.into(), close))
}
