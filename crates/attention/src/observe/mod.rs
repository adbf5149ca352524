//! Statistics of the weights, without the N×M weights: each tile computed once, and shown to all observers.
//!
//! [`observe()`] computes the weights again from Q, K and the forward pass's LSE, w_ij = exp(score_ij − lse_i), a tile of a few
//! queries by up to 256 keys at a time, and hands each tile to an [`Observer`]. [`forward_and_observe`] does that within the forward
//! pass, in less time than both. Several observers share a walk as a tuple, so that the weights are computed once for all of them.
//! One's own observer is a page: see the trait, and `examples/observe_own.rs`.
//!
//! | observer | finds | shape |
//! | --- | --- | --- |
//! | [`TopK`] | the k heaviest keys, by weight or by weight times a factor of the key | \[B, H, N, k\] |
//! | [`Entropy`] | −Σ w·ln w in nats | \[B, H, N\] |
//! | [`SpanMass`] | weight on spans of keys, absolute or counted from the query | \[B, H, N, spans\] |
//! | [`DistanceMass`] | weight by distance in buckets of doubling width, and the mean distance | \[B, H, N, buckets\], \[B, H, N\] |
//! | [`Received`] | the weight that each key receives | \[B, H, M\] |
//! | [`RowMax`] | the largest weight | \[B, H, N\] |
//! | [`Rows`] | all weights of chosen queries | \[B, H, queries, M\] |
//! | [`PooledTile`] | any rectangle of the weights at any zoom, by maximum or mean | \[B, H, height, width\] |
//! | [`Within`] | what another observer finds of some queries alone | its own |
//!
//! ```
//! use lookback_attention::Scoring;
//! use lookback_attention::forward::forward;
//! use lookback_attention::observe::{Entropy, Received, TopK, observe};
//! use ndarray::Array4;
//!
//! let x = Array4::from_shape_fn((1, 2, 50, 8), |(_, h, i, c)| ((h * 3 + i * 5 + c * 7) % 11) as f32 / 5.0);
//! let scoring = Scoring::default();
//! let lse = forward(x.view(), x.view(), x.view(), &scoring)?.lse;
//! let observer = (TopK::by_weight(3), Entropy, Received);
//! let (top, entropy, received) = observe(x.view(), x.view(), lse.view(), &scoring, &observer)?;
//! assert_eq!(top.list(0, 1, 49).count(), 3);
//! assert!(entropy[[0, 1, 49]] < 50f32.ln());
//! // Each of 50 queries gives away a weight of 1.
//! assert!((received.slice(ndarray::s![0, 0, ..]).sum() - 50.0).abs() < 1e-4);
//! # Ok::<(), lookback_attention::Error>(())
//! ```
//!
//! A query that sees no key has no statistics: sums over its weights are 0, its lists are empty, and what is then undefined
//! (entropy, maximum, mean distance) is NaN. Where a query or key is NaN, so is what is found of it.
//!
//! # How it works
//!
//! ```text
//! for each block of about 96 queries of a head, on any thread:
//!     for each 256 keys that some query of the block sees and some observer wants:
//!         for each 12 to 16 rows of the block:   scores  = Q·Kᵀ · scale · log₂e, tile by tile, into 16 KB      (1)
//!                                                weights = exp2(scores − LSE · log₂e), row by row, in place
//!                                                each observer looks at them                                   (2)
//!     each observer ends the block
//!     merge it, when all blocks before it have been
//! ```
//!
//! * **(1) knows of no observer**, so that it is compiled once for each instruction set; observers' own loops ((2)) enter the
//!   instruction set once a tile.
//! * **What several observers need is computed once, in (1), while the weights are in registers**: each row's sum, maximum,
//!   first moment and entropy in a tile ([`Tile::row_sums`] and its neighbours). The logarithm of a weight is the score less
//!   the LSE, which is known before the weight is. A row's sum also tells whether there is a NaN in it, which vector maxima
//!   would lose.
//! * **Whole tiles count as their rows' sums** for spans and for buckets of distance; only what an end cuts through is summed, for
//!   all rows of the tile at once.
//! * **Lists append and are cut now and then** (the k largest of about 2k stay): of n values in no order some k·log₂(n/k) pass
//!   the threshold. Of each 64 weights the largest is known from (1), so that only words are looked into which may hold one for the
//!   list: fewer than one in three once the threshold has risen. All words of a tile are looked into before the first value is
//!   appended, since a branch on bits that have just been computed waits for them; values are appended four at a time, without
//!   a branch where there are fewer. A cut counts in vectors how many are larger than each, by their upper halves.
//! * **Only what is wanted is computed** ([`Observer::wanted`]): a tile of a picture that is zoomed in costs its own area.
//! * **The same bits on any number of threads**: blocks are cut by the shape alone, each is one thread's, and they are merged in
//!   their order.
//! * **Memory** is that of the outputs, the packed keys, and the states of about as many blocks as there are threads.
//!
//! # The ladder
//!
//! Time as a part of the forward pass's in the same round, causal, H 12, d 64, N 8,192, f32, two threads of an AMD EPYC with
//! Zen 5 cores: `cargo run --release -p lookback-attention --example observe_speed -- avx2 2 45 8192` (and `avx512`). The first
//! three versions were measured at other times, under other load and in part with debug assertions, so that their second
//! digit is not certain. All but the last were measured on numbers of which some keys were nearly alike.
//!
//! | version | all observers of the example together, AVX2 | AVX-512 |
//! | --- | --- | --- |
//! | every candidate of a top-k list put in at once | 2.5 | 3.7 |
//! | the first tile's threshold from the maxima of sixteen lanes; products not stored; no copies | 1.4 to 2.4 | 1.8 to 1.9 |
//! | rows' statistics in registers, lists cut by counting, pictures pooled once a row of cells | 1.4 | 1.6 (N 4,096) |
//! | the threshold of a first tile kept for the next; minima without NaN in the chain; POPCNT | 1.03 (1.01 to 1.05) | 1.18 (1.16 to 1.19) |
//! | 12 to 16 rows a tile; scores first, then weights row by row | 0.93 (0.93 to 0.93) | 1.24 (1.23 to 1.24) |
//!
//! On Zen 4, the two in turn three times (medians of the runs, from the least to the greatest):
//!
//! | version | AVX2 | AVX-512 |
//! | --- | --- | --- |
//! | the last of those above | 0.98 (0.98 to 0.99) | 0.95 (0.94 to 0.96) |
//! | words passed over; ranges, columns and cells in vectors; moments as sums of sums | 0.88 (0.88 to 0.90) | 0.89 (0.88 to 0.89) |
//! | moments from a tile's far end, where nothing cancels | 0.91 (0.89 to 0.92) | 0.90 (0.88 to 0.92) |
//!
//! The last was measured at a busier hour, at which the two before it gave 1.00 and 0.90 with AVX2, 0.95 and 0.91 with AVX-512.
//! It is there for the mean distances, whose largest relative error (of 1 where they are less) fell from 4e-5 to 3e-7 under a
//! distance penalty; the test `near_keys_are_counted_as_exactly_as_far_ones` holds it below 2e-6.
//!
//! On Zen 5 with AVX2, before the last two, the walk (1) itself is 0.53, each top-16 0.10 to 0.12 on top of it, the picture 0.08,
//! distances 0.07, spans 0.05, entropy 0.04, maxima 0.03, weight received 0.02 and chosen rows below 0.01; what they share (rows'
//! statistics, 0.03) is in each of these. With AVX-512 the forward pass is twice as fast there, while lists and bookkeeping are
//! not: each top-16 is 0.20 to 0.23. Of the last but one on Zen 4 with AVX2, by samples (`perf record -e cpu-clock`), the scores
//! are 0.41, weights and statistics 0.14, both lists 0.17, distances 0.03, sums over keys 0.02, spans 0.01, all else 0.1.
//!
//! Turned down by reckoning, not tried: a threshold guessed from the first tile and checked at the end (to be wrong in fewer than one
//! row of a hundred, it must let through more than the running threshold does); putting candidates one by one into a sorted list (a
//! store that the next load straddles, and a branch that cannot be foreseen, for each); lists of 48 places instead of 32 (half as
//! many cuts, each of twice the work, and a sixth more values).
//!
//! Tried and lost: values appended word by word as they are found (both lists 0.01 slower by samples); the exponential's
//! polynomial in two halves side by side (0.2 to 0.3 of some 7 cycles a vector, in a loop of its own, for a larger error).
//!
//! What is left: over keys in no order a list appends some 80 values a row, is cut four times, and looks into two of a tile's four
//! words on average, more at first and hardly any at the end (counted in a simulation that is not in the project): by the samples
//! about 170 cycles a row and tile of 256 keys, of the 2,400 that the forward pass takes for these. The multiply-adds of the scores
//! are 0.41 of it already, at the processor's peak.
//!
//! # With the forward pass
//!
//! [`forward_and_observe`] gives O, the LSE and what observers find in one pass. Column sums and pictures need weights, and those the
//! LSE, which is known only when a row is done; but the scores of a block's rows can wait for it in a cache: a store and a load where
//! computing one again is d_k multiply-adds.
//!
//! ```text
//! for each block of up to 96 queries of a head, fewer the more keys there are, on any thread:
//!     for each 256 keys, each 12 to 16 rows:   scores = Q·Kᵀ · scale · log₂e, kept: 2 to 4 MB; each row's Σ exp2, online
//!     LSE of each row
//!     for each 256 keys, each 12 to 16 rows:   weights = exp2(scores − LSE · log₂e); O += weights·V
//!                                              each observer looks at them
//! ```
//!
//! So a second exponential is what observing costs, and no second product. Time as a part of the forward pass's on the Zen 4 machine
//! (`observe_speed -- avx2 2 15 8192 "all of"`, and `avx512`): all observers of the example with the forward pass in one take 1.53 to
//! 1.55 (AVX-512 1.51 to 1.53), so about half a forward pass on top of it, where one after the other they take 1.89 to 1.91; an
//! observer that looks at nothing 1.13 to 1.15 (`"forward and the walk"`). Blocks of 24, 48, 96 and 192 queries are alike within the
//! noise (1.50 to 1.58); lower ones would read the keys more often, and higher ones keep more.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over a tile have constant bounds, so that they unroll"
)]

mod area;
mod block;
mod blocks;
mod call;
mod candidates;
mod compose;
mod distance;
mod driver;
mod entropy;
mod exp_weights;
mod fused;
mod insert;
mod lanes;
mod layout;
mod merge;
mod observer;
mod pooled;
mod ranges;
mod received;
mod row_max;
mod rows;
mod scores;
mod span;
mod statistics;
#[cfg(test)]
mod tests;
mod tile;
mod top_k;
mod within;

pub use area::{Area, Edge, QueryBlock, Walk};
pub use call::{observe, observe_head, observe_on};
pub use distance::{DistanceMass, Distances};
pub use entropy::Entropy;
pub use fused::{forward_and_observe, forward_and_observe_on};
pub use observer::Observer;
pub use pooled::{Pool, PooledTile};
pub use received::Received;
pub use row_max::RowMax;
pub use rows::Rows;
pub use span::{Span, SpanMass};
pub use tile::{Tile, TileRow};
pub use top_k::{Heaviest, TopK};
pub use within::Within;
