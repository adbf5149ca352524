//! The first two products and what follows from them: weights, and gradients of the scores.

use std::f32::consts::LOG2_E;

use lookback_simd::math::{exp2_bounded, tanh};
use lookback_simd::{Isa, Line, RegisterTile, multiply_onto};

use super::columns::{Column, Columns};
use super::keys::{Keys, block_keys};
use super::pack::PackedMatrix;
use super::queries::Queries;
use crate::score::HeadScoring;

/// Panels of queries in a block: 96 queries, whose dO and q then stay in a first-level cache of 32 KB while they are
/// multiplied (d = 64), and few enough that sums are loaded and stored once in 96 steps.
pub(super) const BLOCK_PANELS: usize = 6;

/// Weights and score gradients of one block of keys and queries.
#[derive(Debug)]
pub(super) struct Tiles {
    /// P: `[BLOCK_PANELS][height][16]`, a line for a key and sixteen queries.
    pub(super) p: Vec<Line>,
    /// dT, the gradient of scale · q·k: likewise.
    pub(super) d_t: Vec<Line>,
    /// The soft cap's derivative for one tile: `[2][ROWS][16]`.
    slopes: Vec<Line>,
    /// Whether the gradients are those of the scores, without the soft cap's derivative.
    of_scores: bool,
    /// Keys of a block.
    pub(super) height: usize,
}

/// Where a tile goes.
#[derive(Clone, Copy)]
enum Destination {
    Weights,
    Gradients,
}

/// What a block's tiles are made from.
#[derive(Clone, Copy)]
pub(super) struct Pair<'w, 's> {
    pub(super) queries: &'w Queries,
    pub(super) keys: &'w Keys,
    pub(super) scoring: &'w HeadScoring<'s>,
    /// Whether every operand of the last three products is finite.
    pub(super) finite: bool,
}

impl Pair<'_, '_> {
    /// Whether a score may be −∞.
    #[inline(always)]
    fn may_hold_minus_infinity(&self) -> bool {
        self.scoring.bias.is_some() || !self.finite
    }
}

impl Tiles {
    /// Room for any block.
    pub(super) fn new<I: Isa>() -> Tiles {
        let height = block_keys(I::WideTile::ROWS);
        Tiles {
            p: vec![Line::ZERO; BLOCK_PANELS * height],
            d_t: vec![Line::ZERO; BLOCK_PANELS * height],
            slopes: vec![Line::ZERO; 2 * I::WideTile::ROWS],
            of_scores: false,
            height,
        }
    }

    /// The same, for gradients of the scores themselves.
    pub(super) fn for_scores<I: Isa>() -> Tiles {
        Tiles {
            of_scores: true,
            ..Tiles::new::<I>()
        }
    }

    /// Computes the tiles that `columns` lists.
    #[inline(always)]
    pub(super) fn fill<I: Isa>(&mut self, isa: I, pair: Pair, columns: &Columns) {
        let wide = I::WideTile::VECTORS * I::LANES / Line::LEN;
        for column in &columns.columns {
            if column.panels == wide {
                self.fill_column::<I, I::WideTile>(isa, pair, column, column.panel - columns.panel);
            } else {
                self.fill_column::<I, I::NarrowTile>(
                    isa,
                    pair,
                    column,
                    column.panel - columns.panel,
                );
            }
        }
    }

