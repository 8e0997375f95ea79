//! What comes out of a query.

use arrow::record_batch::RecordBatch;
use insights::{rules::Rules, value::Value};

use crate::{cells::Cells, error::QueryFailed, kind::Kind, plan::Output, statistics::Statistics};

/// A row of a result: the names of its columns and what they print as. What is null is left out.
pub type Row = Vec<(String, String)>;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// The rows of a result, in their order, and what it cost to find them.
#[derive(Clone, Debug)]
pub struct QueryResult {
    pub(crate) outputs: Vec<Output>,
    /// The rows, as columns: their names are positions, since names of fields may be anything.
    pub batches: Vec<RecordBatch>,
    /// What was read and what was found.
    pub statistics: Statistics,
    /// By what part of themselves percentiles may be off, where they come from sketches ([`crate::rollup`]).
    pub approximate_within: Option<f64>,
    pub(crate) rules: Rules,
}

impl QueryResult {
    /// The columns, in their order.
    pub fn columns(&self) -> Vec<Column> {
        self.outputs.iter().map(|it| Column { name: it.name.clone(), kind: it.kind }).collect()
    }

    /// The same result with other rows, such as those of a plan that was run elsewhere.
    #[must_use]
    pub fn with_batches(self, batches: Vec<RecordBatch>) -> Self {
        Self { batches, ..self }
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows as the service prints them.
    ///
    /// # Errors
    /// If a column is of a type that no query of ours gives, which is a fault of muster.
    pub fn rows(&self) -> Result<Vec<Row>, QueryFailed> {
        self.rows_from(0, self.count())
    }

    /// So many rows, from one on, as the service prints them.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn rows_from(&self, from: usize, count: usize) -> Result<Vec<Row>, QueryFailed> {
        let mut rows = Vec::with_capacity(count.min(self.count().saturating_sub(from)));
        let mut skipped = from;
        for batch in &self.batches {
            if skipped >= batch.num_rows() {
                skipped -= batch.num_rows();
                continue;
            }
            if rows.len() == count {
                break;
            }
            let (start, wanted) = (std::mem::take(&mut skipped), count - rows.len());
            let batch = batch.slice(start, wanted.min(batch.num_rows() - start));
            let cells = batch
                .columns()
                .iter()
                .map(|it| Cells::of(it.as_ref()))
                .collect::<datafusion::common::Result<Vec<_>>>()?;
            for number in 0..batch.num_rows() {
                let mut row = Row::with_capacity(cells.len());
                for (output, cells) in self.outputs.iter().zip(&cells) {
                    match (cells, cells.value(number)) {
                        (_, Value::Map(map)) if output.is_map => {
                            row.extend(map.into_iter().filter_map(|(key, value)| {
                                Some((format!("{}.{key}", output.name), value.print(&self.rules)?))
                            }))
                        }
                        (_, value) => row.extend(value.print(&self.rules).map(|text| (output.name.clone(), text))),
                    }
                }
                rows.push(row);
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array};

    use super::*;

    #[test]
    fn any_rows_of_several_batches_are_those_of_all_of_them() {
        let batch = |numbers: &[f64]| {
            let numbers: ArrayRef = Arc::new(Float64Array::from(numbers.to_vec()));
            RecordBatch::try_from_iter([("0", numbers)]).unwrap()
        };
        let result = QueryResult {
            outputs: vec![Output { name: "n".to_owned(), kind: Kind::Number, is_map: false }],
            batches: vec![batch(&[]), batch(&[1.0, 2.0, 3.0]), batch(&[]), batch(&[4.0, 5.0])],
            statistics: Statistics::default(),
            approximate_within: None,
            rules: Rules::default(),
        };
        let all = result.rows().unwrap();
        let texts: Vec<&str> = all.iter().map(|row| row[0].1.as_str()).collect();
        assert_eq!(texts, ["1", "2", "3", "4", "5"]);
        for from in 0..7 {
            for count in 0..7 {
                let wanted: Vec<Row> = all.iter().skip(from).take(count).cloned().collect();
                assert_eq!(result.rows_from(from, count).unwrap(), wanted, "{count} from {from}");
            }
        }
    }
}
