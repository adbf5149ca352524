//! Sums and maxima of a tile, in vectors.

use std::ops::Range;

use super::Tile;
use crate::isa::{Isa, Kernel, Line};

/// What becomes of the weights of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Their sum.
    Sum,
    /// The largest; NaN among the weights is passed over, in the columns it stays.
    Max,
}

/// Takes the weights of some of the tile's rows into `columns`, key by key.
pub(super) struct FoldColumns<'t, 'a> {
    pub(super) tile: &'t Tile<'a>,
    /// Rows of the tile, from 0.
    pub(super) rows: Range<usize>,
    pub(super) fold: Fold,
    /// One line for each of the tile's.
    pub(super) columns: &'t mut [Line],
}

impl Kernel for FoldColumns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.fold {
            Fold::Sum => self.fold::<I, false>(isa),
            Fold::Max => self.fold::<I, true>(isa),
        }
    }
}

impl FoldColumns<'_, '_> {
    #[inline(always)]
    fn fold<I: Isa, const MAX: bool>(self, isa: I) {
        for (l, out) in self.columns.iter_mut().enumerate().take(self.tile.width()) {
            for part in 0..Line::LEN / I::LANES {
                let mut so_far = isa.load(out.part(part, I::LANES));
                for r in self.rows.clone() {
                    let weight = isa.load(self.tile.line(r, l).part(part, I::LANES));
                    so_far = match MAX {
                        // In this order, which keeps a NaN that is there already.
                        true => isa.max(weight, so_far),
                        false => isa.add(so_far, weight),
                    };
                }
                isa.store(so_far, out.part_mut(part, I::LANES));
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
