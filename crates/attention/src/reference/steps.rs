//! The steps of attention, each one function.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate};

use crate::shape::same;
use crate::{Error, Mask};

/// A projection: x \[N, d\] times w \[d, p\] gives \[N, p\].
///
/// > Query = matrix mul (x_i, W_q) = (n×d)·(d×q) = n×q
///
/// The same step makes keys and values, and W_o takes the concatenated heads back to N×d.
///
/// # Errors
/// [`Error::ShapeMismatch`] if x and w disagree about d, [`Error::ZeroSize`] if a dimension is 0.
pub fn project(x: ArrayView2<f64>, w: ArrayView2<f64>) -> Result<Array2<f64>, Error> {
    non_empty("x", &x, ["N", "d"])?;
    non_empty("w", &w, ["d", "p"])?;
    same("d", ("x", x.ncols()), ("w", w.nrows()))?;
    Ok(x.dot(&w))
}

/// Similarity of every query with every key: q \[N, d_k\] times the transpose of k \[M, d_k\] gives \[N, M\].
///
/// > Similarity of i with j token = Q_i · K_j, which is dimension 1 (scalar)
///
/// # Errors
/// [`Error::ShapeMismatch`] if q and k disagree about d_k, [`Error::ZeroSize`] if a dimension is 0.
pub fn scores(q: ArrayView2<f64>, k: ArrayView2<f64>) -> Result<Array2<f64>, Error> {
    non_empty("q", &q, ["N", "d_k"])?;
    non_empty("k", &k, ["M", "d_k"])?;
    same("d_k", ("q", q.ncols()), ("k", k.ncols()))?;
    Ok(q.dot(&k.t()))
}

/// Scores \[N, M\] times a factor, 1/√d_k in a transformer.
///
/// > the dot product value depends on the number of dimensions (k), so we normalise it:
/// > Score(Q_i · K_j) = dot product / √k
///
/// # Errors
/// [`Error::NonFiniteScale`] if the factor is NaN or infinite, [`Error::ZeroSize`] if a dimension is 0.
pub fn scale(scores: ArrayView2<f64>, factor: f64) -> Result<Array2<f64>, Error> {
    non_empty("scores", &scores, ["N", "M"])?;
    if !factor.is_finite() {
        return Err(Error::NonFiniteScale { scale: factor });
    }
    Ok(&scores * factor)
}

/// Scores \[N, M\] with −∞ at every key that the query may not see.
///
/// > similarity of the current token (x_i) and tokens that come before it (x_j)
///
/// # Errors
/// [`Error::ZeroSize`] if a dimension is 0 or the mask is an empty window.
pub fn mask(scores: ArrayView2<f64>, mask: &Mask) -> Result<Array2<f64>, Error> {
    non_empty("scores", &scores, ["N", "M"])?;
    mask.validate(scores.nrows())?;
    let m = scores.ncols();
    Ok(Array2::from_shape_fn(scores.dim(), |(i, j)| {
        if mask.visible(i, m).contains(&j) {
            scores[[i, j]]
        } else {
            f64::NEG_INFINITY
        }
    }))
}

/// The weights: softmax of each row of the scores \[N, M\].
///
/// > This similarity is then passed through softmax to find out which words have a higher affinity
/// > to the current token: W_ij = softmax(x_i · x_j)
///
/// A score of −∞ has weight 0, and a row of nothing else is all 0: that query sees no key.
/// A row with NaN or +∞ in it is NaN wherever its score is not −∞.
///
/// # Errors
/// [`Error::ZeroSize`] if a dimension is 0.
pub fn softmax(scores: ArrayView2<f64>) -> Result<Array2<f64>, Error> {
    non_empty("scores", &scores, ["N", "M"])?;
    let mut weights = scores.to_owned();
    for mut row in weights.rows_mut() {
        let denominator = Denominator::of(row.view(), f64::NEG_INFINITY);
        row.mapv_inplace(|score| denominator.weight(score));
    }
    Ok(weights)
}

