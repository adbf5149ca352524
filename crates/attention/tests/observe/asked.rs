//! Every observer at once, and what each is to find by the reference's weights.

use std::ops::Range;

use lookback_attention::observe::{
    DistanceMass, Distances, Entropy, Heaviest, Observer, Pool, PooledTile, Received, RowMax, Rows,
    Span, SpanMass, TopK, observe_on,
};
use lookback_attention::{InstructionSet, Mask, Scoring};
use ndarray::{Array3, Array4, ArrayView1, ArrayView2, ArrayView3, ArrayView4, Axis, s};
use proptest::prelude::*;

use crate::common::{Random, agrees};

/// What is asked of a walk over N×M weights.
pub(crate) struct Asked {
    k: usize,
    /// \[1, H, M\]
    factors: Array3<f32>,
    spans: Vec<Span>,
    chosen: Vec<usize>,
    pictures: Vec<PooledTile>,
    mask: Mask,
}

/// What [`Asked::observer`] finds.
pub(crate) type Found = (
    Heaviest,
    Heaviest,
    (Array3<f32>, Array3<f32>, Array3<f64>, Distances),
    Array4<f32>,
    Array4<f32>,
    Vec<Array4<f32>>,
);

/// What the reference says, and how far a sum of weights may be from it.
pub(crate) struct Truth<'a> {
    /// \[B, H, N, M\]
    pub(crate) weights: &'a Array4<f64>,
    /// Relative to the largest weight.
    pub(crate) off: f64,
}

/// One head of what is compared.
#[derive(Clone, Copy)]
struct Head<'a> {
    b: usize,
    h: usize,
    /// \[N, M\]
    weights: ArrayView2<'a, f64>,
    off: f64,
}

/// Sums: NaN where any term is.
fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    terms.into_iter().sum()
}

/// The largest, 0 of none; NaN where any is.
fn max<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    let values = values.into_iter();
    values.fold(0.0, |max: f64, &value| {
        if value > max || value.is_nan() {
            value
        } else {
            max
        }
    })
}

/// Whether all weights of a query lie below f32's least normal number, so that they may count as 0; then nothing may be known
/// of them that needs weight, as of a query that sees no key.
fn vanish(row: ArrayView1<f64>) -> bool {
    row.iter().all(|&w| w < f64::from(f32::MIN_POSITIVE))
}

impl Asked {
    /// Lists of `k` keys, and the rest at places that the shape suggests.
    pub(crate) fn new([h, n, m]: [usize; 3], k: usize, mask: Mask, random: &mut Random) -> Asked {
        let factors = random.plain([1, h, m, 1]).remove_axis(Axis(3));
        let (rows, cols) = (n / 4..n, m / 7..m - m / 9);
        let picture = |pool, height, width| PooledTile {
            rows: rows.clone(),
            cols: cols.clone(),
            height,
            width,
            pool,
        };
        Asked {
            k,
            factors: factors.mapv(f32::abs),
            spans: vec![
                Span::first(),
                Span::own(),
                Span::previous(),
                Span::Keys(m / 3..m),
                Span::Keys(m / 5..m / 5 + m / 2),
                Span::Distances(-3..70),
            ],
            chosen: vec![n - 1, 0, n / 2, n - 1],
            pictures: vec![
                picture(Pool::Max, 3, 7),
                picture(Pool::Mean, 11, 2),
                picture(Pool::Mean, rows.len() + 5, cols.len() * 2),
                picture(Pool::Max, rows.len(), cols.len()),
            ],
            mask,
        }
    }

    /// All observers.
    pub(crate) fn observer(&self) -> impl Observer<Output = Found> {
        (
            TopK::by_weight(self.k),
            TopK::by_product(self.k, self.factors.view()),
            (Entropy, RowMax, Received, DistanceMass),
            SpanMass::new(self.spans.clone()),
            Rows::new(self.chosen.clone()),
            self.pictures.clone(),
        )
    }

