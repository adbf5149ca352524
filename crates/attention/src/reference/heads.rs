//! Whole heads, composed of the steps.

use ndarray::{Array2, ArrayView2};

use super::steps::{concat, mask, project, scale, scores, softmax, weighted_sum};
use crate::shape::same;
use crate::{Error, Mask};

/// What attention computed: who looked at whom, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attended {
    /// \[N, M\]: the weights; each row sums to 1, or is all 0 if its query sees no key.
    pub weights: Array2<f64>,
    /// \[N, d_v\]: the weighted sums of the values.
    pub output: Array2<f64>,
}

/// One head's projections.
#[derive(Debug, Clone, Copy)]
pub struct HeadMatrices<'a> {
    /// \[d, d_k\]
    pub w_q: ArrayView2<'a, f64>,
    /// \[d, d_k\]
    pub w_k: ArrayView2<'a, f64>,
    /// \[d, d_v\]
    pub w_v: ArrayView2<'a, f64>,
}

/// Attention by similarity alone: x \[N, d\] looks at itself without any projection; output \[N, d\].
///
/// > Attention = Summation (W_ij)(x_j) where W_ij = softmax(x_i · x_j)
///
/// # Errors
/// [`Error::ZeroSize`] if N or d is 0 or the mask is an empty window.
pub fn similarity_only(x: ArrayView2<f64>, visible: &Mask) -> Result<Attended, Error> {
    let s = mask(scores(x, x)?.view(), visible)?;
    let weights = softmax(s.view())?;
    let output = weighted_sum(weights.view(), x, visible)?;
    Ok(Attended { weights, output })
}

/// One attention head over x \[N, d\]: output \[N, d_v\].
///
/// > Attention = Summation from j=1 to i (Score(Q_i · K_j))(V_j), Score = dot product / √k
///
/// # Errors
/// [`Error::ShapeMismatch`] if the matrices do not fit x or each other, [`Error::ZeroSize`] if a dimension is 0.
pub fn head(x: ArrayView2<f64>, matrices: HeadMatrices, visible: &Mask) -> Result<Attended, Error> {
    let q = project(x, matrices.w_q)?;
    let k = project(x, matrices.w_k)?;
    let v = project(x, matrices.w_v)?;
    let s = scores(q.view(), k.view())?;
    let s = scale(s.view(), 1.0 / (q.ncols() as f64).sqrt())?;
    let s = mask(s.view(), visible)?;
    let weights = softmax(s.view())?;
    let output = weighted_sum(weights.view(), v.view(), visible)?;
    Ok(Attended { weights, output })
}

/// Several heads side by side and W_o \[H·d_v, d\] after them: x \[N, d\] gives \[N, d\].
///
/// > we use a linear projection to convert h×v back to d with a matrix W_o
///
/// Heads may share key and value matrices (grouped-query attention): pass the same views to several.
///
/// # Errors
/// As [`head`] and [`concat()`]; [`Error::ShapeMismatch`] if W_o does not take H·d_v to d.
pub fn multi_head(
    x: ArrayView2<f64>,
    heads: &[HeadMatrices],
    w_o: ArrayView2<f64>,
    visible: &Mask,
) -> Result<Array2<f64>, Error> {
    let mut outputs = Vec::with_capacity(heads.len());
    for &matrices in heads {
        outputs.push(head(x, matrices, visible)?.output);
    }
    let views: Vec<_> = outputs.iter().map(|z| z.view()).collect();
    let z = concat(&views)?;
    same(
        "H·d_v",
        ("the concatenated heads", z.ncols()),
        ("w_o", w_o.nrows()),
    )?;
    same("d", ("x", x.ncols()), ("w_o", w_o.ncols()))?;
    project(z.view(), w_o)
}
