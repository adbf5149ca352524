//! Lists of the k largest values of many rows, for values that come a few at a time.
//!
//! A row's values are appended as they come, to about twice as many as are wanted; then the k largest stay, in the order in
//! which they came, and the least of them is the bar for all that follow. Of n values in no order, about k·log₂(n/k) pass it,
//! each appended in a few cycles, and the lists are cut log₂(n/k) times. Cutting counts for each value how many are larger, in
//! vectors: that takes no branch, and the counts of the last cut are the values' places.

use super::top_k::Heaviest;
use crate::isa::{Isa, Line};

/// The largest k for which values are counted; longer lists are selected from.
pub(super) const MOST: usize = 32;

/// The most lines of a list whose values are counted.
const MOST_LINES: usize = 2 * MOST / Line::LEN;

/// The lists of a block's rows.
#[derive(Debug)]
#[doc(hidden)]
pub struct Candidates {
    k: usize,
    /// Lines a row.
    lines: usize,
    /// `[rows][lines]`: values as they came; NaN is above all numbers.
    values: Vec<Line>,
    /// `[rows][lines][16]`: their keys, ascending until the list is sorted.
    keys: Vec<u32>,
    /// \[rows\]: how many there are.
    lens: Vec<usize>,
    /// \[rows\]: values below this do not enter the list.
    bars: Vec<f32>,
}

/// The least value that enters a list whose last value is `last`.
fn bar(last: f32) -> f32 {
    if last.is_nan() {
        f32::INFINITY
    } else {
        last.next_up()
    }
}

impl Candidates {
    /// Empty lists of `k` ≥ 0 values.
    pub(super) fn new(rows: usize, k: usize) -> Candidates {
        let lines = (k + k.max(8)).div_ceil(Line::LEN);
        Candidates {
            k,
            lines,
            values: vec![Line::ZERO; rows * lines],
            keys: vec![Heaviest::NONE; rows * lines * Line::LEN],
            lens: vec![0; rows],
            bars: vec![bar(0.0); rows],
        }
    }

    /// k.
    #[inline(always)]
    pub(super) fn k(&self) -> usize {
        self.k
    }

    /// How many lists there are.
    pub(super) fn rows(&self) -> usize {
        self.lens.len()
    }

    /// Values below this do not enter the list of a row.
    #[inline(always)]
    pub(super) fn bar(&self, row: usize) -> f32 {
        self.bars[row]
    }

    /// Appends a key, larger than all before it, and its value to the list of a row.
    #[inline(always)]
    pub(super) fn push<I: Isa>(&mut self, isa: I, row: usize, key: usize, value: f32) {
        if self.lens[row] == self.lines * Line::LEN {
            self.cut(isa, row);
        }
        let at = self.lens[row];
        self.values[row * self.lines + at / Line::LEN].0[at % Line::LEN] = value;
        self.keys[row * self.lines * Line::LEN + at] = key as u32;
        self.lens[row] = at + 1;
    }

    /// Of a row whose list is full: leaves the k largest, and raises its bar.
    #[inline(always)]
    fn cut<I: Isa>(&mut self, isa: I, row: usize) {
        let k = self.k;
        let List { values, keys, .. } = self.list(row);
        let kept = match values.len() <= MOST_LINES {
            true => keep(isa, k, values, keys),
            false => None,
        };
        let least = match kept {
            Some(least) => least,
            None => select(k, values, keys),
        };
        self.lens[row] = k;
        self.bars[row] = bar(least);
    }

    /// Brings the list of a row into order: the largest value first, and among equals the first key. Shorter than k, it
    /// is filled up with 0 and [`Heaviest::NONE`].
    #[inline(always)]
    pub(super) fn sort<I: Isa>(&mut self, isa: I, row: usize) {
        let k = self.k;
        let List { values, keys, len } = self.list(row);
        for at in len..keys.len() {
            (values[at / Line::LEN].0[at % Line::LEN], keys[at]) = (0.0, Heaviest::NONE);
        }
        let counted = values.len() <= MOST_LINES && place(isa, k.min(len), len, values, keys);
        if !counted {
            sort_all(values, keys, len);
        }
    }

    /// The keys and values of a row, k of each.
    pub(super) fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let keys = &self.keys[row * self.lines * Line::LEN..][..self.k];
        let values = Line::flat(&self.values[row * self.lines..][..self.lines]);
        (keys, &values[..self.k])
    }

    #[inline(always)]
    fn list(&mut self, row: usize) -> List<'_> {
        List {
            values: &mut self.values[row * self.lines..][..self.lines],
            keys: &mut self.keys[row * self.lines * Line::LEN..][..self.lines * Line::LEN],
            len: self.lens[row],
        }
    }
}

/// One row's list.
struct List<'t> {
    values: &'t mut [Line],
    keys: &'t mut [u32],
    len: usize,
}

/// For each value of the lines, how many of the first `len` are larger. NaN is not larger than anything, nor is anything larger
/// than it.
#[inline(always)]
fn larger<I: Isa>(isa: I, values: &[Line], len: usize) -> [Line; MOST_LINES] {
    let mut counts = [Line::ZERO; MOST_LINES];
    let (zero, one) = (isa.splat(0.0), isa.splat(1.0));
    let all = &Line::flat(values)[..len];
    for (l, out) in counts.iter_mut().enumerate().take(values.len()) {
        for part in 0..Line::LEN / I::LANES {
            let v = isa.load(values[l].part(part, I::LANES));
            let (mut even, mut odd) = (zero, zero);
            let pairs = all.chunks_exact(2);
            if let [last] = pairs.remainder() {
                even = isa.select(isa.less(v, isa.splat(*last)), one, zero);
            }
            for pair in pairs {
                even = isa.add(even, isa.select(isa.less(v, isa.splat(pair[0])), one, zero));
                odd = isa.add(odd, isa.select(isa.less(v, isa.splat(pair[1])), one, zero));
            }
            isa.store(isa.add(even, odd), out.part_mut(part, I::LANES));
        }
    }
    counts
}

