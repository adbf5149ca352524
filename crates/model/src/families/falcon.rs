//! Falcon (Almazrouei et al. 2023, <https://arxiv.org/abs/2311.16867>): attention and feed-forward part side by side, behind one
//! norm or one each; one key and value for all heads (Shazeer 2019, <https://arxiv.org/abs/1911.02150>) or for groups of them.
//! Its first models (Falcon-RW) have the parts one after the other and a penalty of the distance (ALiBi).

use serde_json::json;

use super::bloom::fused;
use super::config::heads::equal_heads;
use super::config::plain::Plain;
use super::config::rope::{RopeDefaults, one_rope};
use super::config::{folder, gguf, gguf_rope};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{
    Activation, EmbeddingSpec, LayerSpec, Norm, NormKind, Part, Rope, Spec, alibi_slopes,
};

pub(super) const FAMILY: Family = Family {
    architecture: "falcon",
    model_types: &["falcon"],
    classes: &["FalconForCausalLM"],
    base_classes: &["FalconModel"],
    folder: read_folder,
    gguf: read_gguf,
    base_prefix: "transformer.",
    layer_prefix: "transformer.h.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "transformer.word_embeddings.weight",
            "token_embd.weight",
        ),
        Named::new(
            Part::FinalNorm.weight(),
            "transformer.ln_f.weight",
            "output_norm.weight",
        ),
        Named::new(
            Part::FinalNorm.bias(),
            "transformer.ln_f.bias",
            "output_norm.bias",
        ),
        Named::new(Part::Head.weight(), "lm_head.weight", "output.weight"),
    ],
    layer: &[
        // Where there are two, llama.cpp calls the feed-forward part's norm the first one.
        Named::new(
            Part::AttentionNorm.weight(),
            "ln_attn.weight",
            "attn_norm_2.weight",
        ),
        Named::new(
            Part::AttentionNorm.bias(),
            "ln_attn.bias",
            "attn_norm_2.bias",
        ),
        Named::new(
            Part::AttentionNorm.weight(),
            "input_layernorm.weight",
            "attn_norm.weight",
        ),
        Named::new(
            Part::AttentionNorm.bias(),
            "input_layernorm.bias",
            "attn_norm.bias",
        ),
        fused(Part::Q, false),
        fused(Part::K, false),
        fused(Part::V, false),
        fused(Part::Q, true),
        fused(Part::K, true),
        fused(Part::V, true),
        Named::new(
            Part::Output.weight(),
            "self_attention.dense.weight",
            "attn_output.weight",
        ),
        Named::new(
            Part::Output.bias(),
            "self_attention.dense.bias",
            "attn_output.bias",
        ),
        Named::new(
            Part::FeedForwardNorm.weight(),
            "ln_mlp.weight",
            "attn_norm.weight",
        ),
        Named::new(
            Part::FeedForwardNorm.bias(),
            "ln_mlp.bias",
            "attn_norm.bias",
        ),
        Named::new(
            Part::FeedForwardNorm.weight(),
            "post_attention_layernorm.weight",
            "-",
        ),
        Named::new(
            Part::FeedForwardNorm.bias(),
            "post_attention_layernorm.bias",
            "-",
        ),
        Named::new(
            Part::Up.weight(),
            "mlp.dense_h_to_4h.weight",
            "ffn_up.weight",
        ),
        Named::new(Part::Up.bias(), "mlp.dense_h_to_4h.bias", "ffn_up.bias"),
        Named::new(
            Part::Down.weight(),
            "mlp.dense_4h_to_h.weight",
            "ffn_down.weight",
        ),
        Named::new(Part::Down.bias(), "mlp.dense_4h_to_h.bias", "ffn_down.bias"),
    ],
    // Frequencies, which older files store.
    ignored: &[".rotary_emb.inv_freq", ".maybe_rotary.inv_freq"],
    examples: &[
        Example::untested("hf:tiiuae/falcon-rw-1b", "Apache-2.0", 2624),
        Example::untested("hf:tiiuae/falcon-7b", "Apache-2.0", 14434),
    ],
};

/// How the parts of a layer stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One after the other, each behind its norm.
    Sequential,
    /// Side by side, each behind its norm.
    TwoNorms,
    /// Side by side, behind one norm.
    OneNorm,
}

/// A layer besides its sizes.
struct Parts {
    norm: Norm,
    /// None with ALiBi.
    rope: Option<Rope>,
    activation: Activation,
    d_ff: usize,
    order: Order,
    bias: bool,
}

