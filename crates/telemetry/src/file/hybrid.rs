//! Parquet's encoding of small numbers: runs of equal ones, and groups of eight packed bit by bit.

/// How many bits the numbers below `count` need; at least one.
pub(crate) fn width_of(count: usize) -> u32 {
    (usize::BITS - count.saturating_sub(1).leading_zeros()).max(1)
}

/// A run is written as such from this length on.
const RUN_MIN: usize = 8;

/// Appends numbers of `width` bits.
pub(crate) fn encode(ids: impl Iterator<Item = u32>, width: u32, out: &mut Vec<u8>) {
    let mut encoder = Encoder { width, out, literals: Vec::new() };
    let mut run: Option<(u32, usize)> = None;
    for id in ids {
        run = match run {
            Some((value, length)) if value == id => Some((value, length + 1)),
            Some((value, length)) => {
                encoder.push(value, length);
                Some((id, 1))
            }
            None => Some((id, 1)),
        };
    }
    if let Some((value, length)) = run {
        encoder.push(value, length);
    }
    encoder.flush();
}

struct Encoder<'a> {
    width: u32,
    out: &'a mut Vec<u8>,
    /// Numbers that are in no run.
    literals: Vec<u32>,
}

impl Encoder<'_> {
    #[inline]
    fn push(&mut self, value: u32, length: usize) {
        // Packed groups are of eight; what is missing in the last one is taken from the run.
        let missing = self.literals.len().wrapping_neg() % 8;
        if length < RUN_MIN + missing {
            self.literals.extend(std::iter::repeat_n(value, length));
            return;
        }
        self.literals.extend(std::iter::repeat_n(value, missing));
        self.flush();
        self.varint(((length - missing) as u64) << 1);
        let bytes = self.width.div_ceil(8) as usize;
        self.out.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }

    fn flush(&mut self) {
        if self.literals.is_empty() {
            return;
        }
        let groups = self.literals.len().div_ceil(8);
        self.varint((groups as u64) << 1 | 1);
        self.literals.resize(groups * 8, 0);
        let (mut buffer, mut bits) = (0_u64, 0);
        for value in self.literals.drain(..) {
            buffer |= u64::from(value) << bits;
            bits += self.width;
            if bits >= 32 {
                self.out.extend_from_slice(&(buffer as u32).to_le_bytes());
                buffer >>= 32;
                bits -= 32;
            }
        }
        // Eight numbers fill whole bytes.
        self.out.extend_from_slice(&buffer.to_le_bytes()[..(bits / 8) as usize]);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads numbers as the format describes them.
    fn decode(mut bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut ids = Vec::new();
        while !bytes.is_empty() {
            let (mut head, mut shift) = (0_u64, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                head |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            if head & 1 == 0 {
                let length = width.div_ceil(8) as usize;
                let mut value = [0; 4];
                value[..length].copy_from_slice(&bytes[..length]);
                bytes = &bytes[length..];
                ids.extend(std::iter::repeat_n(u32::from_le_bytes(value), (head >> 1) as usize));
            } else {
                let length = (head >> 1) as usize * width as usize;
                for number in 0..(head >> 1) as usize * 8 {
                    let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
                    ids.push((0..width as usize).map(|it| bit(number * width as usize + it) << it).sum());
                }
                bytes = &bytes[length..];
            }
        }
        ids.truncate(count);
        ids
    }

    #[test]
    fn numbers_read_as_they_were_written() {
        let mut random = fastrand::Rng::with_seed(1);
        for width in 1..=32 {
            for _ in 0..50 {
                let mut ids = Vec::new();
                for _ in 0..random.usize(0..20) {
                    let value = random.u32(..) >> (32 - width);
                    ids.extend(std::iter::repeat_n(value, if random.bool() { 1 } else { random.usize(1..40) }));
                }
                let mut bytes = Vec::new();
                encode(ids.iter().copied(), width, &mut bytes);
                assert_eq!(decode(&bytes, width, ids.len()), ids, "width {width}");
            }
        }
    }

    #[test]
    fn widths_hold_the_largest_number() {
        assert_eq!([0, 1, 2, 3, 256, 257].map(width_of), [1, 1, 1, 2, 8, 9]);
    }
}
