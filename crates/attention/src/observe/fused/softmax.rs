//! The first half of a block: all scores, kept, and each row's denominator.

use lookback_simd::math::exp2_bounded;
use lookback_simd::{Isa, Kernel, Line, RegisterTile};

use crate::InstructionSet;
use crate::observe::scores::Scores;
use crate::score::HEADROOM;

/// A row's sum so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowSoftmax {
    /// What the exponents are taken against; `f32::MIN` before the first finite score.
    pub(super) reference: f32,
    /// Σ 2^(score − reference), a part in each lane.
    lanes: Line,
}

impl RowSoftmax {
    /// Of no key.
    pub(super) const NONE: RowSoftmax = RowSoftmax {
        reference: f32::MIN,
        lanes: Line::ZERO,
    };

    /// Σ 2^(score − reference).
    pub(super) fn sum(&self) -> f64 {
        self.lanes.0.iter().copied().map(f64::from).sum()
    }

    /// Raises the reference to `top`, if that passes it by more than the headroom.
    fn raise(&mut self, top: f32) {
        if top - self.reference > HEADROOM {
            if self.reference > f32::MIN {
                let factor = (self.reference - top).exp2();
                self.lanes.0.iter_mut().for_each(|lane| *lane *= factor);
            }
            self.reference = top;
        }
    }
}

/// Computes the scores of a band of strips for some keys, and adds their exponentials to the rows' sums.
pub(super) struct Sum<'w, 'a> {
    pub(super) scores: Scores<'w, 'a>,
    /// Of all rows of the band.
    pub(super) rows: &'w mut [RowSoftmax],
}

impl Sum<'_, '_> {
    /// Computes.
    pub(super) fn run_on(self, set: InstructionSet) {
        set.run(self);
    }
}

impl Kernel for Sum<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        self.scores.compute(isa);
        let height = self.scores.strips.len() * I::WideTile::ROWS;
        let row = |r: usize| &self.scores.to[r * self.scores.stride..][..self.scores.panels];
        // All maxima first: that puts the lanes of all rows together at once.
        let mut tops = [isa.splat(f32::MIN); 16];
        for (r, top) in tops.iter_mut().enumerate().take(height) {
            for line in row(r) {
                for part in 0..Line::LEN / I::LANES {
                    // In this order, NaN is passed over: the sum keeps it.
                    *top = isa.max(isa.load(line.part(part, I::LANES)), *top);
                }
            }
        }
        let tops = isa.largest_each(&tops);
        for (r, running) in self.rows.iter_mut().enumerate().take(height) {
            running.raise(tops.0[r]);
            let reference = isa.splat(running.reference);
            // Each block's keys are summed from zero, so that rounding grows with the number of blocks.
            let mut sums = [isa.splat(0.0); 2];
            for line in row(r) {
                for part in 0..Line::LEN / I::LANES {
                    let score = isa.load(line.part(part, I::LANES));
                    let weight = exp2_bounded(isa, isa.sub(score, reference));
                    sums[part % 2] = isa.add(sums[part % 2], weight);
                }
            }
            let sum = isa.add(sums[0], sums[1]);
            let lanes = &mut running.lanes.0;
            isa.store(isa.add(isa.load(lanes), sum), lanes);
        }
    }
}
