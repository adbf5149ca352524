//! The left operand: rows as strips.

use std::ops::Range;

use ndarray::ArrayView2;

use super::rows::ContiguousRows;
use crate::line::Line;

/// Packs the `rows` of `matrix` \[any, depth\], times `factor`, into `strip`: `[depth/16 rounded up][height][16]`.
///
/// Rows beyond those and columns beyond the depth are 0. The strip of a microkernel is as high as its tile.
///
/// # Panics
/// If the matrix has no such rows, or the strip is too short.
#[inline(always)]
pub fn pack_strip(
    strip: &mut [Line],
    matrix: ArrayView2<f32>,
    rows: Range<usize>,
    height: usize,
    factor: f32,
) {
    let depth = matrix.ncols();
    let matrix = ContiguousRows::new(matrix.slice_move(ndarray::s![rows.clone(), ..]));
    for r in 0..height {
        let row = if r < rows.len() { matrix.row(r) } else { &[] };
        for c in 0..depth.div_ceil(Line::LEN) {
            let line = &mut strip[c * height + r];
            let values = &row[(c * Line::LEN).min(row.len())..((c + 1) * Line::LEN).min(row.len())];
            // Not into the line itself: that the two do not overlap is then known, and vectors are used.
            let mut scaled = Line::ZERO;
            match <&[f32; 16]>::try_from(values) {
                Ok(values) => scaled = Line(values.map(|value| value * factor)),
                Err(_) => {
                    for (x, value) in scaled.0.iter_mut().zip(values) {
                        *x = value * factor;
                    }
                }
            }
            *line = scaled;
        }
    }
}
