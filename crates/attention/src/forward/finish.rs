//! Normalising what was summed and writing it out.

use lookback_simd::{Isa, Line, RegisterTile};
use ndarray::{ArrayViewMut1, ArrayViewMut2};

use super::strip::StripSoftmax;
use crate::score::normaliser;

/// Writes O \[rows, d_v\] and the LSE \[rows\] of a task: each strip's sums over the softmax's denominator, and that
/// denominator's logarithm. `sink` is an extra logit, in log₂ units like the state; −∞ for none.
#[inline(always)]
pub(super) fn finish<'w, I: Isa>(
    isa: I,
    strips: impl Iterator<Item = (&'w [Line], &'w StripSoftmax)>,
    sink: f64,
    (mut o, mut lse): (ArrayViewMut2<f32>, ArrayViewMut1<f32>),
) {
    let mut rows = o.rows_mut().into_iter().zip(&mut lse);
    for (sums, state) in strips {
        for (r, (row, lse)) in (0..I::WideTile::ROWS).zip(&mut rows) {
            let sum = isa.sum(isa.load(&state.sums[r].0));
            let (factor, row_lse) = normaliser(state.reference[r].into(), sum.into(), sink);
            *lse = row_lse;
            let lines = sums.iter().skip(r).step_by(I::WideTile::ROWS);
            write(row, lines, factor);
        }
    }
}

/// Writes a row of O, `factor` times the sums, of which each line holds sixteen columns.
#[inline(always)]
pub(crate) fn write<'w>(
    mut row: ArrayViewMut1<f32>,
    lines: impl Iterator<Item = &'w Line> + Clone,
    factor: f32,
) {
    match row.as_slice_mut() {
        Some(row) => {
            let (whole, rest) = row.as_chunks_mut::<{ Line::LEN }>();
            for (out, line) in whole.iter_mut().zip(lines.clone()) {
                *out = line.0.map(|x| x * factor);
            }
            for (out, x) in rest
                .iter_mut()
                .zip(lines.skip(whole.len()).flat_map(|l| l.0))
            {
                *out = x * factor;
            }
        }
        None => {
            for (out, x) in row.iter_mut().zip(lines.flat_map(|line| line.0)) {
                *out = x * factor;
            }
        }
    }
}
