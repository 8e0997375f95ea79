//! Reading gzip (RFC 1951, 1952): clients compress the larger bodies of PutMetricData.

/// The most that a body may become.
const LARGEST_BYTES: usize = 16 << 20;

const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
/// In which order the lengths of the codes for lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Unpacks a gzip body; `None` when it is none, is damaged or too large.
pub(super) fn gunzip(packed: &[u8]) -> Option<Vec<u8>> {
    let [0x1f, 0x8b, 8, flags, rest @ ..] = packed else { return None };
    let mut rest = rest.get(6..)?;
    if flags & 4 != 0 {
        let length = usize::from(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]));
        rest = rest.get(2 + length..)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            rest = rest.get(rest.iter().position(|byte| *byte == 0)? + 1..)?;
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..)?;
    }
    let (tail_at, unpacked) = inflate(rest)?;
    let tail = rest.get(tail_at..tail_at + 8)?;
    let stated = u32::from_le_bytes([tail[4], tail[5], tail[6], tail[7]]);
    (stated == unpacked.len() as u32).then_some(unpacked)
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, wanted: u32) -> Option<u32> {
        while self.count < wanted {
            self.held |= u32::from(*self.bytes.get(self.at)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let value = self.held & ((1_u32 << wanted) - 1);
        self.held >>= wanted;
        self.count -= wanted;
        Some(value)
    }
}

/// A canonical Huffman code: how many codes there are of each length, and the symbols in their order.
struct Code {
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl Code {
    fn of(lengths: &[u8]) -> Self {
        let mut counts = [0_u16; 16];
        lengths.iter().filter(|length| **length > 0).for_each(|length| counts[usize::from(*length)] += 1);
        let mut symbols: Vec<u16> = (0..lengths.len() as u16).filter(|at| lengths[usize::from(*at)] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let (mut code, mut first, mut index) = (0_i32, 0_i32, 0_i32);
        for count in self.counts.iter().skip(1).map(|count| i32::from(*count)) {
            code |= bits.take(1)? as i32;
            if code - count < first {
                return self.symbols.get(usize::try_from(index + code - first).ok()?).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Unpacks, and says where the packed bytes end.
fn inflate(packed: &[u8]) -> Option<(usize, Vec<u8>)> {
    let mut bits = Bits { bytes: packed, at: 0, held: 0, count: 0 };
    let mut out = Vec::with_capacity(packed.len() * 4);
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                (bits.held, bits.count) = (0, 0);
                let length = usize::from(u16::from_le_bytes([*packed.get(bits.at)?, *packed.get(bits.at + 1)?]));
                out.extend_from_slice(packed.get(bits.at + 4..bits.at + 4 + length)?);
                bits.at += 4 + length;
            }
            1 => {
                let lengths = [[8_u8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat();
                block(&mut bits, &mut out, &Code::of(&lengths), &Code::of(&[5; 30]))?;
            }
            2 => {
                let (literals, distances) = codes(&mut bits)?;
                block(&mut bits, &mut out, &literals, &distances)?;
            }
            _ => return None,
        }
        if out.len() > LARGEST_BYTES {
            return None;
        }
        if last {
            return Some((bits.at, out));
        }
    }
}

fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances) = (bits.take(5)? as usize + 257, bits.take(5)? as usize + 1);
    let mut of_lengths = [0_u8; 19];
    for at in ORDER.into_iter().take(bits.take(4)? as usize + 4) {
        of_lengths[at] = bits.take(3)? as u8;
    }
    let code = Code::of(&of_lengths);
    let mut lengths: Vec<u8> = Vec::with_capacity(literals + distances);
    while lengths.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length as u8, 1),
        };
        lengths.extend((0..times).map(|_| value));
    }
    Some((Code::of(lengths.get(..literals)?), Code::of(lengths.get(literals..literals + distances)?)))
}

fn block(bits: &mut Bits<'_>, out: &mut Vec<u8>, literals: &Code, distances: &Code) -> Option<()> {
    loop {
        match literals.read(bits)? {
            256 => return Some(()),
            symbol @ 0..=255 => out.push(symbol as u8),
            symbol => {
                let (base, extra) = *LENGTHS.get(usize::from(symbol) - 257)?;
                let length = usize::from(base) + bits.take(u32::from(extra))? as usize;
                let symbol = u32::from(distances.read(bits)?);
                let distance = match symbol {
                    0..=3 => symbol as usize + 1,
                    4..=29 => {
                        let extra = symbol / 2 - 1;
                        (((2 + symbol % 2) << extra) + bits.take(extra)? + 1) as usize
                    }
                    _ => return None,
                };
                let from = out.len().checked_sub(distance)?;
                if out.len() + length > LARGEST_BYTES {
                    return None;
                }
                for at in from..from + length {
                    out.push(out[at]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with gzip: a short text (fixed codes), one that was stored, and one with codes of its own.
    const FIXED: &str = "1f8b08000000000002034bcc492cca55484422f3f3140a8af253741375d00492009cea99c62c000000";
    const STORED: &str = "1f8b0800000000000403010f00f0ff73746f7265642061732069742069736578d15a0f000000";
    const OWN: &str = concat!(
        "1f8b080000000000020375d53d6bc3401803e0bf123c87e057bab393ce5ddbb14bc890960c8166e9c754fadfeb6c169516c3",
        "6184e078d01d7f86a7cbd7c7f5edf97cbb0c0f9be1360edbcdf0727effbe1fc7ddb89c1eafb7cfe5701ccef77fafcb673cfd",
        "6e37ffa2b58ed6aedb68d928d6518656d828d7d1165a69a36d1d9d426bb3d1be8ecea1b5dbe8b48e1e42eb64a3b3dcf0186a",
        "679bdd4b16a1776fb307c932f41ebc0a11553d145730a5a8a6a4cab32a7155fbd4ed6595d0aa43eaf6b84a74a152b7f75502",
        "0c48dd9e588931b4d4ed959530434fddde590934cca9db4b2ba1867deaf6d620d698e60bde1ac41ad382214c986e581c316f",
        "0d628d69c7e0ad41ac314d19bc358835a63583b706b1c63468f0d620d65a9a34786b106b2d8d1abc3588b596660dde1ac55a",
        "4bbb466f8d62ada55da3b746b1d6d2ae31bc98fa64a65da3b746b1d6d3aed15ba358eb69d7e8ad51acf5b46bf4d628d67ada",
        "357a6b146b3ded1abd358ab59e768d8bb5d31f7da2802a95090000",
    );

    fn unpack(packed: &str) -> String {
        String::from_utf8(gunzip(&hex::decode(packed).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn all_kinds_of_blocks_are_unpacked() {
        assert_eq!(unpack(FIXED), "alarm alarm alarm on prod-a, alarm on prod-b");
        assert_eq!(unpack(STORED), "stored as it is");
        let element = |i: u32| {
            let value = f64::from(i) * 1.5;
            format!("{{\"MetricName\": \"m{i}\", \"Value\": {value:?}, \"Dims\": [\"a\", \"b\", {i}]}}")
        };
        assert_eq!(unpack(OWN), format!("[{}]", (0..40).map(element).collect::<Vec<_>>().join(", ")));
    }

    #[test]
    fn what_is_damaged_is_nothing() {
        let packed = hex::decode(OWN).unwrap();
        for cut in 0..packed.len() {
            let _ = gunzip(&packed[..cut]);
        }
        for at in 0..packed.len() {
            let mut bent = packed.clone();
            bent[at] ^= 0x55;
            let _ = gunzip(&bent);
        }
        assert_eq!(gunzip(b""), None);
    }
}
