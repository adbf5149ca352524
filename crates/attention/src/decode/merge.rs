//! The chunks of a head put together.

use lookback_simd::{Isa, Kernel, Line};
use ndarray::{ArrayViewMut2, ArrayViewMut3};

use super::workspace::ChunkSoftmax;
use crate::score::normaliser;

/// One key/value head of one batch element.
pub(super) struct Merge<'w, 'a> {
    /// Queries of the group.
    pub(super) rows: usize,
    /// `[group]`: the sinks' logits in log₂ units, −∞ without.
    pub(super) sinks: Sinks<'w>,
    /// `[chunks][rows]`
    pub(super) states: &'w mut [ChunkSoftmax],
    /// `[chunks][rows][d_v/16]`
    pub(super) o: &'w mut [Line],
    /// \[group, N, d_v\]
    pub(super) out: ArrayViewMut3<'a, f32>,
    /// \[group, N\]
    pub(super) lse: ArrayViewMut2<'a, f32>,
}

/// The sinks' logits of a group of heads, in natural units; `None` without.
pub(super) type Sinks<'a> = Option<&'a [f32]>;

impl Kernel for Merge<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let n = self.lse.ncols();
        for row in 0..self.rows {
            let (g, i) = (row / n, row % n);
            let (top, total) = self.chunk_factors(isa, row);
            let sink = self.sinks.map_or(f64::NEG_INFINITY, |s| {
                f64::from(s[g]) * std::f64::consts::LOG2_E
            });
            let (factor, lse) = normaliser(top, total, sink);
            self.lse[[g, i]] = lse;
            self.write(isa, row, factor);
        }
    }
}

impl Merge<'_, '_> {
    /// Puts into each chunk's reference what its sums are worth, 2^(reference − top), and into the first lane of its
    /// sums their sum. Gives the row's reference and its denominator against it.
    #[inline(always)]
    fn chunk_factors<I: Isa>(&mut self, isa: I, row: usize) -> (f64, f64) {
        let mut top = f64::NEG_INFINITY;
        for state in self.states.iter_mut().skip(row).step_by(self.rows) {
            state.sums.0[0] = isa.sum(isa.load(&state.sums.0));
            if state.sums.0[0] != 0.0 {
                top = top.max(state.reference.into());
            }
        }
        let mut total = 0.0;
        for state in self.states.iter_mut().skip(row).step_by(self.rows) {
            if state.sums.0[0] != 0.0 {
                let worth = (f64::from(state.reference) - top).exp2();
                total += f64::from(state.sums.0[0]) * worth;
                state.reference = worth as f32;
            }
        }
        (top, total)
    }

    /// Writes O of one row: the chunks' sums in their order, each times its worth, times `factor`.
    #[inline(always)]
    fn write<I: Isa>(&mut self, isa: I, row: usize, factor: f32) {
        let n = self.lse.ncols();
        let lines = self.o.len() / self.states.len();
        let mut out = self.out.slice_mut(ndarray::s![row / n, row % n, ..]);
        for line in 0..lines {
            let mut sum = Line::ZERO;
            let chunks = self.states.chunks_exact(self.rows);
            for (state, o) in chunks.zip(self.o.chunks_exact(self.rows * lines)) {
                let state = &state[row];
                // A chunk without visible keys has left its sums as they were.
                if state.sums.0[0] == 0.0 {
                    continue;
                }
                let worth = isa.splat(state.reference);
                for part in 0..Line::LEN / I::LANES {
                    let x = isa.load(o[row * lines + line].part(part, I::LANES));
                    let before = isa.load(sum.part(part, I::LANES));
                    isa.store(isa.mul_add(x, worth, before), sum.part_mut(part, I::LANES));
                }
            }
            let columns = out.iter_mut().skip(line * Line::LEN);
            for (out, x) in columns.zip(sum.0) {
                *out = x * factor;
            }
        }
    }
}
