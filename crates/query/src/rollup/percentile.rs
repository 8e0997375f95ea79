//! Percentiles out of sketches and of single values beside them.

use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::{DataType, Float64Type},
};
use datafusion::{
    common::{Result, ScalarValue, exec_err},
    logical_expr::Accumulator,
};
use telemetry::rollup::sketch::Sketch;

/// How much memory a bucket of a sketch takes, in bytes.
const BUCKET_BYTES: usize = 32;

/// The type of what is known: a sketch as bytes.
pub(crate) const STATE: DataType = DataType::Binary;

/// A percentile of what sketches in the first column and numbers in the second have counted.
#[derive(Debug)]
pub(crate) struct Percentile {
    /// From 0 to 1.
    share: f64,
    interpolated: bool,
    sketch: Sketch,
}

impl Percentile {
    /// A rank in billionths of a hundredth; `interpolated`: what lies between two values is, else it is the nearest rank.
    pub(crate) fn new(billionths: u64, interpolated: bool) -> Self {
        Self { share: billionths as f64 / 1e11, interpolated, sketch: Sketch::default() }
    }

    fn merge(&mut self, sketches: &ArrayRef) -> Result<()> {
        for bytes in sketches.as_binary::<i32>().iter().flatten() {
            let Some(sketch) = Sketch::of_bytes(bytes) else {
                return exec_err!(
                    "a roll-up has a sketch that is none; its file is damaged, and queries without roll-ups are not"
                );
            };
            self.sketch.merge(&sketch);
        }
        Ok(())
    }

    fn value(&self) -> Option<f64> {
        let count = self.sketch.count();
        let last = count.checked_sub(1)?;
        if !self.interpolated {
            let nearest = (self.share * count as f64).ceil() as u64;
            return self.sketch.at(nearest.saturating_sub(1).min(last));
        }
        let place = self.share * last as f64;
        let below = (place.floor() as u64).min(last);
        let (at, next) = (self.sketch.at(below)?, self.sketch.at((below + 1).min(last))?);
        Some(at + (next - at) * place.fract())
    }
}

impl Accumulator for Percentile {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.merge(&columns[0])?;
        columns[1].as_primitive::<Float64Type>().iter().flatten().for_each(|value| self.sketch.add(value));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.value()))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.sketch.buckets() * BUCKET_BYTES
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.sketch.to_bytes()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.merge(&states[0])
    }
}
