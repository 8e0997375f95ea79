//! The value of the earliest or the latest row that has one.

use std::{mem, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, new_null_array},
    compute::cast,
    datatypes::{DataType, Int64Type},
};
use datafusion::{
    common::{Result, ScalarValue},
    logical_expr::{EmitTo, GroupsAccumulator},
};

/// When a row happened, and its number among those that happened then.
type Moment = (i64, i64);

/// Of many groups the value that is nearest to one end of time.
///
/// Columns are the value, the time in milliseconds, and the number of the event; they are the state, too.
#[derive(Debug)]
pub(super) struct Groups {
    latest: bool,
    kind: DataType,
    found: Vec<Option<(Moment, ScalarValue)>>,
    bytes: usize,
}

impl Groups {
    pub(super) fn new(latest: bool, kind: DataType) -> Self {
        Self { latest, kind, found: Vec::new(), bytes: 0 }
    }

    fn take(&mut self, columns: &[ArrayRef], group_indices: &[usize], filter: Option<&BooleanArray>) -> Result<()> {
        let values = &columns[0];
        let times = cast(&columns[1], &DataType::Int64)?;
        let times = times.as_primitive::<Int64Type>();
        let numbers = cast(&columns[2], &DataType::Int64)?;
        let numbers = numbers.as_primitive::<Int64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if !kept || values.is_null(row) {
                continue;
            }
            // A row without time is before all others.
            let time = if times.is_valid(row) { times.value(row) } else { i64::MIN };
            let moment = (time, if numbers.is_valid(row) { numbers.value(row) } else { 0 });
            let place = &mut self.found[*group];
            let better = match place {
                None => true,
                Some((known, _)) if self.latest => moment > *known,
                Some((known, _)) => moment < *known,
            };
            if better {
                let value = ScalarValue::try_from_array(values, row)?;
                // A slice would hold the whole batch.
                let value = value.compacted();
                self.bytes += value.size();
                if let Some((_, old)) = place.replace((moment, value)) {
                    self.bytes -= old.size().min(self.bytes);
                }
            }
        }
        Ok(())
    }

    fn emitted(&mut self, emit_to: EmitTo) -> Vec<Option<(Moment, ScalarValue)>> {
        let groups = emit_to.take_needed(&mut self.found);
        let size: usize = groups.iter().flatten().map(|(_, value)| value.size()).sum();
        self.bytes -= size.min(self.bytes);
        groups
    }

    fn values(&self, groups: &[Option<(Moment, ScalarValue)>]) -> Result<ArrayRef> {
        if groups.is_empty() {
            return Ok(new_null_array(&self.kind, 0));
        }
        let null = ScalarValue::try_from(&self.kind)?;
        ScalarValue::iter_to_array(
            groups.iter().map(|it| it.as_ref().map_or_else(|| null.clone(), |(_, it)| it.clone())),
        )
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.found.resize_with(total_num_groups, || None);
        self.take(columns, group_indices, filter)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.emitted(emit_to);
        self.values(&groups)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.emitted(emit_to);
        let moment = |of: fn(&Moment) -> i64| {
            Arc::new(groups.iter().map(|it| it.as_ref().map(|(moment, _)| of(moment))).collect::<Int64Array>())
                as ArrayRef
        };
        Ok(vec![self.values(&groups)?, moment(|it| it.0), moment(|it| it.1)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.update_batch(states, group_indices, None, total_num_groups)
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = match filter {
            None => Arc::clone(&columns[0]),
            Some(filter) => {
                let dropped = arrow::compute::not(&arrow::compute::prep_null_mask_filter(filter))?;
                arrow::compute::nullif(&columns[0], &dropped)?
            }
        };
        Ok(vec![values, cast(&columns[1], &DataType::Int64)?, cast(&columns[2], &DataType::Int64)?])
    }

    fn size(&self) -> usize {
        self.bytes + self.found.capacity() * mem::size_of::<Option<(Moment, ScalarValue)>>()
    }
}
