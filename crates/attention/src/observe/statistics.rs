//! What most observers ask of a tile's rows: gathered with the weights, while those are in registers.

use lookback_simd::{Isa, Kernel, Line};

use super::layout::{LINES, MAX_ROWS, WORD, WORDS};

/// Of each row of a tile, \[rows\].
#[derive(Debug, Clone, Copy)]
pub(super) struct Statistics {
    /// Σ w; NaN where any weight is.
    pub(super) sums: [f32; MAX_ROWS],
    /// max w; NaN where any weight is.
    pub(super) maxima: [f32; MAX_ROWS],
    /// max w of each word, `[WORDS][rows]`: 0 where there is no such word, NaN in all words of a row in which there is one.
    pub(super) word_maxima: [Line; WORDS],
    /// Σ w·(the last place of the row's last line − place).
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
            word_maxima: self.word_maxima.map(|of| Line(from(&of.0))),
            moments: from(&self.moments),
            entropies: from(&self.entropies),
        }
    }
}

/// Statistics whose lanes are not yet put together: a line a row.
#[derive(Debug, Clone)]
pub(super) struct Partial {
    sums: [Line; MAX_ROWS],
    /// Of each word.
    maxima: [[Line; MAX_ROWS]; WORDS],
    moments: [Line; MAX_ROWS],
    /// Σ w·log₂w.
    entropies: [Line; MAX_ROWS],
}

/// A row of [`Partial`] in vectors, but for the maxima of words that have ended.
pub(super) struct RowPartial<I: Isa> {
    sum: I::V,
    /// Of the word at hand.
    max: I::V,
    /// Σ w·(vectors after it): the sums that there were before each vector.
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

    /// Adds a vector of weights and their logarithms to base 2.
    #[inline(always)]
    pub(super) fn add(&mut self, isa: I, weight: I::V, log: I::V) {
        self.moment = isa.add(self.moment, self.sum);
        self.sum = isa.add(self.sum, weight);
        self.max = isa.max(self.max, weight);
        self.entropy = isa.mul_add(weight, log, self.entropy);
    }

    /// Σ w·(the last place − place), lane by lane: no term is negative, so that none takes digits from another.
    #[inline(always)]
    fn moment(&self, isa: I) -> I::V {
        let after = isa.sub(isa.splat((I::LANES - 1) as f32), isa.ramp(0.0));
        let lanes = isa.mul(after, self.sum);
        isa.mul_add(self.moment, isa.splat(I::LANES as f32), lanes)
    }
}

impl Partial {
    /// Of no weight.
    pub(super) const NONE: Partial = Partial {
        sums: [Line::ZERO; MAX_ROWS],
        maxima: [[Line::ZERO; MAX_ROWS]; WORDS],
        moments: [Line::ZERO; MAX_ROWS],
        entropies: [Line::ZERO; MAX_ROWS],
    };

    /// Keeps the maxima of word `w` of row `r`, and begins anew for the next.
    #[inline(always)]
    pub(super) fn end_word<I: Isa>(&mut self, isa: I, r: usize, w: usize, row: &mut RowPartial<I>) {
        isa.store(row.max, &mut self.maxima[w][r].0);
        row.max = isa.splat(0.0);
    }

    /// Keeps what else was gathered of row `r`, which has so many lines.
    #[inline(always)]
    pub(super) fn end_row<I: Isa>(&mut self, isa: I, r: usize, lines: usize, row: RowPartial<I>) {
        for word in &mut self.maxima[lines.div_ceil(WORD)..] {
            isa.store(isa.splat(0.0), &mut word[r].0);
        }
        isa.store(row.sum, &mut self.sums[r].0);
        isa.store(row.moment(isa), &mut self.moments[r].0);
        isa.store(row.entropy, &mut self.entropies[r].0);
    }

    /// Puts the lanes together.
    #[inline(always)]
    pub(super) fn finish<I: Isa>(&self, isa: I) -> Statistics {
        let sums = isa.sum_each(&vectors(isa, &self.sums)).0;
        let mut word_maxima = [Line::ZERO; WORDS];
        for w in 0..WORDS {
            word_maxima[w] = isa.largest_each(&vectors(isa, &self.maxima[w]));
        }
        for (r, sum) in sums.iter().enumerate() {
            // Vector maxima pass NaN over.
            if sum.is_nan() {
                word_maxima.iter_mut().for_each(|word| word.0[r] = f32::NAN);
            }
        }
        let larger = |a: f32, b: f32| if b > a { b } else { a };
        let max =
            |r: usize| (1..WORDS).fold(word_maxima[0].0[r], |m, w| larger(m, word_maxima[w].0[r]));
        Statistics {
            sums,
            maxima: std::array::from_fn(max),
            word_maxima,
            moments: isa.sum_each(&vectors(isa, &self.moments)).0,
            entropies: isa
                .sum_each(&vectors(isa, &self.entropies))
                .0
                .map(|sum| -sum),
        }
    }
}

/// The first vector of each line.
#[inline(always)]
fn vectors<I: Isa>(isa: I, lines: &[Line; MAX_ROWS]) -> [I::V; MAX_ROWS] {
    let mut vectors = [isa.splat(0.0); MAX_ROWS];
    for r in 0..MAX_ROWS {
        vectors[r] = isa.load(&lines[r].0);
    }
    vectors
}

/// Takes the statistics of a tile's weights, where they were not gathered with these.
pub(super) struct StatisticsOf<'t> {
    /// `[rows][LINES]`, of which the first `width` lines of a row count.
    pub(super) weights: &'t [Line],
    pub(super) rows: usize,
    pub(super) width: usize,
}

impl Kernel for StatisticsOf<'_> {
    type Output = Statistics;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Statistics {
        let mut partial = Partial::NONE;
        for r in 0..self.rows {
            let mut row = RowPartial::new(isa);
            let lines = &self.weights[r * LINES..][..self.width];
            for (w, word) in lines.chunks(WORD).enumerate() {
                for line in word {
                    // The logarithm of a weight of 0 counts as 0.
                    let logs = Line(line.0.map(|w| if w == 0.0 { 0.0 } else { w.log2() }));
                    for part in 0..Line::LEN / I::LANES {
                        let weight = isa.load(line.part(part, I::LANES));
                        let log = isa.load(logs.part(part, I::LANES));
                        row.add(isa, weight, log);
                    }
                }
                partial.end_word(isa, r, w, &mut row);
            }
            partial.end_row(isa, r, lines.len(), row);
        }
        partial.finish(isa)
    }
}
