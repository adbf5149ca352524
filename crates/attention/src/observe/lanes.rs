//! Sums and maxima of a tile, in vectors.

use std::ops::Range;

use lookback_simd::{Isa, Kernel, Line};

use super::layout::MAX_ROWS;
use super::tile::Tile;

/// What becomes of the weights of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Their sum.
    Sum,
    /// The largest; NaN among the weights is passed over, in the columns it stays.
    Max,
}

/// Takes the weights of some of the tile's rows into `columns`, key by key.
pub(super) struct FoldColumns<'t, 'a> {
    pub(super) tile: &'t Tile<'a>,
    /// Rows of the tile, from 0.
    pub(super) rows: Range<usize>,
    pub(super) fold: Fold,
    /// One line for each of the tile's.
    pub(super) columns: &'t mut [Line],
}

impl Kernel for FoldColumns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.fold {
            Fold::Sum => self.fold::<I, false>(isa),
            Fold::Max => self.fold::<I, true>(isa),
        }
    }
}

impl FoldColumns<'_, '_> {
    #[inline(always)]
    fn fold<I: Isa, const MAX: bool>(self, isa: I) {
        let width = self.tile.width();
        let (fours, rest) = self.columns[..width].as_chunks_mut::<4>();
        for (f, four) in fours.iter_mut().enumerate() {
            fold_lines::<I, MAX, 4>(isa, self.tile, self.rows.clone(), (4 * f, four));
        }
        let first = width - rest.len();
        for (l, one) in rest.iter_mut().enumerate() {
            let one = (first + l, std::array::from_mut(one));
            fold_lines::<I, MAX, 1>(isa, self.tile, self.rows.clone(), one);
        }
    }
}

/// Takes the weights of some rows in `N` lines, the first of which is given, into as many columns: side by side, since one sum
/// waits for the last.
#[inline(always)]
fn fold_lines<I: Isa, const MAX: bool, const N: usize>(
    isa: I,
    tile: &Tile,
    rows: Range<usize>,
    (first, columns): (usize, &mut [Line; N]),
) {
    let per_line = Line::LEN / I::LANES;
    // Sixteen vectors of a line at most, whatever the instruction set.
    let mut so_far = [[isa.splat(0.0); 16]; N];
    for l in 0..N {
        for part in 0..per_line {
            so_far[l][part] = isa.load(columns[l].part(part, I::LANES));
        }
    }
    for r in rows {
        let row = &tile.whole_row(r)[first..first + N];
        for l in 0..N {
            for part in 0..per_line {
                let weight = isa.load(row[l].part(part, I::LANES));
                // In this order, in which a maximum keeps a NaN that is there already.
                so_far[l][part] = isa.fold::<MAX>(weight, so_far[l][part]);
            }
        }
    }
    for l in 0..N {
        for part in 0..per_line {
            isa.store(so_far[l][part], columns[l].part_mut(part, I::LANES));
        }
    }
}

/// The sums of the weights of each row over a range of the tile's keys of its own.
pub(super) struct RangeSums<'t, 'a> {
    pub(super) tile: &'t Tile<'a>,
    /// For each row of the tile, counted from the tile's first key and no longer than the tile.
    pub(super) ranges: &'t [Range<usize>; MAX_ROWS],
}

impl Kernel for RangeSums<'_, '_> {
    /// A sum for each row; 0 for a range that is empty.
    type Output = [f32; MAX_ROWS];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [f32; MAX_ROWS] {
        let mut sums = [isa.splat(0.0); MAX_ROWS];
        for (r, sum) in sums.iter_mut().enumerate().take(self.tile.rows().len()) {
            *sum = fold_range::<I, false>(isa, self.tile.whole_row(r), &self.ranges[r]);
        }
        isa.sum_each(&sums).0
    }
}

