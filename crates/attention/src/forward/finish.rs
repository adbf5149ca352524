//! Normalising a strip and writing it out.

use ndarray::{ArrayViewMut1, ArrayViewMut2};

use super::strip::State;
use crate::isa::{Isa, Line, Tile};
use crate::score::normaliser;

/// Writes O \[rows, d_v\] and the LSE \[rows\] of a strip: sums over the softmax's denominator, and that
/// denominator's logarithm. `sink` is an extra logit, in log₂ units like the state; −∞ for none.
#[inline(always)]
pub(super) fn finish<I: Isa>(
    isa: I,
    sums: &[Line],
    state: &State,
    sink: f64,
    (mut o, mut lse): (ArrayViewMut2<f32>, ArrayViewMut1<f32>),
) {
    for (r, mut row) in o.rows_mut().into_iter().enumerate() {
        let sum = isa.sum(isa.load(&state.sums[r].0));
        let (factor, row_lse) = normaliser(state.reference[r].into(), sum.into(), sink);
        lse[r] = row_lse;
        let lines = sums.iter().skip(r).step_by(I::Tile::ROWS);
        match row.as_slice_mut() {
            Some(row) => {
                for (out, line) in row.chunks_mut(Line::LEN).zip(lines) {
                    for (out, x) in out.iter_mut().zip(line.0) {
                        *out = x * factor;
                    }
                }
            }
            None => {
                for (out, x) in row.iter_mut().zip(lines.flat_map(|line| line.0)) {
                    *out = x * factor;
                }
            }
        }
    }
}
