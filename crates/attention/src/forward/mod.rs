//! Fused attention: O and the log-sum-exp, without the N×M weights.
//!
//! ```
//! use lookback_attention::{Scoring, forward::forward};
//! use ndarray::Array4;
//!
//! // B 1, H 4, H_kv 2, N = M = 10, d_k 8, d_v 6.
//! let numbers = |h, d| Array4::from_shape_fn((1, h, 10, d), |(_, h, i, c)| ((h * 5 + i * 7 + c * 3) % 11) as f32 / 11.0);
//! let (q, k, v) = (numbers(4, 8), numbers(2, 8), numbers(2, 6));
//! let out = forward(q.view(), k.view(), v.view(), &Scoring::default())?;
//! assert_eq!(out.o.dim(), (1, 4, 10, 6));
//! // The first query sees the first key alone.
//! assert!((out.o[[0, 0, 0, 2]] - v[[0, 0, 0, 2]]).abs() < 1e-6);
//! # Ok::<(), lookback_attention::Error>(())
//! ```
//!
//! # How it works
//!
//! The online softmax over blocks of keys (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al.,
//! "FlashAttention", 2022), with queries in the outer loop as in FlashAttention-2 (Dao, 2023):
//!
//! ```text
//! for each key/value head, on any thread (threads without a head of their own help with another's):
//!     pack each block of 256 of its keys, K and V                                              once, for the group's queries
//!     for each task (a query head and about 96 of its queries):
//!         pack the queries in strips, times scale · log₂e
//!         for each block that some of them see, and each strip:
//!             for each tile of the strip's rows × 16 or 32 keys:   S = Q·Kᵀ; P = exp2(S − reference)
//!             O += P·V
//!         O / Σ P, and the LSE
//! ```
//!
//! * **One microkernel.** Both products are a strip of rows times panels of sixteen columns with the sums in registers: 6×16 on
//!   AVX2, 14×32 on AVX-512. Panels are cache lines in the order in which they are read.
//! * **Exponentials stay with their tile**: scores never leave the registers (but where an option or a mask changes
//!   them), weights are written once, 6 or 14 KB a strip and block. Units are log₂, so that 2ˣ needs no multiplication: a
//!   polynomial of degree five and an addition to the exponent.
//! * **The reference lags.** It is raised only where a score passes it by more than 8 (a factor of 256), and what was
//!   summed is rescaled then. After a row's first keys that hardly happens.
//! * **Masks by the tile.** A query's visible keys are one range: blocks and panels that no query of a strip sees are
//!   skipped, and only tiles on a border are masked.
//! * **The same bits on any number of threads.** Tasks are cut by the shape alone, each row is summed in one task, block
//!   after block.
//! * **Memory**: the packed keys and values of as many heads as there are threads, O(M) each, used again for the next
//!   heads, and for each thread a task's queries and sums.
//!
//! # The ladder
//!
//! Useful operations in % of the multiply-add peak that the same threads reach in the same run, causal, f32, d = 64, 12 heads:
//! medians of `RAYON_NUM_THREADS=2 lookback bench attention --instruction-set avx2`, two threads of an AMD EPYC (Zen 5, a virtual
//! machine, 270 GFLOP/s), the versions in turn; quartiles are within 2 points, runs at different hours within 5.
//!
//! | version | N 512 | 1,024 | 2,048 | batch 8, N 256 |
//! | --- | --- | --- | --- | --- |
//! | a tile at a time through memory; all heads packed, then all tasks | 68 | 74 | 78 | 51 |
//! | tiles in registers; heads packed by whoever comes first | 74 | 79 | 84 | 64 |
//! | packing reads row by row and asks for the rows that come next | 77 | 83 | 85 | 64 |
//!
//! The last makes 84 at N 4,096, 84 with 9/3 heads and 87 with 32 heads of d = 128 (N 2,048). While something else runs beside it,
//! the first and the last make 53, 65 and 39, and 69, 77 and 57 (N 512, 1,024, batch). AVX-512 against its own peak (480
//! GFLOP/s): 57, 69, 74 and 45, and 77 at N 4,096; at N 1,024 that is 0.66 of the time that AVX2 takes.
//!
//! * **Tiles in registers.** The tile of scores was indexed in loops that are not unrolled (masking, raising the reference),
//!   so it had an address, and each tile was stored, copied by `memcpy` and loaded: 3.5% of the time in the copy, and
//!   every exponential waited for it. Now those loops work on a copy: 2 to 3 points on one thread.
//! * **Heads packed when they are reached**, into memory of a head that is done: the second-level cache holds what is written,
//!   where packing all heads first wrote megabytes that were read back later; and one fork instead of two.
//! * **Packing** took 14% of the time of batch 8, N 256 and queries 8%, at 8 GB/s a core: sixteen rows side by side are a pattern
//!   that the processor does not foresee, and checking for values that are not finite was one chain of 2,048 multiply-adds a
//!   block. Rows are now read one after the other, those that follow are asked for, and a chain covers one row: 7% and 5%.
//!
//! What is left, of one thread at batch 8, N 256: 65% the two products (97% of peak in themselves, 5% of them beyond the
//! diagonal), 8% exponentials, 7% packing keys and values, 5% packing queries, 5% writing O and the LSE, 3% the first
//! reference of each row, 3% masked tiles. Reading and writing each operand once takes 0.5 of the 4.6 ms.
//!
//! Tried and not kept:
//!
//! * Keys and values packed by all threads before any task, in parallel over blocks: the first row of the table.
//! * Scores through memory for every tile, so that the loops over rows stay short: the same.
//!
#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

pub(crate) mod driver;
mod finish;
mod heads;
mod strip;
mod task;
#[cfg(test)]
mod tests;
mod values;
mod worker;

pub(crate) use finish::write;
pub(crate) use values::Values;

use lookback_simd::InstructionSet;
use ndarray::{Array3, Array4, ArrayView4, ArrayViewMut3, ArrayViewMut4};

use self::driver::{BatchElement, Forward};
use crate::score::HeadScoring;
use crate::shape::{Shape, room, same};
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
/// Shapes that do not fit, zero sizes, meaningless options, and results that there is no memory for, each as its own
/// [`Error`] variant.
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
    room("o", &[shape.b, shape.h, shape.n, shape.d_v.max(shape.d_k)])?;
    let mut o = Array4::zeros((shape.b, shape.h, shape.n, shape.d_v));
    let mut lse = Array3::zeros((shape.b, shape.h, shape.n));
    forward_into_on(set, q, (k, v), scoring, (o.view_mut(), lse.view_mut()))?;
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
    let packed = shape.d_k.saturating_add(shape.d_v);
    room(
        "the packed keys and values",
        &[shape.b, shape.h_kv, shape.m, packed],
    )?;
    let scorings = HeadScoring::of_batch(scoring, &shape)?;
    let call = Forward {
        elements: BatchElement::of_batch(q, (k, v), &scorings, (o, lse)),
        h_kv: shape.h_kv,
        d_k: shape.d_k,
        d_v: shape.d_v,
    };
    E::forward(set, call);
    Ok(())
}

/// Rejects o or lse of another shape than the call's.
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
