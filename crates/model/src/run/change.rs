//! What interventions do to one layer's numbers.

use lookback_attention::Mask;
use lookback_trace::{Cut, LayerMeta, Site};
use ndarray::{Array1, ArrayView1, ArrayViewMut2, ArrayViewMut3, Axis, s};

use super::attend::Attend;
use super::interventions::{Interventions, Output, Patch};
use super::pass::Heads;

/// Puts patched queries, keys and values in their places; the first of the rows stands at position `first`.
pub(super) fn patch_projections(
    changes: &Interventions,
    layer: usize,
    first: usize,
    heads: &mut Heads,
) {
    for patch in changes.patches_of(layer) {
        let rows = match patch.at.site {
            Site::Q => &mut heads.q,
            Site::K => &mut heads.k,
            Site::V => &mut heads.v,
            Site::Z => continue,
        };
        write_rows(patch, first, rows.index_axis_mut(Axis(0), patch.at.head));
    }
}

/// NamedInterventions the heads' outputs `z` \[H, N, d_v\]: patches, then ablations and scalings.
pub(super) fn change_outputs(
    changes: &Interventions,
    layer: usize,
    first: usize,
    mut z: ArrayViewMut3<f32>,
) {
    for patch in changes.patches_of(layer) {
        if patch.at.site == Site::Z {
            write_rows(patch, first, z.index_axis_mut(Axis(0), patch.at.head));
        }
    }
    for (head, output) in changes.outputs_of(layer) {
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

/// Computes the rows that lose an edge again, in f64 without it, and writes their outputs `z` \[H, N, d_v\] and
/// log-sum-exps `lse` \[H, N\]. `scoring`'s mask lets the first query stand at position `first`.
pub(super) fn cut_edges(
    cuts: &[Cut],
    call: &Attend,
    (scoring, first): (&LayerMeta, usize),
    mut z: ArrayViewMut3<f32>,
    mut lse: ArrayViewMut2<f32>,
) {
    let group = call.q.dim().0 / call.k.dim().0;
    for row in cuts.chunk_by(|a, b| (a.head, a.i) == (b.head, b.i)) {
        let head = row[0].head;
        let Some(i) = row[0].i.checked_sub(first).filter(|&i| i < call.q.dim().1) else {
            continue;
        };
        let without = Row {
            scoring,
            head,
            i,
            q: call.q.slice(s![head, i, ..]),
        };
        let keys = call.k.index_axis(Axis(0), head / group);
        let scores = without.scores(keys.outer_iter(), |j| {
            row.binary_search_by_key(&j, |cut| cut.j).is_ok()
        });
        let (weights, log_sum) = softmax(&scores, without.sink());
        let values = call.v.index_axis(Axis(0), head / group);
        let mut sum = Array1::<f64>::zeros(values.ncols());
        for (&weight, value) in weights.iter().zip(values.outer_iter()) {
            if weight > 0.0 {
                sum.zip_mut_with(&value, |sum, &v| *sum += weight * f64::from(v));
            }
        }
        z.slice_mut(s![head, i, ..]).assign(&sum.mapv(|x| x as f32));
        lse[[head, i]] = log_sum as f32;
    }
}

/// One query of one head.
struct Row<'a> {
    scoring: &'a LayerMeta,
    head: usize,
    /// Among the new tokens.
    i: usize,
    /// \[d_k\]
    q: ArrayView1<'a, f32>,
}

impl Row<'_> {
    /// Its scores \[M\], −∞ at keys that it may not see and at those that `is_cut`.
    fn scores<'k>(
        &self,
        keys: impl ExactSizeIterator<Item = ArrayView1<'k, f32>>,
        is_cut: impl Fn(usize) -> bool,
    ) -> Vec<f64> {
        let mask = Mask::from(self.scoring.mask);
        let visible = mask.visible(self.i, keys.len());
        keys.enumerate()
            .map(|(j, key)| {
                if visible.contains(&j) && !is_cut(j) {
                    self.score(key, mask.offset(), j)
                } else {
                    f64::NEG_INFINITY
                }
            })
            .collect()
    }

    /// The steps of [`Scoring`](lookback_attention::Scoring), as far as a layer has them.
    fn score(&self, key: ArrayView1<f32>, offset: isize, j: usize) -> f64 {
        let dot = self.q.iter().zip(key);
        let dot: f64 = dot.map(|(&q, &k)| f64::from(q) * f64::from(k)).sum();
        let mut score = dot * f64::from(self.scoring.scale);
        if let Some(cap) = self.scoring.soft_cap {
            let cap = f64::from(cap);
            score = cap * (score / cap).tanh();
        }
        if let Some(slopes) = &self.scoring.alibi {
            let distance = self.i as isize + offset - j as isize;
            score -= f64::from(slopes[self.head]) * distance.unsigned_abs() as f64;
        }
        score
    }

    /// The sink's logit; −∞ without one.
    fn sink(&self) -> f64 {
        let sinks = self.scoring.sinks.as_ref();
        sinks.map_or(f64::NEG_INFINITY, |sinks| f64::from(sinks[self.head]))
    }
}

/// Weights and log-sum-exp of one row of scores and a sink's; all 0 and −∞ where nothing is left.
fn softmax(scores: &[f64], sink: f64) -> (Vec<f64>, f64) {
    let max = scores.iter().copied().fold(sink, f64::max);
    if max == f64::NEG_INFINITY {
        return (vec![0.0; scores.len()], max);
    }
    let terms: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
    let sum = terms.iter().sum::<f64>() + (sink - max).exp();
    let weights = terms.into_iter().map(|term| term / sum).collect();
    (weights, max + sum.ln())
}
