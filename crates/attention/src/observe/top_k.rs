//! Each query's heaviest keys, exactly.

use ndarray::{Array4, ArrayView3, s};

use super::tile::LINES;
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

/// A key and its value as one number that is larger the earlier it is listed: bits of the value, then of !key.
/// (The bits of floats that are not negative are in the floats' order, and those of NaN come last.)
type Entry = u64;

fn entry(value: f32, key: usize) -> Entry {
    let value = if value.is_nan() { f32::NAN } else { value };
    u64::from(value.to_bits()) << 32 | u64::from(!(key as u32))
}

/// The value and key of an entry; 0 and [`Heaviest::NONE`] of the entry 0.
fn value_and_key(entry: Entry) -> (f32, u32) {
    (f32::from_bits((entry >> 32) as u32), !(entry as u32))
}

/// The lists of a block's rows.
#[derive(Debug)]
#[doc(hidden)]
pub struct Lists {
    /// \[rows, k\], each row in descending order, filled up with 0.
    entries: Vec<Entry>,
    /// \[rows\]: values below this do not enter the list.
    bars: Vec<f32>,
    k: usize,
}

/// The least value that enters a list whose last entry is `last`.
fn bar(last: Entry) -> f32 {
    let (value, _) = value_and_key(last);
    if value.is_nan() {
        f32::INFINITY
    } else {
        value.next_up()
    }
}

impl Observer for TopK<'_> {
    type Block = Lists;
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
        let dim = (walk.b(), walk.h(), walk.n(), self.k.min(walk.m()));
        Ok(Heaviest {
            keys: Array4::from_elem(dim, Heaviest::NONE),
            values: Array4::zeros(dim),
        })
    }

    fn block(&self, block: &QueryBlock) -> Lists {
        let (rows, k) = (block.rows().len(), self.k.min(block.walk().m()));
        Lists {
            entries: vec![0; rows * k],
            bars: vec![bar(0); rows],
            k,
        }
    }

    fn tile(&self, lists: &mut Lists, tile: &Tile) {
        if lists.k == 0 {
            return;
        }
        let factors = self.factors.as_ref().map(|factors| {
            let batch = tile.block().batch().min(factors.dim().0 - 1);
            let row = factors.slice(s![batch, tile.block().head(), tile.keys()]);
            let mut lines = [Line::ZERO; LINES];
            for (i, &factor) in row.iter().enumerate() {
                lines[i / Line::LEN].0[i % Line::LEN] = factor;
            }
            lines
        });
        tile.set().run(Offer {
            tile,
            factors: factors.as_ref(),
            lists,
        });
    }

    fn merge(&self, output: &mut Heaviest, block: &QueryBlock, lists: Lists) {
        let at = s![block.batch(), block.head(), block.rows(), ..];
        let mut keys = output.keys.slice_mut(at);
        let mut values = output.values.slice_mut(at);
        let out = keys.iter_mut().zip(values.iter_mut());
        for ((key, value), entry) in out.zip(lists.entries) {
            (*value, *key) = value_and_key(entry);
        }
    }
}

/// Offers a tile's weights to the lists of its rows.
struct Offer<'t, 'a> {
    tile: &'t Tile<'a>,
    /// One line for each of the tile's.
    factors: Option<&'t [Line; LINES]>,
    lists: &'t mut Lists,
}

impl Kernel for Offer<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let first = self.tile.keys().start;
        for r in 0..self.tile.rows().len() {
            let row = self.tile.first_in_block() + r;
            let list = &mut self.lists.entries[row * self.lists.k..][..self.lists.k];
            let least = &mut self.lists.bars[row];
            let values = Values {
                weights: self.tile.lines(r),
                factors: self.factors,
                first,
            };
            let mut found = values.above(isa, *least);
            if count(&found) > MANY && list.len() <= Line::LEN {
                found = values.above(isa, least.max(values.sixteenth_at_least(isa)));
            }
            match count(&found) {
                0 => continue,
                few if few * list.len() <= STEPS => {
                    each(&found, |at| insert(list, values.entry(at)));
                }
                _ => merge_many(list, &values, &found),
            }
            *least = bar(list[list.len() - 1]);
        }
    }
}

