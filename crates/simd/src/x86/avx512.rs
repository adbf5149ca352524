//! The table for AVX-512: sixteen lanes, thirty-two registers.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::leading::leading;
use super::prefetch::{prefetch_lines, prefetch_lines_to_stay};
use super::tokens::Avx512;
use crate::contract;
use crate::isa::{Isa, Kernel};
use crate::line::Line;

/// Everything below is inlined into this function, and so compiled for AVX-512.
#[target_feature(enable = "avx512f,avx2,fma,f16c,popcnt")]
fn enter<K: Kernel>(isa: Avx512, kernel: K) -> K::Output {
    kernel.run(isa)
}

impl Isa for Avx512 {
    type V = __m512;
    type Mask = __mmask16;
    /// 28 accumulators + 2 vectors of the panels + 1 broadcast = 31 of 32 registers.
    type WideTile = [[__m512; 2]; 14];
    type NarrowTile = [[__m512; 1]; 14];
    type RowTile = [[__m512; 2]; 1];

    const LANES: usize = 16;
    /// 2⁻¹⁵⁰ rounds to 0; half the distance to the least subnormal, and ties go to even.
    const EXPONENT_FLOOR: f32 = -150.0;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` exists only where `Avx512::new` found all of these features.
        unsafe { enter(self, kernel) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn load(self, src: &[f32]) -> __m512 {
        let src = contract::read(src, Self::LANES);
        // SAFETY: `self` proves AVX-512F; `src` holds sixteen f32, and the load needs no alignment.
        unsafe { _mm512_loadu_ps(src.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: __m512, dst: &mut [f32]) {
        let dst = contract::written(dst, Self::LANES);
        // SAFETY: `self` proves AVX-512F; `dst` holds sixteen f32, and the store needs no alignment.
        unsafe { _mm512_storeu_ps(dst.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn load_f16(self, src: &[f16]) -> __m512 {
        let src = contract::read(src, Self::LANES);
        // SAFETY: `self` proves AVX-512F; `src` holds sixteen 16-bit values, and the load needs no alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(src.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_bf16(self, src: &[bf16]) -> __m512 {
        let src = contract::read(src, Self::LANES);
        // A bf16 is the upper half of the f32.
        // SAFETY: `self` proves AVX-512F; `src` holds sixteen 16-bit values, and the load needs no alignment.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(src.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }

    #[inline(always)]
    fn ldexp(self, p: __m512, n: __m512) -> __m512 {
        contract::ldexp(self, p, n);
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_scalef_ps(p, n) }
    }

    #[inline(always)]
    fn less(self, a: __m512, b: __m512) -> __mmask16 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) }
    }

    #[inline(always)]
    fn select(self, mask: __mmask16, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mask_blend_ps(mask, no, yes) }
    }

    #[inline(always)]
    fn add_where(self, mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mask_add_ps(a, mask, a, b) }
    }

    #[inline(always)]
    fn any(self, mask: __mmask16) -> bool {
        mask != 0
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
    fn bits(self, mask: __mmask16) -> u32 {
        mask.into()
    }

    #[inline(always)]
    fn leading(self, values: &[Line], k: usize) -> u64 {
        // SAFETY: `self` proves AVX2 too.
        unsafe { leading(values, k) }
    }

    #[inline(always)]
    fn transpose(self, block: &mut [Line; 16]) {
        let mut r = [self.splat(0.0); 16];
        for i in 0..16 {
            r[i] = self.load(&block[i].0);
        }
        let r = self.transpose_16(r);
        for i in 0..16 {
            self.store(r[i], &mut block[i].0);
        }
    }

    #[inline(always)]
    fn sum_each(self, vectors: &[__m512; 16]) -> Line {
        let mut line = Line::ZERO;
        self.store(self.fold_16::<false>(vectors), &mut line.0);
        line
    }

    #[inline(always)]
    fn largest_each(self, vectors: &[__m512; 16]) -> Line {
        let mut line = Line::ZERO;
        self.store(self.fold_16::<true>(vectors), &mut line.0);
        line
    }
}

impl Avx512 {
    /// Lane i is the sum, or the largest, of the lanes of v\[i\]: a transposition that folds as it goes.
    #[inline(always)]
    fn fold_16<const MAX: bool>(self, v: &[__m512; 16]) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe {
            let mut fours = [v[0]; 4];
            for i in 0..4 {
                let mut pairs = [v[0]; 2];
                for half in 0..2 {
                    let [a, b] = [v[4 * i + 2 * half], v[4 * i + 2 * half + 1]];
                    pairs[half] =
                        self.fold::<MAX>(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
                }
                fours[i] = self.fold::<MAX>(
                    _mm512_shuffle_ps::<0b01_00_01_00>(pairs[0], pairs[1]),
                    _mm512_shuffle_ps::<0b11_10_11_10>(pairs[0], pairs[1]),
                );
            }
            let mut eights = [v[0]; 2];
            for i in 0..2 {
                let [a, b] = [fours[2 * i], fours[2 * i + 1]];
                eights[i] = self.fold::<MAX>(
                    _mm512_shuffle_f32x4::<0x44>(a, b),
                    _mm512_shuffle_f32x4::<0xee>(a, b),
                );
            }
            self.fold::<MAX>(
                _mm512_shuffle_f32x4::<0x88>(eights[0], eights[1]),
                _mm512_shuffle_f32x4::<0xdd>(eights[0], eights[1]),
            )
        }
    }

    /// Transposes 16×16: pairs of rows, pairs of pairs, then the quarters of the registers twice.
    #[inline(always)]
    fn transpose_16(self, r: [__m512; 16]) -> [__m512; 16] {
        // SAFETY: `self` proves AVX-512F.
        unsafe {
            let mut pairs = r;
            for i in 0..8 {
                pairs[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            // Quarter q of fours[4g + c] holds column 4q + c of the rows 4g to 4g + 3.
            let mut fours = r;
            for g in 0..4 {
                for half in 0..2 {
                    let a = _mm512_castps_pd(pairs[4 * g + half]);
                    let b = _mm512_castps_pd(pairs[4 * g + 2 + half]);
                    fours[4 * g + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    fours[4 * g + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            let mut out = r;
            for c in 0..4 {
                let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
                let even = [
                    _mm512_shuffle_f32x4::<0x88>(a, b),
                    _mm512_shuffle_f32x4::<0x88>(d, e),
                ];
                let odd = [
                    _mm512_shuffle_f32x4::<0xdd>(a, b),
                    _mm512_shuffle_f32x4::<0xdd>(d, e),
                ];
                out[c] = _mm512_shuffle_f32x4::<0x88>(even[0], even[1]);
                out[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]);
                out[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]);
                out[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]);
            }
            out
        }
    }
}
