//! What an observer sees.

use std::cell::OnceCell;
use std::ops::Range;

use lookback_simd::{Line, lines_for};

use super::area::QueryBlock;
use super::layout::{LINES, WORDS};
use super::statistics::{Statistics, StatisticsOf};
use crate::InstructionSet;

/// The weights of a few consecutive queries for some consecutive keys: at most 16 × 256 of them, small enough to
/// stay in the first-level cache while all observers look at them.
#[derive(Debug)]
pub struct Tile<'a> {
    block: &'a QueryBlock<'a>,
    rows: Range<usize>,
    keys: Range<usize>,
    /// `[rows][LINES]`; 0 beyond the last key to the end of its line.
    weights: &'a [Line],
    set: InstructionSet,
    statistics: OnceCell<Statistics>,
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
}

impl<'a> Tile<'a> {
    /// A tile of `rows` × `keys`, of which `weights` holds `[rows][LINES]`.
    pub(super) fn new(
        set: InstructionSet,
        block: &'a QueryBlock<'a>,
        (rows, keys): (Range<usize>, Range<usize>),
        weights: &'a [Line],
        statistics: Option<Statistics>,
    ) -> Tile<'a> {
        Tile {
            block,
            rows,
            keys,
            weights,
            set,
            statistics: statistics.map(OnceCell::from).unwrap_or_default(),
        }
    }

    /// Some of the tile's rows.
    pub(super) fn part(&self, rows: Range<usize>) -> Tile<'a> {
        let first = rows.start - self.rows.start;
        let statistics = self.statistics.get().map(|all| all.rows_from(first));
        let weights = &self.weights[first * LINES..];
        Tile::new(
            self.set,
            self.block,
            (rows, self.keys.clone()),
            weights,
            statistics,
        )
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
        let (width, weights) = (self.keys.len(), self.weights);
        (0..self.rows.len()).map(move |r| TileRow {
            query: first + r,
            in_block: in_block + r,
            weights: &row(weights, r)[..width],
        })
    }

    /// The sum of each row's weights in this tile. NaN where any of them is.
    ///
    /// As the three below: taken once for all observers, and in passing where one of them asks for that
    /// ([`Observer::wants_row_statistics`](super::Observer::wants_row_statistics)).
    pub fn row_sums(&self) -> &[f32] {
        &self.statistics().sums[..self.rows.len()]
    }

    /// The largest of each row's weights in this tile. NaN where any of them is.
    pub fn row_maxima(&self) -> &[f32] {
        &self.statistics().maxima[..self.rows.len()]
    }

    /// Each row's Σ w·(l − j) over the keys j of this tile, where l is the last place of the last 16: its first key +
    /// 16·⌈keys/16⌉ − 1.
    pub fn row_moments(&self) -> &[f32] {
        &self.statistics().moments[..self.rows.len()]
    }

    /// Each row's −Σ w·log₂w over the keys of this tile: its share of the row's entropy, in bits.
    pub fn row_entropies(&self) -> &[f32] {
        &self.statistics().entropies[..self.rows.len()]
    }

    fn statistics(&self) -> &Statistics {
        let of = || StatisticsOf {
            weights: self.weights,
            rows: self.rows.len(),
            width: self.width(),
        };
        self.statistics.get_or_init(|| self.set.run(of()))
    }

    /// The maxima of the rows' words (see [`Statistics`]), if they are known already.
    pub(super) fn known_word_maxima(&self) -> Option<&[Line; WORDS]> {
        self.statistics.get().map(|known| &known.word_maxima)
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

    /// Row `r` to the end of its memory, which beyond the tile's last line holds anything.
    #[inline(always)]
    pub(super) fn whole_row(&self, r: usize) -> &'a [Line; LINES] {
        &self.weights.as_chunks().0[r]
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
