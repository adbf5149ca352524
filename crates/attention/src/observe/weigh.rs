//! The weights of a few strips of queries, in vectors. Nothing here knows of observers, so that it is compiled once for each
//! instruction set, whoever looks, and keeps its accumulators in registers. What the walk, which is generic, runs goes by way of
//! functions that are not ([`height`], `run_on`): these are compiled in this crate, and not again in every crate that observes.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use ndarray::ArrayView2;

use super::statistics::{Partial, RowPartial, Statistics, WORD};
use super::tile::LINES;
use crate::isa::math::{exp2_domain, exp2_in_domain};
use crate::isa::{Isa, Kernel, Line, Tile, lines_for};
use crate::pack::{pack_keys, pack_queries};
use crate::score::{Bounds, HeadScoring, TileAt, score_tile};
use crate::{Element, InstructionSet};

/// Rows of a strip.
pub(super) fn height(set: InstructionSet) -> usize {
    set.run(Height)
}

/// [`height`].
pub(super) struct Height;

impl Kernel for Height {
    type Output = usize;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> usize {
        I::Tile::ROWS
    }
}

/// Packs the keys of one head, `[keys/16][d_k][16]`.
pub(crate) struct PackKeys<'a, E>(pub(crate) ArrayView2<'a, E>);

impl<E: Element> Kernel for PackKeys<'_, E> {
    type Output = Vec<Line>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<Line> {
        let (keys, d_k) = self.0.dim();
        let mut lines = vec![Line::ZERO; lines_for(keys) * d_k];
        pack_keys(isa, self.0, &mut lines);
        lines
    }
}

/// Some rows of a block, as many as a microkernel is high.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) rows: Range<usize>,
    pub(super) bounds: Bounds,
    /// LSE · log₂e; +∞ for a row that sees no key, whose weights are then 0.
    lse: [f32; 16],
}

/// Packs queries \[N, d_k\] of a head, `rows` of them, as one strip, `[d_k/16][ROWS][16]`.
pub(super) struct PackStrip<'w, 'a> {
    pub(super) q: ArrayView2<'w, f32>,
    pub(super) rows: Range<usize>,
    /// Of the rows.
    pub(super) lse: &'w [f32],
    pub(super) scoring: &'w HeadScoring<'a>,
    pub(super) to: &'w mut [Line],
}

impl PackStrip<'_, '_> {
    /// Packs.
    pub(super) fn run_on(self, set: InstructionSet) -> Strip {
        set.run(self)
    }
}

impl Kernel for PackStrip<'_, '_> {
    type Output = Strip;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Strip {
        let (rows, head, height) = (self.rows, self.scoring, I::Tile::ROWS);
        pack_queries(self.to, self.q, rows.clone(), height, head.factor);
        let mut lse = [f32::INFINITY; 16];
        for (to, from) in lse.iter_mut().zip(self.lse) {
            if *from != f32::NEG_INFINITY {
                *to = from * LOG2_E;
            }
        }
        let bounds = Bounds::new(&head.mask, rows.start, height, self.q.nrows(), head.keys);
        Strip { rows, bounds, lse }
    }
}

/// Computes the weights of some strips for some keys.
pub(super) struct Weigh<'w, 'a> {
    /// Together at most [`MAX_ROWS`](super::tile::MAX_ROWS) rows.
    pub(super) strips: &'w [Strip],
    /// The strips packed, each `[d_k/16][ROWS][16]`.
    pub(super) q: &'w [Line],
    /// `[keys/16][d_k][16]`: all real keys of the head.
    pub(super) keys: &'w [Line],
    pub(super) d_k: usize,
    pub(super) scoring: &'w HeadScoring<'a>,
    /// The first key, a multiple of 16, and how many panels of 16 from there on.
    pub(super) first: usize,
    pub(super) panels: usize,
    /// `[strips][ROWS][LINES]`
    pub(super) weights: &'w mut [Line],
    /// Whether somebody wants the rows' statistics, and where they are gathered.
    pub(super) statistics: bool,
    pub(super) partial: &'w mut Partial,
}

