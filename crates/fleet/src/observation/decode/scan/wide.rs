//! The scanners for x86-64 processors with wide registers, found out at run time. The only unsafe code of the crate.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, __m512i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_slli_epi16,
    _mm512_cmpeq_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_loadu_si512, _mm512_or_si512, _mm512_set1_epi8,
    _mm512_test_epi8_mask,
};

use super::{Block, Pass, Seen, Undecodable, WIDTH};

/// [`super::scan`] with 64-byte registers; `None` when this processor has none.
#[inline]
pub(super) fn avx512(bytes: &[u8], blocks: &mut [Block]) -> Option<Result<bool, Undecodable>> {
    let able = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("bmi1");
    // SAFETY: the processor has every feature that the function is compiled for; just asked.
    able.then(|| unsafe { scan_avx512(bytes, blocks) })
}

/// [`super::scan`] with 32-byte registers; `None` when this processor has none.
#[inline]
pub(super) fn avx2(bytes: &[u8], blocks: &mut [Block]) -> Option<Result<bool, Undecodable>> {
    let able = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("bmi1");
    // SAFETY: the processor has every feature that the function is compiled for; just asked.
    able.then(|| unsafe { scan_avx2(bytes, blocks) })
}

#[target_feature(enable = "avx512f,avx512bw,pclmulqdq,popcnt,bmi1")]
fn scan_avx512(bytes: &[u8], blocks: &mut [Block]) -> Result<bool, Undecodable> {
    let mut pass = Pass::default();
    let (whole, rest) = bytes.as_chunks::<WIDTH>();
    for (index, (chunk, block)) in whole.iter().zip(blocks.iter_mut()).enumerate() {
        *block = pass.absorb(&see_avx512(chunk), index * WIDTH, |bits| spread(bits))?;
    }
    if !rest.is_empty() {
        let mut padded = [b' '; WIDTH];
        padded[..rest.len()].copy_from_slice(rest);
        blocks[whole.len()] = pass.absorb(&see_avx512(&padded), whole.len() * WIDTH, |bits| spread(bits))?;
    }
    pass.finish(bytes)
}

#[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1")]
fn scan_avx2(bytes: &[u8], blocks: &mut [Block]) -> Result<bool, Undecodable> {
    let mut pass = Pass::default();
    let (whole, rest) = bytes.as_chunks::<WIDTH>();
    for (index, (chunk, block)) in whole.iter().zip(blocks.iter_mut()).enumerate() {
        *block = pass.absorb(&see_avx2(chunk), index * WIDTH, |bits| spread(bits))?;
    }
    if !rest.is_empty() {
        let mut padded = [b' '; WIDTH];
        padded[..rest.len()].copy_from_slice(rest);
        blocks[whole.len()] = pass.absorb(&see_avx2(&padded), whole.len() * WIDTH, |bits| spread(bits))?;
    }
    pass.finish(bytes)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn see_avx512(chunk: &[u8; WIDTH]) -> Seen {
    // SAFETY: 64 readable bytes, and the load needs no alignment.
    let bytes = unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) };
    let space = _mm512_set1_epi8(0x20);
    let fold = _mm512_or_si512(bytes, space);
    let equal = |bytes: __m512i, byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
    Seen {
        quote: equal(bytes, b'"'),
        backslash: equal(bytes, b'\\'),
        open: equal(fold, b'{'),
        close: equal(fold, b'}'),
        curly: _mm512_test_epi8_mask(bytes, space),
        control: _mm512_cmplt_epu8_mask(bytes, space),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn see_avx2(chunk: &[u8; WIDTH]) -> Seen {
    let (low, high) = chunk.split_at(32);
    // SAFETY: both halves are 32 readable bytes, and the load needs no alignment.
    let halves = unsafe { [_mm256_loadu_si256(low.as_ptr().cast()), _mm256_loadu_si256(high.as_ptr().cast())] };
    let fold = halves.map(|half| _mm256_or_si256(half, _mm256_set1_epi8(0x20)));
    let control = _mm256_set1_epi8(0x1F);
    Seen {
        quote: equal(halves, b'"'),
        backslash: equal(halves, b'\\'),
        open: equal(fold, b'{'),
        close: equal(fold, b'}'),
        // Bit 5 moves to the top of its byte, the only bit that is gathered.
        curly: top_bits(halves.map(|half| _mm256_slli_epi16::<2>(half))),
        control: top_bits(halves.map(|half| _mm256_cmpeq_epi8(_mm256_min_epu8(half, control), half))),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(halves: [__m256i; 2], byte: u8) -> u64 {
    let wanted = _mm256_set1_epi8(byte as i8);
    top_bits(halves.map(|half| _mm256_cmpeq_epi8(half, wanted)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn top_bits([low, high]: [__m256i; 2]) -> u64 {
    u64::from(_mm256_movemask_epi8(low) as u32) | u64::from(_mm256_movemask_epi8(high) as u32) << 32
}

/// The xor of each bit with all lower ones: a carry-less product with all ones.
#[inline]
#[target_feature(enable = "pclmulqdq")]
fn spread(bits: u64) -> u64 {
    let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
    _mm_cvtsi128_si64(product) as u64
}
