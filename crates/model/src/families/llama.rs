//! Llama and its relatives (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>): norm before each part (RMSNorm),
//! rotary position embedding, grouped-query attention, SwiGLU, no biases.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3};
use rayon::prelude::*;

use super::attention::{OutputProjection, QkvProjection};
use super::base::Base;
use super::family::Family;
use super::parts::AttentionWeights;
use crate::checkpoint::decoder::{folder_config, gguf_config};
use crate::checkpoint::format::{Format, TensorFormat};
use crate::checkpoint::{Activation, Checkpoint};
use crate::layers::{
    Linear, OutputHead, RmsNorm, add_rows, describe, from_rows, row_chunks, rows, rows_mut, swiglu,
};
use crate::{Error, WeightsKind};

const EMBEDDINGS: &str = "model.embed_tokens.weight";
const FINAL_NORM: &str = "model.norm.weight";
const OUTPUT_HEAD: &str = "lm_head.weight";

/// How its checkpoints are written.
pub(crate) const FORMAT: Format = Format {
    architecture: "llama",
    // Mistral without its sliding window, as since version 0.2, is Llama.
    model_types: &["llama", "mistral"],
    classes: &["LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM"],
    explicit: &[("mistral", &["sliding_window", "num_key_value_heads"])],
    folder_config,
    gguf_config,
    outside: &[
        TensorFormat::new(EMBEDDINGS, "token_embd.weight", |c| vec![c.vocab, c.d]),
        TensorFormat::new(FINAL_NORM, "output_norm.weight", |c| vec![c.d]),
        TensorFormat::new(OUTPUT_HEAD, "output.weight", |c| vec![c.vocab, c.d]).tied_to(EMBEDDINGS),
    ],
    layer_prefix: "model.layers.",
    layer: &[
        TensorFormat::new("input_layernorm.weight", "attn_norm.weight", |c| vec![c.d]),
        TensorFormat::new("self_attn.q_proj.weight", "attn_q.weight", |c| {
            vec![c.heads * c.head_dim, c.d]
        })
        .interleaved(),
        TensorFormat::new("self_attn.k_proj.weight", "attn_k.weight", |c| {
            vec![c.kv_heads * c.head_dim, c.d]
        })
        .interleaved(),
        TensorFormat::new("self_attn.v_proj.weight", "attn_v.weight", |c| {
            vec![c.kv_heads * c.head_dim, c.d]
        }),
        TensorFormat::new("self_attn.o_proj.weight", "attn_output.weight", |c| {
            vec![c.d, c.heads * c.head_dim]
        }),
        TensorFormat::new("post_attention_layernorm.weight", "ffn_norm.weight", |c| {
            vec![c.d]
        }),
        TensorFormat::new("mlp.gate_proj.weight", "ffn_gate.weight", |c| {
            vec![c.d_ff, c.d]
        }),
        TensorFormat::new("mlp.up_proj.weight", "ffn_up.weight", |c| vec![c.d_ff, c.d]),
        TensorFormat::new("mlp.down_proj.weight", "ffn_down.weight", |c| {
            vec![c.d, c.d_ff]
        }),
    ],
    // The frequencies follow from the configuration; GGUF's factors are part of it.
    ignored: &["rope_freqs.weight", ".self_attn.rotary_emb.inv_freq"],
};

/// A decoder of the Llama family with its weights.
pub(crate) struct Llama {
    base: Base,
    layers: Vec<Layer>,
    final_norm: RmsNorm,
    output_head: OutputHead,
}

/// One decoder layer: x + Attention(norm(x)), then x + SwiGLU(norm(x)).
struct Layer {
    qkv: QkvProjection,
    out: OutputProjection,
    feed_forward_norm: RmsNorm,
    /// W_gate | W_up
    gate_up: Linear,
    down: Linear,
}

