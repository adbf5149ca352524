//! One tile of scores.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use lookback_simd::math::tanh;
use lookback_simd::{Isa, Line, RegisterTile, multiply};

use super::bounds::Bounds;
use super::head::HeadScoring;

/// Where a tile stands: its first query and first key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TileAt {
    pub(crate) query: usize,
    pub(crate) key: usize,
}

/// The scores of a packed strip of queries and one or two panels of keys, in log₂ units, −∞ where a key is not seen.
///
/// `strip` is `[d_k/16][ROWS][16]`, each panel `[d_k][16]` (see [`multiply`]).
#[inline(always)]
pub(crate) fn score_tile<I: Isa, T: RegisterTile<I::V>>(
    isa: I,
    strip: &[Line],
    panels: [&[Line]; 2],
    at: TileAt,
    (head, bounds): (&HeadScoring, &Bounds),
) -> T {
    let tile = multiply::<I, T>(isa, strip, panels);
    let hidden = !bounds.all_see(at.key..at.key + T::VECTORS * I::LANES);
    if !hidden && !head.has_options() {
        return tile;
    }
    // A loop over rows of more than a few instructions is not unrolled, and what it indexes is in memory for good. So
    // the rows go there here, and a tile without options never does.
    let mut rows = Rows([[Line::ZERO; 2]; 16]);
    rows.store(isa, &tile);
    for r in 0..T::ROWS {
        let mut row = rows.load::<I, T>(isa, r);
        if head.has_options() {
            let at = TileAt {
                query: at.query + r,
                key: at.key,
            };
            apply_options_to_row(isa, row.as_mut(), at, head);
        }
        if hidden {
            hide_in_row(isa, row.as_mut(), at.key, bounds.row(r));
        }
        rows.store_row(isa, r, row.as_ref());
    }
    let mut tile = tile;
    for r in 0..T::ROWS {
        *tile.row_mut(r) = rows.load::<I, T>(isa, r);
    }
    tile
}

/// A tile's rows in memory.
struct Rows([[Line; 2]; 16]);

impl Rows {
    #[inline(always)]
    fn store<I: Isa, T: RegisterTile<I::V>>(&mut self, isa: I, tile: &T) {
        for r in 0..T::ROWS {
            self.store_row(isa, r, tile.row(r).as_ref());
        }
    }

    #[inline(always)]
    fn store_row<I: Isa>(&mut self, isa: I, r: usize, row: &[I::V]) {
        let per_line = Line::LEN / I::LANES;
        for v in 0..row.len() {
            let line = &mut self.0[r][v / per_line];
            isa.store(row[v], line.part_mut(v % per_line, I::LANES));
        }
    }

    #[inline(always)]
    fn load<I: Isa, T: RegisterTile<I::V>>(&self, isa: I, r: usize) -> T::Row {
        let per_line = Line::LEN / I::LANES;
        let mut row = T::row_of(isa.splat(0.0));
        for v in 0..T::VECTORS {
            let line = &self.0[r][v / per_line];
            row.as_mut()[v] = isa.load(line.part(v % per_line, I::LANES));
        }
        row
    }
}

/// Soft cap, distance penalty and bias of one query's scores for consecutive keys, in the order that
/// [`Scoring`](crate::Scoring) documents.
#[inline(always)]
pub(crate) fn apply_options_to_row<I: Isa>(
    isa: I,
    row: &mut [I::V],
    at: TileAt,
    head: &HeadScoring,
) {
    if let Some(cap) = head.cap {
        for v in 0..row.len() {
            row[v] = isa.mul(tanh(isa, row[v]), isa.splat(cap));
        }
    }
    if let Some(slope) = head.slope {
        for v in 0..row.len() {
            let distance = isa.ramp(head.distance(at.query, at.key + v * I::LANES));
            let distance = isa.max(distance, isa.sub(isa.splat(0.0), distance));
            row[v] = isa.mul_add(distance, isa.splat(-slope), row[v]);
        }
    }
    if head.bias.is_some() {
        for v in 0..row.len() {
            let line = head.bias_line(at.query, at.key + v * I::LANES);
            row[v] = isa.mul_add(isa.load(&line.0), isa.splat(LOG2_E), row[v]);
        }
    }
}

/// −∞ at the keys outside `visible`, of one query's scores for the keys from `key` on.
#[inline(always)]
pub(crate) fn hide_in_row<I: Isa>(isa: I, row: &mut [I::V], key: usize, visible: Range<usize>) {
    let hidden = isa.splat(f32::NEG_INFINITY);
    let width = row.len() * I::LANES;
    let start = isa.splat(visible.start.saturating_sub(key).min(width) as f32);
    let end = isa.splat(visible.end.saturating_sub(key).min(width) as f32);
    for v in 0..row.len() {
        let index = isa.ramp((v * I::LANES) as f32);
        row[v] = isa.select(isa.less(index, end), row[v], hidden);
        row[v] = isa.select(isa.less(index, start), hidden, row[v]);
    }
}
