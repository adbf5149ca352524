//! One head of a call: what it takes, and where its gradients go.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, ArrayViewMut4, Axis};

use crate::score::HeadScoring;

/// One head's share of what the call took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadInputs<'a> {
    /// \[N, d_k\]
    pub(crate) q: ArrayView2<'a, f32>,
    /// \[M, d_k\]
    pub(crate) k: ArrayView2<'a, f32>,
    /// \[M, d_v\]
    pub(crate) v: ArrayView2<'a, f32>,
    /// \[N, d_v\]
    pub(crate) o: ArrayView2<'a, f32>,
    /// \[N\]
    pub(crate) lse: ArrayView1<'a, f32>,
    /// \[N, d_v\]
    pub(crate) d_o: ArrayView2<'a, f32>,
    /// \[N\]
    pub(crate) d_lse: Option<ArrayView1<'a, f32>>,
}

impl HeadInputs<'_> {
    /// D_i = dO_i · O_i − dLSE_i.
    pub(super) fn row_term(&self, i: usize) -> f64 {
        let pairs = self.d_o.row(i).into_iter().zip(self.o.row(i));
        let dot: f64 = pairs.map(|(&d_o, &o)| f64::from(d_o) * f64::from(o)).sum();
        dot - self.d_lse.map_or(0.0, |d_lse| d_lse[i].into())
    }
}

/// Where the gradients of each head go.
pub(crate) struct HeadGradients<'g> {
    /// For each head, \[N, d_k\].
    pub(crate) dq: Vec<ArrayViewMut2<'g, f32>>,
    /// For each key/value head, \[M, d_k\].
    pub(crate) dk: Vec<ArrayViewMut2<'g, f32>>,
    /// For each key/value head, \[M, d_v\].
    pub(crate) dv: Vec<ArrayViewMut2<'g, f32>>,
    /// \[H\]
    pub(crate) d_sinks: Option<ArrayViewMut1<'g, f32>>,
}

/// One head of a call.
pub(crate) struct Head<'a> {
    pub(crate) inputs: HeadInputs<'a>,
    pub(crate) scoring: HeadScoring<'a>,
}

/// The views of all heads of \[B, H, rows, d\].
pub(crate) fn heads_of(view: ArrayViewMut4<'_, f32>) -> Vec<ArrayViewMut2<'_, f32>> {
    let mut heads = Vec::with_capacity(view.dim().0 * view.dim().1);
    let mut batches = view;
    while batches.dim().0 > 0 {
        let (first, rest) = batches.split_at(Axis(0), 1);
        batches = rest;
        let mut of_batch = first.index_axis_move(Axis(0), 0);
        while of_batch.dim().0 > 0 {
            let (first, rest) = of_batch.split_at(Axis(0), 1);
            of_batch = rest;
            heads.push(first.index_axis_move(Axis(0), 0));
        }
    }
    heads
}
