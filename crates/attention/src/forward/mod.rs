//! Fused attention: O and the log-sum-exp, without the N×M weights.

mod finish;
mod plan;
mod strip;
mod task;
#[cfg(test)]
mod tests;

use ndarray::{Array3, Array4, ArrayView4, ArrayViewMut3, ArrayViewMut4};

use crate::isa::InstructionSet;
use crate::shape::{Shape, same};
use crate::{Element, Error, Scoring};

/// What the forward pass leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// \[B, H, N, d_v\]: each query's weighted sum of values; 0 where a query sees no key.
    pub o: Array4<f32>,
    /// \[B, H, N\]: log of the softmax's denominator, log Σ_j exp(score_ij), natural log, a sink's term included;
    /// −∞ where a query sees no key and there is no sink.
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
    forward_on(InstructionSet::best(), q, k, v, scoring)
}

/// [`forward`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`forward`].
pub fn forward_on<E: Element>(
    set: InstructionSet,
    q: ArrayView4<f32>,
    k: ArrayView4<E>,
    v: ArrayView4<E>,
    scoring: &Scoring,
) -> Result<Output, Error> {
    let shape = Shape::new(q.dim(), k.dim(), v.dim())?;
    scoring.validate(&shape)?;
    let mut o = Array4::zeros((shape.b, shape.h, shape.n, shape.d_v));
    let mut lse = Array3::zeros((shape.b, shape.h, shape.n));
    set.run(plan::Forward {
        shape,
        q,
        k,
        v,
        scoring,
        o: o.view_mut(),
        lse: lse.view_mut(),
    })?;
    Ok(Output { o, lse })
}

/// [`forward`] into given arrays: o \[B, H, N, d_v\] and lse \[B, H, N\]; any strides.
///
/// # Errors
/// As [`forward`]; also [`Error::ShapeMismatch`] if `o` or `lse` has another shape.
pub fn forward_into<E: Element>(
    q: ArrayView4<f32>,
    k: ArrayView4<E>,
    v: ArrayView4<E>,
    scoring: &Scoring,
    o: ArrayViewMut4<f32>,
    lse: ArrayViewMut3<f32>,
) -> Result<(), Error> {
    forward_into_on(InstructionSet::best(), q, (k, v), scoring, (o, lse))
}

/// [`forward_into`] on a chosen instruction set, keys with values and o with lse: for tests and measurements.
///
/// # Errors
/// As [`forward_into`].
pub fn forward_into_on<E: Element>(
    set: InstructionSet,
    q: ArrayView4<f32>,
    (k, v): (ArrayView4<E>, ArrayView4<E>),
    scoring: &Scoring,
    (o, lse): (ArrayViewMut4<f32>, ArrayViewMut3<f32>),
) -> Result<(), Error> {
    let shape = Shape::new(q.dim(), k.dim(), v.dim())?;
    scoring.validate(&shape)?;
    same_output(&shape, o.dim(), lse.dim())?;
    set.run(plan::Forward {
        shape,
        q,
        k,
        v,
        scoring,
        o,
        lse,
    })
}

/// Refuses o or lse of another shape than the call's.
pub(crate) fn same_output(
    shape: &Shape,
    o: (usize, usize, usize, usize),
    lse: (usize, usize, usize),
) -> Result<(), Error> {
    let expected = [("B", shape.b), ("H", shape.h), ("N", shape.n)];
    for (name, found) in [("o", [o.0, o.1, o.2]), ("lse", [lse.0, lse.1, lse.2])] {
        for ((dimension, expected), found) in expected.into_iter().zip(found) {
            same(dimension, (name, found), ("q", expected))?;
        }
    }
    same("d_v", ("o", o.3), ("v", shape.d_v))
}