/// What a row of a tile is ranked by.
struct Values<'t> {
    weights: &'t [Line],
    /// One line for each of the weights', or 1.
    factors: Option<&'t [Line; LINES]>,
    /// The first key.
    first: usize,
}

/// A bit for each value of a tile's row.
type Candidates = [u64; LINES / 4];

impl Values<'_> {
    /// One vector of values.
    #[inline(always)]
    fn load<I: Isa>(&self, isa: I, line: usize, part: usize) -> I::V {
        let weights = isa.load(self.weights[line].part(part, I::LANES));
        match self.factors {
            Some(factors) => isa.mul(weights, isa.load(factors[line].part(part, I::LANES))),
            None => weights,
        }
    }

    /// The value and key at a place of the row.
    #[inline(always)]
    fn entry(&self, at: usize) -> Entry {
        let (line, lane) = (at / Line::LEN, at % Line::LEN);
        let factor = self.factors.map_or(1.0, |factors| factors[line].0[lane]);
        entry(self.weights[line].0[lane] * factor, self.first + at)
    }

    /// A bit for each value that is not below `bar`, NaN included.
    #[inline(always)]
    fn above<I: Isa>(&self, isa: I, bar: f32) -> Candidates {
        let bar = isa.splat(bar);
        let mut words = [0; LINES / 4];
        for (w, word) in words.iter_mut().enumerate() {
            let mut bits = 0;
            for line in w * 4..self.weights.len().min(w * 4 + 4) {
                let mut below = 0;
                for part in 0..Line::LEN / I::LANES {
                    let value = self.load(isa, line, part);
                    below |= isa.bits(isa.less(value, bar)) << (part * I::LANES);
                }
                bits |= u64::from(!below as u16) << (line % 4 * Line::LEN);
            }
            *word = bits;
        }
        words
    }

    /// A number that at least sixteen of the values reach: the least of the lanes' maxima. NaN may be passed over.
    #[inline(always)]
    fn sixteenth_at_least<I: Isa>(&self, isa: I) -> f32 {
        let mut maxima = Line::ZERO;
        for part in 0..Line::LEN / I::LANES {
            let mut max = isa.splat(0.0);
            for line in 0..self.weights.len() {
                max = isa.max(max, self.load(isa, line, part));
            }
            isa.store(max, maxima.part_mut(part, I::LANES));
        }
        maxima.0.into_iter().fold(f32::INFINITY, f32::min)
    }
}

/// Candidates of a row for which a higher bar is looked for.
const MANY: usize = 12;

/// Candidates times length of the list up to which they are put in one by one, which takes so many steps, vectors of them
/// at a time; beyond it they are selected from together.
const STEPS: usize = 1024;

/// How many bits are set.
#[inline(always)]
fn count(words: &Candidates) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

/// Calls `take` with the place of each set bit, in order.
#[inline(always)]
fn each(words: &Candidates, mut take: impl FnMut(usize)) {
    for (w, &word) in words.iter().enumerate() {
        let mut word = word;
        while word != 0 {
            take(w * 64 + word.trailing_zeros() as usize);
            word &= word - 1;
        }
    }
}

/// Puts many entries in their places at once.
#[inline(never)]
fn merge_many(list: &mut [Entry], values: &Values, found: &Candidates) {
    let mut all = Vec::with_capacity(list.len() + LINES * Line::LEN);
    all.extend(list.iter().copied().take_while(|&entry| entry != 0));
    each(found, |at| all.push(values.entry(at)));
    if all.len() > list.len() {
        all.select_nth_unstable_by(list.len() - 1, |a, b| b.cmp(a));
        all.truncate(list.len());
    }
    all.sort_unstable_by(|a, b| b.cmp(a));
    list[..all.len()].copy_from_slice(&all);
}

/// Puts an entry in its place, and drops the last.
#[inline(always)]
fn insert(list: &mut [Entry], entry: Entry) {
    if entry < list[list.len() - 1] {
        return;
    }
    for i in (1..list.len()).rev() {
        list[i] = list[i].max(list[i - 1].min(entry));
    }
    list[0] = list[0].max(entry);
}