    /// The tiles of one column, whose panels stay in the first-level cache while strip after strip of the keys and
    /// values passes.
    #[inline(always)]
    fn fill_column<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        pair: Pair,
        column: &Column,
        panel: usize,
    ) {
        // The product over keys takes them by the line: those before the first strip are 0.
        let start = column.strips.start * T::ROWS;
        for panel in panel..panel + column.panels {
            self.d_t[panel * self.height..][start / Line::LEN * Line::LEN..start].fill(Line::ZERO);
        }
        for strip in column.strips.clone() {
            let mut tile = product::<I, T>(isa, (&pair.keys.k, strip), (&pair.queries.q, column));
            if pair.scoring.has_options() {
                self.apply_options::<I, T>(isa, &mut tile, pair, (column, strip));
            }
            let keys = pair.keys.first + strip * T::ROWS;
            let bounds = &pair.queries.bounds[column.panel..=column.last()];
            let all_see = bounds
                .iter()
                .all(|bounds| bounds.all_see(keys..keys + T::ROWS));

            let scores = tile;
            exp_weights::<I, T>(isa, &mut tile, pair, column);
            if pair.may_hold_minus_infinity() {
                clear_hidden::<I, T>(isa, &mut tile, &scores);
            }
            if !all_see {
                hide::<I, T>(isa, &mut tile, pair, (column, strip));
            }
            self.store::<I, T>(isa, &tile, Destination::Weights, (panel, strip));

            let mut tile = self.derive::<I, T>(isa, pair, (column, strip), panel);
            if !all_see {
                hide::<I, T>(isa, &mut tile, pair, (column, strip));
            }
            self.store::<I, T>(isa, &tile, Destination::Gradients, (panel, strip));
        }
    }

    /// dT = P ∘ (v·dO − D), times the soft cap's derivative; P of the tile is in memory.
    #[inline(always)]
    fn derive<I: Isa, T: RegisterTile<I::V>>(
        &self,
        isa: I,
        Pair {
            queries,
            keys,
            scoring,
            ..
        }: Pair,
        (column, strip): (&Column, usize),
        panel: usize,
    ) -> T {
        let per_line = Line::LEN / I::LANES;
        let mut tile = product::<I, T>(isa, (&keys.v, strip), (&queries.d_o, column));
        for r in 0..T::ROWS {
            let row = tile.row_mut(r).as_mut();
            for v in 0..T::VECTORS {
                let (line, part) = (v / per_line, v % per_line);
                let row_term =
                    isa.load(queries.row_terms[column.panel + line].part(part, I::LANES));
                let at = (panel + line) * self.height + strip * T::ROWS + r;
                let p = isa.load(self.p[at].part(part, I::LANES));
                row[v] = isa.mul(p, isa.sub(row[v], row_term));
                if scoring.cap.is_some() && !self.of_scores {
                    row[v] = isa.mul(
                        row[v],
                        isa.load(self.slopes[line * T::ROWS + r].part(part, I::LANES)),
                    );
                }
            }
        }
        tile
    }

    /// Stores a tile among the weights or the gradients.
    #[inline(always)]
    fn store<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        tile: &T,
        to: Destination,
        (panel, strip): (usize, usize),
    ) {
        let per_line = Line::LEN / I::LANES;
        let height = self.height;
        let lines = match to {
            Destination::Weights => &mut self.p,
            Destination::Gradients => &mut self.d_t,
        };
        for r in 0..T::ROWS {
            let row = tile.row(r).as_ref();
            for v in 0..T::VECTORS {
                let line = &mut lines[(panel + v / per_line) * height + strip * T::ROWS + r];
                isa.store(row[v], line.part_mut(v % per_line, I::LANES));
            }
        }
    }

    /// Products times the factor to scores: soft cap, distance penalty and bias, in the order that
    /// [`Scoring`](crate::Scoring) documents; the soft cap's derivative is kept.
    #[inline(always)]
    fn apply_options<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        tile: &mut T,
        Pair {
            queries,
            keys,
            scoring,
            ..
        }: Pair,
        (column, strip): (&Column, usize),
    ) {
        let per_line = Line::LEN / I::LANES;
        for r in 0..T::ROWS {
            let j = keys.first + strip * T::ROWS + r;
            let row = tile.row_mut(r).as_mut();
            for v in 0..T::VECTORS {
                let (line, part) = (v / per_line, v % per_line);
                let i = queries.first + (column.panel + line) * Line::LEN + part * I::LANES;
                row[v] = isa.mul(row[v], isa.splat(scoring.factor));
                if let Some(cap) = scoring.cap {
                    let t = tanh(isa, row[v]);
                    let slope = isa.mul_add(isa.sub(isa.splat(0.0), t), t, isa.splat(1.0));
                    isa.store(
                        slope,
                        self.slopes[line * T::ROWS + r].part_mut(part, I::LANES),
                    );
                    row[v] = isa.mul(t, isa.splat(cap));
                }
                if let Some(slope) = scoring.slope {
                    let distance = isa.ramp(-scoring.distance(i, j));
                    let distance = isa.max(distance, isa.sub(isa.splat(0.0), distance));
                    row[v] = isa.mul_add(distance, isa.splat(-slope), row[v]);
                }
                if scoring.bias.is_some() {
                    let bias = bias_of_queries(scoring, i, j);
                    row[v] = isa.mul_add(isa.load(&bias.0), isa.splat(LOG2_E), row[v]);
                }
            }
        }
    }
}

