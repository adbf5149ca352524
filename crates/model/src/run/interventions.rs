//! What a run may be asked to change in its attention.

use std::collections::BTreeMap;

use lookback_trace::{Cut, HeadId, InterventionRecord, Patched, Scaled, Site};
use ndarray::{Array1, Array2};

use crate::Error;
use crate::spec::Spec;

/// Changes to the attention of one run: edges that are cut, heads that are ablated or scaled, queries, keys, values
/// and outputs that come from elsewhere. A run without interventions is not touched by any of this.
///
/// - A **cut edge** takes its key out of the query's softmax (score −∞): its weight is 0 and the rest of the row sums
///   to 1. Only the rows that lose an edge are computed again; all others keep their bits.
/// - An **ablated head** writes nothing into the residual stream, or a constant where it is ablated to a mean
///   (Wang et al. 2022, "Interpretability in the Wild", <https://arxiv.org/abs/2211.00593>). Its weights stay as they
///   are.
/// - A **scaled head**'s output is multiplied by a factor.
/// - A **patch** puts rows of Q, K, V or of a head's output from another run in the place of this run's
///   (activation patching, Vig et al. 2020, <https://arxiv.org/abs/2004.12265>).
///
/// Patches of outputs come first, then ablations and scalings. Interventions are [`Hooks`](super::Hooks); [`Interventions::and`]
/// joins them with hooks that report.
///
/// ```
/// use lookback_model::Interventions;
/// use lookback_trace::{Cut, HeadId};
/// let mut interventions = Interventions::default();
/// interventions.ablate(HeadId { layer: 5, head: 1 });
/// interventions.cut([Cut { layer: 14, head: 8, i: 11, j: 5 }]);
/// assert_eq!(interventions.record().cut.len(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interventions {
    /// Sorted, each once.
    cuts: Vec<Cut>,
    outputs: BTreeMap<HeadId, Output>,
    patches: Vec<Patch>,
}

/// What becomes of a head's output.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    Zero,
    /// From some position on, this: \[d_v\].
    Constant {
        mean: Array1<f32>,
        first: usize,
    },
    Scaled(f32),
}

/// Rows of one head's queries, keys, values or output that replace a run's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Which rows, of what.
    pub at: Patched,
    /// \[rows, d_k\] or \[rows, d_v\]: queries and keys as the scores use them (after any rotary embedding), outputs
    /// before W_o.
    pub values: Array2<f32>,
}

impl Interventions {
    /// Cuts these edges.
    pub fn cut(&mut self, edges: impl IntoIterator<Item = Cut>) {
        self.cuts.extend(edges);
        self.cuts.sort_unstable();
        self.cuts.dedup();
    }

    /// Sets a head's output to zero.
    pub fn ablate(&mut self, head: HeadId) {
        self.outputs.insert(head, Output::Zero);
    }

    /// Sets a head's output at every position from `first` on to `mean` \[d_v\], most often its mean over a reference
    /// set. `first` behind the prefix keeps what the head writes at a sink, which is often unlike all else and holds the
    /// model together.
    pub fn ablate_to(&mut self, head: HeadId, mean: Array1<f32>, first: usize) {
        self.outputs.insert(head, Output::Constant { mean, first });
    }

    /// Multiplies a head's output by `factor`.
    pub fn scale(&mut self, head: HeadId, factor: f32) {
        self.outputs.insert(head, Output::Scaled(factor));
    }

    /// Puts rows of another run in the place of this run's.
    pub fn patch(&mut self, patch: Patch) {
        self.patches.push(patch);
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty() && self.outputs.is_empty() && self.patches.is_empty()
    }

    /// Those that act on the layers before `layer`, and so on what enters it.
    #[must_use]
    pub fn before(&self, layer: usize) -> Self {
        let mut before = self.clone();
        before.cuts.retain(|cut| cut.layer < layer);
        before.outputs.retain(|head, _| head.layer < layer);
        before.patches.retain(|patch| patch.at.layer < layer);
        before
    }

