//! Which of at most 64 values are among the largest, by counting in vectors of sixteen upper halves.

use std::arch::x86_64::*;

use crate::line::Line;
use crate::rank;

/// [`Isa::leading`](crate::Isa::leading) for both instruction sets.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn leading(values: &[Line], k: usize) -> u64 {
    match values {
        [a] => leading_of([a], k),
        [a, b] => leading_of([a, b], k),
        [a, b, c] => leading_of([a, b, c], k),
        [a, b, c, d] => leading_of([a, b, c, d], k),
        _ => rank::leading(values, k),
    }
}

/// [`leading`] of `N` lines, each a vector of sixteen upper halves.
#[target_feature(enable = "avx2")]
#[inline]
fn leading_of<const N: usize>(lines: [&Line; N], k: usize) -> u64 {
    let mut halves = [Halves([0; 16]); N];
    let mut vectors = [_mm256_setzero_si256(); N];
    for l in 0..N {
        let (low, high) = lines[l].0.split_at(8);
        // SAFETY: each holds eight f32, and the loads need no alignment.
        let (low, high) = unsafe {
            (
                _mm256_loadu_si256(low.as_ptr().cast()),
                _mm256_loadu_si256(high.as_ptr().cast()),
            )
        };
        let (low, high) = (_mm256_srli_epi32::<16>(low), _mm256_srli_epi32::<16>(high));
        // Packing takes turns between the two by 128 bits.
        let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
        // Without the sign, which NaN may have.
        vectors[l] = _mm256_and_si256(packed, _mm256_set1_epi16(0x7fff));
        // SAFETY: `Halves` is sixteen 16-bit values, and the store needs no alignment.
        unsafe { _mm256_storeu_si256((&raw mut halves[l].0).cast(), vectors[l]) }
    }
    let mut larger = [_mm256_setzero_si256(); N];
    for l in 0..N {
        for i in 0..16 {
            let other = _mm256_set1_epi16(halves[l].0[i]);
            for v in 0..N {
                // −1 where it is larger.
                larger[v] = _mm256_sub_epi16(larger[v], _mm256_cmpgt_epi16(other, vectors[v]));
            }
        }
    }
    let mut bits = 0;
    for v in 0..N {
        let leads = _mm256_cmpgt_epi16(_mm256_set1_epi16(k as i16), larger[v]);
        let bytes = _mm256_packs_epi16(leads, _mm256_setzero_si256());
        let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(bytes);
        bits |= (_mm256_movemask_epi8(bytes) as u64 & 0xffff) << (16 * v);
    }
    bits
}

/// The upper halves of a line.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Halves([i16; 16]);
