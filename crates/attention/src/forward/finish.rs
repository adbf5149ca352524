//! Normalising a strip and writing it out.

use ndarray::{ArrayViewMut1, ArrayViewMut2};

use super::strip::State;
use crate::isa::{Isa, Line, Tile};

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

/// What a row's sums are multiplied by, and its LSE in natural units.
///
/// The denominator is `sum · 2^reference + 2^sink`; a row without any key has factor 0, and without a sink LSE −∞.
fn normaliser(reference: f64, sum: f64, sink: f64) -> (f32, f32) {
    if sum == 0.0 {
        return (0.0, (sink * std::f64::consts::LN_2) as f32);
    }
    let top = reference.max(sink);
    let denominator = sum * (reference - top).exp2() + (sink - top).exp2();
    let factor = (reference - top).exp2() / denominator;
    (
        factor as f32,
        ((top + denominator.log2()) * std::f64::consts::LN_2) as f32,
    )
}
