//! The gradients of [`attention`] by the chain rule, in f64.

use ndarray::{Array1, Array2, Array3, Array4, ArrayView3, ArrayView4, s};

use super::batched::{Exact, attention};
use super::steps::scores;
use crate::shape::{Shape, same_dims};
use crate::{Error, Scoring};

/// Gradients of a loss with respect to everything that [`attention`] takes, exact up to f64 rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactGradients {
    /// \[B, H, N, d_k\]
    pub dq: Array4<f64>,
    /// \[B, H_kv, M, d_k\]: summed over the query heads that share the key head.
    pub dk: Array4<f64>,
    /// \[B, H_kv, M, d_v\]: summed over the query heads that share the value head.
    pub dv: Array4<f64>,
    /// As large as the bias was given: a dimension of 1 is summed over. `None` if there is no bias.
    pub d_bias: Option<Array4<f64>>,
    /// \[H\]: summed over the batch. `None` if there are no sinks.
    pub d_sinks: Option<Array1<f64>>,
}

/// The gradients of a loss L, given dO = ∂L/∂O \[B, H, N, d_v\] and, if the loss uses the log-sum-exp too,
/// dLSE = ∂L/∂LSE \[B, H, N\].
///
/// With t_ij = scale · q_i·k_j, s_ij the score that [`Scoring`] makes of it, and p_ij = exp(s_ij − LSE_i):
///
/// | gradient | equation |
/// | --- | --- |
/// | of the weights | dP_ij = dO_i · v_j |
/// | what a row's weights have in common | D_i = dO_i · O_i − dLSE_i |
/// | of the scores | dS_ij = p_ij (dP_ij − D_i) |
/// | of the scaled products | dT_ij = dS_ij (1 − tanh²(t_ij / cap)), or dS_ij without a soft cap |
/// | of the queries | dq_i = scale · Σ_j dT_ij k_j |
/// | of the keys | dk_j = scale · Σ_i dT_ij q_i |
/// | of the values | dv_j = Σ_i p_ij dO_i |
/// | of the bias | d_bias_ij = dS_ij, summed over what was broadcast |
/// | of a head's sink | d_sink = −Σ_i exp(sink − LSE_i) D_i |
///
/// All sums run over the pairs (i, j) where query i may see key j and over nothing else: a query that sees no key has
/// gradient 0 and gives none to anything. D stands for the softmax's Jacobian because
/// Σ_j p_ij dP_ij = dO_i · Σ_j p_ij v_j = dO_i · O_i: Dao, "FlashAttention-2" (2023), section 3.1.2; the term of the
/// log-sum-exp is ∂LSE_i/∂s_ij = p_ij.
///
/// Holds B·H·N·M weights: for tests and small examples.
///
/// # Errors
/// As [`attention`]; also if dO or dLSE has another shape than O or LSE.
pub fn backward(
    q: ArrayView4<f64>,
    k: ArrayView4<f64>,
    v: ArrayView4<f64>,
    d_o: ArrayView4<f64>,
    d_lse: Option<ArrayView3<f64>>,
    scoring: &Scoring,
) -> Result<ExactGradients, Error> {
    let shape = Shape::new(q.dim(), k.dim(), v.dim())?;
    let Shape {
        b, h, n, m, d_v, ..
    } = shape;
    same_dims(
        &["B", "H", "N", "d_v"],
        ("d_o", d_o.shape()),
        ("O", &[b, h, n, d_v]),
    )?;
    if let Some(d_lse) = &d_lse {
        same_dims(
            &["B", "H", "N"],
            ("d_lse", d_lse.shape()),
            ("LSE", &[b, h, n]),
        )?;
    }
    let exact = attention(q, k, v, scoring)?;
    let mut gradients = ExactGradients {
        dq: Array4::zeros(q.dim()),
        dk: Array4::zeros(k.dim()),
        dv: Array4::zeros(v.dim()),
        d_bias: scoring.bias.as_ref().map(|bias| Array4::zeros(bias.dim())),
        d_sinks: scoring
            .sinks
            .as_ref()
            .map(|sinks| Array1::zeros(sinks.len())),
    };
    let row_term = row_term(&exact, d_o, d_lse);
    for b in 0..b {
        let keys = scoring.key_length(b, m);
        for h in 0..h {
            let kv = h / shape.group();
            let slope = slope_of_scores(q, k, scoring, (b, h))?;
            for i in 0..n {
                for j in scoring.mask.visible(i, keys) {
                    let p = exact.weights[[b, h, i, j]];
                    let d_p = d_o.slice(s![b, h, i, ..]).dot(&v.slice(s![b, kv, j, ..]));
                    let d_s = p * (d_p - row_term[[b, h, i]]);
                    let d_t = d_s * slope[[i, j]];
                    gradients
                        .dq
                        .slice_mut(s![b, h, i, ..])
                        .scaled_add(d_t, &k.slice(s![b, kv, j, ..]));
                    gradients
                        .dk
                        .slice_mut(s![b, kv, j, ..])
                        .scaled_add(d_t, &q.slice(s![b, h, i, ..]));
                    gradients
                        .dv
                        .slice_mut(s![b, kv, j, ..])
                        .scaled_add(p, &d_o.slice(s![b, h, i, ..]));
                    if let Some(d_bias) = &mut gradients.d_bias {
                        let of = d_bias.dim();
                        d_bias[[
                            b.min(of.0 - 1),
                            h.min(of.1 - 1),
                            i.min(of.2 - 1),
                            j.min(of.3 - 1),
                        ]] += d_s;
                    }
                }
                if let (Some(d_sinks), Some(sinks)) = (&mut gradients.d_sinks, &scoring.sinks)
                    && sinks[h] != f32::NEG_INFINITY
                {
                    let p = (f64::from(sinks[h]) - exact.lse[[b, h, i]]).exp();
                    d_sinks[h] -= p * row_term[[b, h, i]];
                }
            }
        }
    }
    Ok(gradients)
}

/// D = rowsum(dO ∘ O) − dLSE: \[B, H, N\].
fn row_term(exact: &Exact, d_o: ArrayView4<f64>, d_lse: Option<ArrayView3<f64>>) -> Array3<f64> {
    Array3::from_shape_fn(exact.lse.dim(), |(b, h, i)| {
        let row = s![b, h, i, ..];
        d_o.slice(row).dot(&exact.o.slice(row)) - d_lse.map_or(0.0, |d_lse| d_lse[[b, h, i]])
    })
}

/// ∂s_ij/∂(q_i·k_j) \[N, M\]: the scale, times the soft cap's derivative.
fn slope_of_scores(
    q: ArrayView4<f64>,
    k: ArrayView4<f64>,
    scoring: &Scoring,
    (b, h): (usize, usize),
) -> Result<Array2<f64>, Error> {
    let kv = h / (q.dim().1 / k.dim().1);
    let products = scores(q.slice(s![b, h, .., ..]), k.slice(s![b, kv, .., ..]))?;
    let scale = scoring.scale_in_f64(q.dim().3);
    Ok(products.mapv(|product| match scoring.soft_cap {
        Some(cap) => scale * (1.0 - (scale * product / f64::from(cap)).tanh().powi(2)),
        None => scale,
    }))
}
