//! The small `pronoun` model: the notes' multi-head attention over frozen embeddings, and a last layer that points.
//!
//! Each layer but the last adds Attention(norm(x)) to x, with its own W_q, W_k, W_v and W_o, RMSNorm before it and
//! rotary position embedding; there is no feed-forward part. The last layer is the pointer: heads with W_q and W_k only.
//! What it was trained for is where its rows look, so that nothing flows on from it, and the model has no output head:
//! it points, and writes nothing. `lookback-learn` trains it and writes its files.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use lookback_trace::{LayerMeta, TraceMask};
use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayView3, s};
use serde_json::json;

use super::{Activations, Family, HeadsMut, Projection, Shape};
use crate::checkpoint::decoder::folder_config;
use crate::checkpoint::format::{Format, TensorFormat};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::checkpoint::{Activation, Checkpoint, Config, Rope, RopeScaling};
use crate::layers::{
    HeadColumns, Linear, RmsNorm, RopeFrequencies, RopeTable, ValueNorms, add_rows, from_rows,
    row_chunks, rows, rows_mut, split_heads, to_array,
};
use crate::{AttentionWeights, Error, WeightsKind, checkpoint};

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
    checkpoint: Arc<Checkpoint>,
    shape: Shape,
    frequencies: RopeFrequencies,
    layers: Vec<Layer>,
}

struct Layer {
    norm: RmsNorm,
    /// W_q | W_k | W_v, or in the pointer W_q | W_k.
    projections: Linear,
    /// What makes the heads' outputs flow on; none in the pointer.
    out: Option<Out>,
}

struct Out {
    /// W_o
    linear: Linear,
    /// Made when a trace first needs it.
    value_norms: OnceLock<ValueNorms>,
}

impl Pronoun {
    /// Reads the weights. They are small: whatever `kind` says, products are computed in f32.
    pub(crate) fn load(checkpoint: Arc<Checkpoint>, _kind: WeightsKind) -> Result<Self, Error> {
        let config = checkpoint.config();
        let layers = (0..config.layers)
            .map(|layer| Layer::load(&checkpoint, layer, layer + 1 == config.layers))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            shape: Shape {
                layers: config.layers,
                heads: config.heads,
                kv_heads: config.heads,
                d_k: config.head_dim,
                d_v: config.head_dim,
                vocab: config.vocab,
                context: config.context_length,
            },
            frequencies: RopeFrequencies::new(&config.rope, config.head_dim),
            layers,
            checkpoint,
        })
    }

    /// Columns that one of W_q, W_k and W_v has.
    fn width(&self) -> usize {
        self.shape.heads * self.shape.d_k
    }

    fn project_with(
        &self,
        layer: usize,
        hidden: ArrayView2<f32>,
        rotation: Option<&RopeTable>,
        mut out: HeadsMut,
    ) -> Result<(), Error> {
        let layer = &self.layers[layer];
        let product = layer.projections.for_rows(hidden.nrows())?;
        for chunk in row_chunks(hidden.nrows()) {
            let x = layer.norm.apply(rows(&hidden, chunk.clone()));
            let rotation = rotation.map(|table| (table, chunk.start));
            let at = |part: usize| HeadColumns {
                width: layer.projections.outputs(),
                first: part * self.width(),
            };
            product.times(x, chunk.len())?.read(|products| {
                let HeadsMut { q, k, mut v } = out.rows(chunk);
                split_heads(products, at(0), rotation, q);
                split_heads(products, at(1), rotation, k);
                match layer.out {
                    Some(_) => split_heads(products, at(2), None, v),
                    None => v.fill(0.0),
                }
            })?;
        }
        Ok(())
    }
}

