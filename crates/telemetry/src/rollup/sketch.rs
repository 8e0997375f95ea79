//! How values are distributed, in little room: each value counts in the bucket of its first bits.
//!
//! A bucket is the sign, the exponent and the first six bits of the mantissa of a double, as in a histogram of logarithmic
//! buckets (DDSketch) whose logarithm is read off the number. Each octave has 64 buckets, so the middle of a bucket is
//! within [`RELATIVE_ERROR`] of each value in it. Sketches are merged by adding counts: the order does not matter.

use std::collections::BTreeMap;

/// By how much a quantile may differ from the true value, as a part of it: half of the widest bucket.
pub const RELATIVE_ERROR: f64 = 1.0 / 128.0;

/// So many bits of a double are left out.
const SHIFT: u32 = 46;
const SIGN: u64 = 1 << 63;

/// The bucket of a value; buckets are in the order of their values.
pub(crate) fn bucket(value: f64) -> u32 {
    // Both zeros are one value.
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    // What is left has 18 bits.
    (ordered >> SHIFT) as u32
}

/// The middle of a bucket.
fn middle(bucket: u32) -> f64 {
    let from = u64::from(bucket) << SHIFT;
    let number = |ordered: u64| f64::from_bits(if ordered & SIGN == 0 { !ordered } else { ordered & !SIGN });
    let (from, to) = (number(from), number(from | ((1 << SHIFT) - 1)));
    if from.abs() < f64::MIN_POSITIVE || to.abs() < f64::MIN_POSITIVE {
        return 0.0;
    }
    from + (to - from) / 2.0
}

/// Counts of values by their buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    counts: BTreeMap<u32, u64>,
}

impl Sketch {
    /// Counts a value.
    pub fn add(&mut self, value: f64) {
        self.add_bucket(bucket(value), 1);
    }

    pub(crate) fn add_bucket(&mut self, bucket: u32, count: u64) {
        let known = self.counts.entry(bucket).or_default();
        *known = known.saturating_add(count);
    }

    /// Counts what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        other.counts.iter().for_each(|(bucket, count)| self.add_bucket(*bucket, *count));
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How many buckets have values.
    pub fn buckets(&self) -> usize {
        self.counts.len()
    }

    /// About the value of this rank among the values in their order, from 0; nothing beyond the last.
    pub fn at(&self, rank: u64) -> Option<f64> {
        let mut before = 0_u64;
        let found = self.counts.iter().find(|(_, count)| {
            before = before.saturating_add(**count);
            rank < before
        });
        found.map(|(bucket, _)| middle(*bucket))
    }

    /// Its bytes: buckets and counts as numbers of seven bits a byte, each bucket as its distance from the one before.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.counts.len() * 3);
        let mut before = 0;
        for (bucket, count) in &self.counts {
            push(u64::from(bucket - before), &mut bytes);
            push(*count, &mut bytes);
            before = *bucket;
        }
        bytes
    }

    /// The sketch of these bytes; nothing if they are none.
    pub fn of_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self::default();
        let mut bucket = 0_u32;
        while !bytes.is_empty() {
            bucket = bucket.checked_add(u32::try_from(take(&mut bytes)?).ok()?)?;
            sketch.add_bucket(bucket, take(&mut bytes)?);
        }
        Some(sketch)
    }
}

fn push(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_rank_is_within_the_bound(
            mut values in prop::collection::vec(prop_oneof![
                any::<f64>().prop_filter("finite and normal", |it| it.is_normal() || *it == 0.0),
                -100.0_f64..100.0,
                0.0_f64..1e6,
            ], 1..300),
            cut in 0_usize..300,
        ) {
            let of = |values: &[f64]| {
                let mut sketch = Sketch::default();
                values.iter().for_each(|value| sketch.add(*value));
                sketch
            };
            let (one, other) = values.split_at(cut.min(values.len()));
            let mut merged = of(other);
            merged.merge(&of(one));
            prop_assert_eq!(&merged, &of(&values));
            prop_assert_eq!(Sketch::of_bytes(&merged.to_bytes()).unwrap(), merged.clone());
            values.sort_by(f64::total_cmp);
            for (rank, value) in (0..).zip(&values) {
                let found = merged.at(rank).unwrap();
                prop_assert!((found - value).abs() <= RELATIVE_ERROR * value.abs() + f64::MIN_POSITIVE, "{found} {value}");
            }
            prop_assert_eq!((merged.count(), merged.at(values.len() as u64)), (values.len() as u64, None));
        }
    }

    #[test]
    fn bytes_that_are_no_sketch_are_said_to_be_none() {
        for bytes in [&[1_u8][..], &[0x80], &[1, 0x80], &[0xff; 12], &[0xff, 0xff, 0xff, 0xff, 0x7f, 1]] {
            assert_eq!(Sketch::of_bytes(bytes), None, "{bytes:?}");
        }
    }
}
