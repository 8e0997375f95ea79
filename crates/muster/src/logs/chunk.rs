//! How many events are read at once: few while nothing is known of their size, since each may have a megabyte, and more once they have
//! turned out to be small.

/// The first read.
const FIRST: usize = 500;
/// The most and the fewest.
const MOST: usize = 10_000;
const FEWEST: usize = 8;
/// A read of so many bytes is as large as it should be.
const BYTES: usize = 4 << 20;

/// The size of the next read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    count: usize,
    /// More are not wanted at all.
    most: usize,
}

impl Chunk {
    /// Of a reading that wants `most` events.
    pub(super) fn first(most: usize) -> Self {
        Self { count: FIRST.min(most.max(1)), most: most.max(1) }
    }

    /// Events to read.
    pub(super) fn count(self) -> usize {
        self.count
    }

    /// After a read that had so many bytes.
    pub(super) fn after(self, bytes: usize) -> Self {
        let count = match bytes {
            0 => self.count,
            bytes => (self.count.saturating_mul(BYTES) / bytes).clamp(FEWEST, self.count.saturating_mul(4).min(MOST)),
        };
        Self { count: count.min(self.most), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_grow_over_small_events_and_shrink_over_large_ones() {
        let small = Chunk::first(100_000).after(50_000).after(200_000).after(800_000);
        assert_eq!(small.count(), 10_000);
        let large = Chunk::first(100_000).after(500 << 20);
        assert_eq!(large.count(), 8);
        assert_eq!(Chunk::first(3).after(10).count(), 3);
        assert_eq!(Chunk::first(0).count(), 1);
    }
}