fn complete(mut spec: Spec, layers: usize, parts: Parts) -> Spec {
    let plain = Plain {
        head_dim: spec.head_dim,
        norm: parts.norm,
        rope: parts.rope,
        activation: parts.activation,
        d_ff: parts.d_ff,
    };
    let mut layer: LayerSpec = plain.biased_layer();
    if layer.attention.rope.is_none() {
        // The penalty is added before scores are scaled.
        let scale = layer.attention.scale;
        let slopes = alibi_slopes(spec.heads).into_iter();
        layer.attention.alibi = Some(slopes.map(|slope| slope * scale).collect());
    }
    layer.attention.qkv_bias = parts.bias;
    layer.attention.output_bias = parts.bias;
    if let Some(feed_forward) = &mut layer.feed_forward {
        feed_forward.bias = parts.bias;
    }
    layer.parallel = parts.order != Order::Sequential;
    layer.shared_norm = parts.order == Order::OneNorm;
    spec.final_norm = Some(parts.norm);
    spec.layers = vec![layer; layers];
    spec
}

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let (d, heads) = equal_heads(settings, ("hidden_size", "num_attention_heads"))?;
    let context_length = settings.size("max_position_embeddings")?.unwrap_or(2048);
    // Published files name code of their own, which transformers has had for itself since; residual additions begin before
    // the norms whatever the other key says.
    settings.ignore(&["auto_map", "apply_residual_connection_post_layernorm"]);
    let new = settings.bool("new_decoder_architecture")?.unwrap_or(false);
    let parts = Parts {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.positive("layer_norm_epsilon")?.unwrap_or(1e-5),
        },
        rope: rope(settings, d / heads, context_length)?,
        activation: folder::activation(settings, &["activation"])?.unwrap_or(Activation::Gelu),
        d_ff: settings.size("ffn_hidden_size")?.unwrap_or(4 * d),
        order: order(settings, new)?,
        bias: settings.bool("bias")?.unwrap_or(false),
    };
    let spec = Spec {
        architecture: family.architecture,
        d,
        heads,
        kv_heads: kv_heads(settings, new, heads)?,
        head_dim: d / heads,
        vocab: settings.required_size("vocab_size")?,
        context_length,
        embedding: EmbeddingSpec::default(),
        layers: Vec::new(),
        final_norm: None,
        head,
    };
    let layers = settings.required_layers("num_hidden_layers")?;
    Ok(complete(spec, layers, parts))
}

/// Rotary embedding, unless there is a penalty of the distance.
fn rope(settings: &mut Settings, head_dim: usize, context: usize) -> Result<Option<Rope>, Error> {
    if settings.bool("alibi")?.unwrap_or(false) {
        settings.ignore(&["rope_theta", "rope_scaling", "rope_parameters"]);
        return Ok(None);
    }
    let defaults = RopeDefaults {
        theta: 10_000.0,
        head_dim,
        part: None,
        context,
    };
    one_rope(settings, defaults).map(Some)
}

/// One for all, or as many as there are queries; in the new architecture as many as the file says.
fn kv_heads(settings: &mut Settings, new: bool, heads: usize) -> Result<usize, Error> {
    const KEY: &str = "num_kv_heads";
    let multi_query = settings.bool("multi_query")?.unwrap_or(true);
    let given = settings.size(KEY)?;
    match (new, multi_query) {
        (false, true) => Ok(1),
        (false, false) => Ok(heads),
        (true, _) => match given.unwrap_or(heads) {
            given if heads.is_multiple_of(given) => Ok(given),
            given => {
                let expected = format!("a divisor of the {heads} query heads");
                Err(settings.invalid(KEY, &given.into(), &expected))
            }
        },
    }
}

fn order(settings: &mut Settings, new: bool) -> Result<Order, Error> {
    const NORMS: &str = "num_ln_in_parallel_attn";
    if new {
        settings.only("parallel_attn", &json!(true))?;
        return match settings.size(NORMS)? {
            None | Some(2) => Ok(Order::TwoNorms),
            Some(1) => Ok(Order::OneNorm),
            Some(other) => Err(settings.unsupported(NORMS, &other.into(), "1 or 2")),
        };
    }
    settings.only(NORMS, &json!(1))?;
    match settings.bool("parallel_attn")?.unwrap_or(true) {
        true => Ok(Order::OneNorm),
        false => Ok(Order::Sequential),
    }
}

/// llama.cpp knows those that turn, with parts side by side.
fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let sizes = gguf::sizes(settings, weights)?;
    settings.only("tensor_data_layout", &json!("jploski"))?;
    let parts = Parts {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.required_positive("attention.layer_norm_epsilon")?,
        },
        rope: Some(gguf_rope::rope(settings, weights, sizes.head_dim)?),
        activation: Activation::Gelu,
        d_ff: sizes.d_ff,
        order: match weights.contains("blk.0.attn_norm_2.weight") {
            true => Order::TwoNorms,
            false => Order::OneNorm,
        },
        bias: weights.contains("blk.0.attn_qkv.bias"),
    };
    let spec = Spec {
        head: Some(gguf::head(weights)),
        ..sizes.spec(family)
    };
    Ok(complete(spec, sizes.layers, parts))
}
