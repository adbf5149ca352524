//! The inner loops: one strip of queries against one block of keys.
//!
//! The online softmax (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al.,
//! "FlashAttention", 2022) with a reference that is allowed to lag: weights are taken as `2^(s − reference)`, and the
//! reference is raised, and what was summed rescaled, only where a score passes it by more than [`HEADROOM`]. The result
//! is the same in exact arithmetic, and after the first keys of a row hardly any tile raises it.

use lookback_simd::math::exp2_bounded;
use lookback_simd::{Isa, Line, RegisterTile};

use super::values::Values;
use crate::pack::KvBlock;
use crate::score::{Bounds, HEADROOM, HeadScoring, TileAt, score_tile};

/// The running softmax of a strip's rows.
pub(super) struct StripSoftmax {
    /// What the exponents are taken against; `f32::MIN` before the first finite score.
    pub(super) reference: [f32; 16],
    /// Sums of the weights, one vector a row, its lanes not yet added.
    pub(super) sums: [Line; 16],
    pub(super) bounds: Bounds,
}

impl StripSoftmax {
    /// No key seen yet.
    pub(super) fn new(bounds: Bounds) -> StripSoftmax {
        StripSoftmax {
            reference: [f32::MIN; 16],
            sums: [Line::ZERO; 16],
            bounds,
        }
    }
}

/// A strip's weights for the keys of one block: `[BLOCK/16][ROWS][16]`.
pub(super) struct Weights(Vec<Line>);

impl Weights {
    pub(super) fn new(lines: usize) -> Weights {
        Weights(vec![Line::ZERO; lines])
    }
}

/// One strip and all that belongs to it.
pub(super) struct Strip<'w> {
    /// The strip's first query.
    pub(super) first: usize,
    /// `[d_k/16][ROWS][16]`
    pub(super) q: &'w [Line],
    /// `[d_v/16][ROWS][16]`
    pub(super) o: &'w mut [Line],
    pub(super) state: &'w mut StripSoftmax,
    pub(super) weights: &'w mut Weights,
}

impl Strip<'_> {
    /// Adds the keys of `block`, which begin at key `start` of the head, to the softmax and its weighted sum.
    #[inline(always)]
    pub(super) fn attend<I: Isa>(
        &mut self,
        isa: I,
        block: &KvBlock,
        start: usize,
        head: &HeadScoring,
    ) {
        let seen = self.state.bounds.seen();
        let (from, to) = (seen.start.max(start), seen.end.min(start + block.keys()));
        if from >= to {
            return;
        }
        let panels = (from - start) / Line::LEN..(to - start).div_ceil(Line::LEN);
        let wide = I::WideTile::VECTORS * I::LANES / Line::LEN;
        let mut panel = panels.start;
        while panel < panels.end {
            let at = TileAt {
                query: self.first,
                key: start + panel * Line::LEN,
            };
            if panel + wide <= panels.end {
                self.exp_weights::<I, I::WideTile>(isa, block, (panels.start, panel), at, head);
                panel += wide;
            } else {
                self.exp_weights::<I, I::NarrowTile>(isa, block, (panels.start, panel), at, head);
                panel += 1;
            }
        }
        let mut values = Values::<1> {
            weights: &self.weights.0[panels.start * I::WideTile::ROWS..],
            stride: I::WideTile::ROWS,
            block,
            keys: panels.start * Line::LEN..to - start,
            o: self.o,
        };
        values.add(isa, start, &self.state.bounds);
    }

    /// Scores, exponentials and their sums for one tile; the weights go to memory.
    #[inline(always)]
    fn exp_weights<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        block: &KvBlock,
        (first, panel): (usize, usize),
        at: TileAt,
        head: &HeadScoring,
    ) {
        let per_line = Line::LEN / I::LANES;
        let last = panel + T::VECTORS / per_line - 1;
        let panels = [block.key_panel(panel), block.key_panel(last)];
        let mut tile = score_tile::<I, T>(isa, self.q, panels, at, (head, &self.state.bounds));

        // How far the highest score passes its reference. The order of `max` keeps a row's NaN to itself.
        let mut excess = isa.splat(f32::MIN);
        for r in 0..T::ROWS {
            let row = tile.row(r).as_ref();
            let mut top = row[0];
            for v in 1..T::VECTORS {
                top = isa.max(top, row[v]);
            }
            excess = isa.max(isa.sub(top, isa.splat(self.state.reference[r])), excess);
        }
        if isa.any(isa.less(isa.splat(HEADROOM), excess)) {
            // By way of memory, so that the tile itself never has an address.
            self.store::<I, T>(isa, &tile, panel);
            self.raise::<I, T>(isa, first..panel, panel..last + 1);
        }

        let weights = &mut self.weights.0[panel * T::ROWS..(last + 1) * T::ROWS];
        for r in 0..T::ROWS {
            let reference = isa.splat(self.state.reference[r]);
            let row = tile.row_mut(r).as_mut();
            let mut sum = isa.load(&self.state.sums[r].0);
            for v in 0..T::VECTORS {
                row[v] = exp2_bounded(isa, isa.sub(row[v], reference));
                sum = isa.add(sum, row[v]);
                isa.store(
                    row[v],
                    weights[v / per_line * T::ROWS + r].part_mut(v % per_line, I::LANES),
                );
            }
            isa.store(sum, &mut self.state.sums[r].0);
        }
    }

    /// Stores a tile in the place of its weights.
    #[inline(always)]
    fn store<I: Isa, T: RegisterTile<I::V>>(&mut self, isa: I, tile: &T, panel: usize) {
        let per_line = Line::LEN / I::LANES;
        for r in 0..T::ROWS {
            for v in 0..T::VECTORS {
                let line = &mut self.weights.0[(panel + v / per_line) * T::ROWS + r];
                isa.store(
                    tile.row(r).as_ref()[v],
                    line.part_mut(v % per_line, I::LANES),
                );
            }
        }
    }

    /// Raises the references that the scores of the panels `now`, which stand where their weights will, pass by more than
    /// the headroom, and rescales what was summed against them: `done` are the panels of this block whose weights are
    /// in memory already.
    #[inline(always)]
    fn raise<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        done: std::ops::Range<usize>,
        now: std::ops::Range<usize>,
    ) {
        for r in 0..T::ROWS {
            let mut top = isa.splat(f32::MIN);
            for panel in now.clone() {
                let line = &self.weights.0[panel * T::ROWS + r];
                for part in 0..Line::LEN / I::LANES {
                    top = isa.max(isa.load(line.part(part, I::LANES)), top);
                }
            }
            let (top, before) = (isa.largest(top), self.state.reference[r]);
            if top - before > HEADROOM {
                self.state.reference[r] = top;
                if before > f32::MIN {
                    self.rescale::<T, I>(r, (before - top).exp2(), done.clone());
                }
            }
        }
    }

    /// Multiplies all that row `r` has summed by `factor`.
    #[inline(always)]
    fn rescale<T: RegisterTile<I::V>, I: Isa>(
        &mut self,
        r: usize,
        factor: f32,
        done: std::ops::Range<usize>,
    ) {
        let scale = |line: &mut Line| line.0.iter_mut().for_each(|x| *x *= factor);
        scale(&mut self.state.sums[r]);
        self.o.iter_mut().skip(r).step_by(T::ROWS).for_each(scale);
        for panel in done {
            scale(&mut self.weights.0[panel * T::ROWS + r]);
        }
    }
}
