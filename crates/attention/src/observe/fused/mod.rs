//! The forward pass and what observers say of its weights, at once: scores are kept for a block of queries, not computed twice.

mod attend;
mod block;
mod softmax;
#[cfg(test)]
mod tests;

use lookback_simd::{Line, lines_for};
use ndarray::{Array3, Array4, ArrayView4, s};
use rayon::prelude::*;

use self::block::{Found, Job, Workspace};
use super::blocks::{BLOCK_ROWS, query_blocks};
use super::merge::Merger;
use crate::forward::Output;
use crate::observe::area::Walk;
use crate::observe::observer::Observer;
use crate::pack::{BLOCK, KvBlock};
use crate::score::HeadScoring;
use crate::shape::{Shape, room};
use crate::threads::share_out;
use crate::{Element, Error, InstructionSet, Scoring};

/// Scores that a thread keeps, before queries are rounded up to whole strips: 2 MB, a part of the third-level cache.
const SCORES: usize = 1 << 19;

/// Attention of q \[B, H, N, d_k\] over k \[B, H_kv, M, d_k\] and v \[B, H_kv, M, d_v\], and what `observer` says of every weight;
/// all of any strides.
///
/// Gives O \[B, H, N, d_v\] and LSE \[B, H, N\], and the observer's output. That takes less time than
/// [`forward`](crate::forward::forward) and then [`observe`](super::observe()), since scores are computed once: those of a few queries
/// for all keys are kept until the LSE of these is known. Observers see the weights that [`observe`](super::observe()) would show them
/// for the LSE that is returned (while that is below 10⁹; f32 tells weights no more beyond); O and LSE differ from those of the
/// forward pass by rounding.
///
/// Memory beside the outputs: the keys and values of all heads packed, about B·H_kv·M·(d_k + d_v) numbers, and for each thread the
/// scores of a block, 2 to 4 MB, or those of one strip, up to 16·M numbers, where that is more.
///
/// ```
/// use lookback_attention::Scoring;
/// use lookback_attention::observe::{TopK, forward_and_observe};
/// use ndarray::Array4;
///
/// let x = Array4::from_shape_fn((1, 2, 50, 8), |(_, h, i, c)| ((h * 3 + i * 5 + c * 7) % 11) as f32 / 5.0);
/// let (out, top) = forward_and_observe(x.view(), x.view(), x.view(), &Scoring::default(), &TopK::by_weight(3))?;
/// assert_eq!(out.o.dim(), (1, 2, 50, 8));
/// assert_eq!(top.list(0, 1, 49).count(), 3);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
///
/// # Errors
/// Shapes that do not fit, zero sizes, meaningless options, and results that there is no memory for, each as its own [`Error`]
/// variant; and what the observer rejects.
pub fn forward_and_observe<E: Element, O: Observer>(
    q: ArrayView4<f32>,
    k: ArrayView4<E>,
    v: ArrayView4<E>,
    scoring: &Scoring,
    observer: &O,
) -> Result<(Output, O::Output), Error> {
    forward_and_observe_on(InstructionSet::best(), q, (k, v), scoring, observer)
}

/// [`forward_and_observe`] on a chosen instruction set: for tests and measurements.
///
/// # Errors
/// As [`forward_and_observe`].
pub fn forward_and_observe_on<E: Element, O: Observer>(
    set: InstructionSet,
    q: ArrayView4<f32>,
    (k, v): (ArrayView4<E>, ArrayView4<E>),
    scoring: &Scoring,
    observer: &O,
) -> Result<(Output, O::Output), Error> {
    let shape = Shape::new(q.dim(), k.dim(), v.dim())?;
    scoring.validate(&shape)?;
    let Shape { b, h, h_kv, .. } = shape;
    let Shape { n, m, d_k, d_v, .. } = shape;
    room("o", &[b, h, n, d_v.max(d_k)])?;
    let [m_whole, d_v_whole] = [m, d_v].map(|len| lines_for(len) * Line::LEN);
    let packed = d_k.saturating_add(d_v_whole);
    room("the packed keys and values", &[b, h_kv, m_whole, packed])?;
    let rows = rayon::current_num_threads() * (block_rows(m) + Line::LEN);
    room("the scores that are kept", &[rows, m_whole])?;
    // A block and a head's scoring take less than 256 bytes each.
    room("the list of blocks", &[b, h, n.div_ceil(Line::LEN), 2 * 64])?;
    let call = Fused {
        set,
        walk: &Walk::new(shape, scoring),
        q,
        kv: (k, v),
        scoring,
        observer,
    };
    call.run()
}

