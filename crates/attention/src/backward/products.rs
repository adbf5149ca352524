//! The last three products: sums over queries for the keys, and over keys for the queries.

use std::ops::Range;

use lookback_simd::{Isa, Line, RegisterTile, multiply_onto};

use super::columns::Columns;
use super::keys::Keys;
use super::pack::PackedMatrix;
use super::tiles::Tiles;

/// Sums for the keys of one block: `[d/16][height][16]`, a line for a key and sixteen channels.
#[derive(Debug)]
pub(super) struct KeySums {
    pub(super) lines: Vec<Line>,
    /// Keys of a block.
    pub(super) height: usize,
}

impl KeySums {
    /// Adds, for each key j of the block, Σ_i `tiles[i, j]` · `rows[i]`; the tiles are weights or gradients.
    ///
    /// A panel of `rows` stays in the first-level cache while strip after strip of the tiles passes.
    #[inline(always)]
    pub(super) fn add<I: Isa>(
        &mut self,
        isa: I,
        tiles: &[Line],
        columns: &Columns,
        rows: &PackedMatrix,
    ) {
        let channels = self.lines.len() / self.height;
        let wide = I::WideTile::VECTORS * I::LANES / Line::LEN;
        let mut channel = 0;
        while channel < channels {
            if channel + wide <= channels {
                self.add_channels::<I, I::WideTile>(isa, tiles, columns, rows, channel);
                channel += wide;
            } else {
                self.add_channels::<I, I::NarrowTile>(isa, tiles, columns, rows, channel);
                channel += 1;
            }
        }
    }

    /// One or two lines of channels of [`add`](KeySums::add).
    #[inline(always)]
    fn add_channels<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        tiles: &[Line],
        columns: &Columns,
        rows: &PackedMatrix,
        channel: usize,
    ) {
        let last = channel + T::VECTORS * I::LANES / Line::LEN - 1;
        for (strip, span) in columns
            .spans
            .iter()
            .enumerate()
            .filter(|(_, span)| !span.is_empty())
        {
            let first = (columns.panel + span.start) * Line::LEN;
            let end = ((columns.panel + span.end) * Line::LEN).min(rows.count);
            let panels = [channel, last].map(|line| &rows.rows(line)[first..end]);
            let tiles = &tiles[span.start * self.height + strip * T::ROWS..];
            let sums = &mut self.lines[channel * self.height + strip * T::ROWS..];
            let tile = load::<I, T>(isa, sums, self.height);
            let tile = multiply_onto::<I, T>(isa, tile, (tiles, self.height), panels);
            store::<I, T>(isa, &tile, sums, self.height);
        }
    }
}

/// Sums for the queries of a task: `[count/16][height][16]`, a line for a channel and sixteen queries.
#[derive(Debug, Default)]
pub(super) struct QuerySums {
    pub(super) lines: Vec<Line>,
    /// d_k, rounded up to whole strips of channels.
    pub(super) height: usize,
}

impl QuerySums {
    /// Sets the sums of some panels to 0; what the others hold is of no use.
    pub(super) fn clear<I: Isa>(&mut self, panels: Range<usize>, d_k: usize) {
        self.height = d_k.next_multiple_of(I::WideTile::ROWS);
        let lines = panels.start * self.height..panels.end * self.height;
        self.lines
            .resize(lines.end.max(self.lines.len()), Line::ZERO);
        self.lines[lines].fill(Line::ZERO);
    }

    /// Adds, for each query i of the columns, Σ_j `d_t[i, j]` · `k[j]`.
    #[inline(always)]
    pub(super) fn add<I: Isa>(&mut self, isa: I, tiles: &Tiles, columns: &Columns, keys: &Keys) {
        let wide = I::WideTile::VECTORS * I::LANES / Line::LEN;
        for column in columns
            .columns
            .iter()
            .filter(|column| !column.strips.is_empty())
        {
            let start = column.strips.start * I::WideTile::ROWS / Line::LEN * Line::LEN;
            let end = (column.strips.end * I::WideTile::ROWS).min(keys.count);
            let panel_of =
                |panel: usize| &tiles.d_t[(panel - columns.panel) * tiles.height..][start..end];
            let panels = [panel_of(column.panel), panel_of(column.last())];
            let sums = &mut self.lines[column.panel * self.height..][..column.panels * self.height];
            if column.panels == wide {
                add_queries::<I, I::WideTile>(isa, sums, panels, (keys, start));
            } else {
                add_queries::<I, I::NarrowTile>(isa, sums, panels, (keys, start));
            }
        }
    }
}

/// One column of [`QuerySums::add`]: the gradients stay in the first-level cache while strip after strip of the channels
/// passes.
#[inline(always)]
fn add_queries<I: Isa, T: RegisterTile<I::V>>(
    isa: I,
    sums: &mut [Line],
    panels: [&[Line]; 2],
    (keys, start): (&Keys, usize),
) {
    let height = sums.len() / (T::VECTORS * I::LANES / Line::LEN);
    for strip in 0..height / T::ROWS {
        let channels = &keys.k.columns(start / Line::LEN)[strip * T::ROWS..];
        let sums = &mut sums[strip * T::ROWS..];
        let tile = load::<I, T>(isa, sums, height);
        let tile = multiply_onto::<I, T>(isa, tile, (channels, keys.k.d), panels);
        store::<I, T>(isa, &tile, sums, height);
    }
}

/// A tile of sums whose panels are `height` lines apart.
#[inline(always)]
fn load<I: Isa, T: RegisterTile<I::V>>(isa: I, sums: &[Line], height: usize) -> T {
    let per_line = Line::LEN / I::LANES;
    let mut tile = T::filled(isa.splat(0.0));
    for v in 0..T::VECTORS {
        let lines = &sums[v / per_line * height..][..T::ROWS];
        for r in 0..T::ROWS {
            tile.row_mut(r).as_mut()[v] = isa.load(lines[r].part(v % per_line, I::LANES));
        }
    }
    tile
}

/// Writes what [`load`] read.
#[inline(always)]
fn store<I: Isa, T: RegisterTile<I::V>>(isa: I, tile: &T, sums: &mut [Line], height: usize) {
    let per_line = Line::LEN / I::LANES;
    for v in 0..T::VECTORS {
        let lines = &mut sums[v / per_line * height..][..T::ROWS];
        for r in 0..T::ROWS {
            isa.store(
                tile.row(r).as_ref()[v],
                lines[r].part_mut(v % per_line, I::LANES),
            );
        }
    }
}
