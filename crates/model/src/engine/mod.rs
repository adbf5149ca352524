//! The engine: runs whatever a [`Spec`] is made of.
//!
//! [`Engine`] holds a model's weights part by part; the run around it (attention, traces, the cache) is in `run`.

mod attention;
mod embedding;
mod experts;
mod feed_forward;
mod head;
mod network;
mod residual;
mod state;

use std::ops::Range;
use std::sync::Arc;

use lookback_trace::{Mask, Scoring};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3};
use rayon::prelude::*;

use attention::{OutputProjection, QkvProjection};
use embedding::Embedding;
use feed_forward::FeedForward;
use head::Head;
pub use state::AttentionWeights;
use state::Projection;
pub(crate) use state::{Activations, HeadsMut};

use crate::checkpoint::Checkpoint;
use crate::layers::{Linear, Norm, describe, from_rows, rows};
use crate::spec::{AttentionSpec, Part, Span, Spec};
use crate::{Error, WeightsKind};

/// A model with its weights.
pub(crate) struct Engine {
    checkpoint: Arc<Checkpoint>,
    embedding: Embedding,
    layers: Vec<Layer>,
    final_norm: Option<Norm>,
    head: Option<Head>,
}

struct Layer {
    scoring: Scoring<'static>,
    qkv: QkvProjection,
    /// None in a layer that only points.
    output: Option<OutputProjection>,
    feed_forward: Option<FeedForward>,
    parallel: bool,
}

impl Engine {
    /// Reads the weights, all but the output head's.
    pub(crate) fn load(checkpoint: Arc<Checkpoint>, kind: WeightsKind) -> Result<Self, Error> {
        let spec = checkpoint.spec();
        // Without feed-forward parts a model is small, and products are computed in f32.
        let kind = match spec.layers.iter().any(|layer| layer.feed_forward.is_some()) {
            true => kind,
            false => WeightsKind::F32,
        };
        let embedding = Embedding::load(&checkpoint)?;
        let layers = (0..spec.layers.len())
            .into_par_iter()
            .map(|index| Layer::load(&checkpoint, index, kind, &embedding))
            .collect::<Result<Vec<_>, _>>()?;
        let final_norm = spec
            .final_norm
            .map(|norm| Norm::load(&checkpoint, None, Part::FinalNorm, norm))
            .transpose()?;
        let head = match &spec.head {
            Some(head) => Some(Head::new(&checkpoint, head, kind)?),
            None => None,
        };
        Ok(Self {
            embedding,
            layers,
            final_norm,
            head,
            checkpoint,
        })
    }

    /// What it is made of.
    pub(crate) fn spec(&self) -> &Spec {
        self.checkpoint.spec()
    }

