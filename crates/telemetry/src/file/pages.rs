//! Column chunks with a dictionary: each different value once, and small numbers for the rows.
//!
//! Parquet's own writer looks each value up again. Here the numbers are known already, from when the events came in, or are found
//! once for each run of equal values; so this writes the pages itself. What it writes is plain Parquet.

use bytes::Bytes;
use parquet::{
    basic::{BoundaryOrder, Compression, Encoding, PageType, ZstdLevel},
    bloom_filter::Sbbf,
    column::{
        page::{CompressedPage, Page, PageWriter},
        writer::ColumnCloseResult,
    },
    errors::{ParquetError, Result},
    file::{
        metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats},
        statistics::Statistics,
        writer::{SerializedPageWriter, TrackedWrite},
    },
    schema::types::ColumnDescPtr,
};

use super::hybrid::{encode, width_of};

/// How many rows a page has at most: what a query reads at least of a column.
pub(crate) const PAGE_ROWS_MAX: usize = 16_384;
/// How hard zstd tries.
pub(crate) const ZSTD_LEVEL: i32 = 1;

/// A column whose values are numbered.
pub(crate) struct Numbered<'a> {
    /// The number of the value of each row that has one, in order. Numbers follow the order of the values.
    pub(crate) ids: &'a [u32],
    /// Which rows have a value; nothing, if each has.
    pub(crate) present: Option<&'a [bool]>,
    /// The values in Parquet's plain encoding, by their numbers.
    pub(crate) values: Vec<u8>,
    /// How many values there are.
    pub(crate) count: usize,
    /// The plain bytes of a value for statistics; nothing, if it is too long for them.
    pub(crate) statistic: &'a dyn Fn(u32) -> Option<Vec<u8>>,
    /// Says which values are there at all.
    pub(crate) bloom: Option<Sbbf>,
}

/// The column chunk as it is appended to a row group.
pub(crate) type Chunk = (Bytes, ColumnCloseResult);

/// Writes a column chunk. `statistics` makes the chunk's own out of the least and the largest value.
pub(crate) fn chunk(
    descriptor: ColumnDescPtr,
    column: Numbered<'_>,
    statistics: impl Fn(Option<Vec<u8>>, Option<Vec<u8>>, u64) -> Statistics,
) -> Result<Chunk> {
    let rows = column.present.map_or(column.ids.len(), <[bool]>::len);
    let optional = descriptor.max_def_level() > 0;
    let mut zip = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    let mut sink = TrackedWrite::new(Vec::with_capacity(column.values.len() / 2 + rows));
    let mut pages = SerializedPageWriter::new(&mut sink);
    let (mut compressed, mut uncompressed) = (0, 0);
    let dictionary = CompressedPage::new(
        Page::DictionaryPage {
            buf: zip.compress(&column.values)?.into(),
            num_values: column.count as u32,
            encoding: Encoding::PLAIN,
            is_sorted: true,
        },
        column.values.len(),
    );
    let spec = pages.write_page(dictionary)?;
    compressed += spec.compressed_size;
    uncompressed += spec.uncompressed_size;
    let mut offsets = OffsetIndexBuilder::new();
    let mut index = ColumnIndexBuilder::new(descriptor.physical_type());
    let mut data_offset = None;
    let (mut nulls, mut page_count, mut taken) = (0, 0, 0);
    let (mut least, mut largest): (Option<u32>, Option<u32>) = (None, None);
    let width = width_of(column.count);
    let mut bytes = Vec::new();
    let mut ascending = true;
    let mut before: Option<(u32, u32)> = None;
    for from in (0..rows).step_by(PAGE_ROWS_MAX) {
        let page_rows = (rows - from).min(PAGE_ROWS_MAX);
        let present = column.present.map(|it| &it[from..from + page_rows]);
        let count = present.map_or(page_rows, |it| it.iter().filter(|it| **it).count());
        let ids = &column.ids[taken..taken + count];
        taken += count;
        bytes.clear();
        if optional {
            // The length of the levels comes first.
            bytes.extend_from_slice(&[0; 4]);
            match present {
                Some(present) => encode(present.iter().map(|it| u32::from(*it)), 1, &mut bytes),
                None => encode(std::iter::repeat_n(1, page_rows), 1, &mut bytes),
            }
            let length = (bytes.len() - 4) as u32;
            bytes[..4].copy_from_slice(&length.to_le_bytes());
        }
        bytes.push(width as u8);
        encode(ids.iter().copied(), width, &mut bytes);
        let page = Page::DataPage {
            buf: zip.compress(&bytes)?.into(),
            num_values: page_rows as u32,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = pages.write_page(CompressedPage::new(page, bytes.len()))?;
        compressed += spec.compressed_size;
        uncompressed += spec.uncompressed_size;
        data_offset.get_or_insert(spec.offset);
        offsets.append_row_count(page_rows as i64);
        offsets.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
        page_count += 1;
        nulls += page_rows - count;
        let bounds = ids.iter().min().copied().zip(ids.iter().max().copied());
        match bounds {
            None => index.append(true, Vec::new(), Vec::new(), page_rows as i64),
            Some((low, high)) => {
                match ((column.statistic)(low), (column.statistic)(high)) {
                    (Some(low), Some(high)) => index.append(false, low, high, (page_rows - count) as i64),
                    _ => index.to_invalid(),
                }
                ascending &= before.is_none_or(|(a, b)| a <= low && b <= high);
                before = Some((low, high));
                least = Some(least.map_or(low, |it| it.min(low)));
                largest = Some(largest.map_or(high, |it| it.max(high)));
            }
        }
    }
    pages.close()?;
    index.set_boundary_order(if ascending { BoundaryOrder::ASCENDING } else { BoundaryOrder::UNORDERED });
    let bytes = Bytes::from(sink.into_inner()?);
    let bound = |id: Option<u32>| id.and_then(column.statistic);
    let (least, largest) = match (bound(least), bound(largest)) {
        (Some(least), Some(largest)) => (Some(least), Some(largest)),
        _ => (None, None),
    };
    let stats = |page_type, encoding, count| PageEncodingStats { page_type, encoding, count };
    let metadata = ColumnChunkMetaData::builder(descriptor)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY])
        .set_page_encoding_stats(vec![
            stats(PageType::DICTIONARY_PAGE, Encoding::PLAIN, 1),
            stats(PageType::DATA_PAGE, Encoding::RLE_DICTIONARY, page_count),
        ])
        .set_total_compressed_size(compressed as i64)
        .set_total_uncompressed_size(uncompressed as i64)
        .set_num_values(rows as i64)
        .set_dictionary_page_offset(Some(0))
        .set_data_page_offset(
            data_offset.ok_or_else(|| ParquetError::General("a column without rows".to_owned()))? as i64
        )
        .set_statistics(statistics(least, largest, nulls as u64))
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: rows as u64,
        metadata,
        bloom_filter: column.bloom,
        column_index: if index.valid() { Some(index.build()?) } else { None },
        offset_index: Some(offsets.build()),
    };
    Ok((bytes, close))
}
