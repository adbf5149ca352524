//! What vectors are loaded from.

use half::{bf16, f16};

use crate::isa::{Isa, sealed};
use crate::line::Line;

/// A storage type that is widened to f32 exactly: f32, f16 or bf16. All arithmetic is in f32.
pub trait Widen: sealed::Sealed + Copy + Send + Sync + 'static {
    /// One value.
    fn to_f32(self) -> f32;

    /// A vector from the first values of `src`; panics if there are fewer than [`LANES`](Isa::LANES).
    fn load<I: Isa>(isa: I, src: &[Self]) -> I::V;
}

impl sealed::Sealed for f32 {}
impl sealed::Sealed for f16 {}
impl sealed::Sealed for bf16 {}

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
pub fn widen<I: Isa, E: Widen>(isa: I, src: &[E]) -> Line {
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
