//! The second half of a block: weights from the scores that were kept, and their sum of values.

use std::ops::Range;

use lookback_simd::{Isa, Kernel, Line, RegisterTile};

use crate::InstructionSet;
use crate::forward::Values;
use crate::observe::exp_weights::exp_weights_of_row;
use crate::observe::layout::LINES;
use crate::observe::scores::Strip;
use crate::observe::statistics::{Partial, Statistics};
use crate::pack::KvBlock;

/// Turns a band's scores for some keys into weights, and adds these times the values to the band's sums.
pub(super) struct Attend<'w> {
    pub(super) strips: &'w [Strip],
    /// A row's scores for the keys, the next row's `stride` lines further on.
    pub(super) scores: &'w [Line],
    pub(super) stride: usize,
    /// `[strips][ROWS][LINES]`
    pub(super) weights: &'w mut [Line],
    /// Whether somebody wants the rows' statistics, and where they are gathered.
    pub(super) statistics: bool,
    pub(super) partial: &'w mut Partial,
    /// The block that the keys are of, and its first key.
    pub(super) block: (&'w KvBlock, usize),
    /// Of the block, from a multiple of 16 on.
    pub(super) keys: Range<usize>,
    /// `[strips][d_v/16][ROWS][16]`
    pub(super) o: &'w mut [Line],
}

impl Attend<'_> {
    /// Computes.
    pub(super) fn run_on(self, set: InstructionSet) -> Option<Statistics> {
        set.run(self)
    }

    #[inline(always)]
    fn weights<I: Isa, const STATISTICS: bool>(&mut self, isa: I) {
        let panels = self.keys.len().div_ceil(Line::LEN);
        for (at, strip) in self.strips.iter().enumerate() {
            for r in 0..strip.rows.len() {
                let in_band = at * I::WideTile::ROWS + r;
                let scores = &self.scores[in_band * self.stride..][..panels];
                let row = &mut self.weights[in_band * LINES..][..panels];
                let partial = (&mut *self.partial, in_band);
                exp_weights_of_row::<I, STATISTICS>(isa, Some(scores), row, strip.lse(r), partial);
            }
        }
    }
}

impl Kernel for Attend<'_> {
    type Output = Option<Statistics>;

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) -> Option<Statistics> {
        match self.statistics {
            true => self.weights::<I, true>(isa),
            false => self.weights::<I, false>(isa),
        }
        let (block, start) = self.block;
        let of_strip = self.o.len() / self.strips.len();
        let sums = self.o.chunks_exact_mut(of_strip);
        for (at, (strip, o)) in self.strips.iter().zip(sums).enumerate() {
            let mut values = Values::<LINES> {
                weights: &self.weights[at * I::WideTile::ROWS * LINES..],
                stride: 1,
                block,
                keys: self.keys.clone(),
                o,
            };
            values.add(isa, start, &strip.bounds);
        }
        self.statistics.then(|| self.partial.finish(isa))
    }
}
