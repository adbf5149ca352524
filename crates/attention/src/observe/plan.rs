//! The whole walk: pack the keys, then share out the queries.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{ArrayView4, s};
use rayon::prelude::*;

use super::merge::Merger;
use super::scores::height;
use super::strip::{Job, Workspace};
use super::{Edge, Observer, QueryBlock, Walk};
use crate::isa::Line;
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::{Element, Error, InstructionSet, Scoring};

/// Queries of a block, about: whole strips, enough of them that reading a block of keys into the second-level
/// cache is a small part of the work on it, few enough that the observers' states stay there too.
pub(super) const BLOCK_ROWS: usize = 96;

/// A validated call.
pub(super) struct Observe<'a, 's, E, O> {
    pub(super) set: InstructionSet,
    pub(super) walk: &'a Walk,
    pub(super) q: ArrayView4<'a, f32>,
    pub(super) k: ArrayView4<'a, E>,
    /// `[B][H][N]`
    pub(super) lse: &'a [f32],
    pub(super) scoring: &'a Scoring<'s>,
    /// In order.
    pub(super) cut: &'a [Edge],
    pub(super) observer: &'a O,
}

impl<'a, E: Element, O: Observer> Observe<'a, '_, E, O> {
    /// Walks.
    pub(super) fn run(&self) -> Result<O::Output, Error> {
        let heads = HeadScoring::of_batch(self.scoring, &self.walk.shape)?;
        let blocks = query_blocks(self.set, self.walk, self.lse, BLOCK_ROWS);
        let merge = |output: &mut O::Output, at: usize, state| {
            self.observer.merge(output, &blocks[at], state);
        };
        let merger = Merger::new(self.observer.start(self.walk)?, merge);
        let keys = self.pack();
        let shape = &self.walk.shape;
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
                keys: &keys[head / shape.group()],
                scoring: &heads[head],
                cut: self.cut_in(block),
                observer: self.observer,
            };
            merger.add(at, job.observe(workspace));
        });
        let mut output = merger.finish();
        self.observer.finish(&mut output);
        Ok(output)
    }

    /// The real keys of every key/value head, `[B][H_kv]`, each `[keys/16][d_k][16]`.
    fn pack(&self) -> Vec<Vec<Line>> {
        let Shape { b, h_kv, m, .. } = self.walk.shape;
        let pack = |at: usize| {
            let keys = self.scoring.key_length(at / h_kv, m);
            let keys = self.k.slice(s![at / h_kv, at % h_kv, ..keys, ..]);
            E::pack_keys(self.set, keys)
        };
        (0..b * h_kv).into_par_iter().map(pack).collect()
    }

    /// The cut edges of a block's rows.
    fn cut_in(&self, block: &QueryBlock) -> &'a [Edge] {
        let at = |row: usize| {
            let place = (block.batch, block.head, row);
            self.cut
                .partition_point(|e| (e.batch, e.head, e.query) < place)
        };
        &self.cut[at(block.rows.start)..at(block.rows.end)]
    }
}

/// Calls `work` with every number below `count`, on all threads, each of which takes the next number when it is done with one and
/// has a workspace of its own.
pub(super) fn share_out<W>(
    count: usize,
    workspace: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize) + Sync,
) {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut workspace = workspace();
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && at < count
        {
            work(&mut workspace, at);
        }
    };
    match rayon::current_num_threads().min(count) {
        0 | 1 => take(),
        threads => rayon::scope(|scope| (0..threads).for_each(|_| scope.spawn(|_| take()))),
    }
}

/// All queries in blocks of about `rows`, cut at fixed places, in the order in which they are taken and merged; with their part
/// of `lse`, `[B][H][N]`, or with none where that is empty.
///
/// Head after head, because its keys are then in a shared cache; within a head the last queries first, which
/// see the most keys under a causal mask, so that the blocks at the very end are small.
pub(super) fn query_blocks<'a>(
    set: InstructionSet,
    walk: &'a Walk,
    lse: &'a [f32],
    rows: usize,
) -> Vec<QueryBlock<'a>> {
    let Shape { b, h, n, .. } = walk.shape;
    let height = rows.next_multiple_of(height(set));
    let mut blocks = Vec::with_capacity(b * h * n.div_ceil(height));
    for at in 0..b * h {
        let of_head = lse.get(at * n..).unwrap_or_default();
        for start in (0..n).step_by(height).rev() {
            let rows = start..(start + height).min(n);
            blocks.push(QueryBlock {
                set,
                walk,
                batch: at / h,
                head: at % h,
                lse: of_head.get(rows.clone()).unwrap_or_default(),
                rows,
            });
        }
    }
    blocks
}

/// The range within another, empty at its start if they do not meet.
pub(super) fn meet(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    let (start, end) = (a.start.max(b.start), a.end.min(b.end));
    if start < end {
        start..end
    } else {
        a.start..a.start
    }
}

/// The least range that holds both.
pub(super) fn cover(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}
