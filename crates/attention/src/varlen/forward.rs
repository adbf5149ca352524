//! O and the log-sum-exp of packed sequences.

use ndarray::{Array2, Array3, ArrayView3, ArrayViewMut2, ArrayViewMut3, s};

use super::call::{cut, scorings, validate, with_queries};
use super::sequences::{Sequence, Sequences};
use crate::forward::driver::{BatchElement, Forward};
use crate::shape::{room, same_dims};
use crate::{Element, Error, InstructionSet, Scoring};

/// What the forward pass leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// \[H, N, d_v\]: each query's weighted sum of values; 0 where a query sees no key.
    pub o: Array3<f32>,
    /// \[H, N\]: log of the softmax's denominator, natural log, a sink's term included; −∞ where a query sees no key and
    /// there is no sink.
    pub lse: Array2<f32>,
}

/// Attention of q \[H, N, d_k\] over k \[H_kv, M, d_k\] and v \[H_kv, M, d_v\], each sequence within itself; any strides.
///
/// # Errors
/// Shapes that do not fit, H, H_kv, d_k or d_v of 0, meaningless options, options that packed sequences cannot have
/// ([`Error::NotForSequences`]), sequences that do not end where the tokens do ([`Error::CumulativeLengthsEnd`]), and results
/// that there is no memory for.
pub fn forward<E: Element>(
    q: ArrayView3<f32>,
    k: ArrayView3<E>,
    v: ArrayView3<E>,
    sequences: &Sequences,
    scoring: &Scoring,
) -> Result<Output, Error> {
    forward_on(InstructionSet::best(), q, (k, v), sequences, scoring)
}

/// [`forward()`] on a chosen instruction set, keys with values: for tests and measurements.
///
/// # Errors
/// As [`forward()`].
pub fn forward_on<E: Element>(
    set: InstructionSet,
    q: ArrayView3<f32>,
    (k, v): (ArrayView3<E>, ArrayView3<E>),
    sequences: &Sequences,
    scoring: &Scoring,
) -> Result<Output, Error> {
    let shape = validate((q.dim(), k.dim(), v.dim()), sequences, scoring)?;
    room("o", &[shape.h, shape.n, shape.d_v.max(shape.d_k)])?;
    let mut o = Array3::zeros((shape.h, shape.n, shape.d_v));
    let mut lse = Array2::zeros((shape.h, shape.n));
    let out = (o.view_mut(), lse.view_mut());
    forward_into_on(set, q, (k, v), sequences, scoring, out)?;
    Ok(Output { o, lse })
}

/// [`forward()`] into given arrays: o \[H, N, d_v\] and lse \[H, N\]; any strides.
///
/// # Errors
/// As [`forward()`]; also [`Error::ShapeMismatch`] if `o` or `lse` has another shape.
pub fn forward_into<E: Element>(
    q: ArrayView3<f32>,
    (k, v): (ArrayView3<E>, ArrayView3<E>),
    sequences: &Sequences,
    scoring: &Scoring,
    (o, lse): (ArrayViewMut3<f32>, ArrayViewMut2<f32>),
) -> Result<(), Error> {
    let set = InstructionSet::best();
    forward_into_on(set, q, (k, v), sequences, scoring, (o, lse))
}

/// [`forward_into`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`forward_into`].
pub fn forward_into_on<E: Element>(
    set: InstructionSet,
    q: ArrayView3<f32>,
    (k, v): (ArrayView3<E>, ArrayView3<E>),
    sequences: &Sequences,
    scoring: &Scoring,
    (o, lse): (ArrayViewMut3<f32>, ArrayViewMut2<f32>),
) -> Result<(), Error> {
    let shape = validate((q.dim(), k.dim(), v.dim()), sequences, scoring)?;
    let expected = (
        "the output of q, k and v",
        &[shape.h, shape.n, shape.d_v][..],
    );
    same_dims(&["H", "N", "d_v"], ("o", o.shape()), expected)?;
    same_dims(&["H", "N"], ("lse", lse.shape()), expected)?;
    let packed = shape.d_k.saturating_add(shape.d_v);
    room("the packed keys and values", &[shape.h_kv, shape.m, packed])?;
    if shape.n == 0 {
        return Ok(());
    }
    let scorings = scorings(&shape, sequences, scoring)?;
    let lengths = || with_queries(sequences).map(|sequence| sequence.queries.len());
    let outs = cut(o, lengths()).into_iter().zip(cut(lse, lengths()));
    let heads = scorings.chunks_exact(shape.h);
    let elements = with_queries(sequences)
        .zip(outs.zip(heads))
        .map(
            |(Sequence { queries, keys, .. }, ((o, lse), scorings))| BatchElement {
                q: q.slice_move(s![.., queries, ..]),
                k: k.slice_move(s![.., keys.clone(), ..]),
                v: v.slice_move(s![.., keys, ..]),
                scorings,
                o,
                lse,
            },
        )
        .collect();
    let call = Forward {
        elements,
        h_kv: shape.h_kv,
        d_k: shape.d_k,
        d_v: shape.d_v,
    };
    E::forward(set, call);
    Ok(())
}
