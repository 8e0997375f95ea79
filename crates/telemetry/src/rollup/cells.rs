//! Which rows of a file belong together: those of one bucket of time whose dimensions have the same values.

use arrow::array::{Array, StringArray};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::WIDTHS_MS;

/// A column with more different texts in one file is no dimension of its roll-ups: it names single things, such as tasks.
pub(super) const VALUES_MAX: usize = 256;
/// So many combinations of texts are told apart at most.
const TUPLES_MAX: usize = 1 << 14;
/// A level has at most so many combinations of texts and buckets.
const CELLS_MAX: usize = 1 << 17;
/// A level has at most so many totals: one for each cell and metric.
const TOTALS_MAX: usize = 1 << 20;
/// A level pays if it has at most one cell for so many rows.
const ROWS_OF_CELL_MIN: usize = 4;
/// The shortest bucket, in milliseconds.
const FINEST_MS: i64 = WIDTHS_MS[WIDTHS_MS.len() - 1];

type Map<K, V> = HashMap<K, V, RandomState>;

/// A dimension: its texts by number, from 1. Without a text it is 0.
#[derive(Debug, Default)]
struct Dimension {
    column: String,
    numbers: Map<String, u32>,
    texts: Vec<String>,
    /// It has too many texts, or too many with others.
    dropped: bool,
}

impl Dimension {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        if self.texts.len() >= VALUES_MAX {
            self.dropped = true;
            return 0;
        }
        self.texts.push(text.to_owned());
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// Rows as they are read: what each has for dimensions, and its minute.
#[derive(Debug)]
pub(super) struct Rows {
    dimensions: Vec<Dimension>,
    numbers: Map<Box<[u32]>, u32>,
    tuples: Vec<Box<[u32]>>,
    of_row: Vec<u32>,
    /// Counted from the first minute of the file.
    minutes: Vec<u32>,
    first_minute: i64,
}

impl Rows {
    /// No rows yet of a file with these columns for dimensions, whose first row is of this time.
    pub(super) fn new(columns: &[String], from_ms: i64) -> Self {
        let dimension = |column: &String| Dimension { column: column.clone(), ..Dimension::default() };
        Self {
            dimensions: columns.iter().map(dimension).collect(),
            numbers: Map::default(),
            tuples: Vec::new(),
            of_row: Vec::new(),
            minutes: Vec::new(),
            first_minute: from_ms.div_euclid(FINEST_MS),
        }
    }

    /// Takes rows: their times, and for each dimension its texts. False if a time is before the first, or ages after it.
    pub(super) fn push(&mut self, times_ms: &[i64], texts: &[Option<&StringArray>]) -> bool {
        let mut last: Option<u32> = None;
        let mut tuple = vec![0_u32; self.dimensions.len()];
        for (row, time_ms) in times_ms.iter().enumerate() {
            let minute = time_ms.div_euclid(FINEST_MS) - self.first_minute;
            let Some(minute) = u32::try_from(minute).ok().filter(|it| *it < u32::MAX / 2) else { return false };
            self.minutes.push(minute);
            // Like stands beside like in a file, so that most rows are of the tuple before.
            if let Some(last) = last
                && texts.iter().flatten().all(|texts| is_as_before(texts, row))
            {
                self.of_row.push(last);
                continue;
            }
            for ((dimension, texts), number) in self.dimensions.iter_mut().zip(texts).zip(&mut tuple) {
                let text = texts.filter(|texts| !dimension.dropped && texts.is_valid(row)).map(|it| it.value(row));
                *number = text.map_or(0, |text| dimension.number(text));
            }
            let number = self.tuple(&tuple);
            last = Some(number);
            self.of_row.push(number);
            if self.tuples.len() > TUPLES_MAX {
                self.drop_one();
                last = None;
            }
        }
        true
    }

    fn tuple(&mut self, tuple: &[u32]) -> u32 {
        if let Some(number) = self.numbers.get(tuple) {
            return *number;
        }
        let number = self.tuples.len() as u32;
        self.tuples.push(tuple.into());
        self.numbers.insert(tuple.into(), number);
        number
    }

    /// Gives up the dimension with the most texts; false if there is none with any.
    fn drop_one(&mut self) -> bool {
        let kept = self.dimensions.iter_mut().filter(|it| !it.dropped && !it.texts.is_empty());
        let Some(largest) = kept.max_by_key(|it| it.texts.len()) else {
            return false;
        };
        largest.dropped = true;
        self.fold();
        true
    }

    /// Makes tuples one that only differ in what was dropped.
    fn fold(&mut self) {
        let before = std::mem::take(&mut self.tuples);
        self.numbers.clear();
        let mut folded = Vec::with_capacity(before.len());
        for mut tuple in before {
            for (number, dimension) in tuple.iter_mut().zip(&self.dimensions) {
                *number = if dimension.dropped { 0 } else { *number };
            }
            folded.push(self.tuple(&tuple));
        }
        self.of_row.iter_mut().for_each(|it| *it = folded[*it as usize]);
    }