    /// Asks on an instruction set and compares all answers.
    pub(crate) fn check(
        &self,
        set: InstructionSet,
        call: (ArrayView4<f32>, ArrayView4<f32>, ArrayView3<f32>),
        scoring: &Scoring,
        truth: &Truth,
    ) -> Result<(), TestCaseError> {
        let found = observe_on(set, call, scoring, &[], &self.observer()).expect("valid");
        self.compare(found, truth)
    }

    /// Compares all answers.
    pub(crate) fn compare(&self, found: Found, truth: &Truth) -> Result<(), TestCaseError> {
        let (by_weight, by_product, statistics, spans, rows, pictures) = found;
        let (entropy, maxima, received, distances) = statistics;
        let (batches, heads, ..) = truth.weights.dim();
        for (b, h) in (0..batches).flat_map(|b| (0..heads).map(move |h| (b, h))) {
            let head = Head {
                b,
                h,
                weights: truth.weights.slice(s![b, h, .., ..]),
                off: truth.off,
            };
            self.lists(head, &by_weight, None)?;
            let factors = self.factors.slice(s![0, h, ..]);
            self.lists(head, &by_product, Some(factors))?;
            entropies(head, &entropy)?;
            self.rows(head, (&maxima, &rows))?;
            columns(head, &received)?;
            self.distances(head, &distances)?;
            self.masses(head, &spans)?;
            for (picture, found) in self.pictures.iter().zip(&pictures) {
                cells(head, picture, found)?;
            }
        }
        Ok(())
    }

    /// The key position of query `i`.
    fn position(&self, i: usize) -> isize {
        i as isize + self.mask.offset()
    }

    /// Lists: the values are those of the k heaviest, each belongs to its key, in order; NaN before all numbers.
    fn lists(
        &self,
        Head { b, h, weights, off }: Head,
        found: &Heaviest,
        factors: Option<ArrayView1<f32>>,
    ) -> Result<(), TestCaseError> {
        for (i, row) in weights.outer_iter().enumerate() {
            let factor = |j: usize| factors.map_or(1.0, |factors| f64::from(factors[j]));
            let value = |j: usize| row[j] * factor(j);
            let counts = |v: &f64| *v > 1e-37 || v.is_nan();
            let mut values: Vec<f64> = (0..row.len()).map(value).filter(counts).collect();
            values.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
            values.truncate(self.k);
            let list: Vec<_> = found.list(b, h, i).collect();
            prop_assert!(
                list.len() >= values.len() && list.len() <= self.k,
                "{b} {h} {i}: {list:?} {values:?}"
            );
            for (&(key, found), exact) in list.iter().zip(&values) {
                let fits = agrees(found, *exact, off, *exact)
                    && agrees(found, value(key), off, value(key));
                prop_assert!(fits, "{b} {h} {i}: {found} of {key}, {exact}");
            }
            for pair in list.windows(2) {
                let [(first, a), (second, b)] = [pair[0], pair[1]];
                let same = a == b || (a.is_nan() && b.is_nan());
                let in_order = a > b || (a.is_nan() && !b.is_nan()) || (same && first < second);
                prop_assert!(in_order, "{pair:?}");
            }
        }
        Ok(())
    }

    /// The largest weight of each query, and all of the chosen ones'.
    fn rows(
        &self,
        Head { b, h, weights, off }: Head,
        (maxima, rows): (&Array3<f32>, &Array4<f32>),
    ) -> Result<(), TestCaseError> {
        for (i, row) in weights.outer_iter().enumerate() {
            let exact = max(row);
            let exact = if exact == 0.0 { f64::NAN } else { exact };
            let found = maxima[[b, h, i]];
            let fits = agrees(found, exact, off, 0.0) || (found.is_nan() && vanish(row));
            prop_assert!(fits, "maximum of {i}: {found} {exact}");
        }
        for (at, &i) in self.chosen.iter().enumerate() {
            for (j, &exact) in weights.row(i).indexed_iter() {
                let found = rows[[b, h, at, j]];
                prop_assert!(agrees(found, exact, off, 0.0), "{i} {j}: {found} {exact}");
            }
        }
        Ok(())
    }

