//! One pass over the bytes, 64 at a time, that marks what the cursor steers by: where strings begin and end, where
//! brackets stand outside of strings, where escapes begin. The marks make skipping a container a matter of counting bits.
//!
//! What is proved here holds for the whole document, skipped parts included: every string is closed and free of control
//! characters, no backslash stands outside of a string, every escape is well formed, brackets of each kind balance and
//! never nest deeper than [`MAX_DEPTH`].

mod portable;
#[cfg(target_arch = "x86_64")]
mod wide;

use super::Undecodable;

/// Deepest nesting read; the deepest ECS event has seven levels.
pub(super) const MAX_DEPTH: u32 = 64;

/// Bytes a block covers: one bit each in a `u64`.
const WIDTH: usize = 64;

/// Marks of 64 bytes, the first byte in the lowest bit. Brackets inside strings are not marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// Quotes that open or close a string.
    pub(super) quotes: u64,
    /// `{`
    pub(super) curly_open: u64,
    /// `}`
    pub(super) curly_close: u64,
    /// `[`
    pub(super) square_open: u64,
    /// `]`
    pub(super) square_close: u64,
}

/// How many blocks `bytes` bytes need.
pub(super) fn blocks_needed(bytes: usize) -> usize {
    bytes.div_ceil(WIDTH)
}

/// Marks `bytes` in `blocks`, with the widest instructions this processor has. `blocks` must hold
/// [`blocks_needed`] blocks. Says whether there is any escape.
pub(super) fn scan(bytes: &[u8], blocks: &mut [Block]) -> Result<bool, Undecodable> {
    #[cfg(target_arch = "x86_64")]
    if let Some(result) = wide::avx512(bytes, blocks).or_else(|| wide::avx2(bytes, blocks)) {
        return result;
    }
    portable::scan(bytes, blocks)
}

/// Where each kind of byte stands in a block, strings not yet considered.
struct Seen {
    quote: u64,
    backslash: u64,
    /// `{` or `[`
    open: u64,
    /// `}` or `]`
    close: u64,
    /// Bit 5 of each byte: set in `{` and `}`, clear in `[` and `]`.
    curly: u64,
    /// Below 0x20.
    control: u64,
}

/// What one block hands to the next.
#[derive(Default)]
struct Pass {
    /// All ones when the block begins inside a string.
    in_string: u64,
    /// 1 when the block's first byte is escaped.
    escaped: u64,
    depth: u32,
    squares: i64,
    any_escape: u64,
}

impl Pass {
    /// Turns what was seen into marks. `spread` is the running xor of all lower bits, which turns quotes into strings.
    #[inline(always)]
    fn absorb(&mut self, seen: &Seen, offset: usize, spread: impl Fn(u64) -> u64) -> Result<Block, Undecodable> {
        let (mut quotes, mut escapes) = (seen.quote, 0);
        if (seen.backslash | self.escaped) != 0 {
            let mut escaped = self.escaped;
            let mut left = seen.backslash & !escaped;
            self.escaped = 0;
            while left != 0 {
                let first = left & left.wrapping_neg();
                escapes |= first;
                escaped |= first << 1;
                self.escaped = first >> 63;
                left &= !(first | (first << 1));
            }
            quotes &= !escaped;
        }
        // The opening quote counts as inside, the closing quote as outside.
        let inside = spread(quotes) ^ self.in_string;
        self.in_string = ((inside as i64) >> 63) as u64;
        let broken = (seen.control & inside) | (escapes & !inside);
        let open = seen.open & !inside;
        let close = seen.close & !inside;
        let (opens, closes) = (open.count_ones(), close.count_ones());
        if broken != 0 || self.depth + opens > MAX_DEPTH || closes > self.depth {
            check(self.depth, broken, seen.control, open, close, offset)?;
        }
        self.depth = (self.depth + opens).wrapping_sub(closes);
        let block = Block {
            quotes,
            curly_open: open & seen.curly,
            curly_close: close & seen.curly,
            square_open: open & !seen.curly,
            square_close: close & !seen.curly,
        };
        self.squares += i64::from(block.square_open.count_ones()) - i64::from(block.square_close.count_ones());
        self.any_escape |= escapes;
        Ok(block)
    }

