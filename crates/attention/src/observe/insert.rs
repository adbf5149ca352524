//! A tile's weights into the lists of the heaviest keys.

use lookback_simd::{Isa, Kernel, Line, lines_for};
use ndarray::ArrayView1;

use super::candidates::{Candidates, FewBest, MOST};
use super::layout::{LINES, MAX_ROWS, WORD, WORDS};
use super::tile::Tile;

/// Inserts a tile's weights into the lists of its rows, as far as they belong there.
pub(super) struct Insert<'t, 'a> {
    pub(super) tile: &'t Tile<'a>,
    pub(super) factors: Option<TileFactors<'t>>,
    pub(super) lists: &'t mut Candidates,
}

impl Kernel for Insert<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        self.raise_thresholds(isa);
        // First all bits, then all lists: a branch that depends on bits which have just been computed waits for them.
        let (mut found, mut count) = ([(0, 0); WORDS * MAX_ROWS], 0);
        let mut words = self.words(isa);
        while words != 0 {
            let word = words.trailing_zeros() as usize;
            words &= words - 1;
            let (w, r) = (word / MAX_ROWS, word % MAX_ROWS);
            let threshold = isa.splat(self.lists.threshold(self.tile.first_in_block() + r));
            let bits = self.values(r).above(isa, w, threshold);
            found[count % found.len()] = (word, bits);
            count += usize::from(bits != 0);
        }
        for &(word, bits) in &found[..count] {
            let (w, r) = (word / MAX_ROWS, word % MAX_ROWS);
            let row = self.tile.first_in_block() + r;
            let first = self.tile.keys().start + w * WORD * Line::LEN;
            let (weights, factors) = self.values(r).word(w);
            let weights = values(weights);
            match factors.map(values) {
                None => self.lists.insert(isa, row, (bits, first), |at| weights[at]),
                Some(factors) => {
                    let product = |at| weights[at] * factors[at];
                    self.lists.insert(isa, row, (bits, first), product);
                }
            }
        }
    }
}

/// The values of a word.
#[inline(always)]
fn values(word: &[Line; WORD]) -> &[f32; WORD * Line::LEN] {
    Line::flat(word).first_chunk().expect("as many")
}

impl<'t> Insert<'t, '_> {
    /// Raises the thresholds of lists that are empty.
    #[inline(always)]
    fn raise_thresholds<I: Isa>(&mut self, isa: I) {
        let k = self.lists.k();
        if k > MOST {
            return;
        }
        for r in 0..self.tile.rows().len() {
            let row = self.tile.first_in_block() + r;
            if self.lists.is_empty(row) {
                let reached = self.values(r).reached(isa, k);
                self.lists.raise_threshold(row, reached);
            }
        }
    }

    /// A bit for each word (word · [`MAX_ROWS`] + row) of which the row's list may be given a value: where the word's maximum,
    /// times the largest factor in it if there are any, is not below the row's threshold, NaN included.
    #[inline(always)]
    fn words<I: Isa>(&self, isa: I) -> u64 {
        let rows = u32::MAX >> (32 - self.tile.rows().len());
        let mut words = 0;
        for w in 0..self.tile.width().div_ceil(WORD) {
            let below = match self.tile.known_word_maxima() {
                Some(maxima) => self.below(isa, w, &maxima[w]),
                None => 0,
            };
            words |= u64::from(rows & !below) << (w * MAX_ROWS);
        }
        words
    }

    /// A bit for each row whose threshold the maximum of word `w` is below.
    #[inline(always)]
    fn below<I: Isa>(&self, isa: I, w: usize, maxima: &Line) -> u32 {
        let thresholds = self.lists.thresholds(self.tile.first_in_block());
        let factor = self.factors.map_or(1.0, |factors| factors.maxima[w]);
        let mut below = 0;
        for part in 0..Line::LEN / I::LANES {
            let max = isa.load(maxima.part(part, I::LANES));
            let max = isa.mul(max, isa.splat(factor));
            let threshold = isa.load(&thresholds[part * I::LANES..]);
            below |= isa.bits(isa.less(max, threshold)) << (part * I::LANES);
        }
        below
    }

    #[inline(always)]
    fn values(&self, r: usize) -> Values<'t> {
        Values {
            weights: self.tile.whole_row(r),
            width: self.tile.width(),
            factors: self.factors.map(|factors| factors.lines),
        }
    }
}