impl Llama {
    /// Reads the weights, all layers but the output head's.
    pub(crate) fn load(checkpoint: Arc<Checkpoint>, kind: WeightsKind) -> Result<Self, Error> {
        let config = checkpoint.config();
        let Activation::Silu = config.activation;
        let layers = (0..config.layers)
            .into_par_iter()
            .map(|layer| Layer::load(&checkpoint, layer, kind))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            layers,
            final_norm: RmsNorm::load(&checkpoint, FINAL_NORM, config.norm_eps)?,
            output_head: OutputHead::new(
                checkpoint.clone(),
                head_name(&checkpoint).to_owned(),
                kind,
            )?,
            base: Base::new(checkpoint, EMBEDDINGS),
        })
    }
}

/// The name of the matrix that is the output head.
fn head_name(checkpoint: &Checkpoint) -> &'static str {
    match checkpoint.config().tied {
        true => EMBEDDINGS,
        false => OUTPUT_HEAD,
    }
}

impl Layer {
    fn load(checkpoint: &Checkpoint, layer: usize, kind: WeightsKind) -> Result<Self, Error> {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        let projections = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].map(name);
        let eps = checkpoint.config().norm_eps;
        Ok(Self {
            qkv: QkvProjection::load(checkpoint, &name("input_layernorm"), &projections, kind)?,
            out: OutputProjection::load(checkpoint, name("self_attn.o_proj"), kind)?,
            feed_forward_norm: RmsNorm::load(checkpoint, &name("post_attention_layernorm"), eps)?,
            gate_up: Linear::load(
                checkpoint,
                &["mlp.gate_proj", "mlp.up_proj"].map(name),
                kind,
            )?,
            down: Linear::load(checkpoint, &["mlp.down_proj"].map(name), kind)?,
        })
    }

    /// hidden += (silu(x·W_gate) · x·W_up)·W_down with x = norm(hidden)
    fn add_feed_forward(&self, hidden: &mut Array2<f32>) -> Result<(), Error> {
        let (n, d) = hidden.dim();
        let d_ff = self.gate_up.outputs() / 2;
        let (gate_up, down) = (self.gate_up.for_rows(n)?, self.down.for_rows(n)?);
        for chunk in row_chunks(n) {
            let x = self
                .feed_forward_norm
                .apply(rows(&hidden.view(), chunk.clone()));
            let inner = gate_up
                .times(x, chunk.len())?
                .read(|both| swiglu(both, d_ff))?;
            down.times(inner, chunk.len())?
                .read(|out| add_rows(rows_mut(hidden, chunk), out, d))?;
        }
        Ok(())
    }
}

impl Family for Llama {
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
        let layer = &self.layers[layer];
        layer.out.add(hidden, z)?;
        layer.add_feed_forward(hidden)
    }

    fn value_norms(&self, layer: usize, v: ArrayView3<f32>) -> Result<Array2<f32>, Error> {
        self.layers[layer].out.value_norms(self.shape(), v)
    }

    fn final_norm(&self, hidden: ArrayView2<f32>) -> Array2<f32> {
        let normed = self.final_norm.apply(rows(&hidden, 0..hidden.nrows()));
        from_rows(normed, hidden.ncols())
    }

    fn logits(&self, normed: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        self.output_head.logits(normed)
    }

    fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let layer = &self.layers[layer];
        layer.qkv.weights(self.shape(), Some(&layer.out))
    }

    fn unembeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        let name = head_name(self.base.checkpoint());
        self.base.unembeddings(name, self.final_norm.gain(), tokens)
    }

    fn final_norm_factor(&self, residual: ArrayView1<f32>) -> f64 {
        self.final_norm.factor(residual)
    }

    fn weights_description(&self) -> String {
        let layers = self.layers.iter();
        let matrices = layers
            .flat_map(|layer| {
                let attention = [layer.qkv.linear(), layer.out.linear()];
                attention.into_iter().chain([&layer.gate_up, &layer.down])
            })
            .map(Linear::weight_types);
        describe(matrices.chain([self.output_head.weight_types()]))
    }
}
