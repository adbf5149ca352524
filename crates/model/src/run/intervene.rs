//! What interventions do to one layer's numbers.

use lookback_attention::reference::row_without;
use lookback_trace::{Cut, Scoring, Site};
use ndarray::{Array1, ArrayViewMut2, ArrayViewMut3, Axis, s};

use super::heads::HeadsView;
use super::interventions::{Interventions, Output, Patch};
use crate::Error;
use crate::engine::HeadsMut;

/// Puts patched queries, keys and values in their places; the first of the rows stands at position `first`.
pub(super) fn patch_projections(
    interventions: &Interventions,
    layer: usize,
    first: usize,
    mut heads: HeadsMut,
) {
    for patch in interventions.patches_of(layer) {
        let mut rows = match patch.at.site {
            Site::Q => heads.q.view_mut(),
            Site::K => heads.k.view_mut(),
            Site::V => heads.v.view_mut(),
            Site::Z => continue,
        };
        write_rows(patch, first, rows.index_axis_mut(Axis(0), patch.at.head));
    }
}

/// Changes the heads' outputs `z` \[H, N, d_v\]: patches, then ablations and scalings.
pub(super) fn change_outputs(
    interventions: &Interventions,
    layer: usize,
    first: usize,
    mut z: ArrayViewMut3<f32>,
) {
    for patch in interventions.patches_of(layer) {
        if patch.at.site == Site::Z {
            write_rows(patch, first, z.index_axis_mut(Axis(0), patch.at.head));
        }
    }
    for (head, output) in interventions.outputs_of(layer) {
        let mut z = z.index_axis_mut(Axis(0), head);
        match output {
            Output::Zero => z.fill(0.0),
            Output::Constant { mean, first: from } => {
                let spared = from.saturating_sub(first).min(z.nrows());
                z.slice_mut(s![spared.., ..]).assign(mean);
            }
            Output::Scaled(factor) => z *= *factor,
        }
    }
}

/// Writes the part of a patch that falls on `rows` \[N, d\], the first of which stands at position `first`.
fn write_rows(patch: &Patch, first: usize, mut rows: ArrayViewMut2<f32>) {
    for (offset, values) in patch.values.outer_iter().enumerate() {
        let position = patch.at.first + offset;
        if position >= first && position - first < rows.nrows() {
            rows.row_mut(position - first).assign(&values);
        }
    }
}

/// One layer in which edges are cut.
pub(super) struct Cutting<'a, 's> {
    pub(super) heads: HeadsView<'a>,
    /// Its mask lets the first query stand at position `first`.
    pub(super) scoring: &'s Scoring<'static>,
    pub(super) first: usize,
}

impl Cutting<'_, '_> {
    /// Computes the rows that lose an edge again, in f64 without it, and writes their outputs `z` \[H, N, d_v\] and
    /// log-sum-exps `lse` \[H, N\].
    pub(super) fn cut_edges(
        &self,
        cuts: &[Cut],
        mut z: ArrayViewMut3<f32>,
        mut lse: ArrayViewMut2<f32>,
    ) -> Result<(), Error> {
        let HeadsView { q, k, v } = self.heads;
        let group = q.dim().0 / k.dim().0;
        for row in cuts.chunk_by(|a, b| (a.head, a.i) == (b.head, b.i)) {
            let head = row[0].head;
            let Some(i) = row[0].i.checked_sub(self.first).filter(|&i| i < q.dim().1) else {
                continue;
            };
            let scoring = self.scoring.for_head(0, head);
            let keys = k.index_axis(Axis(0), head / group);
            let is_cut = |j: usize| row.binary_search_by_key(&j, |cut| cut.j).is_ok();
            let exact = row_without((q.slice(s![head, i, ..]), i), keys, &scoring, is_cut)?;
            let values = v.index_axis(Axis(0), head / group);
            let mut sum = Array1::<f64>::zeros(values.ncols());
            for (&weight, value) in exact.weights.iter().zip(values.outer_iter()) {
                if weight > 0.0 {
                    sum.zip_mut_with(&value, |sum, &v| *sum += weight * f64::from(v));
                }
            }
            z.slice_mut(s![head, i, ..]).assign(&sum.mapv(|x| x as f32));
            lse[[head, i]] = exact.lse as f32;
        }
        Ok(())
    }
}
