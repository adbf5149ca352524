//! What an observer sees.

use std::cell::OnceCell;
use std::ops::Range;

use super::QueryBlock;
use super::lanes::{RowMaxima, RowSums};
use crate::InstructionSet;
use crate::isa::{Line, lines_for};
use crate::pack::BLOCK;

/// Lines of a tile's row: a block of keys.
pub(super) const LINES: usize = BLOCK / Line::LEN;

/// The most rows that a tile has: the height of the highest microkernel, rounded up.
pub(super) const MAX_ROWS: usize = 16;

/// The weights of a few consecutive queries for some consecutive keys: at most 16 × 256 of them, small enough to
/// stay in the first-level cache while all observers look at them.
#[derive(Debug)]
pub struct Tile<'a> {
    block: &'a QueryBlock<'a>,
    rows: Range<usize>,
    keys: Range<usize>,
    /// `[rows][LINES]`; 0 beyond the last key to the end of its line.
    weights: &'a [Line],
    /// As `weights`, or empty where no observer wants them.
    log2_weights: &'a [Line],
    set: InstructionSet,
    row_sums: OnceCell<[f32; MAX_ROWS]>,
    row_maxima: OnceCell<[f32; MAX_ROWS]>,
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
    /// Their logarithms to base 2, −3.4·10³⁸ where the weight is 0; empty unless some observer of the walk asks for
    /// them ([`Observer::wants_log2_weights`](super::Observer::wants_log2_weights)).
    pub log2_weights: &'a [f32],
}

impl<'a> Tile<'a> {
    /// A tile of `rows` × `keys`, of which `weights` and `log2_weights` hold `[rows][LINES]`.
    pub(super) fn new(
        set: InstructionSet,
        block: &'a QueryBlock<'a>,
        (rows, keys): (Range<usize>, Range<usize>),
        (weights, log2_weights): (&'a [Line], &'a [Line]),
    ) -> Tile<'a> {
        Tile {
            block,
            rows,
            keys,
            weights,
            log2_weights,
            set,
            row_sums: OnceCell::new(),
            row_maxima: OnceCell::new(),
        }
    }

    /// Some of the tile's rows.
    pub(super) fn part(&self, rows: Range<usize>) -> Tile<'a> {
        let first = (rows.start - self.rows.start) * LINES;
        let logs = self.log2_weights.get(first..).unwrap_or(&[]);
        let weights = (&self.weights[first..], logs);
        Tile::new(self.set, self.block, (rows, self.keys.clone()), weights)
    }

    /// The block that the tile is part of.
    pub fn block(&self) -> &'a QueryBlock<'a> {
        self.block
    }

    /// Which queries, within those of the block.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Which keys, within 0..M; the first is a multiple of 16.
    pub fn keys(&self) -> Range<usize> {
        self.keys.clone()
    }

    /// The rows, from the first query to the last.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TileRow<'a>> + use<'a> {
        let (first, in_block) = (self.rows.start, self.first_in_block());
        let (width, weights, logs) = (self.keys.len(), self.weights, self.log2_weights);
        (0..self.rows.len()).map(move |r| TileRow {
            query: first + r,
            in_block: in_block + r,
            weights: &row(weights, r)[..width],
            log2_weights: if logs.is_empty() {
                &[]
            } else {
                &row(logs, r)[..width]
            },
        })
    }

    /// The sum of each row's weights in this tile, computed once for all observers. NaN where any of them is.
    pub fn row_sums(&self) -> &[f32] {
        let sums = self.row_sums.get_or_init(|| self.set.run(RowSums(self)));
        &sums[..self.rows.len()]
    }

    /// The largest of each row's weights in this tile, computed once for all observers. NaN where any of them is.
    pub fn row_maxima(&self) -> &[f32] {
        let maxima = self.row_maxima.get_or_init(|| {
            let mut maxima = self.set.run(RowMaxima(self));
            for (max, sum) in maxima.iter_mut().zip(self.row_sums()) {
                if sum.is_nan() {
                    *max = f32::NAN;
                }
            }
            maxima
        });
        &maxima[..self.rows.len()]
    }

    /// The first row's place in the block.
    pub fn first_in_block(&self) -> usize {
        self.rows.start - self.block.rows.start
    }

    /// The instruction set that the walk runs on.
    pub(super) fn set(&self) -> InstructionSet {
        self.set
    }

    /// Row `r` of the tile, to the end of its last line.
    #[inline(always)]
    pub(super) fn lines(&self, r: usize) -> &'a [Line] {
        &self.weights[r * LINES..][..self.width()]
    }

    /// Line `l` of row `r`.
    #[inline(always)]
    pub(super) fn line(&self, r: usize, l: usize) -> &'a Line {
        &self.weights[r * LINES + l]
    }

    /// As [`lines`](Self::lines), of the logarithms.
    #[inline(always)]
    pub(super) fn log2_lines(&self, r: usize) -> &'a [Line] {
        &self.log2_weights[r * LINES..][..self.width()]
    }

    /// Lines that hold the tile's keys.
    #[inline(always)]
    pub(super) fn width(&self) -> usize {
        lines_for(self.keys.len())
    }
}

/// Row `r` of `[rows][LINES]` as f32.
fn row(lines: &[Line], r: usize) -> &[f32] {
    Line::flat(&lines[r * LINES..][..LINES])
}
