//! Each query's heaviest keys, exactly.

use ndarray::{Array4, ArrayView3, s};

use super::candidates::{Candidates, FewBest, MOST};
use super::tile::{LINES, MAX_ROWS};
use super::{Observer, QueryBlock, Tile, Walk};
use crate::Error;
use crate::isa::{Isa, Kernel, Line};
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
    places: Places,
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
            places: Places::new(),
        }
    }

    fn tile(&self, gathered: &mut Gathered, tile: &Tile) {
        let Gathered { lists, places } = gathered;
        if lists.k() == 0 {
            return;
        }
        let factors = self.factors.as_ref().map(|factors| {
            let batch = tile.block().batch().min(factors.dim().0 - 1);
            let row = factors.slice(s![batch, tile.block().head(), tile.keys()]);
            let mut lines = [Line::ZERO; LINES];
            match row.as_slice() {
                Some(row) => {
                    for (line, part) in lines.iter_mut().zip(row.chunks(Line::LEN)) {
                        line.0[..part.len()].copy_from_slice(part);
                    }
                }
                None => {
                    for (i, &factor) in row.iter().enumerate() {
                        lines[i / Line::LEN].0[i % Line::LEN] = factor;
                    }
                }
            }
            lines
        });
        tile.set().run(Offer {
            tile,
            factors: factors.as_ref(),
            lists,
            places,
        });
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
    /// One line for each of the tile's.
    factors: Option<&'t [Line; LINES]>,
    lists: &'t mut Candidates,
    places: &'t mut Places,
}

impl Kernel for Offer<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (first, k) = (self.tile.keys().start, self.lists.k());
        let in_block = self.tile.first_in_block();
        let maxima = self.tile.known_maxima().filter(|_| self.factors.is_none());
        let values = |r: usize| Values {
            weights: self.tile.whole_row(r),
            width: self.tile.width(),
            factors: self.factors,
        };
        self.places.len = 0;
        for r in 0..self.tile.rows().len() {
            let bar = self.lists.bar(in_block + r);
            if maxima.is_some_and(|maxima| maxima[r] < bar) {
                continue;
            }
            let values = values(r);
            let mut found = values.above(isa, bar);
            let count = found.iter().map(|word| word.count_ones()).sum::<u32>();
            if count > MANY && k <= MOST {
                let reached = values.reached(isa, k);
                found = values.above(isa, bar.max(reached));
                self.lists.raise(in_block + r, reached);
            }
            self.places.add(r, &found);
        }
        let weights = self.tile.all();
        let factors = self.factors.map(|factors| Line::flat(factors));
        for &place in self.places.all() {
            let place = usize::from(place);
            let (r, at) = (place / WIDTH, place % WIDTH);
            let factor = factors.map_or(1.0, |factors| factors[at]);
            let found = (first + at, weights[place] * factor);
            self.lists.push(isa, in_block + r, found);
        }
    }
}

/// Keys of a tile's row.
const WIDTH: usize = LINES * Line::LEN;

/// Places of a tile, found in their order: row · [`WIDTH`] + key.
///
/// They are written four at a time, which needs no branch where there are fewer: hardly any 64 weights hold more once a
/// list's bar has risen.
#[derive(Debug)]
pub(super) struct Places {
    /// Room for all places of a tile and three more.
    at: Vec<u16>,
    len: usize,
}

impl Places {
    /// None.
    pub(super) fn new() -> Places {
        Places {
            at: vec![0; MAX_ROWS * WIDTH + 3],
            len: 0,
        }
    }

    /// Adds those of row `r` whose bits are set.
    #[inline(always)]
    fn add(&mut self, r: usize, words: &[u64; LINES / 4]) {
        for (w, &word) in words.iter().enumerate() {
            let first = r * WIDTH + w * 64;
            let (mut rest, count) = (word, word.count_ones() as usize);
            let mut done = 0;
            loop {
                for to in &mut self.at[self.len + done..][..4] {
                    // Of no bits, the place is nonsense, and lies beyond the length.
                    *to = (first + rest.trailing_zeros() as usize) as u16;
                    rest &= rest.wrapping_sub(1);
                }
                done += 4;
                if done >= count {
                    break;
                }
            }
            self.len += count;
        }
    }

    /// All that were added.
    #[inline(always)]
    fn all(&self) -> &[u16] {
        &self.at[..self.len]
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

/// Candidates of a row for which a higher bar is looked for.
const MANY: u32 = 24;

impl<'t> Values<'t> {
    /// Four lines of the row, and their factors.
    #[inline(always)]
    fn four(&self, w: usize) -> (&'t [Line; 4], Option<&'t [Line; 4]>) {
        let four = |lines: &'t [Line; LINES]| &lines.as_chunks::<4>().0[w];
        (four(self.weights), self.factors.map(four))
    }

    /// A bit for each value that is not below `bar`, NaN included.
    #[inline(always)]
    fn above<I: Isa>(&self, isa: I, bar: f32) -> [u64; LINES / 4] {
        let bar = isa.splat(bar);
        let mut words = [0; LINES / 4];
        for w in 0..self.width.div_ceil(4) {
            let (weights, factors) = self.four(w);
            // What lies beyond the row is another tile's.
            let lines = (self.width - w * 4).min(4);
            words[w] =
                isa.not_below(weights, factors, bar) & (u64::MAX >> (64 - lines * Line::LEN));
        }
        words
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
                    let (weights, factors) = self.four(line / 4);
                    let v = line % 4 * (Line::LEN / I::LANES) + part;
                    max = isa.max(max, isa.product(weights, factors, v));
                }
                isa.store(max, maxima.values[half].part_mut(part, I::LANES));
            }
        }
        maxima.least_of(isa, k)
    }
}
