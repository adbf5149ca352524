//! The weights of one strip of queries, in vectors. Nothing here knows of observers, so that it is compiled once for each
//! instruction set, whoever looks, and keeps its accumulators in registers. What the walk, which is generic, runs goes by way of
//! functions that are not ([`height`], `run_on`): these are compiled in this crate, and not again in every crate that observes.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use ndarray::ArrayView2;

use super::statistics::{Partial, Statistics};
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
    /// Whether any LSE is NaN.
    nan: bool,
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
        let nan = lse.iter().any(|lse| lse.is_nan());
        Strip {
            rows,
            bounds,
            lse,
            nan,
        }
    }
}

/// Computes the weights of a strip for some keys.
pub(super) struct Weigh<'w, 'a> {
    pub(super) strip: &'w Strip,
    /// The strip packed, `[d_k/16][ROWS][16]`.
    pub(super) q: &'w [Line],
    /// `[keys/16][d_k][16]`: all real keys of the head.
    pub(super) keys: &'w [Line],
    pub(super) d_k: usize,
    pub(super) scoring: &'w HeadScoring<'a>,
    /// The first key, a multiple of 16, and how many panels of 16 from there on.
    pub(super) first: usize,
    pub(super) panels: usize,
    /// `[ROWS][LINES]`
    pub(super) weights: &'w mut [Line],
    /// Whether somebody wants the rows' statistics, and where they are gathered.
    pub(super) statistics: bool,
    pub(super) partial: &'w mut Partial,
}

impl Kernel for Weigh<'_, '_> {
    type Output = Option<Statistics>;

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) -> Option<Statistics> {
        if !self.statistics {
            self.tiles::<I, false>(isa);
            return None;
        }
        self.partial.clear();
        self.tiles::<I, true>(isa);
        Some(self.partial.finish(isa))
    }
}

impl Weigh<'_, '_> {
    /// Computes.
    pub(super) fn run_on(self, set: InstructionSet) -> Option<Statistics> {
        set.run(self)
    }

    /// All tiles of microkernels.
    #[inline(always)]
    fn tiles<I: Isa, const STATISTICS: bool>(&mut self, isa: I) {
        let wide = I::Tile::VECTORS * I::LANES / Line::LEN;
        let mut panel = 0;
        while panel < self.panels {
            if panel + wide <= self.panels {
                self.tile::<I, I::Tile, STATISTICS>(isa, panel);
                panel += wide;
            } else {
                self.tile::<I, I::Narrow, STATISTICS>(isa, panel);
                panel += 1;
            }
        }
    }

    /// One microkernel's tile, from `panel` on. Statistics are gathered while the weights are in registers.
    #[inline(always)]
    fn tile<I: Isa, T: Tile<I::V>, const STATISTICS: bool>(&mut self, isa: I, panel: usize) {
        let per_line = Line::LEN / I::LANES;
        let key = self.first + panel * Line::LEN;
        let keys = |panel: usize| &self.keys[panel * self.d_k..][..self.d_k];
        let last = key / Line::LEN + T::VECTORS / per_line - 1;
        let panels = [keys(key / Line::LEN), keys(last)];
        let at = TileAt {
            query: self.strip.rows.start,
            key,
        };
        let context = (self.scoring, &self.strip.bounds);
        let tile = score_tile::<I, T>(isa, self.q, panels, at, context);
        let mut index = T::row_of(isa.splat(0.0));
        for v in 0..T::VECTORS {
            index.as_mut()[v] = isa.ramp((panel * Line::LEN + v * I::LANES) as f32);
        }
        let nan = self.strip.nan;
        for r in 0..T::ROWS {
            let lse = isa.splat(self.strip.lse[r]);
            let row = tile.row(r).as_ref();
            let mut sums = self.partial.load::<I, STATISTICS>(isa, r);
            for v in 0..T::VECTORS {
                let log = exp2_domain(isa, isa.sub(row[v], lse));
                let mut weight = exp2_in_domain(isa, log);
                if nan {
                    // Where the LSE is NaN, a key that is not seen still has weight 0.
                    let hidden = isa.less(row[v], isa.splat(f32::MIN));
                    weight = isa.select(hidden, isa.splat(0.0), weight);
                }
                let to = r * LINES + panel + v / per_line;
                isa.store(weight, self.weights[to].part_mut(v % per_line, I::LANES));
                if STATISTICS {
                    sums.add(isa, weight, log, index.as_ref()[v]);
                }
            }
            if STATISTICS {
                self.partial.store(isa, r, sums);
            }
        }
    }
}
