//! The rows of a query, as they are kept until somebody fetches them: packed, for most are long texts that resemble each other,
//! and a dashboard asks for those of many queries at once.

use super::port::Row;

/// How many cells are written together, about: they take a megabyte or two.
const CELLS_TOGETHER: usize = 16_384;
/// And how many rows at most.
const ROWS_TOGETHER_MAX: usize = 1_000;
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
    /// As JSON, packed: so many in each chunk but the last.
    Packed { rows: usize, chunk_rows: usize, chunks: Vec<Vec<u8>> },
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
    /// So many rows of so many columns, packed as they are written: `write` gives some of them, from one on. All of them as
    /// texts may take much more memory than the query did.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn packed<E: From<std::io::Error>>(
        rows: usize,
        columns: usize,
        write: impl Fn(usize, usize) -> Result<Vec<Row>, E>,
    ) -> Result<Self, E> {
        let chunk_rows = rows_together(columns);
        let mut chunks = Vec::with_capacity(rows.div_ceil(chunk_rows));
        for from in (0..rows).step_by(chunk_rows) {
            let text = serde_json::to_vec(&write(from, chunk_rows)?).map_err(std::io::Error::from)?;
            chunks.push(zstd::bulk::compress(&text, LEVEL)?);
        }
        Ok(Self(Kept::Packed { rows, chunk_rows, chunks }))
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
        match &self.0 {
            Kept::Plain(rows) => rows.iter().map(bytes_of).sum(),
            Kept::Packed { chunks, .. } => chunks.iter().map(Vec::len).sum(),
        }
    }

    /// So many of them, from one on, or fewer: after the one with which they take `bytes_max` there is none. Takes a while for
    /// packed ones.
    ///
    /// # Errors
    /// When what was packed cannot be read again, which is a fault of muster.
    pub fn page(&self, from: usize, count: usize, bytes_max: usize) -> std::io::Result<Vec<Row>> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        let mut take = |row: Row| {
            let goes_on = page.len() < count && bytes < bytes_max;
            if goes_on {
                bytes += bytes_of(&row);
                page.push(row);
            }
            goes_on
        };
        match &self.0 {
            Kept::Plain(rows) => {
                let _ = rows.iter().skip(from).all(|row| take(row.clone()));
            }
            Kept::Packed { chunk_rows, chunks, .. } => {
                let mut skipped = from % chunk_rows;
                for chunk in chunks.iter().skip(from / chunk_rows) {
                    let rows: Vec<Row> = serde_json::from_slice(&zstd::stream::decode_all(chunk.as_slice())?)?;
                    if !rows.into_iter().skip(skipped).all(&mut take) {
                        break;
                    }
                    skipped = 0;
                }
            }
        }
        Ok(page)
    }
}

/// How many rows of so many columns are written together.
pub(super) fn rows_together(columns: usize) -> usize {
    (CELLS_TOGETHER / columns.max(1)).clamp(1, ROWS_TOGETHER_MAX)
}

fn bytes_of(row: &Row) -> usize {
    ROW_BYTES + row.iter().map(|(field, value)| field.len() + value.len() + CELL_BYTES).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = usize::MAX;

    fn rows(count: usize) -> Vec<Row> {
        (0..count)
            .map(|number| vec![("n".to_owned(), number.to_string()), ("t".to_owned(), "é\n\"".repeat(9))])
            .collect()
    }

    fn packed(plain: &[Row], columns: usize) -> Rows {
        let write = |from: usize, count: usize| -> std::io::Result<Vec<Row>> {
            Ok(plain.iter().skip(from).take(count).cloned().collect())
        };
        Rows::packed(plain.len(), columns, write).unwrap()
    }

    #[test]
    fn the_wider_rows_are_the_fewer_are_written_together() {
        assert_eq!([0, 1, 600, 100_000].map(rows_together), [1_000, 1_000, 27, 1]);
    }

    #[test]
    fn any_page_of_packed_rows_is_that_of_the_plain_ones() {
        let plain = rows(2_345);
        let kept = Rows::from(plain.clone());
        for columns in [2, 700, 100_000] {
            let packed = packed(&plain, columns);
            assert_eq!((packed.count(), kept.count()), (2_345, 2_345));
            let ends = [(0, 2_345), (0, 0), (999, 2), (1_000, 1_000), (1_500, 9_999), (2_345, 1), (ALL, 7)];
            for (from, count) in ends {
                let page = packed.page(from, count, ALL).unwrap();
                assert_eq!(page, kept.page(from, count, ALL).unwrap(), "{count} from {from} on");
            }
            assert_eq!(packed.page(0, 9_999, ALL).unwrap(), plain);
            assert_eq!(packed.page(1_001, 9_999, 1_000).unwrap(), kept.page(1_001, 9_999, 1_000).unwrap());
        }
        assert!(packed(&plain, 2).bytes() * 10 < kept.bytes());
    }

    #[test]
    fn a_page_ends_with_the_row_that_fills_it_and_has_one_at_least() {
        let (kept, one) = (Rows::from(rows(100)), bytes_of(&rows(1)[0]));
        assert_eq!(kept.page(0, 100, one * 10).unwrap().len(), 10);
        assert_eq!(kept.page(0, 100, 1).unwrap().len(), 1);
        assert_eq!(kept.page(100, 100, 1).unwrap().len(), 0);
    }

    #[test]
    fn no_rows_are_packed_as_none() {
        let none = packed(&[], 0);
        assert_eq!((none.count(), none.bytes(), none.page(0, 10, ALL).unwrap().len()), (0, 0, 0));
    }
}
