//! Lists of the k largest values of many rows, for values that come a few at a time.
//!
//! A row's values are appended as they come, to about twice as many as are wanted; then the k largest stay, in the order in
//! which they came, and the least of them is the threshold for all that follow. Of n values in no order, about k·log₂(n/k) pass it,
//! each appended in a few cycles, and the lists are cut log₂(n/k) times. Cutting counts for each value how many are larger, in
//! vectors: that takes no branch. Before the end only the values' upper halves are compared, two of which fit where one value does;
//! the counts of the last cut are the values' places.

use lookback_simd::{Isa, Line};

use super::layout::MAX_ROWS;

/// Stands where a list has no key.
pub(super) const NO_KEY: u32 = u32::MAX;

/// The largest k for which values are counted; longer lists are selected from.
pub(super) const MOST: usize = 32;

/// The most lines of a list whose values are counted.
const MOST_LINES: usize = 2 * MOST / Line::LEN;

/// As many values are appended at once: that takes no branch where there are fewer, and hardly any word has more once a list's
/// threshold has risen.
const FEW: usize = 4;

/// The lists of a block's rows.
#[derive(Debug)]
pub(super) struct Candidates {
    k: usize,
    /// Lines a row.
    lines: usize,
    /// `[rows][lines]`: values as they came; NaN is above all numbers.
    values: Vec<Line>,
    /// `[rows][lines][16]`: their keys, ascending until the list is sorted.
    keys: Vec<u32>,
    /// \[rows\]: how many there are.
    lens: Vec<u32>,
    /// \[rows\], and as many more as a tile may reach beyond them: values below this do not enter the list.
    thresholds: Vec<f32>,
}

