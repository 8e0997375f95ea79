//! The rows of a query, as they are kept until somebody fetches them: packed, for most are long texts that resemble each other,
//! and a dashboard asks for those of many queries at once.

use super::port::Row;

/// How many rows are packed together.
const CHUNK_ROWS: usize = 1_000;
/// zstd's quickest level but for the negative ones.
const LEVEL: i32 = 1;
/// What a row, and a cell, takes beside its texts.
const ROW_BYTES: usize = 24;
const CELL_BYTES: usize = 48;

/// Rows, in their order.
#[derive(Clone, Debug)]
pub struct Rows(Kept);

#[derive(Clone, Debug)]
enum Kept {
    /// As they are.
    Plain(Vec<Row>),
    /// As JSON, packed, [`CHUNK_ROWS`] in each.
    Packed { rows: usize, chunks: Vec<Vec<u8>> },
}

impl Default for Rows {
    fn default() -> Self {
        Self(Kept::Plain(Vec::new()))
    }
}

impl From<Vec<Row>> for Rows {
    fn from(rows: Vec<Row>) -> Self {
        Self(Kept::Plain(rows))
    }
}

impl Rows {
    /// The same rows, packed.
    ///
    /// # Errors
    /// When the packing library fails, which it has no reason to.
    pub fn packed(rows: &[Row]) -> std::io::Result<Self> {
        let pack = |chunk: &[Row]| zstd::bulk::compress(&serde_json::to_vec(chunk)?, LEVEL);
        let chunks = rows.chunks(CHUNK_ROWS).map(pack).collect::<std::io::Result<_>>()?;
        Ok(Self(Kept::Packed { rows: rows.len(), chunks }))
    }

    /// How many.
    pub fn count(&self) -> usize {
        match &self.0 {
            Kept::Plain(rows) => rows.len(),
            Kept::Packed { rows, .. } => *rows,
        }
    }

    /// About how much memory they take.
    pub fn bytes(&self) -> usize {
        let cell = |(field, value): &(String, String)| field.len() + value.len() + CELL_BYTES;
        match &self.0 {
            Kept::Plain(rows) => rows.iter().map(|row| ROW_BYTES + row.iter().map(cell).sum::<usize>()).sum(),
            Kept::Packed { chunks, .. } => chunks.iter().map(Vec::len).sum(),
        }
    }

    /// So many of them, from one on. Takes a while for packed ones.
    ///
    /// # Errors
    /// When what was packed cannot be read again, which is a fault of muster.
    pub fn part(&self, from: usize, count: usize) -> std::io::Result<Vec<Row>> {
        match &self.0 {
            Kept::Plain(rows) => Ok(rows.iter().skip(from).take(count).cloned().collect()),
            Kept::Packed { chunks, .. } => {
                let mut part: Vec<Row> = Vec::with_capacity(count.min(self.count().saturating_sub(from)));
                let mut skipped = from % CHUNK_ROWS;
                for chunk in chunks.iter().skip(from / CHUNK_ROWS) {
                    if part.len() >= count {
                        break;
                    }
                    let rows: Vec<Row> = serde_json::from_slice(&zstd::stream::decode_all(chunk.as_slice())?)?;
                    part.extend(rows.into_iter().skip(skipped).take(count - part.len()));
                    skipped = 0;
                }
                Ok(part)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<Row> {
        (0..count)
            .map(|number| vec![("n".to_owned(), number.to_string()), ("t".to_owned(), "é\n\"".repeat(9))])
            .collect()
    }

    #[test]
    fn any_part_of_packed_rows_is_that_of_the_plain_ones() {
        let plain = rows(2_345);
        let (kept, packed) = (Rows::from(plain.clone()), Rows::packed(&plain).unwrap());
        assert_eq!((packed.count(), kept.count()), (2_345, 2_345));
        assert!(packed.bytes() * 10 < kept.bytes(), "{} of {} bytes", packed.bytes(), kept.bytes());
        for (from, count) in [(0, 2_345), (0, 0), (999, 2), (1_000, 1_000), (1_500, 9_999), (2_345, 1), (usize::MAX, 7)]
        {
            let part = packed.part(from, count).unwrap();
            assert_eq!(part, kept.part(from, count).unwrap(), "{count} from {from} on");
        }
        assert_eq!(packed.part(0, 9_999).unwrap(), plain);
    }

    #[test]
    fn no_rows_are_packed_as_none() {
        let none = Rows::packed(&[]).unwrap();
        assert_eq!((none.count(), none.bytes(), none.part(0, 10).unwrap().len()), (0, 0, 0));
    }
}
