//! The table for AVX2 with FMA and F16C: eight lanes, sixteen registers.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::prefetch::prefetch_lines;
use super::{Isa, Kernel, Line, contract, portable};

/// Proof that the processor has AVX2, FMA, F16C and POPCNT.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2 {
    _detected: (),
}

impl Avx2 {
    /// Asks the processor.
    pub(crate) fn new() -> Option<Avx2> {
        let has = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            // Miri cannot run F16C; `load_f16` does without it there.
            && (is_x86_feature_detected!("f16c") || cfg!(miri))
            && is_x86_feature_detected!("popcnt");
        has.then_some(Avx2 { _detected: () })
    }
}

/// Everything below is inlined into this function, and so compiled for AVX2.
#[target_feature(enable = "avx,avx2,fma,popcnt")]
#[cfg_attr(not(miri), target_feature(enable = "f16c"))]
fn enter<K: Kernel>(isa: Avx2, kernel: K) -> K::Output {
    kernel.run(isa)
}

impl Isa for Avx2 {
    type V = __m256;
    type Mask = __m256;
    /// 12 accumulators + 2 vectors of the panel + 1 broadcast = 15 of 16 registers.
    type Tile = [[__m256; 2]; 6];
    type Narrow = [[__m256; 2]; 6];

    const LANES: usize = 8;
    const EXPONENT_FLOOR: f32 = -127.0;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` exists only where `Avx2::new` found all of these features.
        unsafe { enter(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn load(self, src: &[f32]) -> __m256 {
        let src = contract::read(src, Self::LANES);
        // SAFETY: `self` proves AVX; `src` holds eight f32, and the load needs no alignment.
        unsafe { _mm256_loadu_ps(src.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: __m256, dst: &mut [f32]) {
        let dst = contract::written(dst, Self::LANES);
        // SAFETY: `self` proves AVX; `dst` holds eight f32, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(dst.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn load_f16(self, src: &[f16]) -> __m256 {
        let src = contract::read(src, Self::LANES);
        if cfg!(miri) {
            return self.load(&std::array::from_fn::<f32, 8, _>(|i| src[i].to_f32()));
        }
        // SAFETY: `self` proves F16C; `src` holds eight 16-bit values, and the load needs no alignment.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(src.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_bf16(self, src: &[bf16]) -> __m256 {
        let src = contract::read(src, Self::LANES);
        // A bf16 is the upper half of the f32.
        // SAFETY: `self` proves AVX2; `src` holds eight 16-bit values, and the load needs no alignment.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(src.as_ptr().cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
        }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: `self` proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }

    #[inline(always)]
    fn ldexp(self, p: __m256, n: __m256) -> __m256 {
        contract::ldexp(self, p, n);
        // n is added to the exponent. NaN converts to i32::MIN, whose shift is 0, so that a NaN p stays.
        // SAFETY: `self` proves AVX2.
        unsafe {
            let n = _mm256_slli_epi32::<23>(_mm256_cvtps_epi32(n));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n))
        }
    }

    #[inline(always)]
    fn less(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(a, b) }
    }

    #[inline(always)]
    fn select(self, mask: __m256, yes: __m256, no: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_blendv_ps(no, yes, mask) }
    }

    #[inline(always)]
    fn add_where(self, mask: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_add_ps(a, _mm256_and_ps(mask, b)) }
    }

    #[inline(always)]
    fn any(self, mask: __m256) -> bool {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_movemask_ps(mask) != 0 }
    }

    #[inline(always)]
    fn prefetch<T>(self, row: &[T]) {
        prefetch_lines(row);
    }

    #[inline(always)]
    fn bits(self, mask: __m256) -> u32 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_movemask_ps(mask) as u32 }
    }

    #[inline(always)]
    fn not_below(self, lines: &[Line; 4], factors: Option<&[Line; 4]>, bound: __m256) -> u64 {
        let mut below = 0;
        for half in 0..2 {
            let mut masks = [bound; 4];
            for v in 0..4 {
                masks[v] = self.less(self.product(lines, factors, 4 * half + v), bound);
            }
            // SAFETY: `self` proves AVX2.
            let bits = unsafe {
                let [a, b, c, d] = [
                    _mm256_castps_si256(masks[0]),
                    _mm256_castps_si256(masks[1]),
                    _mm256_castps_si256(masks[2]),
                    _mm256_castps_si256(masks[3]),
                ];
                let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
                // Each 128 bits were packed by themselves: four lanes of a, of b, of c, of d.
                let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
                _mm256_movemask_epi8(_mm256_permutevar8x32_epi32(bytes, order)) as u32
            };
            below |= u64::from(bits) << (32 * half);
        }
        !below
    }

    #[inline(always)]
    fn leading(self, values: &[Line], k: usize) -> u64 {
        // SAFETY: `self` proves AVX2.
        unsafe { leading(values, k) }
    }

    #[inline(always)]
    fn transpose(self, block: &mut [Line; 16]) {
        // Four 8×8 blocks: those on the diagonal in place, the other two into each other's place.
        for corner in [0, 8] {
            let turned = self.transpose_8(self.corner(block, corner, corner));
            self.put_corner(block, corner, corner, turned);
        }
        let (upper, lower) = (self.corner(block, 0, 8), self.corner(block, 8, 0));
        let (upper, lower) = (self.transpose_8(upper), self.transpose_8(lower));
        self.put_corner(block, 8, 0, upper);
        self.put_corner(block, 0, 8, lower);
    }

    #[inline(always)]
    fn sum_each(self, vectors: &[__m256; 16]) -> Line {
        self.fold_each::<false>(vectors)
    }

    #[inline(always)]
    fn largest_each(self, vectors: &[__m256; 16]) -> Line {
        self.fold_each::<true>(vectors)
    }
}

/// [`Isa::leading`] for both instruction sets.
#[target_feature(enable = "avx2")]
pub(super) fn leading(values: &[Line], k: usize) -> u64 {
    match values {
        [a] => leading_of([a], k),
        [a, b] => leading_of([a, b], k),
        [a, b, c] => leading_of([a, b, c], k),
        [a, b, c, d] => leading_of([a, b, c, d], k),
        _ => portable::leading(values, k),
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

impl Avx2 {
    /// The 8×8 block at (`row`, `col`).
    #[inline(always)]
    fn corner(self, block: &[Line; 16], row: usize, col: usize) -> [__m256; 8] {
        let mut rows = [self.splat(0.0); 8];
        for i in 0..8 {
            rows[i] = self.load(&block[row + i].0[col..]);
        }
        rows
    }

    /// Writes the 8×8 block at (`row`, `col`).
    #[inline(always)]
    fn put_corner(self, block: &mut [Line; 16], row: usize, col: usize, rows: [__m256; 8]) {
        for i in 0..8 {
            self.store(rows[i], &mut block[row + i].0[col..]);
        }
    }

    /// The sum, or the largest, of the lanes of each vector.
    #[inline(always)]
    fn fold_each<const MAX: bool>(self, vectors: &[__m256; 16]) -> Line {
        let mut line = Line::ZERO;
        for half in 0..2 {
            let mut v = [self.splat(0.0); 8];
            for i in 0..8 {
                v[i] = vectors[8 * half + i];
            }
            self.store(self.fold_8::<MAX>(v), &mut line.0[8 * half..]);
        }
        line
    }

    /// Lane i is the sum, or the largest, of the lanes of v\[i\]: a transposition that folds as it goes.
    #[inline(always)]
    fn fold_8<const MAX: bool>(self, v: [__m256; 8]) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe {
            let mut pairs = [v[0]; 4];
            for i in 0..4 {
                pairs[i] = self.fold::<MAX>(
                    _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                    _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]),
                );
            }
            let mut fours = [v[0]; 2];
            for i in 0..2 {
                let [a, b] = [pairs[2 * i], pairs[2 * i + 1]];
                fours[i] = self.fold::<MAX>(
                    _mm256_shuffle_ps::<0b01_00_01_00>(a, b),
                    _mm256_shuffle_ps::<0b11_10_11_10>(a, b),
                );
            }
            self.fold::<MAX>(
                _mm256_permute2f128_ps::<0x20>(fours[0], fours[1]),
                _mm256_permute2f128_ps::<0x31>(fours[0], fours[1]),
            )
        }
    }

    /// Transposes 8×8: pairs of rows, pairs of pairs, then the halves of the registers.
    #[inline(always)]
    fn transpose_8(self, r: [__m256; 8]) -> [__m256; 8] {
        // SAFETY: `self` proves AVX.
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
}