    /// How a layer computes its scores, for a text from its beginning.
    pub(crate) fn scoring(&self, layer: usize) -> &Scoring<'static> {
        &self.layers[layer].scoring
    }

    /// Rows of the embedding table, as the first layer reads them but for positions: \[tokens, d\].
    pub(crate) fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        self.embedding.of_tokens(&self.checkpoint, tokens)
    }

    /// The first layer's input for texts one after the other: of each the tokens, and the position of the first.
    pub(crate) fn begin(&self, texts: &[(&[u32], usize)]) -> Result<Activations, Error> {
        self.embedding.begin(&self.checkpoint, texts)
    }

    /// Queries, keys and values of a layer, as the scores use them.
    pub(crate) fn project(
        &self,
        layer: usize,
        input: &Activations,
        out: HeadsMut,
    ) -> Result<(), Error> {
        self.layers[layer].qkv.project(input, out)
    }

    /// What [`Engine::project`] computes on the way, step by step.
    pub(crate) fn projection(
        &self,
        layer: usize,
        input: &Activations,
    ) -> Result<Projection, Error> {
        self.layers[layer].qkv.plain(self.spec(), input)
    }

    /// Adds to `hidden` \[rows, d\] what the layer makes of the heads' outputs `z` \[rows, H·d_v\] of the same rows.
    pub(crate) fn finish_layer(
        &self,
        layer: usize,
        hidden: &mut Array2<f32>,
        z: ArrayView2<f32>,
    ) -> Result<(), Error> {
        let layer = &self.layers[layer];
        // Side by side, the feed-forward part reads what the attention read.
        if let Some(feed_forward) = layer.feed_forward.as_ref().filter(|_| layer.parallel) {
            feed_forward.add(hidden)?;
        }
        if let Some(output) = &layer.output {
            output.add(hidden, z)?;
        }
        match &layer.feed_forward {
            Some(feed_forward) if !layer.parallel => feed_forward.add(hidden),
            _ => Ok(()),
        }
    }

    /// ‖v_j·W_o^h‖ for values `v` \[H_kv, N, d_v\]: \[H, N\]. In a layer that only points every key's value is its own
    /// indicator, which is 1 long.
    pub(crate) fn value_norms(
        &self,
        layer: usize,
        v: ArrayView3<f32>,
    ) -> Result<Array2<f32>, Error> {
        match &self.layers[layer].output {
            Some(output) => output.value_norms(self.spec(), v),
            None => Ok(Array2::ones((self.spec().heads, v.dim().1))),
        }
    }

    /// The last layer's output after the final norm: \[rows, d\].
    pub(crate) fn final_norm(&self, hidden: ArrayView2<f32>) -> Array2<f32> {
        match &self.final_norm {
            Some(norm) => from_rows(norm.apply(rows(&hidden, 0..hidden.nrows())), hidden.ncols()),
            None => hidden.to_owned(),
        }
    }

    /// Logits of rows that [`Engine::final_norm`] gave: \[rows, vocabulary\].
    pub(crate) fn logits(&self, normed: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        self.head()?.logits(normed)
    }

    fn head(&self) -> Result<&Head, Error> {
        self.head.as_ref().ok_or(Error::NoOutputHead {
            architecture: self.spec().architecture,
        })
    }

    /// The layers whose heads answer: all of them, unless there is one that only points.
    pub(crate) fn answering_layers(&self) -> Range<usize> {
        let layers = self.layers.len();
        match self.layers.last() {
            Some(last) if last.output.is_none() => layers - 1..layers,
            _ => 0..layers,
        }
    }

    /// The weights of a layer's attention; without W_v and W_o these are 0: nothing flows on.
    pub(crate) fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let layer = &self.layers[layer];
        layer.qkv.weights(self.spec(), layer.output.as_ref())
    }

    /// What adds to a logit in the residual stream behind the last layer, but for the final norm's factor: rows of the output
    /// head with its scale and the final norm's gain in them, less their mean where the norm subtracts it. \[tokens, d\].
    ///
    /// # Errors
    /// [`Error::NoOutputHead`]; [`Error::NotLinear`] where something else stands in between.
    pub(crate) fn unembeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        let head = self.head()?;
        head.validate_linear()?;
        let mut rows = head.rows(tokens)?;
        if let Some(norm) = &self.final_norm {
            rows *= &ArrayView1::from(norm.gain());
            if norm.centres() {
                for mut row in rows.outer_iter_mut() {
                    let mean = row.mean().unwrap_or(0.0);
                    row -= mean;
                }
            }
        }
        Ok(rows)
    }

    /// What the final norm multiplies `residual` \[d\] by, beside its gain.
    pub(crate) fn final_norm_factor(&self, residual: ArrayView1<f32>) -> f64 {
        match &self.final_norm {
            Some(norm) => norm.factor(residual),
            None => 1.0,
        }
    }

    /// Which numbers the products are computed on, in words.
    pub(crate) fn weights_description(&self) -> String {
        let matrices = self.layers.iter().flat_map(|layer| {
            let output = layer.output.iter().map(OutputProjection::linear);
            let feed_forward = layer.feed_forward.iter().flat_map(FeedForward::linears);
            let all = std::iter::once(layer.qkv.linear()).chain(output);
            all.chain(feed_forward).map(Linear::weight_types)
        });
        describe(matrices.chain(self.head.iter().flat_map(Head::weight_types)))
    }
}

impl Layer {
    fn load(
        checkpoint: &Checkpoint,
        index: usize,
        kind: WeightsKind,
        embedding: &Embedding,
    ) -> Result<Self, Error> {
        let spec = &checkpoint.spec().layers[index];
        let rotation = embedding.rotation_of(&spec.attention.rope);
        Ok(Self {
            scoring: scoring(checkpoint, index, &spec.attention)?,
            qkv: QkvProjection::load(checkpoint, index, kind, rotation)?,
            output: match spec.attention.values {
                true => Some(OutputProjection::load(checkpoint, index, kind)?),
                false => None,
            },
            feed_forward: match spec.feed_forward {
                Some(part) => Some(FeedForward::load(checkpoint, index, part, kind)?),
                None => None,
            },
            parallel: spec.parallel,
        })
    }
}

/// How a layer computes its scores.
fn scoring(
    checkpoint: &Checkpoint,
    layer: usize,
    spec: &AttentionSpec,
) -> Result<Scoring<'static>, Error> {
    let mask = match spec.span {
        Span::Causal => Mask::Causal { offset: 0 },
        Span::CausalWindow { window } => Mask::Window { window, offset: 0 },
        Span::Bidirectional => Mask::None,
        Span::BidirectionalWindow { radius } => Mask::SymmetricWindow { radius, offset: 0 },
    };
    let mut scoring = Scoring::new(spec.scale, mask);
    if let Some(cap) = spec.soft_cap {
        scoring = scoring.with_soft_cap(cap);
    }
    if let Some(slopes) = &spec.alibi {
        scoring = scoring.with_alibi(slopes.clone());
    }
    if spec.sinks {
        let name = checkpoint.name(Some(layer), Part::Sinks.weight());
        scoring = scoring.with_sinks(checkpoint.tensor_f32(&name)?.to_vec1::<f32>()?);
    }
    Ok(scoring)
}