/// log Σ_j exp(s_ij) of each row of the scores \[N, M\], natural log: \[N\].
///
/// The softmax's denominator, which is all that is needed beside Q and K to find any weight again:
/// w_ij = exp(s_ij − lse_i). A row of nothing but −∞ gives −∞; a row with NaN or +∞ gives NaN.
///
/// # Errors
/// [`Error::ZeroSize`] if a dimension is 0.
pub fn log_sum_exp(scores: ArrayView2<f64>) -> Result<Array1<f64>, Error> {
    non_empty("scores", &scores, ["N", "M"])?;
    let rows = scores.rows().into_iter();
    Ok(rows
        .map(|row| Denominator::of(row, f64::NEG_INFINITY).lse())
        .collect())
}

/// The softmax's denominator of one row, `sum · exp(max)`: the largest term is taken out, so that nothing overflows.
pub(super) struct Denominator {
    max: f64,
    sum: f64,
}

impl Denominator {
    /// Of a row of scores and one `extra` score, −∞ for none.
    pub(super) fn of(row: ArrayView1<f64>, extra: f64) -> Denominator {
        let max = row.iter().copied().fold(extra, f64::max);
        let all = row.iter().copied().chain([extra]);
        let seen = all.filter(|&score| score != f64::NEG_INFINITY);
        Denominator {
            max,
            sum: seen.map(|score| (score - max).exp()).sum(),
        }
    }

    /// The weight of one score.
    pub(super) fn weight(&self, score: f64) -> f64 {
        if score == f64::NEG_INFINITY {
            0.0
        } else {
            (score - self.max).exp() / self.sum
        }
    }

    /// Its natural logarithm.
    pub(super) fn lse(&self) -> f64 {
        self.max + self.sum.ln()
    }
}

/// The weighted sum of values: weights \[N, M\] and v \[M, d_v\] give \[N, d_v\].
///
/// > Attention = Σ_{j=1}^{i} (Score(Q_i · K_j)) (V_j)
///
/// The sum runs over the keys that the mask lets query i see, so that whatever a value holds that
/// may not be seen, NaN included, has no part in it.
///
/// # Errors
/// [`Error::ShapeMismatch`] if weights and v disagree about M, [`Error::ZeroSize`] if a dimension is 0.
pub fn weighted_sum(
    weights: ArrayView2<f64>,
    v: ArrayView2<f64>,
    mask: &Mask,
) -> Result<Array2<f64>, Error> {
    non_empty("weights", &weights, ["N", "M"])?;
    non_empty("v", &v, ["M", "d_v"])?;
    same("M", ("weights", weights.ncols()), ("v", v.nrows()))?;
    mask.validate(weights.nrows())?;
    let m = v.nrows();
    Ok(Array2::from_shape_fn(
        (weights.nrows(), v.ncols()),
        |(i, c)| {
            mask.visible(i, m)
                .map(|j| weights[[i, j]] * v[[j, c]])
                .sum()
        },
    ))
}

/// Heads side by side: H outputs of \[N, d_v\] give \[N, H·d_v\].
///
/// > we concatenate all of them to build one context vector: (N, h×v)
///
/// # Errors
/// [`Error::ShapeMismatch`] if the heads disagree about N, [`Error::ZeroSize`] if there is none or one is empty.
pub fn concat(heads: &[ArrayView2<f64>]) -> Result<Array2<f64>, Error> {
    let Some(first) = heads.first() else {
        return Err(Error::ZeroSize {
            dimension: "H",
            operand: "heads",
        });
    };
    for head in heads {
        non_empty("a head's output", head, ["N", "d_v"])?;
        same(
            "N",
            ("the first head", first.nrows()),
            ("another head", head.nrows()),
        )?;
    }
    let joined = concatenate(Axis(1), heads);
    Ok(joined.expect("all heads have N rows, checked above"))
}

/// Rejects a matrix with a dimension of 0.
pub(crate) fn non_empty(
    operand: &'static str,
    matrix: &ArrayView2<f64>,
    names: [&'static str; 2],
) -> Result<(), Error> {
    for (dimension, len) in names.into_iter().zip([matrix.nrows(), matrix.ncols()]) {
        if len == 0 {
            return Err(Error::ZeroSize { dimension, operand });
        }
    }
    Ok(())
}
