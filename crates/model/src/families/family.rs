//! What a family implements.

use std::ops::Range;

use lookback_trace::{Mask, Scoring};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3};

use super::attention::QkvProjection;
use super::base::Base;
use super::parts::{Activations, AttentionWeights, HeadsMut, Projection, Shape};
use crate::Error;

/// The mathematics of one family around its attention. N tokens at consecutive positions, model dimension d.
pub(crate) trait Family: Send + Sync {
    /// The checkpoint, the sizes, and what comes before the first layer.
    fn base(&self) -> &Base;

    /// The norm and the projections of a layer's attention.
    fn qkv(&self, layer: usize) -> &QkvProjection;

    /// Number of layers and heads, and their dimensions.
    fn shape(&self) -> &Shape {
        self.base().shape()
    }

    /// How a layer computes its scores: q·k/√d_k over the tokens before, where a family does not say otherwise.
    fn scoring(&self, _layer: usize) -> Scoring<'static> {
        let scale = 1.0 / (self.shape().d_k as f32).sqrt();
        Scoring::new(scale, Mask::default())
    }

    /// Rows of the embedding table: \[tokens, d\].
    fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        self.base().embeddings(tokens)
    }

    /// The first layer's input for `tokens`, of which the first stands at position `first`.
    fn begin(&self, tokens: &[u32], first: usize) -> Result<Activations, Error> {
        self.base().begin(tokens, first)
    }

    /// Queries, keys and values of a layer, as the scores use them.
    fn project(&self, layer: usize, input: &Activations, out: HeadsMut) -> Result<(), Error> {
        self.qkv(layer).project(self.shape(), input, out)
    }

    /// Adds to `hidden` \[rows, d\] what the layer makes of the heads' outputs `z` \[rows, H·d_v\] of the same rows.
    fn finish_layer(
        &self,
        layer: usize,
        hidden: &mut Array2<f32>,
        z: ArrayView2<f32>,
    ) -> Result<(), Error>;

    /// ‖v_j·W_o^h‖ for values `v` \[H_kv, N, d_v\]: \[H, N\].
    fn value_norms(&self, layer: usize, v: ArrayView3<f32>) -> Result<Array2<f32>, Error>;

    /// The last layer's output after the final norm: \[rows, d\].
    fn final_norm(&self, hidden: ArrayView2<f32>) -> Array2<f32>;

    /// Logits of rows that [`Family::final_norm`] gave: \[rows, vocabulary\].
    fn logits(&self, normed: ArrayView2<f32>) -> Result<Array2<f32>, Error>;

    /// Whether there is an output head, without which [`Family::logits`] fails.
    fn has_output_head(&self) -> bool {
        true
    }

    /// The layers whose heads answer: all of them, unless the family has some that it was trained to be read by.
    fn answering_layers(&self) -> Range<usize> {
        0..self.shape().layers
    }

    /// What [`Family::project`] computes on the way, step by step.
    fn projection(&self, layer: usize, input: &Activations) -> Result<Projection, Error> {
        self.qkv(layer).plain(self.shape(), input)
    }

    /// The weights of a layer's attention.
    fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error>;

    /// Rows of the output head with the final norm's gain in them: \[tokens, d\].
    fn unembeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error>;

    /// What the final norm multiplies `residual` \[d\] by, beside its gain.
    fn final_norm_factor(&self, residual: ArrayView1<f32>) -> f64;

    /// Which numbers the products are computed on, in words.
    fn weights_description(&self) -> String;
}
