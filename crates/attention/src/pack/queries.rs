//! Queries as strips.

use std::ops::Range;

use ndarray::ArrayView2;

use super::rows::Rows;
use crate::isa::Line;

/// Packs the queries `rows` of q \[N, d_k\], times `factor`, into `strip`: `[d_k/16 rounded up][height][16]`.
///
/// Rows beyond the queries and columns beyond d_k are 0. The strip of a microkernel is as high as its tile.
#[inline(always)]
pub(crate) fn pack_queries(
    strip: &mut [Line],
    q: ArrayView2<f32>,
    rows: Range<usize>,
    height: usize,
    factor: f32,
) {
    let d_k = q.ncols();
    let q = Rows::new(q.slice_move(ndarray::s![rows.clone(), ..]));
    for r in 0..height {
        let row = if r < rows.len() { q.row(r) } else { &[] };
        for c in 0..d_k.div_ceil(Line::LEN) {
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
