//! A rectangle of one head's weights, pooled to cells for a picture.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use lookback_trace::Head;
use ndarray::{Array2, Axis, s};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How the weights of a cell become one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The largest: single sharp weights stay visible at any zoom.
    #[default]
    Max,
    /// The mean over all of the cell's queries and keys, those that a mask hides counting as 0.
    Mean,
}

impl Pool {
    /// `max`, `mean`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Mean => "mean",
        }
    }
}

/// Which weights, and how many of them make a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Which queries.
    pub rows: Range<usize>,
    /// Which keys.
    pub cols: Range<usize>,
    /// Queries and keys of one cell. The last cell on each side pools what is left.
    pub cell: usize,
}

impl Area {
    /// Cells: rows, columns.
    #[must_use]
    pub fn cells(&self) -> (usize, usize) {
        (
            self.rows.len().div_ceil(self.cell),
            self.cols.len().div_ceil(self.cell),
        )
    }
}

/// Queries whose weights are held at a time.
const ROWS: usize = 128;

/// The weights of an area, pooled: \[cells, cells\]. Memory is O(N), however large the area.
///
/// # Errors
/// [`Error::Nothing`], [`Error::Cancelled`] once `cancel` is set, and [`Error::Trace`].
///
/// ```
/// use lookback_view::pooled::{Area, Pool, pooled};
/// let trace = lookback_heads::example::Example::default().trace();
/// let head = trace.head(0, 0)?;
/// let cells = pooled(&head, &Area { rows: 0..10, cols: 0..10, cell: 4 }, Pool::Max, &Default::default())?;
/// assert_eq!(cells.dim(), (3, 3));
/// assert_eq!(cells[[0, 0]], 1.0); // the first query has only itself to look at
/// # Ok::<(), lookback_view::Error>(())
/// ```
pub fn pooled(
    head: &Head<'_>,
    area: &Area,
    pool: Pool,
    cancel: &AtomicBool,
) -> Result<Array2<f32>, Error> {
    for (what, range) in [("queries", &area.rows), ("keys", &area.cols)] {
        if range.is_empty() || range.end > head.n() {
            return Err(Error::Nothing {
                what,
                start: range.start,
                end: range.end,
                n: head.n(),
            });
        }
    }
    let mut cells = Array2::<f64>::zeros(area.cells());
    let mut from = area.rows.start;
    while from < area.rows.end {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let rows = from..(from + ROWS).min(area.rows.end);
        let weights = head.weights(rows.clone(), area.cols.clone())?;
        for (i, row) in rows.clone().zip(weights.outer_iter()) {
            let mut cells = cells.index_axis_mut(Axis(0), (i - area.rows.start) / area.cell);
            for (cell, part) in cells
                .iter_mut()
                .zip(row.axis_chunks_iter(Axis(0), area.cell))
            {
                let values = part.iter().map(|&w| f64::from(w));
                *cell = match pool {
                    Pool::Max => values.fold(*cell, f64::max),
                    Pool::Mean => *cell + values.sum::<f64>(),
                };
            }
        }
        from = rows.end;
    }
    if pool == Pool::Mean {
        divide(&mut cells, area);
    }
    Ok(cells.mapv(|cell| cell as f32))
}

/// Sums to means.
fn divide(cells: &mut Array2<f64>, area: &Area) {
    let side = |at: usize, len: usize| area.cell.min(len - at * area.cell);
    for ((row, col), cell) in cells.indexed_iter_mut() {
        *cell /= (side(row, area.rows.len()) * side(col, area.cols.len())) as f64;
    }
}

/// The largest of all cells.
#[must_use]
pub fn peak(cells: &Array2<f32>) -> f32 {
    cells.slice(s![.., ..]).iter().copied().fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_heads::example::Example;

    #[test]
    fn cells_are_the_largest_or_the_mean_of_their_weights() {
        let trace = Example::default().trace();
        let head = trace.head(1, 1).unwrap();
        let area = Area {
            rows: 2..17,
            cols: 1..20,
            cell: 4,
        };
        let all = head.weights(area.rows.clone(), area.cols.clone()).unwrap();
        for pool in [Pool::Max, Pool::Mean] {
            let cells = pooled(&head, &area, pool, &AtomicBool::new(false)).unwrap();
            assert_eq!(cells.dim(), (4, 5));
            for ((a, b), &cell) in cells.indexed_iter() {
                let part = all.slice(s![a * 4..(a * 4 + 4).min(15), b * 4..(b * 4 + 4).min(19)]);
                let expected = match pool {
                    Pool::Max => part.iter().copied().fold(0.0, f32::max),
                    Pool::Mean => part.mean().unwrap(),
                };
                assert!(
                    (cell - expected).abs() < 1e-6,
                    "{pool:?} {a} {b}: {cell} is not {expected}"
                );
            }
        }
    }

    #[test]
    fn nothing_and_what_is_not_wanted_any_more_are_refused() {
        let trace = Example::default().trace();
        let head = trace.head(0, 0).unwrap();
        let ask = |rows, cancel| {
            pooled(
                &head,
                &Area {
                    rows,
                    cols: 0..5,
                    cell: 1,
                },
                Pool::Max,
                &AtomicBool::new(cancel),
            )
        };
        assert!(matches!(
            ask(3..3, false),
            Err(Error::Nothing {
                what: "queries",
                ..
            })
        ));
        assert!(matches!(ask(0..999, false), Err(Error::Nothing { .. })));
        assert!(matches!(ask(0..5, true), Err(Error::Cancelled)));
    }
}
