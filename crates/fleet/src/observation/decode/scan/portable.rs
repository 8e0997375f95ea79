//! The scanner for every processor: eight bytes at a time in a `u64`.

use super::{Block, Pass, Seen, Undecodable, WIDTH};

const LOW_SEVEN: u64 = eight(0x7F);

/// See [`super::scan`].
pub(super) fn scan(bytes: &[u8], blocks: &mut [Block]) -> Result<bool, Undecodable> {
    let mut pass = Pass::default();
    let (whole, rest) = bytes.as_chunks::<WIDTH>();
    for (index, chunk) in whole.iter().enumerate() {
        blocks[index] = pass.absorb(&see(chunk), index * WIDTH, spread)?;
    }
    if !rest.is_empty() {
        let mut padded = [b' '; WIDTH];
        padded[..rest.len()].copy_from_slice(rest);
        blocks[whole.len()] = pass.absorb(&see(&padded), whole.len() * WIDTH, spread)?;
    }
    pass.finish(bytes)
}

fn see(chunk: &[u8; WIDTH]) -> Seen {
    let mut seen = Seen { quote: 0, backslash: 0, open: 0, close: 0, curly: 0, control: 0 };
    let (words, _) = chunk.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let folded = word | eight(0x20);
        let shift = index * 8;
        seen.quote |= gather(zero_bytes(word ^ eight(b'"'))) << shift;
        seen.backslash |= gather(zero_bytes(word ^ eight(b'\\'))) << shift;
        seen.open |= gather(zero_bytes(folded ^ eight(b'{'))) << shift;
        seen.close |= gather(zero_bytes(folded ^ eight(b'}'))) << shift;
        seen.curly |= gather((word << 2) & eight(0x80)) << shift;
        seen.control |= gather(zero_bytes(word & eight(0xE0))) << shift;
    }
    seen
}

/// The same byte eight times.
const fn eight(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// The top bit of every byte that is zero; exact, no borrow runs from one byte into the next.
fn zero_bytes(word: u64) -> u64 {
    !(((word & LOW_SEVEN) + LOW_SEVEN) | word | LOW_SEVEN)
}

/// The eight top bits, side by side in the lowest byte.
fn gather(top_bits: u64) -> u64 {
    (top_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The xor of each bit with all lower ones.
fn spread(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, shift| bits ^ (bits << shift))
}