    #[inline(always)]
    fn finish(&self, bytes: &[u8]) -> Result<bool, Undecodable> {
        if self.in_string != 0 {
            return Err(not_json(bytes.len(), "ends inside a string"));
        }
        if self.depth != 0 {
            return Err(not_json(bytes.len(), "ends before every bracket is closed"));
        }
        if self.squares != 0 {
            return Err(not_json(bytes.len(), "as many brackets open as close, but not of the same kinds"));
        }
        if self.any_escape != 0 {
            check_escapes(bytes)?;
        }
        Ok(self.any_escape != 0)
    }
}

/// The slow road for blocks that may be at fault: bit by bit.
#[cold]
#[inline(never)]
fn check(mut depth: u32, broken: u64, control: u64, open: u64, close: u64, offset: usize) -> Result<(), Undecodable> {
    let mut left = open | close | broken;
    while left != 0 {
        let first = left & left.wrapping_neg();
        let offset = offset + left.trailing_zeros() as usize;
        if first & broken & control != 0 {
            return Err(not_json(offset, "control character in a string"));
        }
        if first & broken != 0 {
            return Err(not_json(offset, "backslash outside of a string"));
        }
        if first & open != 0 {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(Undecodable::TooDeep { offset, limit: MAX_DEPTH as usize });
            }
        } else if depth == 0 {
            return Err(not_json(offset, "a bracket closes that was never opened"));
        } else {
            depth -= 1;
        }
        left &= left - 1;
    }
    Ok(())
}

#[cold]
#[inline(never)]
pub(super) fn not_json(offset: usize, what: &str) -> Undecodable {
    Undecodable::NotJson { offset, what: what.to_owned() }
}

/// Every escape of the document: a known letter, four hexadecimal digits, surrogates in pairs. By now every backslash
/// is known to stand in a string.
#[cold]
fn check_escapes(bytes: &[u8]) -> Result<(), Undecodable> {
    let mut from = 0;
    while let Some(ahead) = bytes.get(from..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        let at = from + ahead;
        from = match bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at + 2,
            Some(b'u') => match (code_unit(bytes, at), code_unit(bytes, at + 6)) {
                (None, _) => return Err(not_json(at, "\\u wants four hexadecimal digits")),
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at + 12,
                (Some(0xD800..=0xDFFF), _) => return Err(not_json(at, "half a surrogate pair")),
                (Some(_), _) => at + 6,
            },
            _ => return Err(not_json(at, "unknown escape")),
        };
    }
    Ok(())
}

