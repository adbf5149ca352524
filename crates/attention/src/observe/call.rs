//! The entry points: operands are checked, and the walk begins.

use lookback_simd::{InstructionSet, Line, lines_for};
use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayView4, Axis};

use super::area::{Edge, Walk};
use super::driver::Observe;
use super::observer::Observer;
use crate::shape::{Shape, room, same, validate_index};
use crate::{Element, Error, Scoring};

/// Shows every weight of q \[B, H, N, d_k\] on k \[B, H_kv, M, d_k\] to `observer`.
///
/// `lse` \[B, H, N\] is what the forward pass gave for the same scoring. All of any strides.
///
/// # Errors
/// Shapes that do not fit, zero sizes and meaningless options, each as its own [`Error`] variant; and what the
/// observer rejects.
pub fn observe<E: Element, O: Observer>(
    q: ArrayView4<f32>,
    k: ArrayView4<E>,
    lse: ArrayView3<f32>,
    scoring: &Scoring,
    observer: &O,
) -> Result<O::Output, Error> {
    observe_on(InstructionSet::best(), (q, k, lse), scoring, &[], observer)
}

/// [`observe`] of one head: q \[N, d_k\], k \[M, d_k\], lse \[N\].
///
/// Options of `scoring` that have an entry a head hold one entry ([`Scoring::for_head`]); in the output, B and H
/// are 1.
///
/// # Errors
/// As [`observe`].
pub fn observe_head<E: Element, O: Observer>(
    q: ArrayView2<f32>,
    k: ArrayView2<E>,
    lse: ArrayView1<f32>,
    scoring: &Scoring,
    observer: &O,
) -> Result<O::Output, Error> {
    let q = q.insert_axis(Axis(0)).insert_axis(Axis(0));
    let k = k.insert_axis(Axis(0)).insert_axis(Axis(0));
    let lse = lse.insert_axis(Axis(0)).insert_axis(Axis(0));
    observe(q, k, lse, scoring, observer)
}

/// [`observe`] of (q, k, lse) on a chosen instruction set and with edges cut.
///
/// A cut edge has weight 0, whatever its score; the LSE that is given was computed without it. Edges may come in any
/// order and more than once.
///
/// # Errors
/// As [`observe`]; also [`Error::RangeOutOfBounds`] for an edge that does not exist.
pub fn observe_on<E: Element, O: Observer>(
    set: InstructionSet,
    (q, k, lse): (ArrayView4<f32>, ArrayView4<E>, ArrayView3<f32>),
    scoring: &Scoring,
    cut: &[Edge],
    observer: &O,
) -> Result<O::Output, Error> {
    let shape = Shape::new(q.dim(), k.dim(), k.dim())?;
    scoring.validate(&shape)?;
    let (b, h, n) = lse.dim();
    for (dimension, found, expected) in [("B", b, shape.b), ("H", h, shape.h), ("N", n, shape.n)] {
        same(dimension, ("lse", found), ("q", expected))?;
    }
    let Shape { h_kv, m, d_k, .. } = shape;
    room("lse", &[b, h, n])?;
    room(
        "the packed keys",
        &[shape.b, h_kv, lines_for(m), d_k, Line::LEN],
    )?;
    // A block and a head's scoring take less than 256 bytes each.
    room("the list of blocks", &[b, h, n.div_ceil(Line::LEN), 2 * 64])?;
    let lse: Vec<f32> = lse.iter().copied().collect();
    let mut cut = cut.to_vec();
    cut.sort_unstable();
    for edge in &cut {
        validate_index("batch elements", edge.batch, shape.b)?;
        validate_index("heads", edge.head, shape.h)?;
        validate_index("queries", edge.query, shape.n)?;
        validate_index("keys", edge.key, shape.m)?;
    }
    let call = Observe {
        set,
        walk: &Walk::new(shape, scoring),
        q,
        k,
        lse: &lse,
        scoring,
        cut: &cut,
        observer,
    };
    call.run()
}
