//! Llama and its relatives (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>): norm before each part (RMSNorm),
//! rotary position embedding, grouped-query attention, SwiGLU, no biases.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3};
use rayon::prelude::*;

use super::attention::{Inward, Outward};
use super::{Activations, Family, HeadsMut, Projection, Shape};
use crate::checkpoint::decoder::{folder_config, gguf_config};
use crate::checkpoint::format::{Format, TensorFormat};
use crate::checkpoint::{Activation, Checkpoint, Config};
use crate::layers::{
    Linear, OutputHead, RmsNorm, RopeFrequencies, add_rows, describe, from_rows, row_chunks, rows,
    rows_mut, swiglu, to_array,
};
use crate::{AttentionWeights, Error, WeightsKind};

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
        TensorFormat::new(OUTPUT_HEAD, "output.weight", |c| vec![c.vocab, c.d]).untied(),
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
    checkpoint: Arc<Checkpoint>,
    shape: Shape,
    frequencies: RopeFrequencies,
    layers: Vec<Layer>,
    final_norm: RmsNorm,
    output_head: OutputHead,
}

/// One decoder layer: x + Attention(norm(x)), then x + SwiGLU(norm(x)).
struct Layer {
    inward: Inward,
    out: Outward,
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
        let head_name = if config.tied { EMBEDDINGS } else { OUTPUT_HEAD };
        Ok(Self {
            shape: shape(config),
            frequencies: RopeFrequencies::new(&config.rope, config.head_dim),
            layers,
            final_norm: RmsNorm::load(&checkpoint, FINAL_NORM, config.norm_eps)?,
            output_head: OutputHead::new(checkpoint.clone(), head_name.to_owned(), kind)?,
            checkpoint,
        })
    }
}

fn shape(config: &Config) -> Shape {
    Shape {
        layers: config.layers,
        heads: config.heads,
        kv_heads: config.kv_heads,
        d_k: config.head_dim,
        d_v: config.head_dim,
        vocab: config.vocab,
        context: config.context_length,
    }
}

impl Layer {
    fn load(checkpoint: &Checkpoint, layer: usize, kind: WeightsKind) -> Result<Self, Error> {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        let projections = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].map(name);
        let eps = checkpoint.config().norm_eps;
        Ok(Self {
            inward: Inward::load(checkpoint, &name("input_layernorm"), &projections, kind)?,
            out: Outward::load(checkpoint, name("self_attn.o_proj"), kind)?,
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
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn embeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        to_array(&self.checkpoint.rows_f32(EMBEDDINGS, tokens)?)
    }

    fn begin(&self, tokens: &[u32], first: usize) -> Result<Activations, Error> {
        Ok(Activations {
            hidden: self.embeddings(tokens)?,
            rotation: Some(self.frequencies.table(first, tokens.len())),
        })
    }

    fn project(&self, layer: usize, input: &Activations, out: HeadsMut) -> Result<(), Error> {
        let (hidden, rotation) = (input.hidden.view(), input.rotation.as_ref());
        let inward = &self.layers[layer].inward;
        inward.project(&self.shape, hidden, rotation, out)
    }

    fn absorb(
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
        self.layers[layer].out.value_norms(&self.shape, v)
    }

    fn finish(&self, hidden: ArrayView2<f32>) -> Array2<f32> {
        let finished = self.final_norm.apply(rows(&hidden, 0..hidden.nrows()));
        from_rows(finished, hidden.ncols())
    }

    fn logits(&self, finished: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        self.output_head.logits(finished)
    }

    fn projection(&self, layer: usize, input: &Activations) -> Result<Projection, Error> {
        self.layers[layer]
            .inward
            .plain(&self.shape, input.hidden.view())
    }

    fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let layer = &self.layers[layer];
        layer.inward.weights(&self.shape, Some(&layer.out))
    }

    fn unembeddings(&self, tokens: &[u32]) -> Result<Array2<f32>, Error> {
        let name = match self.checkpoint.config().tied {
            true => EMBEDDINGS,
            false => OUTPUT_HEAD,
        };
        let rows = to_array(&self.checkpoint.rows_f32(name, tokens)?)?;
        Ok(rows * ArrayView1::from(self.final_norm.gain()))
    }

    fn final_norm_factor(&self, residual: ArrayView1<f32>) -> f64 {
        self.final_norm.factor(residual)
    }

    fn weights_description(&self) -> String {
        let layers = self.layers.iter();
        let matrices = layers
            .flat_map(|layer| {
                let attention = [layer.inward.linear(), layer.out.linear()];
                attention.into_iter().chain([&layer.gate_up, &layer.down])
            })
            .map(Linear::held);
        describe(matrices.chain([self.output_head.held()]))
    }
}
