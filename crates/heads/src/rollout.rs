//! Attention rollout: how much of each token is left in a row after all layers, if weights are all that moves it
//! (Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", <https://arxiv.org/abs/2005.00928>).
//!
//! With A_l the mean of layer l's weights over its heads, and the residual stream taken for as much again,
//! Ã_l = ½·A_l + ½·I, the rollout is Ã_L ⋯ Ã_2·Ã_1. One row of it is a row vector taken down through the layers, so that
//! no N×N matrix is built: r ← ½·r + ½·r·A_l, from r = e_i, over blocks of queries that r still gives weight to.
//!
//! It leaves out what values, W_o and feed-forward parts do, and takes every head for equal: where a sink takes half
//! the weight of each layer, nearly all of the rollout lies on it.

use std::ops::Range;

use lookback_trace::Trace;
use ndarray::{Array1, s};

use crate::Error;

/// Queries whose weights are looked at together.
const BLOCK: usize = 128;

/// The mean rollout of some rows on every token, through the layers that the trace holds: \[N\], which sums to 1 (to less where a
/// learned sink takes its part).
///
/// # Errors
/// [`Error::NoSuchUnit`] where a row is beyond the text or there is none, and [`Error::Trace`].
pub fn rollout(trace: &Trace, rows: Range<usize>) -> Result<Array1<f64>, Error> {
    trace.require_self_attention("Rollout")?;
    let n = trace.n();
    if rows.is_empty() || rows.end > n {
        return Err(Error::NoSuchUnit {
            unit: "token",
            index: rows.end.max(1) - 1,
            count: n,
        });
    }
    let mut part = Array1::zeros(n);
    part.slice_mut(s![rows.clone()])
        .fill(1.0 / rows.len() as f64);
    for &layer in trace.layer_ids().iter().rev() {
        part = through(trace, layer, &part)?;
    }
    Ok(part)
}

/// ½·r + ½·r·A of one layer.
fn through(trace: &Trace, layer: usize, part: &Array1<f64>) -> Result<Array1<f64>, Error> {
    let (n, heads) = (trace.n(), trace.head_ids(layer));
    let mut moved = part * 0.5;
    for start in (0..n).step_by(BLOCK) {
        let rows = start..n.min(start + BLOCK);
        let from = part.slice(s![rows.clone()]);
        if from.iter().all(|&x| x == 0.0) {
            continue;
        }
        for &head in heads {
            let weights = trace.weights(layer, head, rows.clone(), 0..n)?;
            for (weights, &from) in weights.outer_iter().zip(&from) {
                let from = 0.5 * from / heads.len() as f64;
                moved.zip_mut_with(&weights, |moved, &w| *moved += from * f64::from(w));
            }
        }
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::example::Example;

    #[test]
    fn a_row_is_that_of_the_product_of_matrices() {
        let trace = Example::default().trace();
        let n = trace.n();
        let mut product = Array2::<f64>::eye(n);
        for layer in 0..trace.layer_count() {
            let heads = trace.head_count(layer);
            let mut mixed = Array2::<f64>::eye(n) * 0.5;
            for head in 0..heads {
                let weights = trace.weights(layer, head, 0..n, 0..n).unwrap();
                mixed += &(weights.mapv(f64::from) * (0.5 / heads as f64));
            }
            product = mixed.dot(&product);
        }
        for i in 0..n {
            let row = rollout(&trace, i..i + 1).unwrap();
            for (found, expected) in row.iter().zip(product.row(i)) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
            assert!((row.sum() - 1.0).abs() < 1e-5);
        }
        let both = rollout(&trace, 1..3).unwrap();
        let mean = (&product.row(1) + &product.row(2)) * 0.5;
        assert!(both.iter().zip(&mean).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(rollout(&trace, n..n + 1).is_err());
        assert!(rollout(&trace, 2..2).is_err());
    }
}
