//! Sixteen vectors at once with AVX: a 16×16 block transposed, and the lanes of each of sixteen vectors folded.

use std::arch::x86_64::*;

use super::tokens::Avx2;
use crate::isa::Isa;
use crate::line::Line;

/// Transposes a 16×16 block in place.
#[inline(always)]
pub(super) fn transpose(isa: Avx2, block: &mut [Line; 16]) {
    // Four 8×8 blocks: those on the diagonal in place, the other two into each other's place.
    for at in [0, 8] {
        let transposed = transpose_8(isa, corner(isa, block, at, at));
        put_corner(isa, block, (at, at), transposed);
    }
    let (upper, lower) = (corner(isa, block, 0, 8), corner(isa, block, 8, 0));
    let (upper, lower) = (transpose_8(isa, upper), transpose_8(isa, lower));
    put_corner(isa, block, (8, 0), upper);
    put_corner(isa, block, (0, 8), lower);
}

/// The 8×8 block at (`row`, `col`).
#[inline(always)]
fn corner(isa: Avx2, block: &[Line; 16], row: usize, col: usize) -> [__m256; 8] {
    let mut rows = [isa.splat(0.0); 8];
    for i in 0..8 {
        rows[i] = isa.load(&block[row + i].0[col..]);
    }
    rows
}

/// Writes the 8×8 block at (`row`, `col`).
#[inline(always)]
fn put_corner(isa: Avx2, block: &mut [Line; 16], (row, col): (usize, usize), rows: [__m256; 8]) {
    for i in 0..8 {
        isa.store(rows[i], &mut block[row + i].0[col..]);
    }
}

/// The sum, or the largest, of the lanes of each vector.
#[inline(always)]
pub(super) fn fold_each<const MAX: bool>(isa: Avx2, vectors: &[__m256; 16]) -> Line {
    let mut line = Line::ZERO;
    for half in 0..2 {
        let mut v = [isa.splat(0.0); 8];
        for i in 0..8 {
            v[i] = vectors[8 * half + i];
        }
        isa.store(fold_8::<MAX>(isa, v), &mut line.0[8 * half..]);
    }
    line
}

/// Lane i is the sum, or the largest, of the lanes of v\[i\]: a transposition that folds as it goes.
#[inline(always)]
fn fold_8<const MAX: bool>(isa: Avx2, v: [__m256; 8]) -> __m256 {
    // SAFETY: `isa` proves AVX.
    unsafe {
        let mut pairs = [v[0]; 4];
        for i in 0..4 {
            pairs[i] = isa.fold::<MAX>(
                _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]),
            );
        }
        let mut fours = [v[0]; 2];
        for i in 0..2 {
            let [a, b] = [pairs[2 * i], pairs[2 * i + 1]];
            fours[i] = isa.fold::<MAX>(
                _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
                _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
            );
        }
        isa.fold::<MAX>(
            _mm256_permute2f128_ps::<0x20>(fours[0], fours[1]),
            _mm256_permute2f128_ps::<0x31>(fours[0], fours[1]),
        )
    }
}

/// Transposes 8×8: pairs of rows, pairs of pairs, then the halves of the registers.
#[inline(always)]
fn transpose_8(_isa: Avx2, r: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: `_isa` proves AVX.
    unsafe {
        let mut pairs = r;
        for i in 0..4 {
            pairs[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            pairs[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut fours = r;
        for i in 0..2 {
            let p = [
                pairs[4 * i],
                pairs[4 * i + 1],
                pairs[4 * i + 2],
                pairs[4 * i + 3],
            ];
            fours[4 * i] = _mm256_shuffle_ps::<0b01_00_01_00>(p[0], p[2]);
            fours[4 * i + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(p[0], p[2]);
            fours[4 * i + 2] = _mm256_shuffle_ps::<0b01_00_01_00>(p[1], p[3]);
            fours[4 * i + 3] = _mm256_shuffle_ps::<0b11_10_11_10>(p[1], p[3]);
        }
        let mut out = r;
        for i in 0..4 {
            out[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
            out[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
        }
        out
    }
}
