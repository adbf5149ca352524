//! Statistics of the weights, without the N×M weights: each tile computed once, and shown to all observers.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

mod area;
mod compose;
mod distance;
mod entropy;
mod lanes;
mod merge;
mod observer;
mod plan;
mod pooled;
mod received;
mod row_max;
mod rows;
mod span;
mod strip;
#[cfg(test)]
mod tests;
mod tile;
mod top_k;
mod weigh;
mod within;

pub use area::{Area, QueryBlock, Walk};
pub use distance::{DistanceMass, Distances};
pub use entropy::Entropy;
pub use observer::Observer;
pub use pooled::{Pool, PooledTile};
pub use received::Received;
pub use row_max::RowMax;
pub use rows::Rows;
pub use span::{Span, SpanMass};
pub use tile::{Tile, TileRow};
pub use top_k::{Heaviest, TopK};
pub use within::Within;

use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayView4, Axis};

use crate::shape::{Shape, same};
use crate::{Element, Error, InstructionSet, Scoring};

/// The edge from one query to one key of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// Which batch element.
    pub batch: usize,
    /// Which query head.
    pub head: usize,
    /// Which query.
    pub query: usize,
    /// Which key.
    pub key: usize,
}

/// Shows every weight of q \[B, H, N, d_k\] on k \[B, H_kv, M, d_k\] to `observer`.
///
/// `lse` \[B, H, N\] is what the forward pass gave for the same scoring. All of any strides.
///
/// # Errors
/// Shapes that do not fit, zero sizes and meaningless options, each as its own [`Error`] variant; and what the
/// observer refuses.
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
    let lse: Vec<f32> = lse.iter().copied().collect();
    let mut cut = cut.to_vec();
    cut.sort_unstable();
    for edge in &cut {
        one_of("batch elements", edge.batch, shape.b)?;
        one_of("heads", edge.head, shape.h)?;
        one_of("queries", edge.query, shape.n)?;
        one_of("keys", edge.key, shape.m)?;
    }
    let call = plan::Observe {
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

/// Refuses an index that is not below `len`.
fn one_of(what: &'static str, at: usize, len: usize) -> Result<(), Error> {
    within(what, &(at..at.saturating_add(1)), len)
}

/// Refuses a range that reaches beyond `len` or ends before it starts.
fn within(what: &'static str, range: &std::ops::Range<usize>, len: usize) -> Result<(), Error> {
    if range.start <= range.end && range.end <= len {
        Ok(())
    } else {
        Err(Error::RangeOutOfBounds {
            what,
            start: range.start,
            end: range.end,
            len,
        })
    }
}
