//! The scores of a few strips of queries, tile by tile.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use lookback_simd::pack::pack_strip;
use lookback_simd::{Isa, Kernel, Line, RegisterTile, lines_for};
use ndarray::ArrayView2;

use super::ranges::{cover, intersect};
use crate::InstructionSet;
use crate::score::{Bounds, HeadScoring, TileAt, score_tile};

/// Rows of a strip.
pub(super) fn height(set: InstructionSet) -> usize {
    set.run(Height)
}

/// [`height`].
pub(super) struct Height;

impl Kernel for Height {
    type Output = usize;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> usize {
        I::WideTile::ROWS
    }
}

/// Some rows of a block, as many as a microkernel is high.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) rows: Range<usize>,
    pub(super) bounds: Bounds,
    /// LSE · log₂e; +∞ for a row that sees no key, whose weights are then 0.
    lse: [f32; 16],
}

impl Strip {
    /// What the exponents of row `r`'s weights are taken against: its LSE in log₂ units, +∞ where it sees no key.
    #[inline(always)]
    pub(super) fn lse(&self, r: usize) -> f32 {
        self.lse[r]
    }

    /// Takes what the exponents of row `r`'s weights are to be taken against.
    pub(super) fn take_against(&mut self, r: usize, lse: f32) {
        self.lse[r] = lse;
    }

    /// Takes the LSE of all rows, in natural units.
    pub(super) fn set_lse(&mut self, lse: &[f32]) {
        for (to, from) in self.lse.iter_mut().zip(lse) {
            if *from != f32::NEG_INFINITY {
                *to = from * LOG2_E;
            }
        }
    }
}

/// The keys among `keys` that some of the strips see.
pub(super) fn seen(strips: &[Strip], keys: &Range<usize>) -> Range<usize> {
    let of_strip = |strip: &Strip| intersect(keys, &strip.bounds.seen());
    strips
        .iter()
        .map(of_strip)
        .fold(keys.start..keys.start, cover)
}

/// A block's queries, packed, in memory that is used from block to block.
pub(super) struct Queries {
    /// Rows of a strip.
    pub(super) height: usize,
    /// `[strips][d_k/16][ROWS]`
    lines: Vec<Line>,
    /// Lines a strip.
    of_strip: usize,
}

impl Queries {
    pub(super) fn new(set: InstructionSet, d_k: usize) -> Queries {
        let height = height(set);
        Queries {
            height,
            lines: Vec::new(),
            of_strip: lines_for(d_k) * height,
        }
    }

    /// Packs the queries `rows` of q \[N, d_k\] of a head, in strips whose LSE is not known yet.
    pub(super) fn pack(
        &mut self,
        set: InstructionSet,
        q: ArrayView2<f32>,
        rows: &Range<usize>,
        scoring: &HeadScoring,
    ) -> Vec<Strip> {
        let strips = rows.len().div_ceil(self.height);
        self.lines.resize(strips * self.of_strip, Line::ZERO);
        let parts = self.lines.chunks_exact_mut(self.of_strip);
        let pack = |(to, first): (&mut [Line], usize)| {
            set.run(PackStrip {
                q,
                rows: first..(first + self.height).min(rows.end),
                scoring,
                to,
            })
        };
        let firsts = rows.clone().step_by(self.height);
        parts.zip(firsts).map(pack).collect()
    }

    /// `count` strips from strip `at` on.
    pub(super) fn strips(&self, at: usize, count: usize) -> &[Line] {
        &self.lines[at * self.of_strip..][..count * self.of_strip]
    }
}

/// Packs queries \[N, d_k\] of a head, `rows` of them, as one strip, `[d_k/16][ROWS][16]`.
pub(super) struct PackStrip<'w, 'a> {
    pub(super) q: ArrayView2<'w, f32>,
    pub(super) rows: Range<usize>,
    pub(super) scoring: &'w HeadScoring<'a>,
    pub(super) to: &'w mut [Line],
}

impl Kernel for PackStrip<'_, '_> {
    type Output = Strip;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> Strip {
        let (rows, head, height) = (self.rows, self.scoring, I::WideTile::ROWS);
        pack_strip(self.to, self.q, rows.clone(), height, head.factor);
        let bounds = Bounds::new(&head.mask, rows.start, height, self.q.nrows(), head.keys);
        Strip {
            rows,
            bounds,
            lse: [f32::INFINITY; 16],
        }
    }
}

/// Computes the scores of some strips for some keys, in log₂ units, −∞ where a key is not seen.
pub(super) struct Scores<'w, 'a> {
    /// Together at most [`MAX_ROWS`](super::layout::MAX_ROWS) rows.
    pub(super) strips: &'w [Strip],
    /// The strips packed, each `[d_k/16][ROWS][16]`.
    pub(super) q: &'w [Line],
    /// `[keys/16][d_k][16]`: real keys of the head from the `origin`-th on, a multiple of 16.
    pub(super) keys: &'w [Line],
    pub(super) origin: usize,
    pub(super) d_k: usize,
    pub(super) scoring: &'w HeadScoring<'a>,
    /// The first key, a multiple of 16, and how many panels of 16 from there on.
    pub(super) first: usize,
    pub(super) panels: usize,
    /// Where the scores go: a row's into as many lines as there are panels, the next row's `stride` lines further on.
    pub(super) to: &'w mut [Line],
    pub(super) stride: usize,
}

impl Scores<'_, '_> {
    /// A microkernel's tile at a time: strip after strip against the panels that the nearest cache now holds.
    #[inline(always)]
    pub(super) fn compute<I: Isa>(&mut self, isa: I) {
        let wide = I::WideTile::VECTORS * I::LANES / Line::LEN;
        let mut panel = 0;
        while panel < self.panels {
            let whole = panel + wide <= self.panels;
            for strip in 0..self.strips.len() {
                if whole {
                    self.tile::<I, I::WideTile>(isa, strip, panel);
                } else {
                    self.tile::<I, I::NarrowTile>(isa, strip, panel);
                }
            }
            panel += if whole { wide } else { 1 };
        }
    }

    /// One microkernel's tile, from `panel` on.
    #[inline(always)]
    fn tile<I: Isa, T: RegisterTile<I::V>>(&mut self, isa: I, at: usize, panel: usize) {
        let per_line = Line::LEN / I::LANES;
        let key = self.first + panel * Line::LEN;
        let keys = |panel: usize| &self.keys[panel * self.d_k..][..self.d_k];
        let in_keys = (key - self.origin) / Line::LEN;
        let last = in_keys + T::VECTORS / per_line - 1;
        let panels = [keys(in_keys), keys(last)];
        let strip = &self.strips[at];
        let place = TileAt {
            query: strip.rows.start,
            key,
        };
        let q_lines = lines_for(self.d_k) * T::ROWS;
        let q = &self.q[at * q_lines..][..q_lines];
        let context = (self.scoring, &strip.bounds);
        let tile = score_tile::<I, T>(isa, q, panels, place, context);
        for r in 0..T::ROWS {
            let to = (at * T::ROWS + r) * self.stride + panel;
            let to = &mut self.to[to..][..T::VECTORS / per_line];
            for v in 0..T::VECTORS {
                let to = to[v / per_line].part_mut(v % per_line, I::LANES);
                isa.store(tile.row(r).as_ref()[v], to);
            }
        }
    }
}
