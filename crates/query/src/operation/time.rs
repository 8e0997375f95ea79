//! Bins of time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, TimestampMillisecondArray, TimestampMillisecondBuilder};
use arrow::datatypes::{DataType, Field, TimestampMillisecondType};
use datafusion::common::{Result, exec_err};
use insights::{
    evaluate::binned,
    period::{Period, Unit},
    value::Value,
};
use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// The most bins that are filled in.
const BINS_MAX: usize = 100_000;

/// Bins of a length, perhaps shifted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Bins {
    period: String,
    offset: Option<String>,
}

fn period_of(text: &str) -> Option<Period> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (amount, unit) = text.split_at(digits);
    Some(Period { amount: amount.parse().ok().filter(|it| *it > 0)?, unit: Unit::named(unit)? })
}

impl Bins {
    pub(crate) fn new(period: Period, offset: Option<Period>) -> Self {
        Self { period: period.to_string(), offset: offset.map(|offset| offset.to_string()) }
    }

    fn periods(&self) -> Result<(Period, Option<Period>)> {
        match (period_of(&self.period), &self.offset) {
            (Some(period), None) => Ok((period, None)),
            (Some(period), Some(offset)) => Ok((period, period_of(offset))),
            _ => exec_err!("`{}` is no period", self.period),
        }
    }

    pub(super) fn compute(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let (period, offset) = self.periods()?;
        let times = column.as_primitive::<TimestampMillisecondType>();
        let floor = |time| match binned(period, time, offset) {
            Value::Time(floor) => Some(floor),
            _ => None,
        };
        let shift = offset.and_then(Period::millis).unwrap_or(0);
        let width = match period.unit {
            Unit::Week | Unit::Month | Unit::Quarter | Unit::Year => None,
            _ => Period { amount: period.effective(), unit: period.unit }.millis(),
        };
        // Within a few million years of 1970, where nothing can overflow.
        let near = |time: i64| time.unsigned_abs() < 1 << 57;
        if let Some(width) = width
            && near(shift)
            && times.values().iter().all(|time| near(*time))
        {
            let floors = times.unary::<_, TimestampMillisecondType>(|time| time - (time - shift).rem_euclid(width));
            return Ok(Arc::new(floors));
        }
        Ok(Arc::new(times.iter().map(|time| time.and_then(floor)).collect::<TimestampMillisecondArray>()))
    }

    /// The beginnings of all bins from one time to another.
    fn between(&self, from: i64, to: i64) -> Result<Vec<i64>> {
        let (period, offset) = self.periods()?;
        let mut beginnings = Vec::new();
        let Value::Time(mut at) = binned(period, from, offset) else {
            return Ok(beginnings);
        };
        while at <= to {
            if beginnings.len() == BINS_MAX {
                return exec_err!(
                    "`fillmissing` would add more than {BINS_MAX} bins; ask for a shorter time or longer bins"
                );
            }
            beginnings.push(at);
            let shift = offset.and_then(Period::millis).unwrap_or(0);
            let Some(next) =
                at.checked_sub(shift).and_then(|at| period.ceil(at, false)).and_then(|it| it.checked_add(shift))
            else {
                break;
            };
            at = next;
        }
        Ok(beginnings)
    }
}

pub(super) fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(Kind::Time.arrow(), true)))
}

pub(super) fn bins_between(bins: &Bins, from: &ArrayRef, to: &ArrayRef) -> Result<ArrayRef> {
    let (from, to) = (from.as_primitive::<TimestampMillisecondType>(), to.as_primitive::<TimestampMillisecondType>());
    let mut lists = ListBuilder::new(TimestampMillisecondBuilder::new());
    for row in 0..from.len() {
        if from.is_valid(row) && to.is_valid(row) {
            lists.values().append_slice(&bins.between(from.value(row), to.value(row))?);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
