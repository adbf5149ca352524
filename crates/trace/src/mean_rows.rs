//! The rows of many queries over all heads of a layer, in one walk.

use std::ops::Range;

use ndarray::{Array3, Axis, s};

use crate::observe::Rows;
use crate::row_sum::validate_row_sum;
use crate::{Error, Trace};

/// How many weights a walk may keep, about: 16 MiB of them.
const WEIGHTS_AT_A_TIME: usize = 4 << 20;

impl Trace {
    /// For each of some ranges of queries and each head of a layer, the mean of the queries' weights over keys:
    /// \[H, ranges, M\].
    ///
    /// One walk over the layer computes the rows of all ranges, so that its keys are packed once for all of them and for all
    /// heads that share them; [`Head::mean_row`](crate::Head::mean_row), which packs them for each, gives the same but for
    /// rounding. Memory beside the answer is bounded, however many queries there are.
    ///
    /// # Errors
    /// [`Error::NoSuchLayer`]; [`Error::NoSuchTokens`] where a range is empty or reaches beyond the tokens; and
    /// [`Error::NotAWeight`] or [`Error::NotARow`] where the trace is damaged.
    pub fn mean_rows(&self, layer: usize, ranges: &[Range<usize>]) -> Result<Array3<f32>, Error> {
        self.check_unchanged()?;
        let heads = self.layers()[self.find_layer(layer)?].q.heads;
        let (n, m) = (self.n(), self.m());
        if let Some(range) = ranges.iter().find(|r| r.is_empty() || r.end > n) {
            let (what, range) = ("queries", range.clone());
            return Err(Error::NoSuchTokens { what, range, n });
        }
        let rows: Vec<(usize, usize)> = ranges
            .iter()
            .enumerate()
            .flat_map(|(at, range)| range.clone().map(move |i| (at, i)))
            .collect();
        let mut totals = Array3::zeros((heads, ranges.len(), m));
        for rows in rows.chunks((WEIGHTS_AT_A_TIME / (heads * m)).max(1)) {
            self.add_rows(layer, rows, &mut totals)?;
        }
        for (mut totals, range) in totals.axis_iter_mut(Axis(1)).zip(ranges) {
            totals /= range.len() as f64;
        }
        Ok(totals.mapv(|mean| mean as f32))
    }

    /// Adds rows, each given as (range, query), to their ranges' totals \[H, ranges, M\].
    fn add_rows(
        &self,
        layer: usize,
        rows: &[(usize, usize)],
        totals: &mut Array3<f64>,
    ) -> Result<(), Error> {
        let queries: Vec<usize> = rows.iter().map(|&(_, i)| i).collect();
        let weights = self.observe(layer, &Rows::new(queries))?;
        let whole = !self.has_sink(layer);
        for (at_head, &head) in self.head_ids(layer).iter().enumerate() {
            for (r, &(at, i)) in rows.iter().enumerate() {
                let row = weights.slice(s![0, at_head, r, ..]);
                if whole {
                    validate_row_sum(self, (layer, head), (i, row))?;
                }
                let mut total = totals.slice_mut(s![at_head, at, ..]);
                total.zip_mut_with(&row, |total, &w| *total += f64::from(w));
            }
        }
        Ok(())
    }
}