/// What a row of a tile is ranked by.
struct Values<'t> {
    /// The row, of which so many lines count.
    weights: &'t [Line; LINES],
    width: usize,
    /// One line for each of the weights', or 1.
    factors: Option<&'t [Line; LINES]>,
}

impl<'t> Values<'t> {
    /// Word `w` of the row, and its factors.
    #[inline(always)]
    fn word(&self, w: usize) -> (&'t [Line; WORD], Option<&'t [Line; WORD]>) {
        let word = |lines: &'t [Line; LINES]| &lines.as_chunks::<WORD>().0[w];
        (word(self.weights), self.factors.map(word))
    }

    /// A bit for each value of word `w` that is not below `threshold`, NaN included.
    #[inline(always)]
    fn above<I: Isa>(&self, isa: I, w: usize, threshold: I::V) -> u64 {
        let (weights, factors) = self.word(w);
        // What lies beyond the row is another tile's.
        let lines = (self.width - w * WORD).min(WORD);
        isa.not_below(weights, factors, threshold) & (u64::MAX >> (64 - lines * Line::LEN))
    }

    /// A number that at least `k` ≤ [`MOST`] of the values reach: the k-th of the maxima of every 32nd value. NaN counts as above
    /// all numbers.
    #[inline(always)]
    fn reached<I: Isa>(&self, isa: I, k: usize) -> f32 {
        let mut maxima = FewBest::NONE;
        for part in 0..Line::LEN / I::LANES {
            for half in 0..2 {
                let mut max = isa.splat(0.0);
                for line in (half..self.width).step_by(2) {
                    let (weights, factors) = self.word(line / WORD);
                    let v = line % WORD * (Line::LEN / I::LANES) + part;
                    max = isa.max(max, isa.product(weights, factors, v));
                }
                isa.store(max, maxima.values[half].part_mut(part, I::LANES));
            }
        }
        maxima.least_of(isa, k)
    }
}

/// The factors of a block's visible keys, from `first` on.
#[derive(Debug)]
pub(super) struct Factors {
    first: usize,
    lines: Vec<Line>,
    /// Of each line.
    maxima: Vec<f32>,
}

/// The factors of a tile's keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct TileFactors<'t> {
    lines: &'t [Line; LINES],
    /// The largest of each word.
    maxima: [f32; WORDS],
}

impl Factors {
    /// Of the keys from `first` on, a multiple of 16.
    pub(super) fn new(first: usize, factors: ArrayView1<f32>) -> Factors {
        // A tile is read as if it were as wide as a tile can be.
        let mut lines = vec![Line::ZERO; lines_for(factors.len()) + LINES];
        for (to, from) in Line::flat_mut(&mut lines).iter_mut().zip(factors) {
            *to = *from;
        }
        let maxima = lines
            .iter()
            .map(|line| line.0.into_iter().fold(0.0, f32::max));
        Factors {
            first,
            maxima: maxima.collect(),
            lines,
        }
    }

    /// Those of a tile's keys.
    pub(super) fn of_tile(&self, tile: &Tile) -> TileFactors<'_> {
        let at = (tile.keys().start - self.first) / Line::LEN;
        let word = |w: usize| self.maxima[at + w * WORD..][..WORD].iter().copied();
        TileFactors {
            lines: self.lines[at..]
                .first_chunk()
                .expect("lines beyond the last key"),
            maxima: std::array::from_fn(|w| word(w).fold(0.0, f32::max)),
        }
    }
}
