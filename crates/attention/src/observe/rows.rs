//! Chosen queries' weights.

use std::ops::Range;

use ndarray::{Array2, Array4, s};

use super::area::{Area, QueryBlock, Walk};
use super::observer::Observer;
use super::tile::Tile;
use crate::Error;
use crate::shape::validate_index;

/// All weights of chosen queries: \[B, H, R, M\] for R queries, in the order in which they are given.
///
/// ```
/// use lookback_attention::Scoring;
/// use lookback_attention::observe::{Rows, observe_head};
/// use ndarray::{Array1, Array2, s};
///
/// // Keys that are all alike share the weight evenly: query i has i + 1 of them.
/// let x = Array2::zeros((4, 8));
/// let lse = Array1::from_shape_fn(4, |i| (i as f32 + 1.0).ln());
/// let rows = observe_head(x.view(), x.view(), lse.view(), &Scoring::default(), &Rows::new([3, 1]))?;
/// assert_eq!(rows.slice(s![0, 0, 1, ..]).to_vec(), [0.5, 0.5, 0.0, 0.0]);
/// # Ok::<(), lookback_attention::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rows {
    rows: Vec<usize>,
    /// (query, place in `rows`), in order.
    sorted: Vec<(usize, usize)>,
}

impl Rows {
    /// The queries to keep; one may be given more than once.
    pub fn new(rows: impl Into<Vec<usize>>) -> Rows {
        let rows = rows.into();
        let mut sorted: Vec<_> = rows.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        Rows { rows, sorted }
    }

    /// Those of `rows`, as (query, place).
    fn among(&self, rows: &Range<usize>) -> &[(usize, usize)] {
        let at = |row: usize| self.sorted.partition_point(|&(query, _)| query < row);
        &self.sorted[at(rows.start)..at(rows.end)]
    }
}

impl Observer for Rows {
    /// \[chosen queries of the block, M\]
    type Block = Array2<f32>;
    type Output = Array4<f32>;

    fn start(&self, walk: &Walk) -> Result<Array4<f32>, Error> {
        for &row in &self.rows {
            validate_index("queries", row, walk.n())?;
        }
        let (rows, m) = (self.rows.len(), walk.m());
        walk.room("the chosen rows", &[rows, m])?;
        Ok(Array4::zeros((walk.b(), walk.h(), rows, m)))
    }

    fn block(&self, block: &QueryBlock) -> Array2<f32> {
        Array2::zeros((self.among(&block.rows()).len(), block.walk().m()))
    }

    fn tile(&self, kept: &mut Array2<f32>, tile: &Tile) {
        let first = self
            .among(&(tile.block().rows().start..tile.rows().start))
            .len();
        for (at, &(query, _)) in (first..).zip(self.among(&tile.rows())) {
            if let Some(row) = tile.iter().nth(query - tile.rows().start) {
                let mut to = kept.slice_mut(s![at, tile.keys()]);
                to.iter_mut()
                    .zip(row.weights)
                    .for_each(|(to, from)| *to = *from);
            }
        }
    }

    fn merge(&self, output: &mut Array4<f32>, block: &QueryBlock, kept: Array2<f32>) {
        for (row, &(_, place)) in kept.outer_iter().zip(self.among(&block.rows())) {
            let at = s![block.batch(), block.head(), place, ..];
            output.slice_mut(at).assign(&row);
        }
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        match self.among(&area.rows) {
            [] => area.none(),
            _ => area.keys.clone(),
        }
    }
}