impl Kernel for Weigh<'_, '_> {
    type Output = Option<Statistics>;

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) -> Option<Statistics> {
        self.scores(isa);
        match self.statistics {
            true => self.weights::<I, true>(isa),
            false => self.weights::<I, false>(isa),
        }
        self.statistics.then(|| self.partial.finish(isa))
    }
}

impl Weigh<'_, '_> {
    /// Computes.
    pub(super) fn run_on(self, set: InstructionSet) -> Option<Statistics> {
        set.run(self)
    }

    /// All scores, a microkernel's tile at a time: strip after strip against the panels that the nearest cache now holds.
    #[inline(always)]
    fn scores<I: Isa>(&mut self, isa: I) {
        let wide = I::Tile::VECTORS * I::LANES / Line::LEN;
        let mut panel = 0;
        while panel < self.panels {
            let whole = panel + wide <= self.panels;
            for strip in 0..self.strips.len() {
                if whole {
                    self.tile::<I, I::Tile>(isa, strip, panel);
                } else {
                    self.tile::<I, I::Narrow>(isa, strip, panel);
                }
            }
            panel += if whole { wide } else { 1 };
        }
    }

    /// One microkernel's tile, from `panel` on.
    #[inline(always)]
    fn tile<I: Isa, T: Tile<I::V>>(&mut self, isa: I, at: usize, panel: usize) {
        let per_line = Line::LEN / I::LANES;
        let key = self.first + panel * Line::LEN;
        let keys = |panel: usize| &self.keys[panel * self.d_k..][..self.d_k];
        let last = key / Line::LEN + T::VECTORS / per_line - 1;
        let panels = [keys(key / Line::LEN), keys(last)];
        let strip = &self.strips[at];
        let place = TileAt {
            query: strip.rows.start,
            key,
        };
        let q_lines = lines_for(self.d_k) * T::ROWS;
        let q = &self.q[at * q_lines..][..q_lines];
        let context = (self.scoring, &strip.bounds);
        let tile = score_tile::<I, T>(isa, q, panels, place, context);
        for r in 0..T::ROWS {
            let to = (at * T::ROWS + r) * LINES + panel;
            let to = &mut self.weights[to..][..T::VECTORS / per_line];
            for v in 0..T::VECTORS {
                let to = to[v / per_line].part_mut(v % per_line, I::LANES);
                isa.store(tile.row(r).as_ref()[v], to);
            }
        }
    }

    /// Turns all scores into weights, row after row. Statistics are gathered while the weights are in registers.
    #[inline(always)]
    fn weights<I: Isa, const STATISTICS: bool>(&mut self, isa: I) {
        for (at, strip) in self.strips.iter().enumerate() {
            for r in 0..strip.rows.len() {
                let in_band = at * I::Tile::ROWS + r;
                let row = &mut self.weights[in_band * LINES..][..self.panels];
                let partial = &mut self.partial;
                weigh_row::<I, STATISTICS>(isa, row, strip.lse[r], (partial, in_band));
            }
        }
    }
}

/// Turns a row's scores into weights, 2^(score − lse), and gathers their statistics if these are wanted.
#[inline(always)]
fn weigh_row<I: Isa, const STATISTICS: bool>(
    isa: I,
    row: &mut [Line],
    lse: f32,
    (partial, r): (&mut Partial, usize),
) {
    let nan = lse.is_nan();
    let lse = isa.splat(lse);
    let mut sums = RowPartial::new(isa);
    let lines = row.len();
    for (w, word) in row.chunks_mut(WORD).enumerate() {
        for line in word {
            for part in 0..Line::LEN / I::LANES {
                let to = line.part_mut(part, I::LANES);
                let score = isa.load(to);
                let log = exp2_domain(isa, isa.sub(score, lse));
                let mut weight = exp2_in_domain(isa, log);
                if nan {
                    // A key that is not seen still has weight 0.
                    let hidden = isa.less(score, isa.splat(f32::MIN));
                    weight = isa.select(hidden, isa.splat(0.0), weight);
                }
                isa.store(weight, to);
                if STATISTICS {
                    sums.add(isa, weight, log);
                }
            }
        }
        if STATISTICS {
            partial.end_word(isa, r, w, &mut sums);
        }
    }
    if STATISTICS {
        partial.end_row(isa, r, lines, sums);
    }
}
