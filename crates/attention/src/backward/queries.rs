//! The queries of a task, packed, with all that belongs to them.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2, s};

use crate::isa::{Isa, Line, lines_for};
use crate::pack::{pack_keys, pack_values};
use crate::score::{Bounds, HeadScoring};

/// One head's share of what the call took.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadInputs<'a> {
    /// \[N, d_k\]
    pub(super) q: ArrayView2<'a, f32>,
    /// \[M, d_k\]
    pub(super) k: ArrayView2<'a, f32>,
    /// \[M, d_v\]
    pub(super) v: ArrayView2<'a, f32>,
    /// \[N, d_v\]
    pub(super) o: ArrayView2<'a, f32>,
    /// \[N\]
    pub(super) lse: ArrayView1<'a, f32>,
    /// \[N, d_v\]
    pub(super) d_o: ArrayView2<'a, f32>,
    /// \[N\]
    pub(super) d_lse: Option<ArrayView1<'a, f32>>,
}

impl HeadInputs<'_> {
    /// D_i = dO_i · O_i − dLSE_i.
    pub(super) fn row_term(&self, i: usize) -> f32 {
        self.d_o.row(i).dot(&self.o.row(i)) - self.d_lse.map_or(0.0, |d_lse| d_lse[i])
    }
}

/// Up to all queries of a head, packed both ways: the products over d read them as panels of sixteen queries, the
/// products over the queries as panels of sixteen channels.
#[derive(Debug, Default)]
pub(super) struct Queries {
    /// Panels of q: `[count/16][d_k][16]`.
    pub(super) q_panels: Vec<Line>,
    /// Rows of q: `[d_k/16][count][16]`.
    pub(super) q_rows: Vec<Line>,
    /// Panels of dO: `[count/16][d_v][16]`.
    pub(super) d_o_panels: Vec<Line>,
    /// Rows of dO: `[d_v/16][count][16]`.
    pub(super) d_o_rows: Vec<Line>,
    /// −LSE in log₂ units, `[count/16][16]`; −∞ for a query without keys and beyond the last, which makes every weight 0.
    pub(super) minus_lse: Vec<Line>,
    /// D, `[count/16][16]`; 0 beyond the last query.
    pub(super) row_terms: Vec<Line>,
    /// The visible keys of each panel's queries.
    pub(super) bounds: Vec<Bounds>,
    /// The first query's place in the head.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Whether every q and dO is finite. Weights and score gradients of 0 hide them only then.
    pub(super) finite: bool,
}

impl Queries {
    /// Packs the queries `range` of a head, in place of what was there.
    #[inline(always)]
    pub(super) fn load<I: Isa>(
        &mut self,
        isa: I,
        inputs: &HeadInputs,
        range: Range<usize>,
        scoring: &HeadScoring,
    ) {
        let q = inputs.q.slice(s![range.clone(), ..]);
        let d_o = inputs.d_o.slice(s![range.clone(), ..]);
        for lines in [
            &mut self.q_panels,
            &mut self.q_rows,
            &mut self.d_o_panels,
            &mut self.d_o_rows,
        ] {
            lines.clear();
        }
        pack_keys(isa, q, &mut self.q_panels);
        pack_keys(isa, d_o, &mut self.d_o_panels);
        let q_finite = pack_values(isa, q, &mut self.q_rows);
        let d_o_finite = pack_values(isa, d_o, &mut self.d_o_rows);
        self.finite = q_finite && d_o_finite;
        (self.first, self.count) = (range.start, range.len());

        let panels = lines_for(self.count);
        self.minus_lse.clear();
        self.minus_lse.resize(panels, Line([f32::NEG_INFINITY; 16]));
        self.row_terms.clear();
        self.row_terms.resize(panels, Line::ZERO);
        for (at, i) in range.clone().enumerate() {
            let lse = inputs.lse[i];
            if lse != f32::NEG_INFINITY {
                self.minus_lse[at / Line::LEN].0[at % Line::LEN] = -lse * LOG2_E;
            }
            self.row_terms[at / Line::LEN].0[at % Line::LEN] = inputs.row_term(i);
        }
        self.bounds.clear();
        let first_of = |panel| range.start + panel * Line::LEN;
        let bounds = |panel| {
            Bounds::new(
                &scoring.mask,
                first_of(panel),
                Line::LEN,
                inputs.q.nrows(),
                scoring.keys,
            )
        };
        self.bounds.extend((0..panels).map(bounds));
    }
}
