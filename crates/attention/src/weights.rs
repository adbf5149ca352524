//! Any rows and columns of the weights, computed again from Q, K and the LSE.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::{Error, Scoring};

/// The weights of one head for `rows` of its queries and `cols` of its keys: exp(score − lse), \[rows, cols\].
///
/// q is \[N, d_k\], k is \[M, d_k\], lse is \[N\] as the forward pass gave it, all of any strides. Options of
/// `scoring` that have an entry a head hold one entry ([`Scoring::for_head`]).
///
/// # Errors
/// Shapes that do not fit, zero sizes, ranges that reach beyond N or M, and meaningless options.
pub fn weights(
    q: ArrayView2<f32>,
    k: ArrayView2<f32>,
    lse: ArrayView1<f32>,
    scoring: &Scoring,
    rows: Range<usize>,
    cols: Range<usize>,
) -> Result<Array2<f32>, Error> {
    let widen = |x: ArrayView2<f32>| {
        x.mapv(f64::from)
            .insert_axis(ndarray::Axis(0))
            .insert_axis(ndarray::Axis(0))
    };
    let scores =
        crate::reference::masked_scores(widen(q).view(), widen(k).view(), scoring, (0, 0))?;
    Ok(Array2::from_shape_fn(
        (rows.len(), cols.len()),
        |(i, j)| match scores[[rows.start + i, cols.start + j]] {
            f64::NEG_INFINITY => 0.0,
            s => (s - f64::from(lse[rows.start + i])).exp() as f32,
        },
    ))
}
