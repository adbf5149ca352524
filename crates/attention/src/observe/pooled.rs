//! A rectangle of the weights at any zoom, for pictures.

use std::ops::Range;

use lookback_simd::Line;
use ndarray::{Array2, Array4, ArrayViewMut2, Axis, s};

use super::area::{Area, QueryBlock, Walk};
use super::lanes::{Fold, FoldColumns, FoldRange};
use super::layout::LINES;
use super::observer::Observer;
use super::ranges::{cover, intersect};
use super::tile::Tile;
use crate::shape::validate_range;
use crate::{Error, InstructionSet};

/// The most cells that a pooled tile may have: a gigabyte a head, far beyond any screen.
const MOST_CELLS: usize = 1 << 28;

/// How the weights of a cell become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pool {
    /// The largest: single sharp weights stay visible at any zoom.
    Max,
    /// The mean over all of the cell's queries and keys, those that a mask hides counting as 0.
    Mean,
}

/// The weights of `rows` × `cols`, pooled to \[B, H, height, width\] cells: a picture at any zoom.
///
/// Of R rows, cell row a pools the rows from ⌊a·R/height⌋ to before ⌊(a+1)·R/height⌋; where there are more cells than
/// rows, it shows row ⌊a·R/height⌋. Columns likewise. NaN where any weight of the cell is. Only the rectangle's own
/// weights are computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PooledTile {
    /// Which queries, within 0..N.
    pub rows: Range<usize>,
    /// Which keys, within 0..M.
    pub cols: Range<usize>,
    /// Cells from the first query to the last.
    pub height: usize,
    /// Cells from the first key to the last.
    pub width: usize,
    /// How a cell's weights become one number.
    pub pool: Pool,
}

/// A range of queries or keys cut into cells, none of them empty.
#[derive(Debug, Clone)]
struct Cells {
    range: Range<usize>,
    count: usize,
}

impl Cells {
    fn new(range: &Range<usize>, count: usize) -> Cells {
        Cells {
            range: range.clone(),
            count: count.min(range.len()),
        }
    }

    /// Where cell `a` begins.
    fn start(&self, a: usize) -> usize {
        self.range.start + scaled(a, self.range.len(), self.count)
    }

    /// The cell of a place within the range.
    fn of(&self, at: usize) -> usize {
        // The last cell that starts no later: ⌊a·R/c⌋ ≤ x, so a·R < (x + 1)·c, and so a < ⌈(x + 1)·c / R⌉.
        let x = (at - self.range.start) as u128;
        let (len, count) = (self.range.len() as u128, self.count as u128);
        (((x + 1) * count - 1) / len) as usize
    }

    /// The parts of `range` in each cell, as (cell, part).
    fn cut(&self, range: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + use<'_> {
        let mut at = range.start;
        let mut next = if range.is_empty() { 0 } else { self.of(at) };
        std::iter::from_fn(move || {
            (at < range.end).then(|| {
                let cell = next;
                next += 1;
                let part = at..self.start(next).min(range.end);
                at = part.end;
                (cell, part)
            })
        })
    }
}

/// ⌊a·b/c⌋ for a ≤ c.
fn scaled(a: usize, b: usize, c: usize) -> usize {
    // Products of 128 bits take several times as long, and are hardly ever needed.
    a.checked_mul(b)
        .map_or_else(|| (a as u128 * b as u128 / c as u128) as usize, |ab| ab / c)
}

impl PooledTile {
    fn cell_rows(&self) -> Cells {
        Cells::new(&self.rows, self.height)
    }

    fn cell_cols(&self) -> Cells {
        Cells::new(&self.cols, self.width)
    }

    /// The cell rows that a block has a share in.
    fn cells_of(&self, rows: &Range<usize>) -> Range<usize> {
        let rows = intersect(rows, &self.rows);
        match rows.is_empty() {
            true => 0..0,
            false => self.cell_rows().of(rows.start)..self.cell_rows().of(rows.end - 1) + 1,
        }
    }

    /// Adds some rows of a tile, counted from its first, to each key's sum or maximum.
    fn gather(&self, columns: &mut [Line], tile: &Tile, rows: Range<usize>) {
        tile.set().run(FoldColumns {
            tile,
            rows: rows.clone(),
            fold: self.fold(),
            columns,
        });
        if self.pool == Pool::Max {
            for r in rows.filter(|&r| tile.row_sums()[r].is_nan()) {
                keep_nan(columns, tile.lines(r));
            }
        }
    }

    /// Moves what the columns hold to the cells, and empties them.
    fn empty(&self, pooled: &mut Pooled, set: InstructionSet) {
        let (keys, cell_cols) = (intersect(&pooled.keys, &self.cols), self.cell_cols());
        let first = pooled.keys.start;
        for row in pooled.gathered.clone() {
            let columns = &mut pooled.columns[row * LINES..][..LINES];
            let mut cells = pooled.cells.row_mut(row);
            for (cell, part) in cell_cols.cut(keys.clone()) {
                let part = set.run(FoldRange {
                    weights: columns,
                    range: part.start - first..part.end - first,
                    fold: self.fold(),
                });
                let (cell, part) = (&mut cells[cell], f64::from(part));
                match self.pool {
                    Pool::Mean => *cell += part,
                    Pool::Max if part > *cell || part.is_nan() => *cell = part,
                    Pool::Max => {}
                }
            }
            columns.fill(Line::ZERO);
        }
        pooled.gathered = 0..0;
        pooled.keys = 0..0;
    }

    fn fold(&self) -> Fold {
        match self.pool {
            Pool::Mean => Fold::Sum,
            Pool::Max => Fold::Max,
        }
    }
}

