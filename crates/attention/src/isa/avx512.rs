//! The table for AVX-512: sixteen lanes, thirty-two registers.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::{Isa, Kernel};

/// Proof that the processor has AVX-512F, with AVX2, FMA and F16C beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512 {
    _detected: (),
}

impl Avx512 {
    /// Asks the processor.
    pub(crate) fn new() -> Option<Avx512> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        has.then_some(Avx512 { _detected: () })
    }
}

/// Everything below is inlined into this function, and so compiled for AVX-512.
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
fn enter<K: Kernel>(isa: Avx512, kernel: K) -> K::Output {
    kernel.run(isa)
}

impl Isa for Avx512 {
    type V = __m512;
    type Mask = __mmask16;
    /// 28 accumulators + 2 vectors of the panels + 1 broadcast = 31 of 32 registers.
    type Tile = [[__m512; 2]; 14];
    type Narrow = [[__m512; 1]; 14];

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
        let src = &src[..Self::LANES];
        // SAFETY: `self` proves AVX-512F; `src` holds sixteen f32, and the load needs no alignment.
        unsafe { _mm512_loadu_ps(src.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, v: __m512, dst: &mut [f32]) {
        let dst = &mut dst[..Self::LANES];
        // SAFETY: `self` proves AVX-512F; `dst` holds sixteen f32, and the store needs no alignment.
        unsafe { _mm512_storeu_ps(dst.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn load_f16(self, src: &[f16]) -> __m512 {
        let src = &src[..Self::LANES];
        // SAFETY: `self` proves AVX-512F; `src` holds sixteen 16-bit values, and the load needs no alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(src.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_bf16(self, src: &[bf16]) -> __m512 {
        let src = &src[..Self::LANES];
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
    fn round(self, a: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }

    #[inline(always)]
    fn ldexp(self, p: __m512, n: __m512) -> __m512 {
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
    fn any(self, mask: __mmask16) -> bool {
        mask != 0
    }
}
