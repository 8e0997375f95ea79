//! Exact percentiles: all numbers of a group are kept, and those around the rank are selected.

use std::{mem, sync::Arc};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::{
    common::Result,
    logical_expr::{EmitTo, GroupsAccumulator},
};

/// The type of what is known of one group: its numbers.
pub(super) fn state_type() -> DataType {
    DataType::List(item())
}

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

/// Which percentile, and how it is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    /// From 0 to 1.
    share: f64,
    interpolated: bool,
}

impl Rank {
    pub(super) fn new(billionths: u64, interpolated: bool) -> Self {
        Self { share: billionths as f64 / 1e11, interpolated }
    }

    /// The percentile of numbers, which are put in another order.
    fn of(self, numbers: &mut [f64]) -> Option<f64> {
        let last = numbers.len().checked_sub(1)?;
        if !self.interpolated {
            let nearest = (self.share * numbers.len() as f64).ceil() as usize;
            return Some(*numbers.select_nth_unstable_by(nearest.saturating_sub(1).min(last), f64::total_cmp).1);
        }
        let place = self.share * last as f64;
        let below = (place.floor() as usize).min(last);
        let (_, at, above) = numbers.select_nth_unstable_by(below, f64::total_cmp);
        let at = *at;
        if place.fract() == 0.0 {
            return Some(at);
        }
        let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(at);
        Some(at + (next - at) * place.fract())
    }
}

/// Of many groups.
#[derive(Debug)]
pub(super) struct Groups {
    rank: Rank,
    groups: Vec<Vec<f64>>,
    bytes: usize,
}

impl Groups {
    pub(super) fn new(rank: Rank) -> Self {
        Self { rank, groups: Vec::new(), bytes: 0 }
    }

    fn push(&mut self, group: usize, number: f64) {
        let numbers = &mut self.groups[group];
        let before = numbers.capacity();
        numbers.push(number);
        self.bytes += (numbers.capacity() - before) * mem::size_of::<f64>();
    }

    fn emitted(&mut self, emit_to: EmitTo) -> Vec<Vec<f64>> {
        let groups = emit_to.take_needed(&mut self.groups);
        self.bytes -= groups.iter().map(|it| it.capacity() * mem::size_of::<f64>()).sum::<usize>().min(self.bytes);
        groups
    }
}

fn lists(groups: impl ExactSizeIterator<Item = Vec<f64>>) -> Result<ArrayRef> {
    let mut lengths = Vec::with_capacity(groups.len());
    let mut all = Vec::new();
    for numbers in groups {
        lengths.push(numbers.len());
        all.extend(numbers);
    }
    let all = Float64Array::from(all);
    Ok(Arc::new(ListArray::try_new(item(), OffsetBuffer::from_lengths(lengths), Arc::new(all), None)?))
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, Vec::new);
        let numbers = columns[0].as_primitive::<Float64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if kept && numbers.is_valid(row) {
                self.push(*group, numbers.value(row));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let rank = self.rank;
        let groups = self.emitted(emit_to);
        Ok(Arc::new(groups.into_iter().map(|mut numbers| rank.of(&mut numbers)).collect::<Float64Array>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![lists(self.emitted(emit_to).into_iter())?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize_with(total_num_groups, Vec::new);
        let lists = states[0].as_list::<i32>();
        let numbers = lists.values().as_primitive::<Float64Type>();
        for (row, group) in group_indices.iter().enumerate() {
            if lists.is_valid(row) {
                let (from, to) = (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
                for number in &numbers.values()[from..to] {
                    self.push(*group, *number);
                }
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let numbers = columns[0].as_primitive::<Float64Type>();
        let one = |row: usize| {
            let kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if kept && numbers.is_valid(row) { vec![numbers.value(row)] } else { Vec::new() }
        };
        Ok(vec![lists((0..numbers.len()).map(one).collect::<Vec<_>>().into_iter())?])
    }

    fn size(&self) -> usize {
        self.bytes + self.groups.capacity() * mem::size_of::<Vec<f64>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_neighbours_or_are_the_nearest() {
        let of = |rank: f64, interpolated| {
            Rank::new((rank * 1e9) as u64, interpolated).of(&mut [80.0, 12.0, 310.0, 45.0, 33.0])
        };
        assert_eq!([of(0.0, true), of(50.0, true), of(100.0, true)], [Some(12.0), Some(45.0), Some(310.0)]);
        assert!((of(90.0, true).unwrap() - 218.0).abs() < 1e-9);
        assert_eq!([of(0.0, false), of(90.0, false), of(40.0, false)], [Some(12.0), Some(310.0), Some(33.0)]);
        assert_eq!(Rank::new(0, true).of(&mut []), None);
    }
}