/// Queries of a block, about, whose scores for `m` keys are kept.
fn block_rows(m: usize) -> usize {
    (SCORES / m).clamp(1, BLOCK_ROWS)
}

/// A validated call.
struct Fused<'a, 's, E, O> {
    set: InstructionSet,
    walk: &'a Walk,
    q: ArrayView4<'a, f32>,
    kv: (ArrayView4<'a, E>, ArrayView4<'a, E>),
    scoring: &'a Scoring<'s>,
    observer: &'a O,
}

impl<E: Element, O: Observer> Fused<'_, '_, E, O> {
    fn run(&self) -> Result<(Output, O::Output), Error> {
        let shape = &self.walk.shape;
        let heads = HeadScoring::of_batch(self.scoring, shape)?;
        let blocks = query_blocks(self.set, self.walk, &[], block_rows(shape.m));
        let merge = |(out, output): &mut (Output, O::Output), at: usize, found: Found<O::Block>| {
            let block = blocks[at].with_lse(&found.lse);
            let at = s![block.batch, block.head, block.rows(), ..];
            let o = out.o.slice_mut(at).into_iter();
            o.zip(&found.o).for_each(|(to, from)| *to = *from);
            let at = s![block.batch, block.head, block.rows()];
            let lse = out.lse.slice_mut(at).into_iter();
            lse.zip(&found.lse).for_each(|(to, from)| *to = *from);
            self.observer.merge(output, &block, found.state);
        };
        let dim = (shape.b, shape.h, shape.n);
        let out = Output {
            o: Array4::zeros((dim.0, dim.1, dim.2, shape.d_v)),
            lse: Array3::zeros(dim),
        };
        let merger = Merger::new((out, self.observer.start(self.walk)?), merge);
        let kv = self.pack();
        let of_head = shape.m.div_ceil(BLOCK);
        let workspace = || {
            let statistics = self.observer.wants_row_statistics();
            Workspace::new(self.set, shape.d_k, statistics)
        };
        share_out(blocks.len(), workspace, |workspace, at| {
            let block = &blocks[at];
            let head = block.batch * shape.h + block.head;
            let job = Job {
                set: self.set,
                block,
                q: self.q.slice(s![block.batch, block.head, .., ..]),
                kv: &kv[head / shape.group() * of_head..][..of_head],
                d_v: shape.d_v,
                scoring: &heads[head],
                observer: self.observer,
            };
            merger.add(at, job.run(workspace));
        });
        let (out, mut output) = merger.finish();
        self.observer.finish(&mut output);
        Ok((out, output))
    }

    /// The real keys and values of every key/value head, `[B][H_kv][M/256]`.
    fn pack(&self) -> Vec<KvBlock> {
        let Shape { b, h_kv, m, .. } = self.walk.shape;
        let of_head = m.div_ceil(BLOCK);
        let pack = |at: usize| {
            let (head, first) = (at / of_head, at % of_head * BLOCK);
            let keys = self.scoring.key_length(head / h_kv, m);
            let keys = first.min(keys)..(first + BLOCK).min(keys);
            let at = s![head / h_kv, head % h_kv, keys, ..];
            E::pack_block(self.set, (self.kv.0.slice(at), self.kv.1.slice(at)))
        };
        (0..b * h_kv * of_head).into_par_iter().map(pack).collect()
    }
}
