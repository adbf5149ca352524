//! A block's queries against its keys, each weight computed once and shown.

use std::ops::Range;

use lookback_simd::{Line, lines_for};
use ndarray::ArrayView2;

use super::area::{Area, Edge, QueryBlock};
use super::exp_weights::{ExpWeights, TileSpace, limit_to_1};
use super::layout::{LINES, MAX_ROWS};
use super::observer::Observer;
use super::ranges::intersect;
use super::scores::{Queries, Scores, Strip, seen};
use super::tile::Tile;
use crate::InstructionSet;
use crate::pack::BLOCK;
use crate::score::HeadScoring;

/// A worker's memory, reused from block to block.
pub(super) struct Workspace {
    q: Queries,
    tile: TileSpace,
}

impl Workspace {
    pub(super) fn new(set: InstructionSet, d_k: usize, statistics: bool) -> Workspace {
        Workspace {
            q: Queries::new(set, d_k),
            tile: TileSpace::new(statistics),
        }
    }
}

/// A block of queries, and all that it is observed with.
pub(super) struct Job<'w, 'a, 's, O> {
    pub(super) set: InstructionSet,
    pub(super) block: &'w QueryBlock<'a>,
    /// \[N, d_k\]: all queries of the head.
    pub(super) q: ArrayView2<'w, f32>,
    /// `[keys/16][d_k][16]`: all real keys of the head.
    pub(super) keys: &'w [Line],
    pub(super) scoring: &'w HeadScoring<'s>,
    /// The block's cut edges, in order.
    pub(super) cut: &'w [Edge],
    pub(super) observer: &'w O,
}

impl<O: Observer> Job<'_, '_, '_, O> {
    /// Block after block of keys, and for each block strip after strip, so that the block is read from the nearest
    /// cache that holds it.
    pub(super) fn observe(&self, workspace: &mut Workspace) -> O::Block {
        let mut state = self.observer.block(self.block);
        let visible = self.block.visible();
        let wanted = intersect(&visible, &self.wanted(self.block.rows(), visible.clone()));
        if !wanted.is_empty() {
            let strips = self.strips(workspace);
            let in_band = MAX_ROWS / workspace.q.height;
            for start in (wanted.start / BLOCK * BLOCK..wanted.end).step_by(BLOCK) {
                for (at, band) in strips.chunks(in_band).enumerate() {
                    let keys = start..start + BLOCK;
                    self.band((band, at * in_band), keys, workspace, &mut state);
                }
            }
        }
        self.observer.end(self.block, &mut state);
        state
    }

    /// The keys of an area of this block that the observer wants.
    fn wanted(&self, rows: Range<usize>, keys: Range<usize>) -> Range<usize> {
        self.observer.wanted(&Area {
            batch: self.block.batch,
            head: self.block.head,
            rows,
            keys,
        })
    }

    /// Packs the block's queries.
    fn strips(&self, workspace: &mut Workspace) -> Vec<Strip> {
        let rows = self.block.rows();
        let mut strips = workspace.q.pack(self.set, self.q, &rows, self.scoring);
        for strip in &mut strips {
            strip.set_lse(&self.block.lse[strip.rows.start - rows.start..]);
        }
        strips
    }

    /// Computes the weights of a band of strips, as many as fit a tile, of which the first is the block's strip `at`, for those of
    /// `keys` that they see and that are wanted, and shows them as one tile.
    fn band(
        &self,
        (strips, at): (&[Strip], usize),
        keys: Range<usize>,
        workspace: &mut Workspace,
        state: &mut O::Block,
    ) {
        let seen = seen(strips, &keys);
        let rows = strips[0].rows.start..strips[strips.len() - 1].rows.end;
        if seen.is_empty() {
            return;
        }
        let wanted = intersect(&seen, &self.wanted(rows.clone(), seen.clone()));
        if wanted.is_empty() {
            return;
        }
        let first = wanted.start / Line::LEN * Line::LEN;
        let keys = first..seen.end.min(wanted.end.next_multiple_of(Line::LEN));
        let TileSpace {
            weights,
            statistics,
            partial,
        } = &mut workspace.tile;
        let scores = Scores {
            strips,
            q: workspace.q.strips(at, strips.len()),
            keys: self.keys,
            origin: 0,
            d_k: self.q.ncols(),
            scoring: self.scoring,
            first,
            panels: lines_for(keys.len()),
            to: weights,
            stride: LINES,
        };
        let exp_weights = ExpWeights {
            scores,
            statistics: *statistics,
            partial,
        };
        let mut statistics = exp_weights.run_on(self.set);
        let band = (strips, workspace.q.height);
        let limited = limit_to_1(band, lines_for(keys.len()), weights, statistics.as_ref());
        if limited | self.cut(&rows, &keys, weights) {
            statistics = None;
        }
        let tile = Tile::new(self.set, self.block, (rows, keys), weights, statistics);
        self.observer.tile(state, &tile);
    }

    /// Takes the weight of cut edges away; whether there are any.
    fn cut(&self, rows: &Range<usize>, keys: &Range<usize>, weights: &mut [Line]) -> bool {
        let mut any = false;
        let from = self.cut.partition_point(|e| e.query < rows.start);
        for edge in self.cut[from..].iter().take_while(|e| e.query < rows.end) {
            if keys.contains(&edge.key) {
                let key = edge.key - keys.start;
                let line = (edge.query - rows.start) * LINES + key / Line::LEN;
                weights[line].0[key % Line::LEN] = 0.0;
                any = true;
            }
        }
        any
    }
}