/// The UTF-16 code unit that `\uXXXX` at `at` writes.
pub(super) fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let [b'\\', b'u', hex @ ..] = bytes.get(at..at + 6)? else { return None };
    let mut unit = 0;
    for &digit in hex {
        unit = unit << 4 | (digit as char).to_digit(16)? as u16;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Scanner = fn(&[u8], &mut [Block]) -> Result<bool, Undecodable>;

    fn run(scanner: Scanner, bytes: &[u8]) -> (Result<bool, Undecodable>, Vec<Block>) {
        let mut blocks = vec![Block::default(); blocks_needed(bytes.len())];
        let result = scanner(bytes, &mut blocks);
        (result, blocks)
    }

    /// Byte by byte, as one would write it first.
    fn plain(bytes: &[u8]) -> Vec<Block> {
        let mut blocks = vec![Block::default(); blocks_needed(bytes.len())];
        let (mut in_string, mut escaped) = (false, false);
        for (index, &byte) in bytes.iter().enumerate() {
            let bit = 1_u64 << (index % WIDTH);
            let block = &mut blocks[index / WIDTH];
            if escaped {
                escaped = false;
                continue;
            }
            match byte {
                b'\\' => escaped = true,
                b'"' => {
                    block.quotes |= bit;
                    in_string = !in_string;
                }
                b'{' if !in_string => block.curly_open |= bit,
                b'}' if !in_string => block.curly_close |= bit,
                b'[' if !in_string => block.square_open |= bit,
                b']' if !in_string => block.square_close |= bit,
                _ => {}
            }
        }
        blocks
    }

    /// Bytes that matter to a scanner, much more often than chance would bring them.
    fn structural_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => prop::sample::select(b"\"\\{}[]:, \n\x01au0".to_vec()),
            1 => any::<u8>(),
        ];
        prop::collection::vec(byte, 0..400)
    }

    fn scanners() -> Vec<(&'static str, Scanner)> {
        let mut scanners: Vec<(&'static str, Scanner)> = vec![("chosen", scan), ("portable", portable::scan)];
        #[cfg(target_arch = "x86_64")]
        {
            let mut blocks = [];
            if wide::avx2(b"", &mut blocks).is_some() {
                scanners.push(("avx2", |bytes, blocks| wide::avx2(bytes, blocks).expect("asked before")));
            }
            if wide::avx512(b"", &mut blocks).is_some() {
                scanners.push(("avx512", |bytes, blocks| wide::avx512(bytes, blocks).expect("asked before")));
            }
        }
        scanners
    }

    /// Text in which every string is closed, so that scanning goes to the end.
    fn closed_text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            r#""([a-z{}\[\]]|\\\\|\\"|\\n|\\u00e9){0,90}""#.prop_map(String::into_bytes),
            Just(b"[]".to_vec()),
            Just(b"[{}]".to_vec()),
            Just(b" , ".to_vec()),
        ];
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_portable_and_the_wide_scanners_say_the_same_of_any_bytes(bytes in structural_bytes()) {
            let portable = run(portable::scan, &bytes);
            for (name, scanner) in scanners() {
                prop_assert_eq!(&run(scanner, &bytes), &portable, "{}", name);
            }
        }

        #[test]
        fn all_scanners_mark_what_reading_byte_by_byte_marks(bytes in closed_text()) {
            for (_, scanner) in scanners() {
                let (result, blocks) = run(scanner, &bytes);
                prop_assert_eq!(result, Ok(bytes.contains(&b'\\')));
                prop_assert_eq!(&blocks, &plain(&bytes));
            }
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (text, offset, part) in [
            ("{\"a\u{1}\":1}", 3, "control"),
            (r#"{\"a":1}"#, 1, "outside"),
            (r#"{"a\x":1}"#, 3, "unknown escape"),
            (r#"{"a\u12g4":1}"#, 3, "four hexadecimal"),
            (r#"{"a\ud800":1}"#, 3, "half"),
            (r#"{"a\ud800\u0041":1}"#, 3, "half"),
            (r#"{"a\udc00":1}"#, 3, "half"),
            (r#"{"a"#, 3, "inside a string"),
            ("{\"a\":[", 6, "every bracket"),
            ("{\"a\":1}}", 7, "never opened"),
            ("{\"a\":1]", 7, "same kinds"),
        ] {
            for (_, scanner) in scanners() {
                match run(scanner, text.as_bytes()).0 {
                    Err(Undecodable::NotJson { offset: at, what }) => {
                        assert_eq!(at, offset, "{text}: {what}");
                        assert!(what.contains(part), "{text}: {what}");
                    }
                    other => panic!("{text}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn sixty_four_levels_pass_and_sixty_five_do_not() {
        let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes();
        for (_, scanner) in scanners() {
            assert_eq!(run(scanner, &nested(64)).0, Ok(false));
            assert_eq!(run(scanner, &nested(65)).0, Err(Undecodable::TooDeep { offset: 64, limit: 64 }));
        }
    }
}
