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

/// The most parts that [`PartSums`] sums at once.
pub(super) const PARTS: usize = 16;

/// The sums of the weights of one row over consecutive ranges of the tile's keys.
pub(super) struct PartSums<'t> {
    /// A row of the tile.
    pub(super) row: &'t [Line],
    /// Where the first range starts and where each ends, counted from the tile's first key; never falling, and at most
    /// [`PARTS`] ranges.
    pub(super) ends: &'t [usize],
}

impl Kernel for PartSums<'_> {
    /// A sum for each range, and 0.
    type Output = [f32; PARTS];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [f32; PARTS] {
        let mut sums = [isa.splat(0.0); PARTS];
        for (p, ends) in self.ends.windows(2).enumerate() {
            let (start, end) = (ends[0], ends[1]);
            let mut sum = isa.splat(0.0);
            for l in start / Line::LEN..end.div_ceil(Line::LEN) {
                let at = l * Line::LEN;
                let whole = start <= at && at + Line::LEN <= end;
                let (from, to) = (start.saturating_sub(at) as f32, (end - at) as f32);
                for part in 0..Line::LEN / I::LANES {
                    let mut weight = isa.load(self.row[l].part(part, I::LANES));
                    if !whole {
                        let index = isa.ramp((part * I::LANES) as f32);
                        let (zero, late) = (isa.splat(0.0), isa.less(index, isa.splat(to)));
                        weight = isa.select(late, weight, zero);
                        weight = isa.select(isa.less(index, isa.splat(from)), zero, weight);
                    }
                    sum = isa.add(sum, weight);
                }
            }
            sums[p] = sum;
        }
        isa.sum_each(&sums).0
    }
}
