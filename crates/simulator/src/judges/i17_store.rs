//! I17, the store: what muster has acted upon is in its journal, and stays there over every crash and every failure to
//! write. The recorder reads the journal back after each crash; this judge passes on what it found.

use super::{History, Violation};

/// Judges the journals as the recorder read them back.
pub fn judge(history: &History) -> Vec<Violation> {
    history.disorder.iter().filter(|it| it.invariant == "I17").cloned().collect()
}

/// A journal's rows as they were once handed out: how many, and a running sum over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: u64,
    /// FNV-1a over their texts.
    pub sum: u64,
}

impl Rows {
    /// Counts one more row.
    pub fn add(&mut self, seq: i64, text: &[u8]) {
        self.count += 1;
        let bytes = seq.to_le_bytes().into_iter().chain(text.iter().copied());
        self.sum = bytes.fold(self.sum ^ 0xcbf2_9ce4_8422_2325, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_missing_or_another_changes_the_sum() {
        let sum = |rows: &[&str]| {
            let mut all = Rows::default();
            for (seq, row) in rows.iter().enumerate() {
                all.add(seq as i64 + 1, row.as_bytes());
            }
            all
        };
        assert_eq!(sum(&["a", "b"]), sum(&["a", "b"]));
        assert_ne!(sum(&["a", "b"]), sum(&["a"]));
        assert_ne!(sum(&["a", "b"]), sum(&["a", "c"]));
        assert_ne!(sum(&["a", "b"]), sum(&["b", "a"]));
    }
}
