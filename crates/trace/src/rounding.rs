//! What storing queries and keys in 16 bits does to the weights.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU32, Ordering};

use lookback_attention::Scoring;
use lookback_attention::observe::{Area, Observer, QueryBlock, Tile, Walk, forward_and_observe};
use ndarray::{Array2, Array4, ArrayView1, ArrayView4, Axis, Zip, s};

use crate::layer::Stored;
use crate::lse::{CutRow, by_row};
use crate::{Cut, Dtype, Error, Trace};

/// How far a row's log-sum-exp may move: by more, weights under the old one would all be 0 or overflow.
const FARTHEST: f32 = 80.0;

/// The LSEs that belong to the rounded queries and keys, and what the rounding did.
pub(crate) struct Rounding {
    /// For each layer: \[H, N\].
    pub(crate) lse: Vec<Array2<f32>>,
    /// The largest absolute change of any weight.
    pub(crate) max_weight_change: f32,
}

/// Computes the weights of the rounded queries and keys, layer by layer, in O(N) memory beside a layer's operands, on all threads.
/// `progress` hears how many layers are done, and of how many; where it breaks, there is nothing.
pub(crate) fn round_all(
    trace: &Trace,
    dtype: Dtype,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Rounding>, Error> {
    let layers = trace.layer_ids();
    let mut rounding = Rounding {
        lse: Vec::with_capacity(layers.len()),
        max_weight_change: 0.0,
    };
    for (at, &layer) in layers.iter().enumerate() {
        if progress(at, layers.len()).is_break() {
            return Ok(None);
        }
        let (lse, change) = round_layer(trace, (at, layer), dtype)?;
        rounding.lse.push(lse);
        rounding.max_weight_change = rounding.max_weight_change.max(change);
    }
    Ok(Some(rounding))
}

/// A layer's new LSEs \[H, N\], and the largest change of a weight.
///
/// One pass over the rounded scores gives both. A weight before rounding is computed only where it can be the one that changes most:
/// rounding moves the scores of query i by at most δ_i ([`farthest_moves`]), its LSE too, and so a weight by a factor of at most e^(2δ_i).
fn round_layer(
    trace: &Trace,
    (at, layer): (usize, usize),
    dtype: Dtype,
) -> Result<(Array2<f32>, f32), Error> {
    let stored = &trace.layers()[at];
    let scoring = trace.scoring(layer)?;
    let (q, k) = (stored.q.heads(), stored.k.heads());
    let lse = stored.lse.heads();
    let round = |x: &f32| dtype.round(*x);
    let rounded: [Array4<f32>; 2] = [q.map(round), k.map(round)];
    let head_ids = trace.head_ids(layer);
    let of_layer = trace.cuts().iter().filter(|cut| cut.layer == layer);
    let cuts: Vec<Cut> = of_layer
        .filter_map(|cut| {
            let head = head_ids.binary_search(&cut.head).ok()?;
            Some(Cut { head, ..*cut })
        })
        .collect();
    let search = Search {
        q: q.view(),
        k: k.view(),
        lse: lse.view().index_axis_move(Axis(0), 0).remove_axis(Axis(2)),
        stored,
        scoring: &scoring,
        moves: farthest_moves(
            stored,
            &scoring,
            [q.view(), k.view()],
            [rounded[0].view(), rounded[1].view()],
        ),
        cuts: &cuts,
        largest: AtomicU32::new(0),
    };
    // Values have no part in weights; one number a key is the least there can be.
    let v = Array4::zeros((1, stored.k.heads, stored.k.rows, 1));
    let [new_q, new_k] = [rounded[0].view(), rounded[1].view()];
    let (out, ()) = forward_and_observe(new_q, new_k, v.view(), &scoring, &search)?;
    let mut new_lse = out.lse.index_axis_move(Axis(0), 0);
    for row in by_row(&cuts) {
        new_lse[[row[0].head, row[0].i]] = search.cut_row(row, [new_q, new_k])?;
    }
    for ((head, i), &new) in new_lse.indexed_iter() {
        let old = search.lse[[head, i]];
        let moved = (new - old).abs();
        // Equal infinities differ by NaN and are fine; any other NaN is not.
        if new != old && (moved.is_nan() || moved > FARTHEST) {
            return Err(Error::ScoresTooLargeFor {
                dtype: dtype.name(),
                layer,
                head: head_ids[head],
                i,
            });
        }
    }
    Ok((new_lse, search.largest()))
}

/// By how much, at most, rounding moves the scores of each query: \[H, N\].
///
/// |q·k − q'·k'| ≤ ‖q − q'‖·‖k‖ + ‖q'‖·‖k − k'‖, with the largest norms of any key; a soft-cap only brings scores nearer to each other.
fn farthest_moves(
    stored: &Stored,
    scoring: &Scoring,
    [q, k]: [ArrayView4<f32>; 2],
    [new_q, new_k]: [ArrayView4<f32>; 2],
) -> Array2<f32> {
    let scale = f64::from(scoring.scale.unwrap_or(1.0)).abs();
    let largest = |key: usize| {
        let rows = k.slice(s![0, key, .., ..]);
        let new_rows = new_k.slice(s![0, key, .., ..]);
        let pairs = rows.outer_iter().zip(new_rows.outer_iter());
        pairs.fold((0.0_f64, 0.0_f64), |(norm, moved), (row, new)| {
            (norm.max(length(row)), moved.max(distance(row, new)))
        })
    };
    let keys: Vec<(f64, f64)> = (0..stored.k.heads).map(largest).collect();
    Array2::from_shape_fn((stored.q.heads, stored.q.rows), |(head, i)| {
        let (row, new) = (q.slice(s![0, head, i, ..]), new_q.slice(s![0, head, i, ..]));
        let (norm, moved) = keys[stored.kv_head(head)];
        (scale * (distance(row, new) * norm + length(new) * moved)) as f32
    })
}

/// ‖a‖
fn length(a: ArrayView1<f32>) -> f64 {
    a.iter().map(|&a| f64::from(a).powi(2)).sum::<f64>().sqrt()
}

/// ‖a − b‖
fn distance(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f64 {
    Zip::from(a)
        .and(b)
        .fold(0.0, |sum, &a, &b| {
            sum + (f64::from(a) - f64::from(b)).powi(2)
        })
        .sqrt()
}

/// Looks, among the weights of the rounded queries and keys, for the one that changed most.
struct Search<'a, 's> {
    stored: &'a Stored,
    scoring: &'a Scoring<'s>,
    /// As they were: \[1, H, N, d_k\].
    q: ArrayView4<'a, f32>,
    /// As they were: \[1, H_kv, M, d_k\].
    k: ArrayView4<'a, f32>,
    /// As it was: \[H, N\].
    lse: ndarray::ArrayView2<'a, f32>,
    /// [`farthest_moves`].
    moves: Array2<f32>,
    /// The layer's, in order, heads by their places; their rows are computed apart.
    cuts: &'a [Cut],
    /// The largest change yet, as the bits of an f32 ≥ 0, which are in the numbers' own order. Whichever thread finds it first, what
    /// is passed over is smaller.
    largest: AtomicU32,
}

impl Search<'_, '_> {
    fn largest(&self) -> f32 {
        f32::from_bits(self.largest.load(Ordering::Relaxed))
    }

    fn found(&self, change: f64) {
        self.largest
            .fetch_max((change as f32).to_bits(), Ordering::Relaxed);
    }

    /// By what part of itself a weight of this query may have changed, at most, f32's rounding included.
    fn reach(&self, head: usize, i: usize) -> f32 {
        let rounding = 1e-5 * (1.0 + self.lse[[head, i]].abs());
        (2.0 * self.moves[[head, i]] + rounding).exp_m1()
    }

    /// A weight as it was.
    fn before(&self, head: usize, i: usize, j: usize) -> f64 {
        let kv_head = self.stored.kv_head(head);
        let q = self.q.slice(s![0, head, i, ..]);
        let pairs = q.iter().zip(self.k.slice(s![0, kv_head, j, ..]));
        let product: f64 = pairs.map(|(&q, &k)| f64::from(q) * f64::from(k)).sum();
        let score = self.scoring.score(product, q.len(), head, (i, j))
            + f64::from(self.scoring.bias_of((0, head), (i, j)));
        (score - f64::from(self.lse[[head, i]])).exp().min(1.0)
    }

    /// The new LSE of a row that lost edges; looks for its largest change too.
    fn cut_row(&self, row: &[Cut], [new_q, new_k]: [ArrayView4<f32>; 2]) -> Result<f32, Error> {
        let of = |q, k| {
            CutRow {
                q,
                k,
                scoring: self.scoring,
            }
            .exact(row)
        };
        let (before, after) = (of(self.q, self.k)?, of(new_q, new_k)?);
        for (before, after) in before.weights.iter().zip(&after.weights) {
            self.found((before - after).abs());
        }
        Ok(after.lse as f32)
    }

    fn has_cut(&self, head: usize, i: usize) -> bool {
        self.cuts
            .binary_search_by_key(&(head, i), |cut| (cut.head, cut.i))
            .is_ok()
    }
}

impl Observer for Search<'_, '_> {
    type Block = ();
    type Output = ();

    fn start(&self, _: &Walk) -> Result<(), lookback_attention::Error> {
        Ok(())
    }

    fn block(&self, _: &QueryBlock) {}

    fn tile(&self, (): &mut (), tile: &Tile) {
        let head = tile.block().head();
        for (row, &max) in tile.iter().zip(tile.row_maxima()) {
            let i = row.query;
            let reach = self.reach(head, i);
            // Not `<=`: what is NaN is looked at.
            if max * reach <= self.largest() || self.has_cut(head, i) {
                continue;
            }
            for (j, &after) in (tile.keys().start..).zip(row.weights) {
                if after * reach > self.largest() {
                    self.found((self.before(head, i, j) - f64::from(after)).abs());
                }
            }
        }
    }

    fn merge(&self, (): &mut (), _: &QueryBlock, (): ()) {}

    fn wanted(&self, area: &Area) -> Range<usize> {
        area.keys.clone()
    }

    fn wants_row_statistics(&self) -> bool {
        true
    }
}
