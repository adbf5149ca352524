//! The table for AVX2 with FMA and F16C: eight lanes, sixteen registers.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::blocks::{fold_each, transpose};
use super::leading::leading;
use super::prefetch::{prefetch_lines, prefetch_lines_to_stay};
use super::tokens::Avx2;
use crate::contract;
use crate::isa::{Isa, Kernel};
use crate::line::Line;

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
    type WideTile = [[__m256; 2]; 6];
    type NarrowTile = [[__m256; 2]; 6];
    type RowTile = [[__m256; 4]; 1];

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
    fn prefetch_to_stay<T>(self, row: &[T]) {
        prefetch_lines_to_stay(row);
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
        transpose(self, block);
    }

    #[inline(always)]
    fn sum_each(self, vectors: &[__m256; 16]) -> Line {
        fold_each::<false>(self, vectors)
    }

    #[inline(always)]
    fn largest_each(self, vectors: &[__m256; 16]) -> Line {
        fold_each::<true>(self, vectors)
    }
}
