//! The small `pronoun` model: the notes' multi-head attention over frozen embeddings, and a last layer that points.
//!
//! Each layer but the last adds Attention(norm(x)) to x, with its own W_q, W_k, W_v and W_o, RMSNorm before it and
//! rotary position embedding; there is no feed-forward part. The last layer is the pointer: heads with W_q and W_k only.
//! What it was trained for is where its rows look, so that nothing flows on from it, and the model has no output head:
//! it points, and writes nothing. `lookback-learn` trains it and writes its files.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3};
use serde_json::json;

use super::attention::{OutputProjection, QkvProjection};
use super::base::Base;
use super::family::Family;
use super::parts::AttentionWeights;
use crate::checkpoint::decoder::folder_config;
use crate::checkpoint::format::{Format, TensorFormat};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::checkpoint::{Activation, Checkpoint, Config, Rope, RopeScaling};
use crate::{Error, WeightsKind, checkpoint};

const EMBEDDINGS: &str = "token_embd.weight";

/// How its checkpoints are written: GGUF only, under GGUF's own names.
pub(crate) const FORMAT: Format = Format {
    architecture: "pronoun",
    model_types: &[],
    classes: &[],
    explicit: &[],
    folder_config,
    gguf_config,
    outside: &[TensorFormat::new(EMBEDDINGS, EMBEDDINGS, |c| {
        vec![c.vocab, c.d]
    })],
    layer_prefix: "blk.",
    layer: &[
        TensorFormat::new("attn_norm.weight", "attn_norm.weight", |c| vec![c.d]),
        TensorFormat::new("attn_q.weight", "attn_q.weight", |c| {
            vec![c.heads * c.head_dim, c.d]
        }),
        TensorFormat::new("attn_k.weight", "attn_k.weight", |c| {
            vec![c.heads * c.head_dim, c.d]
        }),
        TensorFormat::new("attn_v.weight", "attn_v.weight", |c| {
            vec![c.heads * c.head_dim, c.d]
        })
        .not_in_last(),
        TensorFormat::new("attn_output.weight", "attn_output.weight", |c| {
            vec![c.d, c.heads * c.head_dim]
        })
        .not_in_last(),
    ],
    ignored: &[],
};

const NO_OUTPUT_HEAD: Error = Error::NoOutputHead {
    architecture: FORMAT.architecture,
};

/// Reads the keys `pronoun.*`.
fn gguf_config(
    mut settings: Settings,
    weights: &Weights,
    format: &Format,
) -> Result<Config, checkpoint::Error> {
    let heads = settings.required_size("attention.head_count")?;
    let head_dim = settings.required_size("attention.key_length")?;
    if !head_dim.is_multiple_of(2) {
        let expected = "even, so that rotary position embedding has pairs to turn";
        return Err(settings.invalid("attention.key_length", &head_dim.into(), expected));
    }
    settings.only("attention.value_length", &json!(head_dim))?;
    let config = Config {
        architecture: format.architecture,
        d: settings.required_size("embedding_length")?,
        layers: settings.required_size("block_count")?,
        heads,
        kv_heads: heads,
        head_dim,
        d_ff: 0,
        vocab: weights.get(EMBEDDINGS)?.shape[0],
        context_length: settings.required_size("context_length")?,
        norm_eps: settings.required_positive("attention.layer_norm_rms_epsilon")?,
        rope: Rope {
            theta: settings.required_positive("rope.freq_base")?,
            scaling: RopeScaling::None,
        },
        tied: true,
        activation: Activation::Silu,
    };
    settings.finish()?;
    Ok(config)
}

/// The model with its weights.
pub(crate) struct Pronoun {
    base: Base,
    layers: Vec<Layer>,
}

struct Layer {
    /// In the pointer without W_v.
    qkv: QkvProjection,
    /// What makes the heads' outputs flow on; none in the pointer.
    out: Option<OutputProjection>,
}

impl Pronoun {
    /// Reads the weights. They are small: whatever `kind` says, products are computed in f32.
    pub(crate) fn load(checkpoint: Arc<Checkpoint>, _kind: WeightsKind) -> Result<Self, Error> {
        let config = checkpoint.config();
        let layers = (0..config.layers)
            .map(|layer| Layer::load(&checkpoint, layer, layer + 1 == config.layers))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            layers,
            base: Base::new(checkpoint, EMBEDDINGS),
        })
    }
}

impl Layer {
    fn load(checkpoint: &Checkpoint, layer: usize, pointer: bool) -> Result<Self, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let (projections, out): (&[&str], _) = match pointer {
            true => (&["attn_q", "attn_k"], None),
            false => (&["attn_q", "attn_k", "attn_v"], Some(name("attn_output"))),
        };
        let projections: Vec<String> = projections.iter().map(|part| name(part)).collect();
        let kind = WeightsKind::F32;
        Ok(Self {
            qkv: QkvProjection::load(checkpoint, &name("attn_norm"), &projections, kind)?,
            out: out
                .map(|name| OutputProjection::load(checkpoint, name, kind))
                .transpose()?,
        })
    }
}

impl Family for Pronoun {
    fn base(&self) -> &Base {
        &self.base
    }

    fn qkv(&self, layer: usize) -> &QkvProjection {
        &self.layers[layer].qkv
    }

    fn finish_layer(
        &self,
        layer: usize,
        hidden: &mut Array2<f32>,
        z: ArrayView2<f32>,
    ) -> Result<(), Error> {
        match &self.layers[layer].out {
            Some(out) => out.add(hidden, z),
            None => Ok(()),
        }
    }

    /// In the pointer every key's value is its own indicator, which is 1 long.
    fn value_norms(&self, layer: usize, v: ArrayView3<f32>) -> Result<Array2<f32>, Error> {
        match &self.layers[layer].out {
            Some(out) => out.value_norms(self.shape(), v),
            None => Ok(Array2::ones((v.dim().0, v.dim().1))),
        }
    }

    fn final_norm(&self, hidden: ArrayView2<f32>) -> Array2<f32> {
        hidden.to_owned()
    }

    fn logits(&self, _normed: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        Err(NO_OUTPUT_HEAD)
    }

    fn has_output_head(&self) -> bool {
        false
    }

    /// The pointer.
    fn answering_layers(&self) -> Range<usize> {
        self.shape().layers - 1..self.shape().layers
    }

    /// Of the pointer, W_v and W_o are 0: nothing flows on from it.
    fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let layer = &self.layers[layer];
        layer.qkv.weights(self.shape(), layer.out.as_ref())
    }

    fn unembeddings(&self, _tokens: &[u32]) -> Result<Array2<f32>, Error> {
        Err(NO_OUTPUT_HEAD)
    }

    /// There is no final norm.
    fn final_norm_factor(&self, _residual: ArrayView1<f32>) -> f64 {
        1.0
    }

    fn weights_description(&self) -> String {
        "f32".to_owned()
    }
}
