//! What keys and values may be stored as.

use half::{bf16, f16};

use ndarray::ArrayView2;

use crate::decode::Decode;
use crate::forward::{Forward, PackBlock};
use crate::isa::{Isa, Line};
use crate::observe::PackKeys;
use crate::pack::KvBlock;
use crate::{Error, InstructionSet};

/// A storage type of keys and values: f32, f16 or bf16. All arithmetic is in f32.
#[expect(
    private_bounds,
    reason = "closed: the kernels rely on these conversions"
)]
pub trait Element: Copy + Send + Sync + Widen + 'static {}

impl Element for f32 {}
impl Element for f16 {}
impl Element for bf16 {}

/// Exact conversion to f32, and the computations that are compiled once for each type: here, and not again in every crate
/// that calls them.
pub(crate) trait Widen: Copy {
    /// One value.
    fn to_f32(self) -> f32;
    /// A vector from the first values of `src`; panics if there are too few.
    fn load<I: Isa>(isa: I, src: &[Self]) -> I::V;

    /// The forward pass.
    fn forward(set: InstructionSet, call: Forward<Self>);
    /// Decoding.
    fn decode(set: InstructionSet, call: Decode<Self>) -> Result<(), Error>;
    /// The keys \[M, d_k\] of one head as panels, `[M/16][d_k][16]`.
    fn pack_keys(set: InstructionSet, keys: ArrayView2<Self>) -> Vec<Line>;
    /// Keys \[n, d_k\] and values \[n, d_v\] of one head as panels, n at most a block.
    fn pack_block(set: InstructionSet, kv: (ArrayView2<Self>, ArrayView2<Self>)) -> KvBlock;
}

/// What [`Widen`] asks to be compiled; not generic, so that it is.
macro_rules! compiled_here {
    () => {
        fn forward(set: InstructionSet, call: Forward<Self>) {
            set.run(call);
        }

        fn decode(set: InstructionSet, call: Decode<Self>) -> Result<(), Error> {
            set.run(call)
        }

        fn pack_keys(set: InstructionSet, keys: ArrayView2<Self>) -> Vec<Line> {
            set.run(PackKeys(keys))
        }

        fn pack_block(
            set: InstructionSet,
            (k, v): (ArrayView2<Self>, ArrayView2<Self>),
        ) -> KvBlock {
            let memory = Vec::new();
            set.run(PackBlock { k, v, memory })
        }
    };
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

    compiled_here!();
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

    compiled_here!();
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

    compiled_here!();
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
