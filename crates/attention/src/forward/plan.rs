//! The whole pass: pack keys and values, then share out the queries.

use std::ops::Range;
use std::sync::Mutex;

use ndarray::{
    ArrayView2, ArrayView4, ArrayViewMut, ArrayViewMut3, ArrayViewMut4, Axis, Dimension, s,
};
use rayon::prelude::*;

use super::task::{Task, Worker};
use crate::isa::{Isa, Kernel, Tile};
use crate::pack::{BLOCK, KvBlock};
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Element, Error, Scoring};

/// Queries of a task, about: whole strips, enough of them that reading a block of keys and values into the
/// second-level cache is a small part of the work on it, few enough that their state stays there too.
const TASK_ROWS: usize = 96;

/// A validated call.
pub(super) struct Forward<'a, 's, E> {
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
        let Shape { b, h, d_k, d_v, .. } = self.shape;
        let packed = Packed::new(isa, &self);
        let heads = (0..b * h)
            .map(|at| HeadScoring::new(self.scoring, &self.shape, at / h, at % h))
            .collect::<Result<Vec<_>, Error>>()?;
        let queue = tasks(self.q, &heads, &packed, (self.o, self.lse), I::Tile::ROWS);
        let queue = Mutex::new(queue.into_iter());
        let work = || {
            isa.run(Worker {
                queue: &queue,
                d_k,
                d_v,
            })
        };
        match rayon::current_num_threads() {
            1 => work(),
            threads => rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| work()))),
        }
        Ok(())
    }
}

/// The packed keys and values of every key/value head.
struct Packed {
    /// `[B][H_kv][blocks of that batch element]`
    blocks: Vec<KvBlock>,
    /// Where the blocks of each batch element and key/value head begin, and the end.
    starts: Vec<usize>,
}

impl Packed {
    fn new<I: Isa, E: Element>(isa: I, call: &Forward<E>) -> Packed {
        let Shape { b, h_kv, m, .. } = call.shape;
        let mut starts = vec![0];
        let mut places = Vec::new();
        for b in 0..b {
            let keys = call.scoring.key_length(b, m);
            for kv in 0..h_kv {
                places.extend(
                    (0..keys)
                        .step_by(BLOCK)
                        .map(|start| (b, kv, start..(start + BLOCK).min(keys))),
                );
                starts.push(places.len());
            }
        }
        let (k, v) = (&call.k, &call.v);
        let pack = |(b, kv, keys): (usize, usize, Range<usize>)| {
            let (k, v) = (
                k.slice(s![b, kv, keys.clone(), ..]),
                v.slice(s![b, kv, keys, ..]),
            );
            isa.run(PackBlock { k, v })
        };
        Packed {
            blocks: places.into_par_iter().map(pack).collect(),
            starts,
        }
    }

    /// The blocks of one key/value head, counted over the batch.
    fn of(&self, kv_head: usize) -> &[KvBlock] {
        &self.blocks[self.starts[kv_head]..self.starts[kv_head + 1]]
    }

    /// Key/value heads, counted over the batch.
    fn kv_heads(&self) -> usize {
        self.starts.len() - 1
    }
}

/// Packs one block.
struct PackBlock<'a, E> {
    k: ArrayView2<'a, E>,
    v: ArrayView2<'a, E>,
}

impl<E: Element> Kernel for PackBlock<'_, E> {
    type Output = KvBlock;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> KvBlock {
        KvBlock::pack(isa, self.k, self.v)
    }
}

/// The queries cut into tasks at fixed places, each with the part of the output that it alone writes.
///
/// Head after head, because its keys and values are then in a shared cache; within a head the last queries first,
/// which see the most keys under a causal mask, so that the tasks at the very end are small.
fn tasks<'a>(
    q: ArrayView4<'a, f32>,
    heads: &'a [HeadScoring<'a>],
    packed: &'a Packed,
    (o, lse): (ArrayViewMut4<'a, f32>, ArrayViewMut3<'a, f32>),
    strip: usize,
) -> Vec<Task<'a>> {
    let rows = TASK_ROWS.div_ceil(strip) * strip;
    let group = heads.len() / packed.kv_heads();
    let mut tasks = Vec::new();
    let batches = pieces(o, 0, 1).into_iter().zip(pieces(lse, 0, 1));
    for (b, (o, lse)) in batches.enumerate() {
        for (h, (o, lse)) in pieces(o, 1, 1)
            .into_iter()
            .zip(pieces(lse, 1, 1))
            .enumerate()
        {
            let head = b * q.dim().1 + h;
            let parts = pieces(o, 2, rows).into_iter().zip(pieces(lse, 2, rows));
            for (part, (o, lse)) in parts.enumerate().collect::<Vec<_>>().into_iter().rev() {
                tasks.push(Task {
                    q: q.slice_move(s![b, h, .., ..]),
                    first: part * rows,
                    scoring: &heads[head],
                    blocks: packed.of(head / group),
                    o: o.index_axis_move(Axis(0), 0).index_axis_move(Axis(0), 0),
                    lse: lse.index_axis_move(Axis(0), 0).index_axis_move(Axis(0), 0),
                });
            }
        }
    }
    tasks
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
