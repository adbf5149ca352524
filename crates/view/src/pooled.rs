//! A rectangle of one head's weights, pooled to cells for a picture.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use lookback_trace::observe::{self, PooledTile};
use lookback_trace::{Head, Mask};
use ndarray::{Array2, s};
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

impl From<Pool> for observe::Pool {
    fn from(pool: Pool) -> Self {
        match pool {
            Pool::Max => Self::Max,
            Pool::Mean => Self::Mean,
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

/// Queries that are computed before it is asked whether the picture is still wanted.
const ROWS: usize = 2048;

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
    let (rows, cols) = (&area.rows, &area.cols);
    for (what, range, n) in [("queries", rows, head.n()), ("keys", cols, head.m())] {
        if range.is_empty() || range.end > n {
            return Err(Error::Nothing {
                what,
                start: range.start,
                end: range.end,
                n,
            });
        }
    }
    let mut cells = Array2::zeros(area.cells());
    for rows in parts(&area.rows, area.cell, (ROWS / area.cell).max(1) * area.cell) {
        for cols in parts(&area.cols, area.cell, area.cols.len()) {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let cell_of = |at: usize, from: usize| (at - from) / area.cell;
            let (top, left) = (
                cell_of(rows.start, area.rows.start),
                cell_of(cols.start, area.cols.start),
            );
            let tile = PooledTile {
                height: rows.len().div_ceil(area.cell),
                width: cols.len().div_ceil(area.cell),
                rows: rows.clone(),
                cols,
                pool: pool.into(),
            };
            let part = head.pooled(&tile)?;
            cells
                .slice_mut(s![top..top + tile.height, left..left + tile.width])
                .assign(&part);
        }
    }
    Ok(cells)
}

/// A range in parts of at most `most`, a multiple of `cell`, with what does not fill a cell at its end apart: cells of
/// one part are all alike.
fn parts(range: &Range<usize>, cell: usize, most: usize) -> Vec<Range<usize>> {
    let whole = range.start + range.len() / cell * cell;
    let step = (most / cell).max(1) * cell;
    let mut parts: Vec<Range<usize>> = (range.start..whole)
        .step_by(step)
        .map(|at| at..(at + step).min(whole))
        .collect();
    if whole < range.end {
        parts.push(whole..range.end);
    }
    parts
}

/// Whether `mask` lets any query of `rows` see any key of `cols`, neither of them empty.
///
/// ```
/// use lookback_trace::Mask;
/// use lookback_view::pooled::visible;
/// let window = Mask::Window { window: 2, offset: 0 };
/// assert!(visible(&window, &(4..6), &(2..4)) && !visible(&window, &(4..6), &(0..3)));
/// ```
#[must_use]
pub fn visible(mask: &Mask, rows: &Range<usize>, cols: &Range<usize>) -> bool {
    // How far keys lie ahead of queries: every distance from the least to the most is there.
    let least = cols.start as isize - rows.end as isize + 1;
    let most = cols.end as isize - 1 - rows.start as isize;
    match mask {
        Mask::None => true,
        &Mask::Causal { offset } => least <= offset,
        &Mask::StrictlyBefore { offset } => least < offset,
        &Mask::Window { window, offset } => {
            least <= offset && most > offset.saturating_sub_unsigned(window)
        }
        &Mask::SymmetricWindow { radius, offset } => {
            least <= offset.saturating_add_unsigned(radius)
                && most >= offset.saturating_sub_unsigned(radius)
        }
        Mask::Ranges { .. } => rows.clone().any(|row| {
            let seen = mask.visible(row, cols.end);
            seen.start.max(cols.start) < seen.end
        }),
    }
}

/// The largest of all cells.
#[must_use]
pub fn peak(cells: &Array2<f32>) -> f32 {
    cells.iter().copied().fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_heads::example::Example;
    use lookback_trace::KeyRanges;

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
    fn a_block_is_visible_where_one_of_its_pairs_is() {
        let window = |window, offset| Mask::Window { window, offset };
        let causal = |offset| Mask::Causal { offset };
        // Of four tokens each, with padding between them.
        let documents = |i: usize| match i / 4 % 2 {
            0 => i / 4 * 4..i / 4 * 4 + 4,
            _ => i / 4 * 4..i / 4 * 4,
        };
        for mask in [
            Mask::None,
            causal(0),
            causal(2),
            causal(-3),
            window(1, 0),
            window(3, 1),
            Mask::StrictlyBefore { offset: 1 },
            Mask::SymmetricWindow {
                radius: 2,
                offset: 1,
            },
            Mask::Ranges {
                ranges: KeyRanges::new((0..12).map(documents)).unwrap(),
                offset: 0,
            },
        ] {
            let pair = |i: usize, j: usize| {
                let ahead = j as isize - i as isize;
                match mask {
                    Mask::None => true,
                    Mask::Causal { offset } => ahead <= offset,
                    Mask::StrictlyBefore { offset } => ahead < offset,
                    Mask::Window { window, offset } => {
                        ahead <= offset && ahead > offset - window as isize
                    }
                    Mask::SymmetricWindow { radius, offset } => {
                        (ahead - offset).unsigned_abs() <= radius
                    }
                    Mask::Ranges { .. } => documents(i).contains(&j),
                }
            };
            for (rows, cols) in (0..9).flat_map(|i| (0..9).map(move |j| (i..i + 3, j..j + 2))) {
                let any = rows.clone().any(|i| cols.clone().any(|j| pair(i, j)));
                assert_eq!(
                    visible(&mask, &rows, &cols),
                    any,
                    "{mask:?} {rows:?} {cols:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_and_what_is_not_wanted_any_more_are_errors() {
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
