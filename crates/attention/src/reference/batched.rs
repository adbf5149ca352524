//! The same mathematics over batches of heads, with every option of [`Scoring`].

use ndarray::{Array2, Array3, Array4, ArrayView4, Zip, s};

use super::steps::{Denominator, scores, weighted_sum};
use crate::shape::Shape;
use crate::{Error, Scoring};

/// Exact attention in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Exact {
    /// \[B, H, N, d_v\]: each query's weighted sum of values; 0 where a query sees no key.
    pub o: Array4<f64>,
    /// \[B, H, N\]: log of the softmax's denominator, sinks included; −∞ where a query sees no key and there is no sink.
    pub lse: Array3<f64>,
    /// \[B, H, N, M\]: the weights.
    pub weights: Array4<f64>,
}

/// Attention of q \[B, H, N, d_k\] over k \[B, H_kv, M, d_k\] and v \[B, H_kv, M, d_v\] with every option.
///
/// Holds B·H·N·M weights: for tests and small examples.
///
/// # Errors
/// Shapes that do not fit, zero sizes and meaningless options, each as its own [`Error`] variant.
pub fn attention(
    q: ArrayView4<f64>,
    k: ArrayView4<f64>,
    v: ArrayView4<f64>,
    scoring: &Scoring,
) -> Result<Exact, Error> {
    let shape = Shape::new(q.dim(), k.dim(), v.dim())?;
    scoring.validate(&shape)?;
    let Shape {
        b, h, n, m, d_v, ..
    } = shape;
    let mut exact = Exact {
        o: Array4::zeros((b, h, n, d_v)),
        lse: Array3::zeros((b, h, n)),
        weights: Array4::zeros((b, h, n, m)),
    };
    for b in 0..b {
        for h in 0..h {
            let kv = h / shape.group();
            let keys = scoring.key_length(b, m);
            let s = masked_scores(q.view(), k.view(), scoring, (b, h))?;
            let sink = scoring.sink(h);
            for i in 0..n {
                let denominator = Denominator::of(s.row(i), sink);
                exact.lse[[b, h, i]] = denominator.lse();
                let weights = exact.weights.slice_mut(s![b, h, i, ..]);
                Zip::from(weights)
                    .and(s.row(i))
                    .for_each(|w, &score| *w = denominator.weight(score));
            }
            if keys > 0 {
                let z = weighted_sum(
                    exact.weights.slice(s![b, h, .., ..keys]),
                    v.slice(s![b, kv, ..keys, ..]),
                    &scoring.mask,
                )?;
                exact.o.slice_mut(s![b, h, .., ..]).assign(&z);
            }
        }
    }
    Ok(exact)
}

/// The scores \[N, M\] of batch element and head `(b, h)` with every option applied, −∞ where a key is not seen.
///
/// # Errors
/// As [`attention`].
pub fn masked_scores(
    q: ArrayView4<f64>,
    k: ArrayView4<f64>,
    scoring: &Scoring,
    (b, h): (usize, usize),
) -> Result<Array2<f64>, Error> {
    let shape = Shape::new(q.dim(), k.dim(), k.dim())?;
    scoring.validate(&shape)?;
    let kv = h / shape.group();
    let mut scores = scores(q.slice(s![b, h, .., ..]), k.slice(s![b, kv, .., ..]))?;
    let bias = scoring.bias_of_head(&shape, b, h);
    let keys = scoring.key_length(b, shape.m);
    for ((i, j), score) in scores.indexed_iter_mut() {
        if !scoring.mask.visible(i, keys).contains(&j) {
            *score = f64::NEG_INFINITY;
            continue;
        }
        *score = scoring.score(*score, shape.d_k, h, (i, j));
        if let Some(bias) = &bias {
            *score += f64::from(bias[[i, j]]);
        }
    }
    Ok(scores)
}
