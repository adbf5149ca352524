//! The whole walk: pack the keys, then share out the queries.

use lookback_simd::Line;
use ndarray::{ArrayView4, s};
use rayon::prelude::*;

use super::area::{Edge, QueryBlock, Walk};
use super::block::{Job, Workspace};
use super::blocks::{BLOCK_ROWS, query_blocks};
use super::merge::Merger;
use super::observer::Observer;
use crate::score::HeadScoring;
use crate::shape::Shape;
use crate::threads::share_out;
use crate::{Element, Error, InstructionSet, Scoring};

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
