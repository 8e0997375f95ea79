//! Count, sum, least and greatest of the values of a metric in one cell.

/// Of integers: all of it is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Integers {
    pub(super) count: u64,
    sum: i128,
    pub(super) least: i64,
    pub(super) greatest: i64,
}

impl Integers {
    pub(super) fn add(&mut self, value: i64) {
        self.merge(&Self { count: 1, sum: i128::from(value), least: value, greatest: value });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// The double that is nearest to the sum.
    pub(super) fn sum(&self) -> f64 {
        self.sum as f64
    }
}

/// Of floats. The sum is kept in two doubles, the second for what the first cannot hold: so it is as good as rounded once, in
/// whatever order the values come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Floats {
    pub(super) count: u64,
    sum: f64,
    rest: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Floats {
    pub(super) fn add(&mut self, value: f64) {
        self.merge(&Self { count: 1, sum: value, rest: 0.0, least: value, greatest: value });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count += other.count;
        let sum = self.sum + other.sum;
        // What was lost when both were added, which a double holds exactly.
        let of_other = sum - self.sum;
        let lost = (self.sum - (sum - of_other)) + (other.sum - of_other);
        self.sum = sum;
        self.rest += other.rest + lost;
        if other.least.total_cmp(&self.least).is_lt() {
            self.least = other.least;
        }
        if other.greatest.total_cmp(&self.greatest).is_gt() {
            self.greatest = other.greatest;
        }
    }

    pub(super) fn sum(&self) -> f64 {
        let sum = self.sum + self.rest;
        // Beyond the largest double the rest is no number.
        if sum.is_nan() { self.sum } else { sum }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_of_floats_are_as_good_as_rounded_once(
            values in prop::collection::vec((-1_000_000_000_i64..1_000_000_000, 0_u32..40), 1..200),
            cut in 0_usize..200,
        ) {
            // Multiples of 2^-40: all sums are exact as integers of 128 bits.
            let exact: i128 = values.iter().map(|(value, shift)| i128::from(*value) << shift).sum();
            let unit = (2.0_f64).powi(-40);
            let cut = cut.min(values.len());
            let of = |values: &[(i64, u32)]| {
                let mut total = Floats::default();
                values.iter().for_each(|(value, shift)| total.add((*value as f64) * (2.0_f64).powi(*shift as i32) * unit));
                total
            };
            let mut both = of(&values[..cut]);
            both.merge(&of(&values[cut..]));
            prop_assert_eq!(both.sum(), exact as f64 * unit);
        }
    }

    #[test]
    fn totals_of_parts_are_those_of_the_whole() {
        let mut one = Integers::default();
        let mut other = Integers::default();
        [3, -7, i64::MAX].iter().for_each(|it| one.add(*it));
        [i64::MAX, 4].iter().for_each(|it| other.add(*it));
        one.merge(&other);
        one.merge(&Integers::default());
        assert_eq!((one.count, one.least, one.greatest), (5, -7, i64::MAX));
        assert_eq!(one.sum, 2 * i128::from(i64::MAX));
        let mut none = Floats::default();
        none.merge(&Floats::default());
        assert_eq!(none.count, 0);
    }
}
