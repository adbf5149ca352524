//! What most observers ask of a tile's rows: gathered with the weights, while those are in registers.

use super::Tile;
use super::tile::MAX_ROWS;
use crate::isa::{Isa, Kernel, Line};

/// Of each row of a tile, \[rows\].
#[derive(Debug, Clone, Copy)]
pub(super) struct Statistics {
    /// Σ w; NaN where any weight is.
    pub(super) sums: [f32; MAX_ROWS],
    /// max w; NaN where any weight is.
    pub(super) maxima: [f32; MAX_ROWS],
    /// Σ w·(key − the tile's first key).
    pub(super) moments: [f32; MAX_ROWS],
    /// −Σ w·log₂w.
    pub(super) entropies: [f32; MAX_ROWS],
}

impl Statistics {
    /// Those of the rows from `first` on.
    pub(super) fn rows_from(&self, first: usize) -> Statistics {
        let from = |of: &[f32; MAX_ROWS]| {
            std::array::from_fn(|r| of.get(first + r).copied().unwrap_or(0.0))
        };
        Statistics {
            sums: from(&self.sums),
            maxima: from(&self.maxima),
            moments: from(&self.moments),
            entropies: from(&self.entropies),
        }
    }
}

/// Statistics whose lanes are not yet put together: a line a row.
#[derive(Debug, Clone)]
pub(super) struct Partial {
    sums: [Line; MAX_ROWS],
    maxima: [Line; MAX_ROWS],
    moments: [Line; MAX_ROWS],
    /// Σ w·log₂w.
    entropies: [Line; MAX_ROWS],
}

/// A row of [`Partial`] in vectors.
pub(super) struct RowPartial<I: Isa> {
    sum: I::V,
    max: I::V,
    moment: I::V,
    entropy: I::V,
}

impl<I: Isa> RowPartial<I> {
    /// Of no weight.
    #[inline(always)]
    pub(super) fn new(isa: I) -> RowPartial<I> {
        let zero = isa.splat(0.0);
        RowPartial {
            sum: zero,
            max: zero,
            moment: zero,
            entropy: zero,
        }
    }

    /// Adds a vector of weights, their logarithms to base 2 and their places.
    #[inline(always)]
    pub(super) fn add(&mut self, isa: I, weight: I::V, log: I::V, index: I::V) {
        self.sum = isa.add(self.sum, weight);
        self.max = isa.max(self.max, weight);
        self.moment = isa.mul_add(weight, index, self.moment);
        self.entropy = isa.mul_add(weight, log, self.entropy);
    }
}

impl Partial {
    /// Of no weight.
    pub(super) const NONE: Partial = Partial {
        sums: [Line::ZERO; MAX_ROWS],
        maxima: [Line::ZERO; MAX_ROWS],
        moments: [Line::ZERO; MAX_ROWS],
        entropies: [Line::ZERO; MAX_ROWS],
    };

    /// Keeps what was gathered of row `r`.
    #[inline(always)]
    pub(super) fn store<I: Isa>(&mut self, isa: I, r: usize, row: RowPartial<I>) {
        isa.store(row.sum, &mut self.sums[r].0);
        isa.store(row.max, &mut self.maxima[r].0);
        isa.store(row.moment, &mut self.moments[r].0);
        isa.store(row.entropy, &mut self.entropies[r].0);
    }

    /// Puts the lanes together.
    #[inline(always)]
    pub(super) fn finish<I: Isa>(&mut self, isa: I) -> Statistics {
        let sums = sum_each(isa, &self.sums);
        let mut maxima = max_each(isa, &mut self.maxima);
        for (max, sum) in maxima.iter_mut().zip(sums) {
            // Vector maxima pass NaN over.
            if sum.is_nan() {
                *max = f32::NAN;
            }
        }
        Statistics {
            sums,
            maxima,
            moments: sum_each(isa, &self.moments),
            entropies: sum_each(isa, &self.entropies).map(|sum| -sum),
        }
    }
}

/// The sum of the first vector of each line.
#[inline(always)]
fn sum_each<I: Isa>(isa: I, lines: &[Line; MAX_ROWS]) -> [f32; MAX_ROWS] {
    let mut vectors = [isa.splat(0.0); MAX_ROWS];
    for r in 0..MAX_ROWS {
        vectors[r] = isa.load(&lines[r].0);
    }
    isa.sum_each(&vectors).0
}

/// The largest of the first vector of each line; the lines are turned.
#[inline(always)]
fn max_each<I: Isa>(isa: I, lines: &mut [Line; MAX_ROWS]) -> [f32; MAX_ROWS] {
    isa.transpose(lines);
    let mut out = Line::ZERO;
    for part in 0..Line::LEN / I::LANES {
        let mut max = isa.load(lines[0].part(part, I::LANES));
        for line in &lines[1..I::LANES] {
            max = isa.max(max, isa.load(line.part(part, I::LANES)));
        }
        isa.store(max, out.part_mut(part, I::LANES));
    }
    out.0
}

/// The statistics of a tile whose weights nobody took them of in passing.
pub(super) struct OfTile<'t, 'a>(pub(super) &'t Tile<'a>);

impl Kernel for OfTile<'_, '_> {
    type Output = Statistics;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Statistics {
        let mut partial = Partial::NONE;
        for r in 0..self.0.rows().len() {
            let mut row = RowPartial::new(isa);
            for (l, line) in self.0.lines(r).iter().enumerate() {
                // The logarithm of a weight of 0 counts as 0.
                let logs = Line(line.0.map(|w| if w == 0.0 { 0.0 } else { w.log2() }));
                for part in 0..Line::LEN / I::LANES {
                    let weight = isa.load(line.part(part, I::LANES));
                    let log = isa.load(logs.part(part, I::LANES));
                    let index = isa.ramp((l * Line::LEN + part * I::LANES) as f32);
                    row.add(isa, weight, log, index);
                }
            }
            partial.store(isa, r, row);
        }
        partial.finish(isa)
    }
}
