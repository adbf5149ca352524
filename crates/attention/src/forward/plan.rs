//! The whole pass: the queries of each key/value head cut into tasks, the heads shared out.

use std::sync::atomic::AtomicUsize;

use ndarray::{
    ArrayView2, ArrayView4, ArrayViewMut, ArrayViewMut3, ArrayViewMut4, Axis, Dimension, s,
};

use super::heads::{KvHead, Packer, Work};
use super::task::{Task, Worker};
use crate::isa::{Isa, Kernel, Line, Tile};
use crate::pack::{BLOCK, KvBlock};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Element, Error, Scoring};

/// Queries of a task, about: whole strips, enough of them that reading a block of keys and values into the
/// second-level cache is a small part of the work on it, few enough that their state stays there too.
const TASK_ROWS: usize = 96;

/// A validated call.
pub(crate) struct Forward<'a, 's, E> {
    pub(super) shape: Shape,
    pub(super) q: ArrayView4<'a, f32>,
    pub(super) k: ArrayView4<'a, E>,
    pub(super) v: ArrayView4<'a, E>,
    pub(super) scoring: &'a Scoring<'s>,
    pub(super) o: ArrayViewMut4<'a, f32>,
    pub(super) lse: ArrayViewMut3<'a, f32>,
}

impl<E: Element> Kernel for Forward<'_, '_, E> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<(), Error> {
        let Shape {
            b,
            h,
            h_kv,
            d_k,
            d_v,
            ..
        } = self.shape;
        let (k, v, scoring, m) = (self.k, self.v, self.scoring, self.shape.m);
        let pack = |head: usize, index: usize, memory: Vec<Line>| {
            let (b, kv) = (head / h_kv, head % h_kv);
            let end = scoring.key_length(b, m).min((index + 1) * BLOCK);
            let (k, v) = (
                k.slice(s![b, kv, index * BLOCK..end, ..]),
                v.slice(s![b, kv, index * BLOCK..end, ..]),
            );
            isa.run(PackBlock { k, v, memory })
        };
        let packer = Packer::new(&pack);
        let scorings = (0..b * h)
            .map(|at| HeadScoring::new(self.scoring, &self.shape, at / h, at % h))
            .collect::<Result<Vec<_>, Error>>()?;
        let heads = heads(
            self.q,
            &scorings,
            h / h_kv,
            (self.o, self.lse),
            I::Tile::ROWS,
        );
        let next = AtomicUsize::new(0);
        let work = || {
            isa.run(Worker {
                heads: &heads,
                next: &next,
                packer: &packer,
                d_k,
                d_v,
            })
        };
        match rayon::current_num_threads() {
            1 => work(),
            threads => rayon::scope(|scope| {
                (1..threads).for_each(|_| scope.spawn(|_| work()));
                work();
            }),
        }
        Ok(())
    }
}

/// Packs one block.
struct PackBlock<'a, E> {
    k: ArrayView2<'a, E>,
    v: ArrayView2<'a, E>,
    memory: Vec<Line>,
}

impl<E: Element> Kernel for PackBlock<'_, E> {
    type Output = KvBlock;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> KvBlock {
        KvBlock::pack(isa, self.k, self.v, self.memory)
    }
}

/// Every key/value head with the queries of its group cut into tasks at fixed places, each with the part of the output
/// that it alone writes.
///
/// Within a query head the last queries come first, which see the most keys under a causal mask, so that the tasks at
/// the very end are small.
fn heads<'a>(
    q: ArrayView4<'a, f32>,
    scorings: &'a [HeadScoring<'a>],
    group: usize,
    (o, lse): (ArrayViewMut4<'a, f32>, ArrayViewMut3<'a, f32>),
    strip: usize,
) -> Vec<KvHead<'a>> {
    let rows = TASK_ROWS.div_ceil(strip) * strip;
    let (_, h, n, _) = q.dim();
    let mut heads = Vec::with_capacity(scorings.len() / group);
    let batches = pieces(o, 0, 1).into_iter().zip(pieces(lse, 0, 1));
    for (b, (o, lse)) in batches.enumerate() {
        let groups = pieces(o, 1, group).into_iter().zip(pieces(lse, 1, group));
        for (kv, (o, lse)) in groups.enumerate() {
            let mut tasks = Vec::with_capacity(group * n.div_ceil(rows));
            let members = pieces(o, 1, 1).into_iter().zip(pieces(lse, 1, 1));
            for (member, (o, lse)) in members.enumerate() {
                let head = kv * group + member;
                let parts = pieces(o, 2, rows).into_iter().zip(pieces(lse, 2, rows));
                tasks.extend(parts.enumerate().map(|(part, (o, lse))| Task {
                    q: q.slice_move(s![b, head, .., ..]),
                    first: part * rows,
                    scoring: &scorings[b * h + head],
                    o: o.index_axis_move(Axis(0), 0).index_axis_move(Axis(0), 0),
                    lse: lse.index_axis_move(Axis(0), 0).index_axis_move(Axis(0), 0),
                }));
                let from = tasks.len() - n.div_ceil(rows);
                tasks[from..].reverse();
            }
            let HeadScoring { mask, keys, .. } = &scorings[b * h + kv * group];
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
