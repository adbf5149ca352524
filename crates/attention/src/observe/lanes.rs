//! Sums and maxima of a tile, in vectors.

use std::ops::Range;

use super::Tile;
use crate::isa::{Isa, Kernel, Line};

/// Adds the weights of some of the tile's rows to `sums`, key by key.
pub(super) struct AddColumns<'t, 'a> {
    pub(super) tile: &'t Tile<'a>,
    /// Rows of the tile, from 0.
    pub(super) rows: Range<usize>,
    /// One line for each of the tile's.
    pub(super) sums: &'t mut [Line],
}

impl Kernel for AddColumns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for (l, out) in self.sums.iter_mut().enumerate().take(self.tile.width()) {
            for part in 0..Line::LEN / I::LANES {
                let mut sum = isa.load(out.part(part, I::LANES));
                for r in self.rows.clone() {
                    sum = isa.add(sum, isa.load(self.tile.line(r, l).part(part, I::LANES)));
                }
                isa.store(sum, out.part_mut(part, I::LANES));
            }
        }
    }
}

/// Raises `maxima` to the weights of some of the tile's rows, key by key; NaN may be passed over.
pub(super) struct RaiseColumns<'t, 'a> {
    pub(super) tile: &'t Tile<'a>,
    /// Rows of the tile, from 0.
    pub(super) rows: Range<usize>,
    /// One line for each of the tile's.
    pub(super) maxima: &'t mut [Line],
}

impl Kernel for RaiseColumns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for (l, out) in self.maxima.iter_mut().enumerate().take(self.tile.width()) {
            for part in 0..Line::LEN / I::LANES {
                let mut max = isa.load(out.part(part, I::LANES));
                for r in self.rows.clone() {
                    max = isa.max(max, isa.load(self.tile.line(r, l).part(part, I::LANES)));
                }
                isa.store(max, out.part_mut(part, I::LANES));
            }
        }
    }
}

/// The sum of the weights of one row for some keys of the tile.
pub(super) struct PartSum<'t> {
    /// A row of the tile.
    pub(super) row: &'t [Line],
    /// Keys, counted from the tile's first.
    pub(super) keys: Range<usize>,
}

impl Kernel for PartSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        let Range { start, end } = self.keys;
        let first = start / Line::LEN;
        let lines = &self.row[first..end.div_ceil(Line::LEN)];
        let at = |key: usize, l: usize| key as f32 - ((first + l) * Line::LEN) as f32;
        let mut sum = isa.splat(0.0);
        for (l, line) in lines.iter().enumerate() {
            let (from, to) = (isa.splat(at(start, l)), isa.splat(at(end, l)));
            for part in 0..Line::LEN / I::LANES {
                let index = isa.ramp((part * I::LANES) as f32);
                let weight = isa.load(line.part(part, I::LANES));
                let weight = isa.select(isa.less(index, to), weight, isa.splat(0.0));
                let weight = isa.select(isa.less(index, from), isa.splat(0.0), weight);
                sum = isa.add(sum, weight);
            }
        }
        isa.sum(sum)
    }
}
