//! The whole pass: the queries of each key/value head cut into tasks, the heads shared out.

use std::sync::atomic::AtomicUsize;

use lookback_simd::{Isa, Kernel, Line, RegisterTile, Widen};
use ndarray::{
    ArrayView3, ArrayView4, ArrayViewMut, ArrayViewMut2, ArrayViewMut3, ArrayViewMut4, Axis,
    Dimension, s,
};

use super::heads::{KvHead, Packer, Work};
use super::task::Task;
use super::worker::Worker;
use crate::pack::{BLOCK, PackBlock};
use crate::score::HeadScoring;
use crate::threads::on_every_thread;

/// Queries of a task, about: whole strips, enough of them that reading a block of keys and values into the
/// second-level cache is a small part of the work on it, few enough that their state stays there too.
const TASK_ROWS: usize = 96;

/// A validated call.
pub(crate) struct Forward<'a, E> {
    /// Of any lengths: a batch is a list of them, all equal.
    pub(crate) elements: Vec<BatchElement<'a, E>>,
    pub(crate) h_kv: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
}

/// Queries, and the keys that they alone see; any strides.
pub(crate) struct BatchElement<'a, E> {
    /// \[H, N, d_k\], N at least 1
    pub(crate) q: ArrayView3<'a, f32>,
    /// \[H_kv, M, d_k\]
    pub(crate) k: ArrayView3<'a, E>,
    /// \[H_kv, M, d_v\]
    pub(crate) v: ArrayView3<'a, E>,
    /// \[H\]
    pub(crate) scorings: &'a [HeadScoring<'a>],
    /// \[H, N, d_v\]
    pub(crate) o: ArrayViewMut3<'a, f32>,
    /// \[H, N\]
    pub(crate) lse: ArrayViewMut2<'a, f32>,
}

impl<'a, E> BatchElement<'a, E> {
    /// The elements of q \[B, H, N, d_k\], k \[B, H_kv, M, d_k\], v \[B, H_kv, M, d_v\], o \[B, H, N, d_v\] and lse
    /// \[B, H, N\], with the scorings of all heads, `[B][H]`.
    pub(super) fn of_batch(
        q: ArrayView4<'a, f32>,
        (k, v): (ArrayView4<'a, E>, ArrayView4<'a, E>),
        scorings: &'a [HeadScoring<'a>],
        (o, lse): (ArrayViewMut4<'a, f32>, ArrayViewMut3<'a, f32>),
    ) -> Vec<BatchElement<'a, E>> {
        let outs = pieces(o, 0, 1).into_iter().zip(pieces(lse, 0, 1));
        let heads = scorings.chunks_exact(q.len_of(Axis(1)));
        let elements = outs.zip(heads).enumerate();
        elements
            .map(|(b, ((o, lse), scorings))| BatchElement {
                q: q.index_axis_move(Axis(0), b),
                k: k.index_axis_move(Axis(0), b),
                v: v.index_axis_move(Axis(0), b),
                scorings,
                o: o.index_axis_move(Axis(0), 0),
                lse: lse.index_axis_move(Axis(0), 0),
            })
            .collect()
    }
}

impl<E: Widen> Kernel for Forward<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Forward {
            elements,
            h_kv,
            d_k,
            d_v,
        } = self;
        let operands: Vec<_> = elements
            .iter()
            .map(|element| (element.k, element.v, element.scorings[0].keys))
            .collect();
        let pack = |head: usize, index: usize, memory: Vec<Line>| {
            let (k, v, keys) = &operands[head / h_kv];
            let (kv, block) = (head % h_kv, index * BLOCK..(*keys).min((index + 1) * BLOCK));
            let (k, v) = (
                k.slice(s![kv, block.clone(), ..]),
                v.slice(s![kv, block, ..]),
            );
            isa.run(PackBlock { k, v, memory })
        };
        let packer = Packer::new(&pack);
        let heads = heads(elements, h_kv, I::WideTile::ROWS);
        let next = AtomicUsize::new(0);
        on_every_thread(usize::MAX, || {
            isa.run(Worker {
                heads: &heads,
                next: &next,
                packer: &packer,
                d_k,
                d_v,
            });
        });
    }
}

/// Every key/value head with the queries of its group cut into tasks at fixed places, each with the part of the output
/// that it alone writes.
///
/// Within a query head the last queries come first, which see the most keys under a causal mask, so that the tasks at
/// the very end are small.
fn heads<'a, 'p, E>(
    elements: Vec<BatchElement<'a, E>>,
    h_kv: usize,
    strip: usize,
) -> Vec<KvHead<'a, 'p>> {
    let rows = TASK_ROWS.div_ceil(strip) * strip;
    let mut heads = Vec::with_capacity(elements.len() * h_kv);
    for element in elements {
        let BatchElement {
            q,
            scorings,
            o,
            lse,
            ..
        } = element;
        let (n, group) = (q.len_of(Axis(1)), scorings.len() / h_kv);
        let groups = pieces(o, 0, group).into_iter().zip(pieces(lse, 0, group));
        for (kv, (o, lse)) in groups.enumerate() {
            let mut tasks = Vec::with_capacity(group * n.div_ceil(rows));
            let members = pieces(o, 0, 1).into_iter().zip(pieces(lse, 0, 1));
            for (member, (o, lse)) in members.enumerate() {
                let head = kv * group + member;
                let parts = pieces(o, 1, rows).into_iter().zip(pieces(lse, 1, rows));
                tasks.extend(parts.enumerate().map(|(part, (o, lse))| Task {
                    q: q.index_axis_move(Axis(0), head),
                    first: part * rows,
                    scoring: &scorings[head],
                    o: o.index_axis_move(Axis(0), 0),
                    lse: lse.index_axis_move(Axis(0), 0),
                }));
                let from = tasks.len() - n.div_ceil(rows);
                tasks[from..].reverse();
            }
            let HeadScoring { mask, keys, .. } = &scorings[kv * group];
            let (first, last) = (mask.visible(0, *keys), mask.visible(n - 1, *keys));
            heads.push(KvHead {
                index: heads.len(),
                blocks: first.start / BLOCK..last.end.div_ceil(BLOCK),
                work: Work::new(tasks),
            });
        }
    }
    heads
}

/// A view cut along an axis into pieces of `len`, the last one shorter.
fn pieces<D: Dimension>(
    view: ArrayViewMut<f32, D>,
    axis: usize,
    len: usize,
) -> Vec<ArrayViewMut<f32, D>> {
    let mut pieces = Vec::with_capacity(view.len_of(Axis(axis)).div_ceil(len));
    let mut rest = view;
    while rest.len_of(Axis(axis)) > len {
        let (piece, after) = rest.split_at(Axis(axis), len);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}
