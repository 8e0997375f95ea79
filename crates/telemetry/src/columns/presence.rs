//! Which rows have a value.

/// The rows of a column that have a value. As long as all of them have one, it is only a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    values: usize,
    bits: Option<Vec<u64>>,
}

impl Presence {
    /// Marks a row; rows come in order.
    #[inline]
    pub(crate) fn mark(&mut self, row: usize) {
        if self.bits.is_some() || self.values != row {
            self.mark_with_gaps(row);
        }
        self.values += 1;
    }

    #[cold]
    fn begin_bits(&mut self) {
        let mut bits = vec![u64::MAX; self.values / 64];
        if !self.values.is_multiple_of(64) {
            bits.push((1 << (self.values % 64)) - 1);
        }
        self.bits = Some(bits);
    }

    fn mark_with_gaps(&mut self, row: usize) {
        if self.bits.is_none() {
            self.begin_bits();
        }
        if let Some(bits) = &mut self.bits {
            if bits.len() <= row / 64 {
                bits.resize(row / 64 + 1, 0);
            }
            bits[row / 64] |= 1 << (row % 64);
        }
    }

    /// How many rows have a value.
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    /// Whether each of the first `rows` rows has a value.
    pub(crate) fn is_full(&self, rows: usize) -> bool {
        self.values == rows
    }

    /// Whether a row has a value.
    #[inline]
    pub(crate) fn has(&self, row: usize) -> bool {
        match &self.bits {
            None => row < self.values,
            Some(bits) => bits.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1),
        }
    }

    /// How many rows before this one have a value: where the value of this row stands.
    pub(crate) fn before(&self, row: usize) -> usize {
        match &self.bits {
            None => row.min(self.values),
            Some(bits) => {
                let whole = bits.iter().take(row / 64).map(|word| word.count_ones() as usize).sum::<usize>();
                let part = bits.get(row / 64).map_or(0, |word| (word & ((1 << (row % 64)) - 1)).count_ones() as usize);
                whole + part
            }
        }
    }

    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bits.as_ref().map_or(0, |bits| bits.capacity() * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_values_are_known() {
        for pattern in
            [|_: usize| true, |row: usize| row.is_multiple_of(3), |row: usize| row < 70, |row: usize| row > 129]
        {
            let mut presence = Presence::default();
            let rows: Vec<bool> = (0..200).map(pattern).collect();
            for (row, marked) in rows.iter().enumerate() {
                if *marked {
                    presence.mark(row);
                }
            }
            for row in 0..=200 {
                assert_eq!(presence.has(row), rows.get(row) == Some(&true), "{row}");
                assert_eq!(presence.before(row), rows[..row].iter().filter(|it| **it).count(), "{row}");
            }
            assert_eq!(presence.is_full(200), rows.iter().all(|it| *it));
        }
    }
}
