//! One tile of scores.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use super::{Bounds, HeadScoring};
use crate::isa::math::tanh;
use crate::isa::{Isa, Line, Tile, multiply};

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
pub(crate) fn score_tile<I: Isa, T: Tile<I::V>>(
    isa: I,
    strip: &[Line],
    panels: [&[Line]; 2],
    at: TileAt,
    (head, bounds): (&HeadScoring, &Bounds),
) -> T {
    let mut tile = multiply::<I, T>(isa, strip, panels);
    if head.has_options() {
        apply_options(isa, &mut tile, at, head);
    }
    if !bounds.all_see(at.key..at.key + T::VECTORS * I::LANES) {
        hide(isa, &mut tile, at.key, bounds);
    }
    tile
}

/// [`apply_options_to_row`] for every row of a tile.
#[inline(always)]
fn apply_options<I: Isa, T: Tile<I::V>>(isa: I, tile: &mut T, at: TileAt, head: &HeadScoring) {
    for r in 0..T::ROWS {
        let at = TileAt {
            query: at.query + r,
            key: at.key,
        };
        apply_options_to_row(isa, tile.row_mut(r).as_mut(), at, head);
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

/// −∞ at the keys that a row does not see.
#[inline(always)]
fn hide<I: Isa, T: Tile<I::V>>(isa: I, tile: &mut T, key: usize, bounds: &Bounds) {
    for r in 0..T::ROWS {
        hide_in_row(isa, tile.row_mut(r).as_mut(), key, bounds.row(r));
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
