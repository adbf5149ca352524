//! Each query's heaviest keys, exactly.

use ndarray::{Array4, ArrayView3, s};

use super::candidates::{Candidates, FewBest, MOST};
use super::statistics::{WORD, WORDS};
use super::tile::{LINES, MAX_ROWS};
use super::{Observer, QueryBlock, Tile, Walk};
use crate::Error;
use crate::isa::{Isa, Kernel, Line, lines_for};
use crate::shape::same;

/// The k keys on which each query has the most weight, or the most weight times a factor of the key.
///
/// Exact: heaviest first, and among equals the earlier key first. Keys of weight (or product) 0 are not listed.
///
/// ```
/// use lookback_attention::Scoring;
/// use lookback_attention::observe::{TopK, observe_head};
/// use ndarray::{Array1, Array2};
///
/// // Keys that are all alike share the weight evenly: query i has i + 1 of them.
/// let x = Array2::zeros((4, 8));
/// let lse = Array1::from_shape_fn(4, |i| (i as f32 + 1.0).ln());
/// let top = observe_head(x.view(), x.view(), lse.view(), &Scoring::default(), &TopK::by_weight(2))?;
/// assert_eq!(top.list(0, 0, 3).collect::<Vec<_>>(), [(0, 0.25), (1, 0.25)]);
/// assert_eq!(top.list(0, 0, 0).collect::<Vec<_>>(), [(0, 1.0)]);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TopK<'a> {
    k: usize,
    factors: Option<ArrayView3<'a, f32>>,
}

impl<'a> TopK<'a> {
    /// The k keys of the largest weight w_ij.
    pub fn by_weight(k: usize) -> TopK<'a> {
        TopK { k, factors: None }
    }

    /// The k keys of the largest product w_ij·f_j, for factors f \[B, H, M\] that are finite and not negative, such as
    /// ‖v_j·W_o‖ (Kobayashi et al., "Attention is Not Only a Weight", 2020). Where B is 1, all batch elements share them.
    pub fn by_product(k: usize, factors: ArrayView3<'a, f32>) -> TopK<'a> {
        TopK {
            k,
            factors: Some(factors),
        }
    }
}

/// What [`TopK`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Heaviest {
    /// \[B, H, N, k\] (or M in k's place, if that is less): the keys, heaviest first; [`Heaviest::NONE`] where a query's
    /// list has ended.
    pub keys: Array4<u32>,
    /// The same shape: the weight, or weight times factor; 0 where the list has ended. NaN ranks before every number.
    pub values: Array4<f32>,
}

impl Heaviest {
    /// Stands in [`keys`](Heaviest::keys) where there is no key.
    pub const NONE: u32 = u32::MAX;

    /// The list of query `i` of head `h` of batch element `b`, as (key, value).
    ///
    /// # Panics
    /// If there is no such query.
    pub fn list(
        &self,
        b: usize,
        h: usize,
        i: usize,
    ) -> impl Iterator<Item = (usize, f32)> + use<'_> {
        let keys = self.keys.slice(s![b, h, i, ..]).into_iter();
        let values = self.values.slice(s![b, h, i, ..]).into_iter();
        keys.zip(values)
            .take_while(|(key, _)| **key != Heaviest::NONE)
            .map(|(&key, &value)| (key as usize, value))
    }
}

/// What a block has gathered.
#[derive(Debug)]
#[doc(hidden)]
pub struct Gathered {
    lists: Candidates,
    factors: Option<Factors>,
}

impl Observer for TopK<'_> {
    type Block = Gathered;
    type Output = Heaviest;

    fn start(&self, walk: &Walk) -> Result<Heaviest, Error> {
        if let Some(factors) = &self.factors {
            let (b, h, m) = factors.dim();
            if b != 1 {
                same("B", ("the factors", b), ("q", walk.b()))?;
            }
            same("H", ("the factors", h), ("q", walk.h()))?;
            same("M", ("the factors", m), ("k", walk.m()))?;
            if let Some(&factor) = factors.iter().find(|f| !(f.is_finite() && **f >= 0.0)) {
                return Err(Error::InvalidOption {
                    option: "factors",
                    value: factor.into(),
                    expected: "each must be finite and not negative",
                });
            }
        }
        if walk.m() > Heaviest::NONE as usize {
            return Err(Error::InvalidOption {
                option: "M of a list of the heaviest keys",
                value: walk.m() as f64,
                expected: "it must be below 2^32",
            });
        }
        let k = self.k.min(walk.m());
        walk.room("the lists of keys", &[walk.n(), k, 2])?;
        let dim = (walk.b(), walk.h(), walk.n(), k);
        Ok(Heaviest {
            keys: Array4::from_elem(dim, Heaviest::NONE),
            values: Array4::zeros(dim),
        })
    }

    fn block(&self, block: &QueryBlock) -> Gathered {
        Gathered {
            lists: Candidates::new(block.rows().len(), self.k.min(block.walk().m())),
            factors: self.factors_of(block),
        }
    }

    fn tile(&self, gathered: &mut Gathered, tile: &Tile) {
        if gathered.lists.k() > 0 {
            tile.set().run(Offer {
                tile,
                factors: gathered.factors.as_ref().map(|all| all.of_tile(tile)),
                lists: &mut gathered.lists,
            });
        }
    }

    fn end(&self, block: &QueryBlock, gathered: &mut Gathered) {
        block.set.run(Sort(&mut gathered.lists));
    }

    fn merge(&self, output: &mut Heaviest, block: &QueryBlock, gathered: Gathered) {
        let lists = gathered.lists;
        let at = s![block.batch(), block.head(), block.rows(), ..];
        let mut keys = output.keys.slice_mut(at);
        let mut values = output.values.slice_mut(at);
        let rows = keys.outer_iter_mut().zip(values.outer_iter_mut());
        for (r, (mut keys, mut values)) in rows.enumerate() {
            let (found_keys, found_values) = lists.row(r);
            for (to, from) in keys.iter_mut().zip(found_keys) {
                *to = *from;
            }
            for (to, from) in values.iter_mut().zip(found_values) {
                *to = *from;
            }
        }
    }

    fn wants_row_statistics(&self) -> bool {
        // The maxima of words spare it most of the weights.
        true
    }
}