/// What a block has gathered.
#[derive(Debug)]
#[doc(hidden)]
pub struct Pooled {
    /// The queries of each cell row of the block.
    cell_rows: Vec<Range<usize>>,
    /// \[cell rows of the block, cell columns\]: sums or maxima.
    cells: Array2<f64>,
    /// `[cell rows of the block][LINES]`: sums or maxima over queries alone, of the tiles that begin where the last did.
    /// Tiles below each other share them, so that only one in several is pooled along its keys.
    columns: Vec<Line>,
    /// The keys that the columns stand for.
    keys: Range<usize>,
    /// The cell rows whose columns hold something.
    gathered: Range<usize>,
}

/// NaN wherever `row` is.
fn keep_nan(columns: &mut [Line], row: &[Line]) {
    for (column, line) in columns.iter_mut().zip(row) {
        for (to, from) in column.0.iter_mut().zip(line.0) {
            if from.is_nan() {
                *to = from;
            }
        }
    }
}

impl Observer for PooledTile {
    type Block = Pooled;
    type Output = Array4<f32>;

    fn start(&self, walk: &Walk) -> Result<Array4<f32>, Error> {
        validate_range("rows", &self.rows, walk.n())?;
        validate_range("cols", &self.cols, walk.m())?;
        for (dimension, len) in [
            ("the number of rows", self.rows.len()),
            ("the number of cols", self.cols.len()),
            ("the height", self.height),
            ("the width", self.width),
        ] {
            if len == 0 {
                let operand = "the pooled tile";
                return Err(Error::ZeroSize { dimension, operand });
            }
        }
        let cells = self.height.checked_mul(self.width);
        if cells.is_none_or(|cells| cells > MOST_CELLS) {
            return Err(Error::InvalidOption {
                option: "height · width of the pooled tile",
                value: self.height as f64 * self.width as f64,
                expected: "it must be at most 2^28",
            });
        }
        walk.room("the pooled tile", &[self.height, self.width])?;
        Ok(Array4::zeros((walk.b(), walk.h(), self.height, self.width)))
    }

    fn block(&self, block: &QueryBlock) -> Pooled {
        let cells = self.cells_of(&block.rows());
        let (rows, all) = (cells.len(), self.cell_rows());
        Pooled {
            cell_rows: cells.map(|a| all.start(a)..all.start(a + 1)).collect(),
            cells: Array2::zeros((rows, self.cell_cols().count)),
            columns: vec![Line::ZERO; rows * LINES],
            keys: 0..0,
            gathered: 0..0,
        }
    }

    fn tile(&self, pooled: &mut Pooled, tile: &Tile) {
        let keys = tile.keys();
        if intersect(&keys, &self.cols).is_empty() {
            return;
        }
        if keys.start != pooled.keys.start {
            self.empty(pooled, tile.set());
        }
        pooled.keys = keys.start..pooled.keys.end.max(keys.end);
        let rows = tile.rows();
        let from = pooled.cell_rows.partition_point(|of| of.end <= rows.start);
        for row in from..pooled.cell_rows.len() {
            let part = intersect(&rows, &pooled.cell_rows[row]);
            if part.is_empty() {
                break;
            }
            let part = part.start - rows.start..part.end - rows.start;
            let columns = &mut pooled.columns[row * LINES..][..LINES];
            self.gather(columns, tile, part);
            pooled.gathered = cover(pooled.gathered.clone(), row..row + 1);
        }
    }

    fn end(&self, block: &QueryBlock, pooled: &mut Pooled) {
        self.empty(pooled, block.set);
    }

    fn merge(&self, output: &mut Array4<f32>, block: &QueryBlock, pooled: Pooled) {
        let cells = pooled.cells;
        let at = self.cells_of(&block.rows());
        let mut out = output.slice_mut(s![block.batch(), block.head(), at, ..cells.ncols()]);
        out.zip_mut_with(&cells, |out, &cell| match self.pool {
            Pool::Mean => *out += cell as f32,
            Pool::Max if cell > f64::from(*out) || cell.is_nan() => *out = cell as f32,
            Pool::Max => {}
        });
    }

    fn finish(&self, output: &mut Array4<f32>) {
        let (rows, cols) = (self.cell_rows(), self.cell_cols());
        let len = |cells: &Cells, a: usize| (cells.start(a + 1) - cells.start(a)) as f32;
        for mut batch in output.outer_iter_mut() {
            for mut head in batch.outer_iter_mut() {
                if self.pool == Pool::Mean {
                    let mut cells = head.slice_mut(s![..rows.count, ..cols.count]);
                    for ((a, b), cell) in cells.indexed_iter_mut() {
                        *cell /= len(&rows, a) * len(&cols, b);
                    }
                }
                repeat(head, rows.count, cols.count);
            }
        }
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        match intersect(&area.rows, &self.rows).is_empty() {
            true => area.none(),
            false => intersect(&area.keys, &self.cols),
        }
    }

    fn wants_row_statistics(&self) -> bool {
        // Maxima in vectors pass NaN over; a row's sum tells.
        self.pool == Pool::Max
    }
}

/// Spreads the first `height` × `width` cells over all.
fn repeat(mut cells: ArrayViewMut2<f32>, height: usize, width: usize) {
    let (rows, cols) = cells.dim();
    // From the far end, where a cell's source lies before it and is not yet written over.
    if cols > width {
        for mut row in cells.rows_mut().into_iter().take(height) {
            for b in (0..cols).rev() {
                row[b] = row[scaled(b, width, cols)];
            }
        }
    }
    if rows > height {
        for a in (0..rows).rev() {
            let from = scaled(a, height, rows);
            if from != a {
                let (source, mut to) = cells.multi_slice_mut((s![from, ..], s![a, ..]));
                to.assign(&source);
            }
        }
    }
    debug_assert_eq!(cells.len_of(Axis(0)), rows);
}
