//! Llama and its relatives (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>): norm before each part (RMSNorm),
//! rotary position embedding, grouped-query attention, SwiGLU, no biases.

use std::sync::{Arc, OnceLock};

use lookback_trace::{LayerMeta, TraceMask};
use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayView3, s};
use rayon::prelude::*;

use super::{Activations, Family, HeadsMut, Projection, Shape};
use crate::checkpoint::decoder::{folder_config, gguf_config};
use crate::checkpoint::format::{Format, TensorFormat};
use crate::checkpoint::{Activation, Checkpoint, Config};
use crate::layers::{
    HeadColumns, Linear, OutputHead, RmsNorm, RopeFrequencies, RopeTable, ValueNorms, add_rows,
    describe, from_rows, row_chunks, rows, rows_mut, split_heads, swiglu, to_array,
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
    attention_norm: RmsNorm,
    /// W_q | W_k | W_v
    qkv: Linear,
    /// W_o
    out: Linear,
    feed_forward_norm: RmsNorm,
    /// W_gate | W_up
    gate_up: Linear,
    down: Linear,
    /// Made when a trace first needs it.
    value_norms: OnceLock<ValueNorms>,
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

    /// Columns of the fused projection.
    fn qkv_width(&self) -> usize {
        let Shape {
            heads,
            kv_heads,
            d_k,
            d_v,
            ..
        } = self.shape;
        (heads + kv_heads) * d_k + kv_heads * d_v
    }

    /// Takes the fused projection's rows apart; queries and keys are turned by `rotation`, where there is one.
    fn split(&self, qkv: &[f32], rotation: Option<(&RopeTable, usize)>, out: HeadsMut) {
        let Shape {
            heads,
            kv_heads,
            d_k,
            ..
        } = self.shape;
        let at = |first| HeadColumns {
            width: self.qkv_width(),
            first,
        };
        split_heads(qkv, at(0), rotation, out.q);
        split_heads(qkv, at(heads * d_k), rotation, out.k);
        split_heads(qkv, at((heads + kv_heads) * d_k), None, out.v);
    }

    /// Normalised input times W_q | W_k | W_v, taken apart.
    fn project_with(
        &self,
        layer: usize,
        hidden: ArrayView2<f32>,
        rotation: Option<&RopeTable>,
        mut out: HeadsMut,
    ) -> Result<(), Error> {
        let layer = &self.layers[layer];
        let product = layer.qkv.for_rows(hidden.nrows())?;
        for chunk in row_chunks(hidden.nrows()) {
            let x = layer.attention_norm.apply(rows(&hidden, chunk.clone()));
            let rotation = rotation.map(|table| (table, chunk.start));
            product
                .times(x, chunk.len())?
                .read(|qkv| self.split(qkv, rotation, out.rows(chunk)))?;
        }
        Ok(())
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
        let norm =
            |part: &str| RmsNorm::load(checkpoint, &name(part), checkpoint.config().norm_eps);
        let linear = |parts: &[&str]| {
            let names: Vec<String> = parts.iter().map(|part| name(part)).collect();
            Linear::load(checkpoint, &names, kind)
        };
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            qkv: linear(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?,
            out: linear(&["self_attn.o_proj"])?,
            feed_forward_norm: norm("post_attention_layernorm")?,
            gate_up: linear(&["mlp.gate_proj", "mlp.up_proj"])?,
            down: linear(&["mlp.down_proj"])?,
            value_norms: OnceLock::new(),
        })
    }

    /// hidden += z·W_o
    fn add_attention(&self, hidden: &mut Array2<f32>, z: ArrayView2<f32>) -> Result<(), Error> {
        let (n, d) = hidden.dim();
        let product = self.out.for_rows(n)?;
        for chunk in row_chunks(n) {
            let z = rows(&z, chunk.clone()).to_vec();
            product
                .times(z, chunk.len())?
                .read(|out| add_rows(rows_mut(hidden, chunk), out, d))?;
        }
        Ok(())
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

    fn scoring(&self, _layer: usize) -> LayerMeta {
        let scale = 1.0 / (self.shape.d_k as f32).sqrt();
        LayerMeta::new(scale, TraceMask::Causal { offset: 0 })
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
        self.project_with(layer, input.hidden.view(), input.rotation.as_ref(), out)
    }

    fn absorb(
        &self,
        layer: usize,
        hidden: &mut Array2<f32>,
        z: ArrayView2<f32>,
    ) -> Result<(), Error> {
        let layer = &self.layers[layer];
        layer.add_attention(hidden, z)?;
        layer.add_feed_forward(hidden)
    }

    fn value_norms(&self, layer: usize, v: ArrayView3<f32>) -> Result<Array2<f32>, Error> {
        let layer = &self.layers[layer];
        if layer.value_norms.get().is_none() {
            let w_o = layer.out.dense()?;
            let norms = ValueNorms::new(&w_o, self.shape.heads, self.shape.kv_heads)?;
            // Another thread may have been faster; its value is the same.
            let _ = layer.value_norms.set(norms);
        }
        match layer.value_norms.get() {
            Some(norms) => norms.apply(v),
            None => unreachable!("it was set above"),
        }
    }

    fn finish(&self, hidden: ArrayView2<f32>) -> Array2<f32> {
        let finished = self.final_norm.apply(rows(&hidden, 0..hidden.nrows()));
        from_rows(finished, hidden.ncols())
    }

    fn logits(&self, finished: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        self.output_head.logits(finished)
    }

    fn projection(&self, layer: usize, input: &Activations) -> Result<Projection, Error> {
        let Shape {
            heads,
            kv_heads,
            d_k,
            d_v,
            ..
        } = self.shape;
        let n = input.hidden.nrows();
        let mut q_plain = Array3::zeros((heads, n, d_k));
        let mut k_plain = Array3::zeros((kv_heads, n, d_k));
        let mut v = Array3::zeros((kv_heads, n, d_v));
        let out = HeadsMut {
            q: q_plain.view_mut(),
            k: k_plain.view_mut(),
            v: v.view_mut(),
        };
        self.project_with(layer, input.hidden.view(), None, out)?;
        let norm = &self.layers[layer].attention_norm;
        let x_norm = norm.apply(rows(&input.hidden.view(), 0..n));
        Ok(Projection {
            x_norm: from_rows(x_norm, input.hidden.ncols()),
            q_plain,
            k_plain,
        })
    }

    fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let Shape {
            heads,
            kv_heads,
            d_k,
            ..
        } = self.shape;
        let weights = &self.layers[layer];
        let qkv = to_array(&weights.qkv.dense()?)?;
        let (k_first, v_first) = (heads * d_k, (heads + kv_heads) * d_k);
        Ok(AttentionWeights {
            norm_gain: Array1::from(weights.attention_norm.gain().to_vec()),
            w_q: qkv.slice(s![.., ..k_first]).to_owned(),
            w_k: qkv.slice(s![.., k_first..v_first]).to_owned(),
            w_v: qkv.slice(s![.., v_first..]).to_owned(),
            w_o: to_array(&weights.out.dense()?)?,
        })
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
            .flat_map(|layer| [&layer.qkv, &layer.out, &layer.gate_up, &layer.down])
            .map(Linear::held);
        describe(matrices.chain([self.output_head.held()]))
    }
}