impl TopK<'_> {
    /// The factors of a block's visible keys.
    fn factors_of(&self, block: &QueryBlock) -> Option<Factors> {
        let all = self.factors.as_ref()?;
        let (batch, keys) = (block.batch().min(all.dim().0 - 1), block.visible());
        let first = keys.start / Line::LEN * Line::LEN;
        let all = all.slice(s![batch, block.head(), first..keys.end]);
        // A tile is read as if it were as wide as a tile can be.
        let mut lines = vec![Line::ZERO; lines_for(all.len()) + LINES];
        for (to, from) in Line::flat_mut(&mut lines).iter_mut().zip(all) {
            *to = *from;
        }
        let maxima = lines
            .iter()
            .map(|line| line.0.into_iter().fold(0.0, f32::max));
        Some(Factors {
            first,
            maxima: maxima.collect(),
            lines,
        })
    }
}

/// The factors of a block's visible keys, from `first` on.
#[derive(Debug)]
struct Factors {
    first: usize,
    lines: Vec<Line>,
    /// Of each line.
    maxima: Vec<f32>,
}

/// The factors of a tile's keys.
#[derive(Debug, Clone, Copy)]
struct TileFactors<'t> {
    lines: &'t [Line; LINES],
    /// The largest of each word.
    maxima: [f32; WORDS],
}

impl Factors {
    /// Those of a tile's keys.
    fn of_tile(&self, tile: &Tile) -> TileFactors<'_> {
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

/// Ends all lists.
struct Sort<'t>(&'t mut Candidates);

impl Kernel for Sort<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for r in 0..self.0.rows() {
            self.0.sort(isa, r);
        }
    }
}

/// Offers a tile's weights to the lists of its rows.
struct Offer<'t, 'a> {
    tile: &'t Tile<'a>,
    factors: Option<TileFactors<'t>>,
    lists: &'t mut Candidates,
}

impl Kernel for Offer<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        self.expect(isa);
        // First all bits, then all lists: a branch that depends on bits which have just been computed waits for them.
        let (mut found, mut count) = ([(0, 0); WORDS * MAX_ROWS], 0);
        let mut words = self.words(isa);
        while words != 0 {
            let word = words.trailing_zeros() as usize;
            words &= words - 1;
            let (w, r) = (word / MAX_ROWS, word % MAX_ROWS);
            let bar = isa.splat(self.lists.bar(self.tile.first_in_block() + r));
            let bits = self.values(r).above(isa, w, bar);
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
                None => self.lists.append(isa, row, (bits, first), |at| weights[at]),
                Some(factors) => {
                    let product = |at| weights[at] * factors[at];
                    self.lists.append(isa, row, (bits, first), product);
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

impl<'t> Offer<'t, '_> {
    /// Raises the bars of lists that are empty.
    #[inline(always)]
    fn expect<I: Isa>(&mut self, isa: I) {
        let k = self.lists.k();
        if k > MOST {
            return;
        }
        for r in 0..self.tile.rows().len() {
            let row = self.tile.first_in_block() + r;
            if self.lists.is_empty(row) {
                let reached = self.values(r).reached(isa, k);
                self.lists.expect(row, reached);
            }
        }
    }

    /// A bit for each word (word · [`MAX_ROWS`] + row) of which the row's list may be given a value: where the word's maximum, times
    /// the largest factor in it if there are any, is not below the row's bar, NaN included.
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

    /// A bit for each row whose bar the maximum of word `w` is below.
    #[inline(always)]
    fn below<I: Isa>(&self, isa: I, w: usize, maxima: &Line) -> u32 {
        let bars = self.lists.bars(self.tile.first_in_block());
        let factor = self.factors.map_or(1.0, |factors| factors.maxima[w]);
        let mut below = 0;
        for part in 0..Line::LEN / I::LANES {
            let max = isa.load(maxima.part(part, I::LANES));
            let max = isa.mul(max, isa.splat(factor));
            let bar = isa.load(&bars[part * I::LANES..]);
            below |= isa.bits(isa.less(max, bar)) << (part * I::LANES);
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

    /// A bit for each value of word `w` that is not below `bar`, NaN included.
    #[inline(always)]
    fn above<I: Isa>(&self, isa: I, w: usize, bar: I::V) -> u64 {
        let (weights, factors) = self.word(w);
        // What lies beyond the row is another tile's.
        let lines = (self.width - w * WORD).min(WORD);
        isa.not_below(weights, factors, bar) & (u64::MAX >> (64 - lines * Line::LEN))
    }

    /// A number that at least `k` ≤ 32 of the values reach: the k-th of the maxima of every 32nd value. NaN counts as above
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
