//! The weighted sum of values: the second product.

use std::ops::Range;

use lookback_simd::{Isa, Line, RegisterTile, multiply_rows};

use crate::pack::KvBlock;
use crate::score::Bounds;

/// A strip's weights for some keys of a block, and where their values are summed. Row r's weights begin at line `r · ROW`
/// (see [`multiply_rows`]).
pub(crate) struct Values<'w, const ROW: usize> {
    /// From the first of the keys on: those for sixteen keys fill a line, and the next sixteen begin `stride` lines further on.
    pub(crate) weights: &'w [Line],
    pub(crate) stride: usize,
    pub(crate) block: &'w KvBlock,
    /// Of the block, from a multiple of 16 on.
    pub(crate) keys: Range<usize>,
    /// `[d_v/16][ROWS][16]`
    pub(crate) o: &'w mut [Line],
}

impl<const ROW: usize> Values<'_, ROW> {
    /// Adds the weights times the values to the sums, where the block begins at key `start` of the head.
    #[inline(always)]
    pub(crate) fn add<I: Isa>(&mut self, isa: I, start: usize, bounds: &Bounds) {
        let keys = start + self.keys.start..start + self.keys.end;
        if self.block.finite() || bounds.all_see(keys) {
            self.add_all(isa);
        } else {
            self.add_visible::<I>(start, bounds);
        }
    }

    /// Each block is summed from zero and then added, so that rounding grows with the number of blocks and not
    /// with the number of keys.
    #[inline(always)]
    fn add_all<I: Isa>(&mut self, isa: I) {
        let columns = self.o.len() / I::WideTile::ROWS;
        let wide = I::WideTile::VECTORS * I::LANES / Line::LEN;
        let mut panel = 0;
        while panel < columns {
            if panel + wide <= columns {
                self.add_panels::<I, I::WideTile>(isa, panel);
                panel += wide;
            } else {
                self.add_panels::<I, I::NarrowTile>(isa, panel);
                panel += 1;
            }
        }
    }

    /// One tile of [`add_all`](Values::add_all).
    #[inline(always)]
    fn add_panels<I: Isa, T: RegisterTile<I::V>>(&mut self, isa: I, panel: usize) {
        let per_line = Line::LEN / I::LANES;
        let last = panel + T::VECTORS / per_line - 1;
        let panels = [
            &self.block.value_panel(panel)[self.keys.clone()],
            &self.block.value_panel(last)[self.keys.clone()],
        ];
        let weights = (self.weights, self.stride);
        let zero = T::filled(isa.splat(0.0));
        let tile = multiply_rows::<I, T, ROW>(isa, zero, weights, panels);
        let o = &mut self.o[panel * T::ROWS..(last + 1) * T::ROWS];
        for r in 0..T::ROWS {
            let row = tile.row(r).as_ref();
            for v in 0..T::VECTORS {
                let part = o[v / per_line * T::ROWS + r].part_mut(v % per_line, I::LANES);
                isa.store(isa.add(isa.load(part), row[v]), part);
            }
        }
    }

    /// Each row over its visible keys alone: where a value is not finite, a weight of 0 does not hide it.
    #[inline(never)]
    fn add_visible<I: Isa>(&mut self, start: usize, bounds: &Bounds) {
        let height = I::WideTile::ROWS;
        for r in 0..height {
            let visible = bounds.row(r);
            let keys = self.keys.clone();
            for key in keys.filter(|key| visible.contains(&(start + key))) {
                let at = key - self.keys.start;
                let line = &self.weights[r * ROW + at / Line::LEN * self.stride];
                let weight = line.0[at % Line::LEN];
                for (panel, o) in self.o.chunks_exact_mut(height).enumerate() {
                    for (o, v) in o[r].0.iter_mut().zip(self.block.value_panel(panel)[key].0) {
                        *o += weight * v;
                    }
                }
            }
        }
    }
}