    /// The cells of the rows, for so many columns of metrics; nothing if no level pays.
    pub(super) fn cells(mut self, metrics: usize) -> Option<Cells> {
        self.fold();
        loop {
            let of_hour = (WIDTHS_MS[0] / FINEST_MS) as u32;
            let different: HashSet<(u32, u32), RandomState> = self
                .of_row
                .iter()
                .zip(&self.minutes)
                .map(|(tuple, minute)| (*tuple, self.bucket(*minute, of_hour)))
                .collect();
            if pays(different.len(), self.of_row.len(), metrics) {
                break;
            }
            if !self.drop_one() {
                return None;
            }
        }
        let mut levels: Vec<LevelCells> = Vec::new();
        let mut of_row: Vec<u32> = Vec::new();
        for width_ms in WIDTHS_MS.into_iter().rev() {
            let buckets = (width_ms / FINEST_MS) as u32;
            if of_row.is_empty() {
                let rows = self.of_row.iter().zip(&self.minutes).map(|it| (*it.0, self.bucket(*it.1, buckets)));
                if let Some((keys, cells)) = numbered(rows, CELLS_MAX)
                    && pays(keys.len(), self.of_row.len(), metrics)
                {
                    of_row = cells;
                    levels.push(LevelCells { width_ms, keys: self.starting(&keys, width_ms), of_finer: Vec::new() });
                }
                continue;
            }
            let Some(finer) = levels.last() else { continue };
            let coarser = finer.keys.iter().map(|(tuple, start_ms)| (*tuple, start_ms.div_euclid(width_ms)));
            let Some((keys, of_finer)) = numbered(coarser, CELLS_MAX) else { continue };
            let keys = keys.into_iter().map(|(tuple, bucket)| (tuple, bucket * width_ms)).collect();
            levels.push(LevelCells { width_ms, keys, of_finer });
        }
        let kept: Vec<usize> = (0..self.dimensions.len()).filter(|at| !self.dimensions[*at].dropped).collect();
        let tuples = self.tuples.iter().map(|tuple| kept.iter().map(|at| tuple[*at]).collect()).collect();
        let mut dimensions: Vec<Option<Dimension>> = self.dimensions.into_iter().map(Some).collect();
        let dimensions = kept.iter().filter_map(|at| dimensions[*at].take()).map(|it| (it.column, it.texts)).collect();
        (!levels.is_empty()).then_some(Cells { dimensions, tuples, of_row, levels })
    }

    /// The bucket of a minute, if a bucket has so many.
    fn bucket(&self, minute: u32, minutes: u32) -> u32 {
        let before = self.first_minute.rem_euclid(i64::from(minutes)) as u32;
        (minute + before) / minutes
    }

    /// Cells with the time at which their bucket begins instead of its number.
    fn starting(&self, keys: &[(u32, u32)], width_ms: i64) -> Vec<(u32, i64)> {
        let first = (self.first_minute * FINEST_MS).div_euclid(width_ms);
        keys.iter().map(|(tuple, bucket)| (*tuple, (first + i64::from(*bucket)) * width_ms)).collect()
    }
}

fn is_as_before(texts: &StringArray, row: usize) -> bool {
    match (texts.is_valid(row - 1), texts.is_valid(row)) {
        (true, true) => texts.value(row - 1) == texts.value(row),
        (before, now) => before == now,
    }
}

fn pays(cells: usize, rows: usize, metrics: usize) -> bool {
    cells * ROWS_OF_CELL_MIN <= rows && cells <= CELLS_MAX && cells * metrics <= TOTALS_MAX
}

/// The different ones, and for each one its number among them; nothing if there are too many.
#[expect(clippy::type_complexity, reason = "a pair that is taken apart at once")]
fn numbered<B: Copy + Eq + std::hash::Hash>(
    all: impl Iterator<Item = (u32, B)>,
    most: usize,
) -> Option<(Vec<(u32, B)>, Vec<u32>)> {
    let mut numbers: Map<(u32, B), u32> = Map::default();
    let mut keys = Vec::new();
    let mut found = Vec::with_capacity(all.size_hint().0);
    for key in all {
        let next = keys.len() as u32;
        let number = *numbers.entry(key).or_insert_with(|| {
            keys.push(key);
            next
        });
        if keys.len() > most {
            return None;
        }
        found.push(number);
    }
    Some((keys, found))
}

/// Rows that belong together, at each level that pays.
#[derive(Debug)]
pub(super) struct Cells {
    /// Columns and their texts, numbered from 1.
    pub(super) dimensions: Vec<(String, Vec<String>)>,
    /// The number of each dimension's text.
    pub(super) tuples: Vec<Vec<u32>>,
    /// The cell of each row at the first level.
    pub(super) of_row: Vec<u32>,
    /// The level with the shortest buckets first.
    pub(super) levels: Vec<LevelCells>,
}

impl Cells {
    /// For each cell of one level the cell that it is part of at another with longer buckets.
    pub(super) fn lifted(&self, from: usize, to: usize) -> Vec<u32> {
        let mut cells: Vec<u32> = (0..self.levels[from].keys.len() as u32).collect();
        for level in &self.levels[from + 1..=to] {
            cells.iter_mut().for_each(|cell| *cell = level.of_finer[*cell as usize]);
        }
        cells
    }
}

/// The cells of a level.
#[derive(Debug)]
pub(super) struct LevelCells {
    pub(super) width_ms: i64,
    /// The tuple of each, and when its bucket begins.
    pub(super) keys: Vec<(u32, i64)>,
    /// The cell of each one of the level before; empty at the first.
    pub(super) of_finer: Vec<u32>,
}