    /// The record that a trace keeps of them.
    #[must_use]
    pub fn record(&self) -> InterventionRecord {
        let mut record = InterventionRecord {
            cut: self.cuts.clone(),
            patched: self.patches.iter().map(|patch| patch.at).collect(),
            ..InterventionRecord::default()
        };
        for (&HeadId { layer, head }, output) in &self.outputs {
            match *output {
                Output::Zero => record.ablated.push(HeadId { layer, head }),
                Output::Constant { .. } => record.mean_ablated.push(HeadId { layer, head }),
                Output::Scaled(factor) => record.scaled.push(Scaled {
                    layer,
                    head,
                    factor,
                }),
            }
        }
        record
    }

    /// The cut edges of one layer.
    pub(super) fn cuts_of(&self, layer: usize) -> &[Cut] {
        let from = self.cuts.partition_point(|cut| cut.layer < layer);
        let to = self.cuts.partition_point(|cut| cut.layer <= layer);
        &self.cuts[from..to]
    }

    /// What becomes of one layer's outputs, by head.
    pub(super) fn outputs_of(&self, layer: usize) -> impl Iterator<Item = (usize, &Output)> {
        self.outputs
            .range(
                HeadId { layer, head: 0 }..=HeadId {
                    layer,
                    head: usize::MAX,
                },
            )
            .map(|(head, output)| (head.head, output))
    }

    /// The patches of one layer.
    pub(super) fn patches_of(&self, layer: usize) -> impl Iterator<Item = &Patch> {
        self.patches
            .iter()
            .filter(move |patch| patch.at.layer == layer)
    }

    /// Refuses what such a model cannot be changed in; positions are checked where `tokens` is given.
    pub(super) fn validate(&self, spec: &Spec, tokens: Option<usize>) -> Result<(), Error> {
        let reject = |what: String| Err(Error::Intervention { what });
        let unknown = |layer: usize, head: usize, heads: usize| {
            format!(
                "head L{layer}H{head} does not exist: there are {} layers with heads 0 to {}",
                spec.layers.len(),
                heads.saturating_sub(1)
            )
        };
        let exists =
            |layer: usize, head: usize, heads: usize| layer < spec.layers.len() && head < heads;
        let edges = self.cuts.iter().map(|cut| (cut.layer, cut.head));
        let outputs = self.outputs.keys().map(|head| (head.layer, head.head));
        if let Some((layer, head)) = edges
            .chain(outputs)
            .find(|&(layer, head)| !exists(layer, head, spec.heads))
        {
            return reject(unknown(layer, head, spec.heads));
        }
        if let Some(n) = tokens
            && let Some(cut) = self.cuts.iter().find(|cut| cut.i >= n || cut.j >= n)
        {
            return reject(format!(
                "the edge from token {} to token {} cannot be cut: there are {n} tokens",
                cut.i, cut.j
            ));
        }
        for (head, output) in &self.outputs {
            match output {
                Output::Constant { mean, .. } if mean.len() != spec.head_dim => {
                    return reject(format!(
                        "the mean output of L{}H{} has {} numbers, and d_v is {}",
                        head.layer,
                        head.head,
                        mean.len(),
                        spec.head_dim
                    ));
                }
                Output::Scaled(factor) if !factor.is_finite() => {
                    return reject(format!(
                        "L{}H{} cannot be scaled by {factor}",
                        head.layer, head.head
                    ));
                }
                _ => {}
            }
        }
        for Patch { at, values } in &self.patches {
            let (heads, d) = match at.site {
                Site::Q => (spec.heads, spec.head_dim),
                Site::K => (spec.kv_heads, spec.head_dim),
                Site::V => (spec.kv_heads, spec.head_dim),
                Site::Z => (spec.heads, spec.head_dim),
            };
            if !exists(at.layer, at.head, heads) {
                return reject(unknown(at.layer, at.head, heads));
            }
            if values.dim() != (at.rows, d) {
                return reject(format!(
                    "a patch of {} rows of {:?} in L{}H{} has {} × {} numbers, not {} × {d}",
                    at.rows,
                    at.site,
                    at.layer,
                    at.head,
                    values.nrows(),
                    values.ncols(),
                    at.rows
                ));
            }
            if let Some(n) = tokens
                && at.first.saturating_add(at.rows) > n
            {
                return reject(format!(
                    "rows {} to {} cannot be patched: there are {n} tokens",
                    at.first,
                    at.first.saturating_add(at.rows)
                ));
            }
        }
        Ok(())
    }
}
