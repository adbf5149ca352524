//! Weight on spans of keys.

use std::ops::Range;

use ndarray::{Array2, Array4, s};

use super::area::{QueryBlock, Walk};
use super::lanes::RangeSums;
use super::layout::MAX_ROWS;
use super::observer::Observer;
use super::ranges::intersect;
use super::tile::Tile;
use crate::Error;
use crate::shape::validate_range;

/// Some consecutive keys, the same for all queries or counted from each query's own position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// These keys, within 0..M.
    Keys(Range<usize>),
    /// The keys so far before the query: position − key, where the position is the query's index plus the mask's
    /// offset. Keys after the query have negative distances. Distances that lead to no key count as nothing.
    Distances(Range<isize>),
}

impl Span {
    /// The key at the query's own position.
    pub fn own() -> Span {
        Span::Distances(0..1)
    }

    /// The key before the query's own position.
    pub fn previous() -> Span {
        Span::Distances(1..2)
    }

    /// The first key.
    pub fn first() -> Span {
        Span::Keys(0..1)
    }

    /// The keys of the span for a query at `position`, of `m` keys.
    fn keys(&self, position: isize, m: usize) -> Range<usize> {
        match self {
            Span::Keys(keys) => keys.clone(),
            Span::Distances(range) => {
                // Distances start..end are the keys position − end + 1 ..= position − start.
                let end = position.saturating_sub(range.start).saturating_add(1);
                let start = position.saturating_sub(range.end).saturating_add(1);
                let at = |key: isize| usize::try_from(key).unwrap_or(0).min(m);
                at(start)..at(end).max(at(start))
            }
        }
    }

    /// What holds the keys of the span for each of some consecutive queries: its ends never move back from one to the next.
    fn reach(&self, walk: &Walk, rows: &Range<usize>) -> Range<usize> {
        let keys = |row| self.keys(walk.position(row), walk.m());
        keys(rows.start).start..keys(rows.end - 1).end
    }
}

/// Each query's weight on spans of keys, Σ_{j in span} w_ij: \[B, H, N, S\] for S spans, which may overlap.
///
/// 0 where the query sees no key of the span; NaN where any of its weights there is NaN.
///
/// ```
/// use lookback_attention::Scoring;
/// use lookback_attention::observe::{Span, SpanMass, observe_head};
/// use ndarray::{Array1, Array2, s};
///
/// // Keys that are all alike share the weight evenly: query i has i + 1 of them.
/// let x = Array2::zeros((4, 8));
/// let lse = Array1::from_shape_fn(4, |i| (i as f32 + 1.0).ln());
/// let spans = SpanMass::new([Span::first(), Span::previous(), Span::Keys(1..4)]);
/// let mass = observe_head(x.view(), x.view(), lse.view(), &Scoring::default(), &spans)?;
/// assert_eq!(mass.slice(s![0, 0, 3, ..]).to_vec(), [0.25, 0.25, 0.75]);
/// assert_eq!(mass.slice(s![0, 0, 0, ..]).to_vec(), [1.0, 0.0, 0.0]);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SpanMass {
    spans: Vec<Span>,
}

impl SpanMass {
    /// Weight on each of these spans.
    pub fn new(spans: impl Into<Vec<Span>>) -> SpanMass {
        SpanMass {
            spans: spans.into(),
        }
    }
}

impl Observer for SpanMass {
    /// \[rows, S\]
    type Block = Array2<f64>;
    type Output = Array4<f32>;

    fn start(&self, walk: &Walk) -> Result<Array4<f32>, Error> {
        for span in &self.spans {
            match span {
                Span::Keys(keys) => validate_range("keys", keys, walk.m())?,
                Span::Distances(range) if range.start > range.end => {
                    return Err(Error::InvalidOption {
                        option: "the end of a span of distances",
                        value: range.end as f64,
                        expected: "it must not lie before the start",
                    });
                }
                Span::Distances(_) => {}
            }
        }
        let (n, spans) = (walk.n(), self.spans.len());
        walk.room("the mass on spans", &[n, spans])?;
        Ok(Array4::zeros((walk.b(), walk.h(), n, spans)))
    }

    fn block(&self, block: &QueryBlock) -> Array2<f64> {
        Array2::zeros((block.rows().len(), self.spans.len()))
    }

    fn tile(&self, mass: &mut Array2<f64>, tile: &Tile) {
        let (walk, keys, rows) = (tile.block().walk(), tile.keys(), tile.rows());
        for (at, span) in self.spans.iter().enumerate() {
            let reach = span.reach(walk, &rows);
            if intersect(&keys, &reach).is_empty() {
                continue;
            }
            let of_row = |r: usize| match span {
                Span::Keys(_) => intersect(&keys, &reach),
                Span::Distances(_) => {
                    intersect(&keys, &span.keys(walk.position(rows.start + r), walk.m()))
                }
            };
            let sums = sums(tile, of_row);
            let mut mass = mass.slice_mut(s![tile.first_in_block().., at]);
            for (mass, sum) in mass.iter_mut().zip(&sums[..rows.len()]) {
                *mass += f64::from(*sum);
            }
        }
    }

    fn merge(&self, output: &mut Array4<f32>, block: &QueryBlock, mass: Array2<f64>) {
        let mut out = output.slice_mut(s![block.batch(), block.head(), block.rows(), ..]);
        out.zip_mut_with(&mass, |out, &mass| *out = mass as f32);
    }

    fn wants_row_statistics(&self) -> bool {
        true
    }
}

/// The weight of each row of a tile on some of its keys.
fn sums(tile: &Tile, of_row: impl Fn(usize) -> Range<usize>) -> [f32; MAX_ROWS] {
    let (keys, rows) = (tile.keys(), tile.rows().len());
    let (first, last) = (of_row(0), of_row(rows - 1));
    if first == keys && last == keys {
        // The rows between have no less: a range's ends never move back from row to row.
        let mut sums = [0.0; MAX_ROWS];
        sums[..rows].copy_from_slice(tile.row_sums());
        return sums;
    }
    let range = |r: usize| match r < rows {
        true => of_row(r).start - keys.start..of_row(r).end - keys.start,
        false => 0..0,
    };
    tile.set().run(RangeSums {
        tile,
        ranges: &std::array::from_fn(range),
    })
}
