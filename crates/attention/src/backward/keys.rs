//! A block of keys and values, packed.

use std::ops::Range;

use lookback_simd::{Isa, Line};
use ndarray::s;

use super::head::HeadInputs;
use super::pack::PackedMatrix;

/// Keys of a block: whole strips and whole lines, about 96 of them. Its weights and score gradients for six panels of
/// queries then take 2 · 36 KB, and with d = 64 all that the five products touch for one such block, its own sums and
/// operands included, about 250 KB: half of a second-level cache of 512 KB.
pub(super) const fn block_keys(rows: usize) -> usize {
    let (mut a, mut b) = (rows, Line::LEN);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let whole = rows / a * Line::LEN;
    whole * 96usize.div_ceil(whole)
}

/// Up to [`block_keys`] consecutive keys of a head.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// \[count, d_k\]
    pub(super) k: PackedMatrix,
    /// \[count, d_v\], by rows alone.
    pub(super) v: PackedMatrix,
    /// The first key's place in the head.
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Keys {
    /// Packs the keys `range` of a head, in place of what was there.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, isa: I, inputs: &HeadInputs, range: Range<usize>) {
        let rows = s![range.clone(), ..];
        self.k.load(isa, inputs.k.slice(rows), true);
        self.v.load(isa, inputs.v.slice(rows), false);
        (self.first, self.count) = (range.start, range.len());
    }

    /// Whether every k and v is finite. Score gradients of 0 hide them only then.
    pub(super) fn finite(&self) -> bool {
        self.k
            .finite
            .iter()
            .chain(&self.v.finite)
            .all(|&finite| finite)
    }
}
