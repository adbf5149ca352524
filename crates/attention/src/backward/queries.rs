//! The queries of a task, packed, with all that belongs to them.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use lookback_simd::pack::ContiguousRows;
use lookback_simd::{Isa, Line, lines_for, widen};
use ndarray::s;

use super::head::HeadInputs;
use super::pack::PackedMatrix;
use crate::score::{Bounds, HeadScoring};

/// Up to all queries of a head.
#[derive(Debug, Default)]
pub(super) struct Queries {
    /// \[count, d_k\]
    pub(super) q: PackedMatrix,
    /// \[count, d_v\]
    pub(super) d_o: PackedMatrix,
    /// −LSE in log₂ units, `[count/16][16]`; −∞ for a query without keys and beyond the last, which makes every weight 0.
    pub(super) minus_lse: Vec<Line>,
    /// D, `[count/16][16]`; 0 beyond the last query.
    pub(super) row_terms: Vec<Line>,
    /// The visible keys of each panel's queries.
    pub(super) bounds: Vec<Bounds>,
    /// The first query's place in the head.
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Queries {
    /// Packs the queries `range` of a head, and some before them to begin with a whole panel, in place of what was there.
    #[inline(always)]
    pub(super) fn load<I: Isa>(
        &mut self,
        isa: I,
        inputs: &HeadInputs,
        range: Range<usize>,
        scoring: &HeadScoring,
    ) {
        let range = range.start / Line::LEN * Line::LEN..range.end;
        let rows = s![range.clone(), ..];
        self.q.load(isa, inputs.q.slice(rows), true);
        self.d_o.load(isa, inputs.d_o.slice(rows), true);
        (self.first, self.count) = (range.start, range.len());
        let panels = lines_for(self.count);
        self.minus_lse.clear();
        self.minus_lse.resize(panels, Line([f32::NEG_INFINITY; 16]));
        for (at, &lse) in inputs.lse.slice(s![range.clone()]).iter().enumerate() {
            if lse != f32::NEG_INFINITY {
                self.minus_lse[at / Line::LEN].0[at % Line::LEN] = -lse * LOG2_E;
            }
        }
        self.row_terms.clear();
        self.row_terms.resize(panels, Line::ZERO);
        let o = ContiguousRows::new(inputs.o.slice(rows));
        for at in 0..self.count {
            let d_lse = inputs.d_lse.map_or(0.0, |d_lse| d_lse[range.start + at]);
            self.row_terms[at / Line::LEN].0[at % Line::LEN] = self.dot(isa, at, o.row(at)) - d_lse;
        }
        self.bounds.clear();
        let queries = inputs.q.nrows();
        let bounds = |panel: usize| {
            let first = range.start + panel * Line::LEN;
            Bounds::new(&scoring.mask, first, Line::LEN, queries, scoring.keys)
        };
        self.bounds.extend((0..panels).map(bounds));
    }

    /// The panels that hold the queries `range` of the head.
    pub(super) fn panels_of(&self, range: &Range<usize>) -> Range<usize> {
        let end = range.end.saturating_sub(self.first).div_ceil(Line::LEN);
        range.start.saturating_sub(self.first) / Line::LEN..end.min(self.bounds.len())
    }

    /// Whether every q and dO of these panels is finite. Weights and score gradients of 0 hide them only then.
    pub(super) fn finite(&self, panels: Range<usize>) -> bool {
        let finite =
            |packed: &PackedMatrix| packed.finite[panels.clone()].iter().all(|&finite| finite);
        finite(&self.q) && finite(&self.d_o)
    }

    /// dO · `o` for query `at`.
    #[inline(always)]
    fn dot<I: Isa>(&self, isa: I, at: usize, o: &[f32]) -> f32 {
        let mut sum = isa.splat(0.0);
        for (line, o) in o.chunks(Line::LEN).enumerate() {
            let d_o = &self.d_o.rows(line)[at];
            let o_line = widen(isa, o);
            for part in 0..Line::LEN / I::LANES {
                let (d_o, o) = (d_o.part(part, I::LANES), o_line.part(part, I::LANES));
                sum = isa.mul_add(isa.load(d_o), isa.load(o), sum);
            }
        }
        isa.sum(sum)
    }
}
