//! Model families: one file each, and what they share (`attention`).
//!
//! A family says how hidden states become queries, keys and values, and how the heads' outputs flow back; the run
//! in between (attention, traces, the cache) is the same for all. A new family is a file beside `llama`, an entry
//! in [`SUPPORTED`] and in `FORMATS`, and an arm in `load`.

mod attention;
mod llama;
mod pronoun;

use std::ops::Range;
use std::sync::Arc;

use lookback_trace::{LayerMeta, TraceMask};
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, ArrayViewMut3};

use crate::checkpoint::Checkpoint;
use crate::checkpoint::format::Format;
use crate::layers::RopeTable;
use crate::{AttentionWeights, Error, WeightsKind};

/// Architectures that this crate implements, by the names that checkpoints use.
pub const SUPPORTED: &[&str] = &["llama", "pronoun"];

/// How the checkpoints of each are written.
pub(crate) const FORMATS: &[&Format] = &[&llama::FORMAT, &pronoun::FORMAT];

/// Loads the weights of a checkpoint of any supported family.
pub(crate) fn load(
    checkpoint: Arc<Checkpoint>,
    kind: WeightsKind,
) -> Result<Box<dyn Family>, Error> {
    match checkpoint.config().architecture {
        "llama" => Ok(Box::new(llama::Llama::load(checkpoint, kind)?)),
        "pronoun" => Ok(Box::new(pronoun::Pronoun::load(checkpoint, kind)?)),
        other => Err(Error::Architecture {
            architecture: other.to_owned(),
        }),
    }
}

/// The mathematics of one family around its attention. N tokens at consecutive positions, model dimension d.
pub(crate) trait Family: Send + Sync {
    /// Number of layers and heads, and their dimensions.
    fn shape(&self) -> &Shape;

    /// How a layer computes its scores: q·k/√d_k over the tokens before, where a family does not say otherwise.
    fn scoring(&self, _layer: usize) -> LayerMeta {
        let scale = 1.0 / (self.shape().d_k as f32).sqrt();
        LayerMeta::new(scale, TraceMask::Causal { offset: 0 })
    }

    /// Rows of the embedding table: \[tokens, d\].
    fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error>;

    /// The first layer's input for `tokens`, of which the first stands at position `first`.
    fn begin(&self, tokens: &[u32], first: usize) -> Result<Activations, Error>;

    /// Queries, keys and values of a layer, as the scores use them.
    fn project(&self, layer: usize, input: &Activations, out: HeadsMut) -> Result<(), Error>;

    /// Adds to `hidden` \[rows, d\] what the layer makes of the heads' outputs `z` \[rows, H·d_v\] of the same rows.
    fn absorb(
        &self,
        layer: usize,
        hidden: &mut Array2<f32>,
        z: ArrayView2<f32>,
    ) -> Result<(), Error>;

    /// ‖v_j·W_o^h‖ for values `v` \[H_kv, N, d_v\]: \[H, N\].
    fn value_norms(&self, layer: usize, v: ArrayView3<f32>) -> Result<Array2<f32>, Error>;

    /// The last layer's output after the final norm: \[rows, d\].
    fn finish(&self, hidden: ArrayView2<f32>) -> Array2<f32>;

    /// Logits of rows that [`Family::finish`] gave: \[rows, vocabulary\].
    fn logits(&self, finished: ArrayView2<f32>) -> Result<Array2<f32>, Error>;

    /// Whether there is an output head, without which [`Family::logits`] fails.
    fn has_output_head(&self) -> bool {
        true
    }

    /// The layers whose heads answer: all of them, unless the family has some that it was trained to be read by.
    fn answering_layers(&self) -> Range<usize> {
        0..self.shape().layers
    }

    /// What [`Family::project`] computes on the way, step by step.
    fn projection(&self, layer: usize, input: &Activations) -> Result<Projection, Error>;

    /// The weights of a layer's attention.
    fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error>;

    /// Rows of the output head with the final norm's gain in them: \[tokens, d\].
    fn unembeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error>;

    /// What the final norm multiplies `residual` \[d\] by, beside its gain.
    fn final_norm_factor(&self, residual: ArrayView1<f32>) -> f64;

    /// Which numbers the products are computed on, in words.
    fn weights_description(&self) -> String;
}

/// Layers and heads of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) layers: usize,
    /// H
    pub(crate) heads: usize,
    /// H_kv
    pub(crate) kv_heads: usize,
    pub(crate) d_k: usize,
    pub(crate) d_v: usize,
    pub(crate) vocab: usize,
    /// The most tokens that can be read.
    pub(crate) context: usize,
}

/// Hidden states of consecutive tokens, between layers.
pub(crate) struct Activations {
    /// \[N, d\]
    pub(crate) hidden: Array2<f32>,
    /// The tokens' rotary angles, for families that use them.
    pub(crate) rotation: Option<RopeTable>,
}

/// Where a layer's queries, keys and values are written. The last two axes are contiguous.
pub(crate) struct HeadsMut<'a> {
    /// \[H, N, d_k\]
    pub(crate) q: ArrayViewMut3<'a, f32>,
    /// \[H_kv, N, d_k\]
    pub(crate) k: ArrayViewMut3<'a, f32>,
    /// \[H_kv, N, d_v\]
    pub(crate) v: ArrayViewMut3<'a, f32>,
}

impl HeadsMut<'_> {
    /// The rows `rows` of all three.
    pub(crate) fn rows(&mut self, rows: Range<usize>) -> HeadsMut<'_> {
        let rows = ndarray::s![.., rows, ..];
        HeadsMut {
            q: self.q.slice_mut(rows),
            k: self.k.slice_mut(rows),
            v: self.v.slice_mut(rows),
        }
    }
}

/// The steps from a layer's input to its queries and keys; shapes as in
/// [`LayerInternals`](crate::LayerInternals).
pub(crate) struct Projection {
    pub(crate) x_norm: Array2<f32>,
    pub(crate) q_plain: Array3<f32>,
    pub(crate) k_plain: Array3<f32>,
}