impl Layer {
    fn load(checkpoint: &Checkpoint, layer: usize, pointer: bool) -> Result<Self, Error> {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let linear = |parts: &[&str]| {
            let names: Vec<String> = parts.iter().map(|part| name(part)).collect();
            Linear::load(checkpoint, &names, WeightsKind::F32)
        };
        let eps = checkpoint.config().norm_eps;
        let (projections, out) = if pointer {
            (linear(&["attn_q", "attn_k"])?, None)
        } else {
            let out = Out {
                linear: linear(&["attn_output"])?,
                value_norms: OnceLock::new(),
            };
            (linear(&["attn_q", "attn_k", "attn_v"])?, Some(out))
        };
        Ok(Self {
            norm: RmsNorm::load(checkpoint, &name("attn_norm"), eps)?,
            projections,
            out,
        })
    }
}

impl Family for Pronoun {
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
        let Some(out) = &self.layers[layer].out else {
            return Ok(());
        };
        let (n, d) = hidden.dim();
        let product = out.linear.for_rows(n)?;
        for chunk in row_chunks(n) {
            let z = rows(&z, chunk.clone()).to_vec();
            product
                .times(z, chunk.len())?
                .read(|out| add_rows(rows_mut(hidden, chunk), out, d))?;
        }
        Ok(())
    }

    /// In the pointer every key's value is its own indicator, which is 1 long.
    fn value_norms(&self, layer: usize, v: ArrayView3<f32>) -> Result<Array2<f32>, Error> {
        let (heads, n, _) = v.dim();
        let Some(out) = &self.layers[layer].out else {
            return Ok(Array2::ones((heads, n)));
        };
        if out.value_norms.get().is_none() {
            let norms = ValueNorms::new(&out.linear.dense()?, heads, heads)?;
            // Another thread may have been faster; its value is the same.
            let _ = out.value_norms.set(norms);
        }
        match out.value_norms.get() {
            Some(norms) => norms.apply(v),
            None => unreachable!("it was set above"),
        }
    }

    fn finish(&self, hidden: ArrayView2<f32>) -> Array2<f32> {
        hidden.to_owned()
    }

    fn logits(&self, _finished: ArrayView2<f32>) -> Result<Array2<f32>, Error> {
        Err(NO_OUTPUT_HEAD)
    }

    fn has_output_head(&self) -> bool {
        false
    }

    /// The pointer.
    fn answering_layers(&self) -> Range<usize> {
        self.shape.layers - 1..self.shape.layers
    }

    fn projection(&self, layer: usize, input: &Activations) -> Result<Projection, Error> {
        let Shape { heads, d_k, .. } = self.shape;
        let n = input.hidden.nrows();
        let plain = || Array3::zeros((heads, n, d_k));
        let (mut q_plain, mut k_plain, mut v) = (plain(), plain(), plain());
        let out = HeadsMut {
            q: q_plain.view_mut(),
            k: k_plain.view_mut(),
            v: v.view_mut(),
        };
        self.project_with(layer, input.hidden.view(), None, out)?;
        let norm = &self.layers[layer].norm;
        let x_norm = norm.apply(rows(&input.hidden.view(), 0..n));
        Ok(Projection {
            x_norm: from_rows(x_norm, input.hidden.ncols()),
            q_plain,
            k_plain,
        })
    }

    /// Of the pointer, W_v and W_o are 0: nothing flows on from it.
    fn attention_weights(&self, layer: usize) -> Result<AttentionWeights, Error> {
        let weights = &self.layers[layer];
        let d = self.checkpoint.config().d;
        let all = to_array(&weights.projections.dense()?)?;
        let part = |index: usize| {
            let columns = index * self.width()..(index + 1) * self.width();
            all.slice(s![.., columns]).to_owned()
        };
        let (w_v, w_o) = match &weights.out {
            Some(out) => (part(2), to_array(&out.linear.dense()?)?),
            None => (
                Array2::zeros((d, self.width())),
                Array2::zeros((self.width(), d)),
            ),
        };
        Ok(AttentionWeights {
            norm_gain: Array1::from(weights.norm.gain().to_vec()),
            w_q: part(0),
            w_k: part(1),
            w_v,
            w_o,
        })
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
