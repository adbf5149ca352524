//! The inner loops: a block's strips of queries against its keys, each weight computed once and shown.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use ndarray::ArrayView2;

use super::plan::meet;
use super::tile::LINES;
use super::{Area, Edge, Observer, QueryBlock, Tile};
use crate::InstructionSet;
use crate::isa::math::exp2;
use crate::isa::{self, Isa, Line, Tile as _, lines_for};
use crate::pack::{BLOCK, pack_queries};
use crate::score::{Bounds, HeadScoring, TileAt, score_tile};

/// The least logarithm that is shown: of weight 0, whose product with it is 0.
const LEAST: f32 = f32::MIN;

/// A worker's memory, reused from block to block.
pub(super) struct Workspace {
    /// `[strips][d_k/16][ROWS]`: packed queries.
    q: Vec<Line>,
    q_lines: usize,
    /// `[ROWS][LINES]`
    weights: Vec<Line>,
    /// As `weights`; empty where nobody wants them.
    logs: Vec<Line>,
}

impl Workspace {
    pub(super) fn new<I: Isa>(d_k: usize, logs: bool) -> Workspace {
        let lines = I::Tile::ROWS * LINES;
        Workspace {
            q: Vec::new(),
            q_lines: lines_for(d_k) * I::Tile::ROWS,
            weights: vec![Line::ZERO; lines],
            logs: vec![Line::ZERO; if logs { lines } else { 0 }],
        }
    }
}

/// A block of queries, and all that it is observed with.
pub(super) struct Job<'w, 'a, O> {
    pub(super) set: InstructionSet,
    pub(super) block: &'w QueryBlock<'a>,
    /// \[N, d_k\]: all queries of the head.
    pub(super) q: ArrayView2<'w, f32>,
    /// `[keys/16][d_k][16]`: all real keys of the head.
    pub(super) keys: &'w [Line],
    pub(super) scoring: &'w HeadScoring<'a>,
    /// The block's cut edges, in order.
    pub(super) cut: &'w [Edge],
    pub(super) observer: &'w O,
}

/// Some rows of the block, as many as a microkernel is high.
struct Strip<'w> {
    rows: Range<usize>,
    /// `[d_k/16][ROWS][16]`
    q: &'w [Line],
    bounds: Bounds,
    /// LSE · log₂e; +∞ for a row that sees no key, whose weights are then 0.
    lse: [f32; 16],
}