/// Scores to weights.
#[inline(always)]
fn exp_weights<I: Isa, T: RegisterTile<I::V>>(
    isa: I,
    tile: &mut T,
    Pair {
        queries, scoring, ..
    }: Pair,
    column: &Column,
) {
    let per_line = Line::LEN / I::LANES;
    let factor = isa.splat(if scoring.has_options() {
        1.0
    } else {
        scoring.factor
    });
    let mut minus_lse = T::row_of(isa.splat(0.0));
    for v in 0..T::VECTORS {
        let line = &queries.minus_lse[column.panel + v / per_line];
        minus_lse.as_mut()[v] = isa.load(line.part(v % per_line, I::LANES));
    }
    for r in 0..T::ROWS {
        let row = tile.row_mut(r).as_mut();
        for v in 0..T::VECTORS {
            row[v] = exp2_bounded(isa, isa.mul_add(row[v], factor, minus_lse.as_ref()[v]));
        }
    }
}

/// A strip of rows of `a` times a column of rows of `b`, over all of d.
#[inline(always)]
fn product<I: Isa, T: RegisterTile<I::V>>(
    isa: I,
    (a, strip): (&PackedMatrix, usize),
    (b, column): (&PackedMatrix, &Column),
) -> T {
    let zero = T::filled(isa.splat(0.0));
    let panels = [column.panel, column.last()].map(|panel| &b.columns(panel)[..b.d]);
    multiply_onto::<I, T>(isa, zero, (&a.rows(0)[strip * T::ROWS..], a.count), panels)
}

/// Weight 0 where a score is −∞, also in a row whose log-sum-exp is NaN.
#[inline(always)]
fn clear_hidden<I: Isa, T: RegisterTile<I::V>>(isa: I, weights: &mut T, scores: &T) {
    for r in 0..T::ROWS {
        let (row, scores) = (weights.row_mut(r).as_mut(), scores.row(r).as_ref());
        for v in 0..T::VECTORS {
            let below_all = isa.less(scores[v], isa.splat(f32::MIN));
            row[v] = isa.select(below_all, isa.splat(0.0), row[v]);
        }
    }
}

/// 0 where a query does not see a key.
#[inline(always)]
fn hide<I: Isa, T: RegisterTile<I::V>>(
    isa: I,
    tile: &mut T,
    pair: Pair,
    (column, strip): (&Column, usize),
) {
    let per_line = Line::LEN / I::LANES;
    let zero = isa.splat(0.0);
    let key = pair.keys.first + strip * T::ROWS;
    for v in 0..T::VECTORS {
        // Counted from the tile's first key, 0 to ROWS: exact as f32.
        let (mut starts, mut ends) = (Line::ZERO, Line::ZERO);
        for lane in 0..I::LANES {
            let visible = pair.queries.bounds[column.panel + v / per_line]
                .row(v % per_line * I::LANES + lane);
            starts.0[lane] = visible.start.saturating_sub(key).min(T::ROWS) as f32;
            ends.0[lane] = visible.end.saturating_sub(key).min(T::ROWS) as f32;
        }
        let (starts, ends) = (isa.load(&starts.0), isa.load(&ends.0));
        for r in 0..T::ROWS {
            let index = isa.splat(r as f32);
            let row = tile.row_mut(r).as_mut();
            row[v] = isa.select(isa.less(index, ends), row[v], zero);
            row[v] = isa.select(isa.less(index, starts), zero, row[v]);
        }
    }
}

/// The bias of the queries `i`, …, `i + 15` for key `j`; 0 beyond the last query or key.
fn bias_of_queries(scoring: &HeadScoring, i: usize, j: usize) -> Line {
    let mut line = Line::ZERO;
    if let Some(bias) = &scoring.bias
        && j < bias.ncols()
    {
        for (x, &value) in line.0.iter_mut().zip(bias.column(j).iter().skip(i)) {
            *x = value;
        }
    }
    line
}
