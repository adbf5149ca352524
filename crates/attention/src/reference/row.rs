//! One query of one head, some of whose keys are taken away.

use ndarray::{Array1, ArrayView1, ArrayView2};

use super::steps::Denominator;
use crate::shape::same;
use crate::{Error, Scoring};

/// One query's softmax.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactRow {
    /// \[M\]: 0 at keys that are not seen; they sum to 1, less what a sink takes.
    pub weights: Array1<f64>,
    /// Natural log of the denominator, a sink's logit included; −∞ where nothing is left and there is no sink.
    pub lse: f64,
}

/// The softmax of query `i`, q \[d_k\], over the keys k \[M, d_k\] that it may see and that are not `cut`, computed in f64.
///
/// Options of `scoring` that have an entry a head hold one entry ([`Scoring::for_head`]).
///
/// ```
/// use lookback_attention::{Scoring, reference::row_without};
/// use ndarray::array;
/// let k = array![[1.0_f32, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let row = row_without((k.row(2), 2), k.view(), &Scoring::default(), |j| j == 0)?;
/// assert_eq!(row.weights[0], 0.0);
/// assert!((row.weights.sum() - 1.0).abs() < 1e-15);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
///
/// # Errors
/// [`Error::ShapeMismatch`] where q and k disagree about d_k.
pub fn row_without(
    (q, i): (ArrayView1<f32>, usize),
    k: ArrayView2<f32>,
    scoring: &Scoring,
    cut: impl Fn(usize) -> bool,
) -> Result<ExactRow, Error> {
    same("d_k", ("q", q.len()), ("k", k.ncols()))?;
    let visible = scoring.mask.visible(i, k.nrows());
    let score = |j: usize| {
        if !visible.contains(&j) || cut(j) {
            return f64::NEG_INFINITY;
        }
        let pairs = q.iter().zip(k.row(j));
        let product: f64 = pairs.map(|(&q, &k)| f64::from(q) * f64::from(k)).sum();
        scoring.score(product, q.len(), 0, (i, j)) + f64::from(scoring.bias_of((0, 0), (i, j)))
    };
    let scores: Array1<f64> = (0..k.nrows()).map(score).collect();
    let denominator = Denominator::of(scores.view(), scoring.sink(0));
    Ok(ExactRow {
        lse: denominator.lse(),
        weights: scores.mapv(|score| denominator.weight(score)),
    })
}
