//! An aggregate over many groups, used for one.

use std::fmt;

use arrow::array::{Array, ArrayRef};
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{Accumulator, EmitTo, GroupsAccumulator},
};

/// The one group of an aggregate over many.
#[derive(Debug)]
pub(super) struct Single<G>(pub(super) G);

impl<G: GroupsAccumulator + fmt::Debug + Sync> Accumulator for Single<G> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, |it| it.len());
        self.0.update_batch(columns, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        only(&self.0.evaluate(EmitTo::All)?)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state(EmitTo::All)?.iter().map(only).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |it| it.len());
        self.0.merge_batch(states, &vec![0; rows], 1)
    }
}

/// The value of the only group; null, if no row came and so there is none.
fn only(array: &ArrayRef) -> Result<ScalarValue> {
    if array.is_empty() { ScalarValue::try_from(array.data_type()) } else { ScalarValue::try_from_array(array, 0) }
}
