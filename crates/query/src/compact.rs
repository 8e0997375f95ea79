//! Rows that are kept, without what they were cut out of: a batch of twenty rows would otherwise keep every page alive that
//! these were read from.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array},
    compute::take,
    datatypes::DataType,
};
use datafusion::common::Result;
use std::sync::Arc;

/// The same rows in memory of their own, where they hold on to much more than that.
pub(crate) fn compacted(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(column).collect::<Result<Vec<_>>>()?;
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

fn column(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Utf8View => Ok(Arc::new(array.as_string_view().gc())),
        DataType::BinaryView => Ok(Arc::new(array.as_binary_view().gc())),
        _ => {
            let own = array.to_data().get_slice_memory_size()?;
            if array.get_array_memory_size() <= 2 * own + 1_024 {
                return Ok(Arc::clone(array));
            }
            let all: UInt64Array = (0..array.len() as u64).collect();
            Ok(take(array, &all, None)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{BinaryArray, StringViewArray};

    #[test]
    fn rows_that_were_cut_out_of_many_keep_nothing_of_the_others() {
        let long = "x".repeat(1_000);
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..1_000).map(|_| &long)));
        let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..1_000).map(|_| long.as_bytes())));
        let all = RecordBatch::try_from_iter([("texts", texts), ("bytes", bytes)]).unwrap();
        let few = all.slice(10, 3);
        assert!(few.get_array_memory_size() > 1_000_000);
        let kept = compacted(&few).unwrap();
        assert_eq!(kept, few);
        assert!(kept.get_array_memory_size() < 20_000, "{}", kept.get_array_memory_size());
    }

    #[test]
    fn rows_without_columns_are_still_so_many() {
        let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(7));
        let none = RecordBatch::try_new_with_options(Arc::new(arrow::datatypes::Schema::empty()), Vec::new(), &options)
            .unwrap();
        assert_eq!(compacted(&none).unwrap().num_rows(), 7);
    }
}