/// Keeps the k largest of a full list in their order, and tells the least of them; or, where equal values or NaN leave more
/// than k, does nothing.
#[inline(always)]
fn keep<I: Isa>(isa: I, k: usize, values: &mut [Line], keys: &mut [u32]) -> Option<f32> {
    let counts = larger(isa, values, values.len() * Line::LEN);
    let limit = isa.splat(k as f32);
    let mut bits = 0_u64;
    for (l, line) in counts.iter().enumerate().take(values.len()) {
        for part in 0..Line::LEN / I::LANES {
            let kept = isa.less(isa.load(line.part(part, I::LANES)), limit);
            bits |= u64::from(isa.bits(kept)) << (l * Line::LEN + part * I::LANES);
        }
    }
    if bits.count_ones() as usize != k {
        return None;
    }
    let mut least = f32::INFINITY;
    for to in 0..k {
        let from = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        let value = values[from / Line::LEN].0[from % Line::LEN];
        values[to / Line::LEN].0[to % Line::LEN] = value;
        keys[to] = keys[from];
        least = least.min(value);
    }
    Some(least)
}

/// Puts the k largest of the first `len` values in order, or, where equal values or NaN share a place, does nothing.
#[inline(always)]
fn place<I: Isa>(isa: I, k: usize, len: usize, values: &mut [Line], keys: &mut [u32]) -> bool {
    let counts = larger(isa, values, len);
    let (places, found) = (Line::flat(&counts), Line::flat(values));
    let mut sorted = ([Line::ZERO; MOST_LINES], [Heaviest::NONE; 2 * MOST]);
    let (mut taken, mut first) = (0_u64, 0);
    for at in 0..len {
        let place = places[at] as usize;
        sorted.0[place / Line::LEN].0[place % Line::LEN] = found[at];
        sorted.1[place] = keys[at];
        taken |= 1 << place;
        first += usize::from(place < k);
    }
    // As many values as places, and none of these left: each was taken once.
    if first != k || (taken.trailing_ones() as usize) < k {
        return false;
    }
    let lines = values.len();
    values.copy_from_slice(&sorted.0[..lines]);
    keys.copy_from_slice(&sorted.1[..lines * Line::LEN]);
    true
}

/// A key and its value as one number that is larger the earlier it is listed: bits of the value, then of !key.
/// (The bits of floats that are not negative are in the floats' order, and those of NaN come last.)
fn entry(value: f32, key: u32) -> u64 {
    let value = if value.is_nan() { f32::NAN } else { value };
    u64::from(value.to_bits()) << 32 | u64::from(!key)
}

/// The value and key of an entry.
fn value_and_key(entry: u64) -> (f32, u32) {
    (f32::from_bits((entry >> 32) as u32), !(entry as u32))
}

/// The first `len` of a list as entries.
fn entries(values: &[Line], keys: &[u32], len: usize) -> Vec<u64> {
    let pairs = Line::flat(values).iter().zip(keys).take(len);
    pairs.map(|(&value, &key)| entry(value, key)).collect()
}

/// Writes entries to the front of a list.
fn write(entries: &[u64], values: &mut [Line], keys: &mut [u32]) {
    for (at, &entry) in entries.iter().enumerate() {
        (values[at / Line::LEN].0[at % Line::LEN], keys[at]) = value_and_key(entry);
    }
}

/// Keeps the k largest of a full list in their order, and tells the least of them.
#[inline(never)]
fn select(k: usize, values: &mut [Line], keys: &mut [u32]) -> f32 {
    let mut all = entries(values, keys, keys.len());
    let (_, &mut least, _) = all.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    all.truncate(k);
    all.sort_unstable_by_key(|&entry| !(entry as u32));
    write(&all, values, keys);
    value_and_key(least).0
}

/// Puts the first `len` values of a list in order.
#[inline(never)]
fn sort_all(values: &mut [Line], keys: &mut [u32], len: usize) {
    let mut all = entries(values, keys, len);
    all.sort_unstable_by(|a, b| b.cmp(a));
    write(&all, values, keys);
}

/// Thirty-two values, to look for the k-th.
pub(super) struct FewBest {
    pub(super) values: [Line; 2],
}

impl FewBest {
    /// All 0.
    pub(super) const NONE: FewBest = FewBest {
        values: [Line::ZERO; 2],
    };

    /// The k-th largest number, 1 ≤ k ≤ 32, or a smaller one.
    #[inline(always)]
    pub(super) fn least_of<I: Isa>(&self, isa: I, k: usize) -> f32 {
        let counts = larger(isa, &self.values, 2 * Line::LEN);
        let values = Line::flat(&self.values).iter().zip(Line::flat(&counts));
        // `min` passes NaN over.
        values.fold(f32::INFINITY, |least, (&value, &count)| {
            if count < k as f32 {
                least.min(value)
            } else {
                least
            }
        })
    }
}