/// Σ w·|position − key| of each row, counted in f32.
pub(super) struct DistanceSums<'t, 'a> {
    pub(super) tile: &'t Tile<'a>,
    /// For each row of the tile, counted from the tile's first key.
    pub(super) positions: &'t [f32; MAX_ROWS],
}

impl Kernel for DistanceSums<'_, '_> {
    type Output = [f32; MAX_ROWS];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [f32; MAX_ROWS] {
        let mut sums = [isa.splat(0.0); MAX_ROWS];
        let (zero, step) = (isa.splat(0.0), isa.splat(I::LANES as f32));
        for (r, sum) in sums.iter_mut().enumerate().take(self.tile.rows().len()) {
            let mut before = isa.sub(isa.splat(self.positions[r]), isa.ramp(0.0));
            for line in self.tile.lines(r) {
                for part in 0..Line::LEN / I::LANES {
                    let distance = isa.max(before, isa.sub(zero, before));
                    let weight = isa.load(line.part(part, I::LANES));
                    *sum = isa.mul_add(weight, distance, *sum);
                    before = isa.sub(before, step);
                }
            }
        }
        isa.sum_each(&sums).0
    }
}

/// The sum or the largest of some weights.
pub(super) struct FoldRange<'t> {
    pub(super) weights: &'t [Line],
    /// Of the weights.
    pub(super) range: Range<usize>,
    pub(super) fold: Fold,
}

impl Kernel for FoldRange<'_> {
    /// 0 for a range that is empty; NaN where any of the weights is.
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        let sum = fold_range::<I, false>(isa, self.weights, &self.range);
        // Maxima in vectors pass NaN over; sums do not.
        let numbers = isa.bits(isa.less(sum, isa.splat(f32::INFINITY)));
        match self.fold {
            Fold::Max if numbers == u32::MAX >> (32 - I::LANES) => {
                isa.largest(fold_range::<I, true>(isa, self.weights, &self.range))
            }
            Fold::Max => {
                let values = Line::flat(self.weights)[self.range].iter().copied();
                values.fold(0.0, |max, x| if x > max || x.is_nan() { x } else { max })
            }
            Fold::Sum => isa.sum(sum),
        }
    }
}

/// The sum or the largest of some weights, lane by lane; NaN may be lost from the largest.
#[inline(always)]
fn fold_range<I: Isa, const MAX: bool>(isa: I, weights: &[Line], range: &Range<usize>) -> I::V {
    let mut folded = [isa.splat(0.0); 4];
    if range.is_empty() {
        return folded[0];
    }
    let (first, last) = (range.start / I::LANES, (range.end - 1) / I::LANES);
    let vectors = &Line::flat(weights)[first * I::LANES..(last + 1) * I::LANES];
    // What of the first and the last vector belongs to the range.
    let start = isa.splat((range.start - first * I::LANES) as f32);
    let end = isa.splat((range.end - last * I::LANES) as f32);
    let (zero, index) = (isa.splat(0.0), isa.ramp(0.0));
    let at_start = isa.select(isa.less(index, start), zero, isa.load(vectors));
    if first == last {
        return isa.select(isa.less(index, end), at_start, zero);
    }
    let at_end = isa.load(&vectors[(last - first) * I::LANES..]);
    folded[0] = at_start;
    folded[1] = isa.select(isa.less(index, end), at_end, zero);
    let mut between = vectors[I::LANES..(last - first) * I::LANES].chunks_exact(4 * I::LANES);
    for four in between.by_ref() {
        for v in 0..4 {
            let weight = isa.load(&four[v * I::LANES..]);
            folded[v] = isa.fold::<MAX>(weight, folded[v]);
        }
    }
    for one in between.remainder().chunks_exact(I::LANES) {
        folded[2] = isa.fold::<MAX>(isa.load(one), folded[2]);
    }
    let [a, b, c, d] = folded;
    isa.fold::<MAX>(isa.fold::<MAX>(a, b), isa.fold::<MAX>(c, d))
}