impl<O: Observer> Job<'_, '_, O> {
    /// Block after block of keys, and for each block strip after strip, so that the block is read from the nearest
    /// cache that holds it.
    #[inline(always)]
    pub(super) fn observe<I: Isa>(&self, isa: I, workspace: &mut Workspace) -> O::Block {
        let mut state = self.observer.block(self.block);
        let visible = self.block.visible();
        let wanted = meet(&visible, &self.wanted(self.block.rows(), visible.clone()));
        if !wanted.is_empty() {
            let Workspace {
                q,
                q_lines,
                weights,
                logs,
            } = workspace;
            let strips = self.strips::<I>(q, *q_lines);
            for start in (wanted.start / BLOCK * BLOCK..wanted.end).step_by(BLOCK) {
                for strip in &strips {
                    let range = start..start + BLOCK;
                    self.strip(isa, strip, range, (weights, logs), &mut state);
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
    #[inline(always)]
    fn strips<'w, I: Isa>(&self, q: &'w mut Vec<Line>, q_lines: usize) -> Vec<Strip<'w>> {
        let height = I::Tile::ROWS;
        let (block, head) = (self.block.rows(), self.scoring);
        q.resize(block.len().div_ceil(height) * q_lines, Line::ZERO);
        let firsts = block.clone().step_by(height);
        for (q, first) in q.chunks_exact_mut(q_lines).zip(firsts.clone()) {
            let rows = first..(first + height).min(block.end);
            pack_queries(q, self.q, rows, height, head.factor);
        }
        let strip = |(q, first): (&'w [Line], usize)| {
            let rows = first..(first + height).min(block.end);
            let mut lse = [f32::INFINITY; 16];
            for (to, from) in lse.iter_mut().zip(&self.block.lse[first - block.start..]) {
                if *from != f32::NEG_INFINITY {
                    *to = from * LOG2_E;
                }
            }
            let bounds = Bounds::new(&head.mask, first, height, self.q.nrows(), head.keys);
            Strip {
                rows,
                q,
                bounds,
                lse,
            }
        };
        q.chunks_exact(q_lines).zip(firsts).map(strip).collect()
    }

    /// Computes one strip's weights for the keys of a block that it sees and that are wanted, and shows them.
    #[inline(always)]
    fn strip<I: Isa>(
        &self,
        isa: I,
        strip: &Strip,
        keys: Range<usize>,
        (weights, logs): (&mut [Line], &mut [Line]),
        state: &mut O::Block,
    ) {
        let seen = meet(&keys, &strip.bounds.seen());
        if seen.is_empty() {
            return;
        }
        let wanted = meet(&seen, &self.wanted(strip.rows.clone(), seen.clone()));
        if wanted.is_empty() {
            return;
        }
        let first = wanted.start / Line::LEN * Line::LEN;
        let keys = first..seen.end.min(wanted.end.next_multiple_of(Line::LEN));
        let panels = lines_for(keys.len());
        let wide = I::Tile::VECTORS * I::LANES / Line::LEN;
        let mut panel = 0;
        while panel < panels {
            let to = (panel, first + panel * Line::LEN);
            if panel + wide <= panels {
                self.weigh::<I, I::Tile>(isa, strip, to, (weights, logs));
                panel += wide;
            } else {
                self.weigh::<I, I::Narrow>(isa, strip, to, (weights, logs));
                panel += 1;
            }
        }
        if !self.cut.is_empty() {
            self.cut(&strip.rows, &keys, (weights, logs));
        }
        let area = (strip.rows.clone(), keys);
        let tile = Tile::new(self.set, self.block, area, (weights, logs));
        self.observer.tile(state, &tile);
    }

    /// The weights of one microkernel's tile: `panel` of the row, the key of its first column.
    #[inline(always)]
    fn weigh<I: Isa, T: isa::Tile<I::V>>(
        &self,
        isa: I,
        strip: &Strip,
        (panel, key): (usize, usize),
        (weights, logs): (&mut [Line], &mut [Line]),
    ) {
        let per_line = Line::LEN / I::LANES;
        let d_k = self.q.ncols();
        let keys = |panel: usize| &self.keys[panel * d_k..][..d_k];
        let last = key / Line::LEN + T::VECTORS / per_line - 1;
        let panels = [keys(key / Line::LEN), keys(last)];
        let at = TileAt {
            query: strip.rows.start,
            key,
        };
        let context = (self.scoring, &strip.bounds);
        let tile = score_tile::<I, T>(isa, strip.q, panels, at, context);
        let least = isa.splat(LEAST);
        for r in 0..T::ROWS {
            let lse = isa.splat(strip.lse[r]);
            let row = tile.row(r).as_ref();
            for v in 0..T::VECTORS {
                // Where the LSE is NaN, a key that is not seen still has weight 0.
                let hidden = isa.less(row[v], least);
                let log = isa.sub(row[v], lse);
                let weight = isa.select(hidden, isa.splat(0.0), exp2(isa, log));
                let to = r * LINES + panel + v / per_line;
                isa.store(weight, weights[to].part_mut(v % per_line, I::LANES));
                if !logs.is_empty() {
                    let log = isa.select(hidden, least, isa.max(least, log));
                    isa.store(log, logs[to].part_mut(v % per_line, I::LANES));
                }
            }
        }
    }

    /// Takes the weight of cut edges away.
    #[inline(never)]
    fn cut(
        &self,
        rows: &Range<usize>,
        keys: &Range<usize>,
        (weights, logs): (&mut [Line], &mut [Line]),
    ) {
        let from = self.cut.partition_point(|e| e.query < rows.start);
        for edge in self.cut[from..].iter().take_while(|e| e.query < rows.end) {
            if keys.contains(&edge.key) {
                let key = edge.key - keys.start;
                let line = (edge.query - rows.start) * LINES + key / Line::LEN;
                weights[line].0[key % Line::LEN] = 0.0;
                if let Some(line) = logs.get_mut(line) {
                    line.0[key % Line::LEN] = LEAST;
                }
            }
        }
    }
}
