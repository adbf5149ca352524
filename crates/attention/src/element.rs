//! What keys and values may be stored as.

use half::{bf16, f16};

use crate::isa::{Isa, Line};

/// A storage type of keys and values: f32, f16 or bf16. All arithmetic is in f32.
#[expect(
    private_bounds,
    reason = "closed: the kernels rely on these conversions"
)]
pub trait Element: Copy + Send + Sync + Widen + 'static {}

impl Element for f32 {}
impl Element for f16 {}
impl Element for bf16 {}

/// Exact conversion to f32.
pub(crate) trait Widen: Copy {
    /// One value.
    fn to_f32(self) -> f32;
    /// A vector from the first values of `src`; panics if there are too few.
    fn load<I: Isa>(isa: I, src: &[Self]) -> I::V;
}

impl Widen for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn load<I: Isa>(isa: I, src: &[f32]) -> I::V {
        isa.load(src)
    }
}

impl Widen for f16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }

    #[inline(always)]
    fn load<I: Isa>(isa: I, src: &[f16]) -> I::V {
        isa.load_f16(src)
    }
}

impl Widen for bf16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        bf16::to_f32(self)
    }

    #[inline(always)]
    fn load<I: Isa>(isa: I, src: &[bf16]) -> I::V {
        isa.load_bf16(src)
    }
}

/// The first sixteen values of `src` as f32; 0 beyond its end.
#[inline(always)]
pub(crate) fn widen<I: Isa, E: Element>(isa: I, src: &[E]) -> Line {
    let mut line = Line::ZERO;
    if src.len() >= Line::LEN {
        for part in 0..Line::LEN / I::LANES {
            isa.store(
                E::load(isa, &src[part * I::LANES..]),
                line.part_mut(part, I::LANES),
            );
        }
    } else {
        for (x, value) in line.0.iter_mut().zip(src) {
            *x = value.to_f32();
        }
    }
    line
}