    fn masses(
        &self,
        Head { b, h, weights, off }: Head,
        found: &Array4<f32>,
    ) -> Result<(), TestCaseError> {
        for (i, row) in weights.outer_iter().enumerate() {
            for (at, span) in self.spans.iter().enumerate() {
                let inside = |j: usize| match span {
                    Span::Keys(keys) => keys.contains(&j),
                    Span::Distances(range) => range.contains(&(self.position(i) - j as isize)),
                };
                let of_span = row.indexed_iter().filter(|(j, _)| inside(*j));
                let exact = sum(of_span.map(|(_, w)| *w));
                let found = found[[b, h, i, at]];
                prop_assert!(
                    agrees(found, exact, off, 0.0),
                    "{span:?} of {i}: {found} {exact}"
                );
            }
        }
        Ok(())
    }

    fn distances(
        &self,
        Head { b, h, weights, off }: Head,
        found: &Distances,
    ) -> Result<(), TestCaseError> {
        for (i, row) in weights.outer_iter().enumerate() {
            let distance = |j: usize| (self.position(i) - j as isize).unsigned_abs();
            let mut buckets = vec![0.0; found.mass.dim().3];
            for (j, w) in row.indexed_iter().filter(|(_, w)| **w != 0.0) {
                buckets[distance(j).checked_ilog2().map_or(0, |b| b as usize + 1)] += w;
            }
            for (bucket, exact) in buckets.into_iter().enumerate() {
                let found = found.mass[[b, h, i, bucket]];
                let fits = agrees(found, exact, off, 0.0);
                prop_assert!(fits, "bucket {bucket} of {i}: {found} {exact}");
            }
            let mean = sum(row.indexed_iter().map(|(j, w)| w * distance(j) as f64)) / row.sum();
            // A weight below f32's least normal number may count as 0, as far from the mean as the row is long.
            let lost = row.len() as f64 * f64::from(f32::MIN_POSITIVE) / row.sum();
            let tolerance = 2.0 * off * mean.max(1.0) + lost * row.len() as f64;
            let found = found.mean[[b, h, i]];
            let fits = agrees(found, mean, tolerance, 0.0) || (found.is_nan() && vanish(row));
            prop_assert!(fits, "mean of {i}: {found} {mean}");
        }
        Ok(())
    }
}

fn entropies(Head { b, h, weights, off }: Head, found: &Array3<f32>) -> Result<(), TestCaseError> {
    for (i, row) in weights.outer_iter().enumerate() {
        let seen = row.iter().any(|&w| w != 0.0);
        let terms = row.iter().filter(|w| **w != 0.0).map(|w| -w * w.ln());
        let exact = if seen { sum(terms) } else { f64::NAN };
        let found = found[[b, h, i]];
        let fits = agrees(found, exact, off, 1.0 + exact) || (found.is_nan() && vanish(row));
        prop_assert!(fits, "entropy of {i}: {found} {exact}");
    }
    Ok(())
}

fn columns(Head { b, h, weights, off }: Head, found: &Array3<f64>) -> Result<(), TestCaseError> {
    for (j, column) in weights.axis_iter(Axis(1)).enumerate() {
        let (found, exact) = (found[[b, h, j]], column.sum());
        let fits =
            (found - exact).abs() < off * exact.max(1.0) || (found.is_nan() && exact.is_nan());
        prop_assert!(fits, "key {j} receives {found} {exact}");
    }
    Ok(())
}

fn cells(
    Head { b, h, weights, off }: Head,
    picture: &PooledTile,
    found: &Array4<f32>,
) -> Result<(), TestCaseError> {
    let cell = |range: &Range<usize>, cells: usize, at: usize| {
        let start = range.start + at * range.len() / cells;
        let end = range.start + (at + 1) * range.len() / cells;
        start..end.max(start + 1)
    };
    for ((y, x), &found) in found.slice(s![b, h, .., ..]).indexed_iter() {
        let rows = cell(&picture.rows, picture.height, y);
        let area = weights.slice(s![rows, cell(&picture.cols, picture.width, x)]);
        let exact = match picture.pool {
            Pool::Max => max(area),
            Pool::Mean => area.mean().expect("not empty"),
        };
        let fits = agrees(found, exact, off, 0.0);
        prop_assert!(fits, "{picture:?} {y} {x}: {found} {exact}");
    }
    Ok(())
}
