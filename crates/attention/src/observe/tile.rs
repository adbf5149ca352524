//! What an observer sees.

use std::cell::OnceCell;
use std::ops::Range;

use super::lanes::{ColumnSums, RowSums};
use super::walk::Walk;
use crate::InstructionSet;
use crate::isa::Line;
use crate::pack::BLOCK;

/// Lines of a tile's row: a block of keys.
pub(super) const LINES: usize = BLOCK / Line::LEN;

/// The most rows a tile has: the height of the highest microkernel, rounded up.
pub(super) const MAX_ROWS: usize = 16;

/// Some consecutive queries of one head: what one thread observes from the first key to the last.
#[derive(Debug, Clone)]
pub struct QueryBlock<'a> {
    pub(super) walk: &'a Walk,
    pub(super) batch: usize,
    pub(super) head: usize,
    pub(super) rows: Range<usize>,
    pub(super) lse: &'a [f32],
}

impl<'a> QueryBlock<'a> {
    /// The whole walk's dimensions and mask.
    pub fn walk(&self) -> &'a Walk {
        self.walk
    }

    /// Which batch element.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Which query head.
    pub fn head(&self) -> usize {
        self.head
    }

    /// Which queries, within 0..N.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The queries' log-sum-exp, one for each row.
    pub fn lse(&self) -> &'a [f32] {
        self.lse
    }

    /// The keys that some query of the block sees.
    pub fn visible(&self) -> Range<usize> {
        let first = self.walk.visible(self.batch, self.rows.start);
        let last = self.walk.visible(self.batch, self.rows.end - 1);
        first.start..last.end.max(first.start)
    }
}

/// The weights of a few consecutive queries for some consecutive keys: at most 16 × 256 of them, small enough to
/// stay in the first-level cache while all observers look at them.
pub struct Tile<'a> {
    pub(super) block: &'a QueryBlock<'a>,
    pub(super) rows: Range<usize>,
    pub(super) keys: Range<usize>,
    /// `[rows][LINES]`; 0 beyond the last key to the end of its line.
    pub(super) weights: &'a [Line],
    /// As `weights`, or empty where no observer wants them.
    pub(super) log2_weights: &'a [Line],
    pub(super) set: InstructionSet,
    pub(super) row_sums: OnceCell<[f32; MAX_ROWS]>,
    pub(super) column_sums: OnceCell<Box<[Line; LINES]>>,
}

/// One query's part of a tile.
#[derive(Debug, Clone)]
pub struct TileRow<'a> {
    /// The query, within 0..N.
    pub query: usize,
    /// The same, counted from the first query of the [`QueryBlock`].
    pub in_block: usize,
    /// Its weights for [`Tile::keys`]: 0 where it may not see the key, NaN where the score or LSE is.
    pub weights: &'a [f32],
    /// Their logarithms to base 2, finite but for NaN, and then −3.4·10³⁸ where the weight is 0; empty unless
    /// [`Observer::wants_log2_weights`](super::Observer::wants_log2_weights).
    pub log2_weights: &'a [f32],
}

impl<'a> Tile<'a> {
    /// The block that the tile is part of.
    pub fn block(&self) -> &'a QueryBlock<'a> {
        self.block
    }

    /// Which queries, within those of the block.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Which keys, within 0..M.
    pub fn keys(&self) -> Range<usize> {
        self.keys.clone()
    }

    /// The rows, from the first query to the last.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TileRow<'a>> + use<'a> {
        let (block, rows, width) = (self.block, self.rows.clone(), self.keys.len());
        let (weights, logs) = (self.weights, self.log2_weights);
        (0..rows.len()).map(move |r| TileRow {
            query: rows.start + r,
            in_block: rows.start + r - block.rows.start,
            weights: &values(weights, r)[..width],
            log2_weights: if logs.is_empty() { &[] } else { &values(logs, r)[..width] },
        })
    }

    /// Row `r` of the tile, to the end of its last line.
    pub(super) fn lines(&self, r: usize) -> &'a [Line] {
        &self.weights[r * LINES..][..self.width()]
    }

    /// As [`lines`](Self::lines), of the logarithms.
    pub(super) fn log2_lines(&self, r: usize) -> &'a [Line] {
        &self.log2_weights[r * LINES..][..self.width()]
    }

    /// Lines that hold the tile's keys.
    pub(super) fn width(&self) -> usize {
        crate::isa::lines_for(self.keys.len())
    }

    /// The first row's place in the block.
    pub(super) fn first_in_block(&self) -> usize {
        self.rows.start - self.block.rows.start
    }

    /// The sum of each row's weights, computed once for all observers.
    pub(super) fn row_sums(&self) -> &[f32] {
        let sums = self.row_sums.get_or_init(|| self.set.run(RowSums { tile: self }));
        &sums[..self.rows.len()]
    }

    /// The sum of each key's weights over the rows, computed once for all observers.
    pub(super) fn column_sums(&self) -> &[Line] {
        let sums = self.column_sums.get_or_init(|| self.set.run(ColumnSums { tile: self, rows: 0..self.rows.len() }));
        &sums[..self.width()]
    }
}

/// Row `r` of `[rows][LINES]` as f32.
fn values(lines: &[Line], r: usize) -> &[f32] {
    Line::flat(&lines[r * LINES..][..LINES])
}
