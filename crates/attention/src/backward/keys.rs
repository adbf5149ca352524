//! A block of keys and values, packed.

use std::ops::Range;

use ndarray::s;

use super::queries::HeadInputs;
use crate::isa::{Isa, Line, Tile};
use crate::pack::{pack_keys, pack_values};

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
    /// Columns of k: `[count/16][d_k][16]`, and a strip's height of zeros.
    pub(super) k_columns: Vec<Line>,
    /// Rows of k: `[d_k/16][count][16]`, and a strip's height of zeros.
    pub(super) k_rows: Vec<Line>,
    /// Rows of v: `[d_v/16][count][16]`, and a strip's height of zeros.
    pub(super) v_rows: Vec<Line>,
    /// The first key's place in the head.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Whether every k and v is finite. Score gradients of 0 hide them only then.
    pub(super) finite: bool,
}

impl Keys {
    /// Packs the keys `range` of a head, in place of what was there.
    #[inline(always)]
    pub(super) fn load<I: Isa>(&mut self, isa: I, inputs: &HeadInputs, range: Range<usize>) {
        let k = inputs.k.slice(s![range.clone(), ..]);
        let v = inputs.v.slice(s![range.clone(), ..]);
        for lines in [&mut self.k_columns, &mut self.k_rows, &mut self.v_rows] {
            lines.clear();
        }
        pack_keys(isa, k, &mut self.k_columns);
        let k_finite = pack_values(isa, k, &mut self.k_rows);
        let v_finite = pack_values(isa, v, &mut self.v_rows);
        self.finite = k_finite && v_finite;
        // The last strip may reach beyond the last key or channel; what it computes there is not used.
        for lines in [&mut self.k_columns, &mut self.k_rows, &mut self.v_rows] {
            lines.resize(lines.len() + I::Tile::ROWS, Line::ZERO);
        }
        (self.first, self.count) = (range.start, range.len());
    }
}
