//! What keys and values may be stored as.

use half::{bf16, f16};
use lookback_simd::{InstructionSet, Line, Widen};
use ndarray::ArrayView2;

use crate::Error;
use crate::decode::driver::Decode;
use crate::forward::driver::Forward;
use crate::pack::{KvBlock, PackBlock, PackKeys};

/// A storage type of keys and values: f32, f16 or bf16. All arithmetic is in f32.
#[expect(
    private_bounds,
    reason = "closed: the kernels are compiled for these types"
)]
pub trait Element: Widen + Compiled {}

impl Element for f32 {}
impl Element for f16 {}
impl Element for bf16 {}

/// The computations that are compiled once for each type: here, and not again in every crate that calls them.
pub(crate) trait Compiled: Sized {
    /// The forward pass.
    fn forward(set: InstructionSet, call: Forward<Self>);
    /// Decoding.
    fn decode(set: InstructionSet, call: Decode<Self>) -> Result<(), Error>;
    /// The keys \[M, d_k\] of one head as panels, `[M/16][d_k][16]`.
    fn pack_keys(set: InstructionSet, keys: ArrayView2<Self>) -> Vec<Line>;
    /// Keys \[n, d_k\] and values \[n, d_v\] of one head as panels, n at most a block.
    fn pack_block(set: InstructionSet, kv: (ArrayView2<Self>, ArrayView2<Self>)) -> KvBlock;
}

/// Not generic, so that it is compiled here.
macro_rules! compile {
    ($($element:ty),+) => {$(
        impl Compiled for $element {
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
        }
    )+};
}

compile!(f32, f16, bf16);
