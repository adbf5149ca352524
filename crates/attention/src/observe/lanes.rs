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