/// The least value that enters a list whose last value is `last`.
fn above(last: f32) -> f32 {
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
            keys: vec![NO_KEY; rows * lines * Line::LEN],
            lens: vec![0; rows],
            thresholds: vec![above(0.0); rows + MAX_ROWS],
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
    pub(super) fn threshold(&self, row: usize) -> f32 {
        self.thresholds[row]
    }

    /// The thresholds of all rows of a tile whose first row is `row`.
    #[inline(always)]
    pub(super) fn thresholds(&self, row: usize) -> &[f32; MAX_ROWS] {
        self.thresholds[row..]
            .first_chunk()
            .expect("thresholds beyond the last")
    }

    /// Whether nothing was appended to the list of a row.
    #[inline(always)]
    pub(super) fn is_empty(&self, row: usize) -> bool {
        self.lens[row] == 0
    }

    /// Raises the threshold of a row to `least` ≥ 0, since k of the values that are to be appended are not below it.
    #[inline(always)]
    pub(super) fn raise_threshold(&mut self, row: usize, least: f32) {
        self.thresholds[row] = self.thresholds[row].max(least);
    }

    /// Appends to the list of a row the values of a word whose bits are set. Its keys, from `first` on, come after all before.
    #[inline(always)]
    pub(super) fn insert<I: Isa>(
        &mut self,
        isa: I,
        row: usize,
        (bits, first): (u64, usize),
        value: impl Fn(usize) -> f32,
    ) {
        let room = self.lines * Line::LEN;
        let mut rest = bits;
        while rest != 0 {
            let len = self.lens[row] as usize;
            let count = rest.count_ones().min(FEW as u32);
            let to = row * room + len;
            let values = &mut Line::flat_mut(&mut self.values)[to..to + FEW];
            let keys = &mut self.keys[to..to + FEW];
            for i in 0..FEW {
                // Of no bits, the value is nonsense, and lies beyond the length.
                let at = rest.trailing_zeros() as usize % 64;
                values[i] = value(at);
                keys[i] = (first + at) as u32;
                rest &= rest.wrapping_sub(1);
            }
            let len = len + count as usize;
            self.lens[row] = len as u32;
            if len > room - FEW {
                self.cut(isa, row);
            }
        }
    }

    /// Of a list that is full, or nearly: leaves the k largest, or a few more, and raises the threshold.
    #[inline(always)]
    fn cut<I: Isa>(&mut self, isa: I, row: usize) {
        let (k, len) = (self.k, self.lens[row] as usize);
        let (values, keys) = self.list(row);
        let (len, least) = match values.len() <= MOST_LINES {
            true => keep(isa, k, len, values, keys),
            false => None,
        }
        .unwrap_or_else(|| (k, select(k, len, values, keys)));
        self.lens[row] = len as u32;
        self.thresholds[row] = self.thresholds[row].max(above(least));
    }

    /// All places of a row's list.
    #[inline(always)]
    fn list(&mut self, row: usize) -> (&mut [Line], &mut [u32]) {
        let room = self.lines * Line::LEN;
        (
            &mut self.values[row * self.lines..][..self.lines],
            &mut self.keys[row * room..][..room],
        )
    }

    /// Brings the list of a row into order: the largest value first, and among equals the first key. Shorter than k, it
    /// is filled up with 0 and [`NO_KEY`].
    #[inline(always)]
    pub(super) fn sort<I: Isa>(&mut self, isa: I, row: usize) {
        let (k, len) = (self.k, self.lens[row] as usize);
        let (values, keys) = self.list(row);
        for at in len..keys.len() {
            (values[at / Line::LEN].0[at % Line::LEN], keys[at]) = (0.0, NO_KEY);
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
}

/// For each value of the lines, how many of the first `len` are larger. NaN is not larger than anything, nor is anything larger
/// than it.
#[inline(always)]
fn larger<I: Isa>(isa: I, values: &[Line], len: usize) -> [Line; MOST_LINES] {
    let mut counts = [Line::ZERO; MOST_LINES];
    let all = &Line::flat(values)[..len];
    for (pair, counts) in values.chunks(2).zip(counts.chunks_mut(2)) {
        match (pair, counts) {
            ([a, b], [of_a, of_b]) => [*of_a, *of_b] = larger_of(isa, [a, b], all),
            ([a], [of_a, ..]) => [*of_a] = larger_of(isa, [a], all),
            _ => {}
        }
    }
    counts
}

/// As [`larger`], of one or two lines, which stay in registers.
#[inline(always)]
fn larger_of<I: Isa, const N: usize>(isa: I, lines: [&Line; N], all: &[f32]) -> [Line; N] {
    let per_line = Line::LEN / I::LANES;
    let one = isa.splat(1.0);
    // Four vectors of a line at most, whatever the instruction set.
    let mut values = [[isa.splat(0.0); 4]; N];
    let mut counts = values;
    for l in 0..N {
        for part in 0..per_line {
            values[l][part] = isa.load(lines[l].part(part, I::LANES));
        }
    }
    for &x in all {
        let x = isa.splat(x);
        for l in 0..N {
            for part in 0..per_line {
                let is_larger = isa.less(values[l][part], x);
                counts[l][part] = isa.add_where(is_larger, counts[l][part], one);
            }
        }
    }
    let mut out = [Line::ZERO; N];
    for l in 0..N {
        for part in 0..per_line {
            isa.store(counts[l][part], out[l].part_mut(part, I::LANES));
        }
    }
    out
}

/// Keeps the k largest of the first `len` ≥ k values of a list in their order, with those that are too near to the k-th to be
/// distinguished from it by their upper halves, and gives how many these are and the least of them; or, where they are hardly fewer
/// than all, does nothing.
#[inline(always)]
fn keep<I: Isa>(
    isa: I,
    k: usize,
    len: usize,
    values: &mut [Line],
    keys: &mut [u32],
) -> Option<(usize, f32)> {
    Line::flat_mut(values)[len..].fill(0.0);
    let bits = isa.leading(values, k) & (u64::MAX >> (64 - len));
    let values = Line::flat_mut(values);
    let count = bits.count_ones() as usize;
    if count - k > (len - k) / 2 {
        return None;
    }
    let (mut least, mut rest) = (f32::INFINITY, bits);
    for to in 0..count {
        let from = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        let value = values[from];
        least = if value < least { value } else { least };
        values[to] = value;
        keys[to] = keys[from];
    }
    Some((count, least))
}

/// The least number of the values whose bits are set; +∞ if none is a number.
#[inline(always)]
fn least_of(values: &[f32], bits: u64) -> f32 {
    let (mut least, mut rest) = (f32::INFINITY, bits);
    while rest != 0 {
        let value = values[rest.trailing_zeros() as usize];
        least = if value < least { value } else { least };
        rest &= rest - 1;
    }
    least
}

/// Puts the k largest of the first `len` values in order, or, where equal values or NaN share a place, does nothing.
#[inline(always)]
fn place<I: Isa>(isa: I, k: usize, len: usize, values: &mut [Line], keys: &mut [u32]) -> bool {
    let counts = larger(isa, values, len);
    let (places, found) = (Line::flat(&counts), Line::flat(values));
    let mut sorted = ([Line::ZERO; MOST_LINES], [NO_KEY; 2 * MOST]);
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

/// Keeps the k largest of the first `len` values of a list in their order, and tells the least of them.
#[inline(never)]
fn select(k: usize, len: usize, values: &mut [Line], keys: &mut [u32]) -> f32 {
    let mut all = entries(values, keys, len);
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
        least_of(Line::flat(&self.values), isa.leading(&self.values, k))
    }
}
