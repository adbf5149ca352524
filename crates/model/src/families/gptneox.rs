//! GPT-NeoX (Black et al. 2022, <https://arxiv.org/abs/2204.06745>), of which Pythia is made: LayerNorm, biases, rotary
//! embedding of a part of each head, and attention and feed-forward part side by side.

use super::config::heads::equal_heads;
use super::config::plain::Plain;
use super::config::rope::{RopeDefaults, one_rope};
use super::config::{folder, gguf, gguf_rope};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, EmbeddingSpec, Norm, NormKind, Part, Rope, Spec};

pub(super) const FAMILY: Family = Family {
    architecture: "gptneox",
    model_types: &["gpt_neox"],
    classes: &["GPTNeoXForCausalLM"],
    base_classes: &["GPTNeoXModel"],
    folder: read_folder,
    gguf: read_gguf,
    base_prefix: "gpt_neox.",
    layer_prefix: "gpt_neox.layers.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "gpt_neox.embed_in.weight",
            "token_embd.weight",
        ),
        Named::new(
            Part::FinalNorm.weight(),
            "gpt_neox.final_layer_norm.weight",
            "output_norm.weight",
        ),
        Named::new(
            Part::FinalNorm.bias(),
            "gpt_neox.final_layer_norm.bias",
            "output_norm.bias",
        ),
        Named::new(Part::Head.weight(), "embed_out.weight", "output.weight"),
        Named::new(Part::Head.weight(), "lm_head.weight", "output.weight"),
    ],
    layer: &[
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
            "attention.dense.weight",
            "attn_output.weight",
        ),
        Named::new(
            Part::Output.bias(),
            "attention.dense.bias",
            "attn_output.bias",
        ),
        Named::new(
            Part::FeedForwardNorm.weight(),
            "post_attention_layernorm.weight",
            "ffn_norm.weight",
        ),
        Named::new(
            Part::FeedForwardNorm.bias(),
            "post_attention_layernorm.bias",
            "ffn_norm.bias",
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
    // The causal mask and the frequencies, which older files store.
    ignored: &[
        ".attention.bias",
        ".attention.masked_bias",
        ".rotary_emb.inv_freq",
    ],
    examples: &[Example::untested(
        "hf:EleutherAI/pythia-70m",
        "Apache-2.0",
        166,
    )],
};

/// Queries, keys and values in one tensor: head by head in a folder.
const fn fused(part: Part, bias: bool) -> Named {
    let named = match bias {
        false => {
            let folder = "attention.query_key_value.weight";
            Named::new(part.weight(), folder, "attn_qkv.weight")
        }
        true => Named::new(
            part.bias(),
            "attention.query_key_value.bias",
            "attn_qkv.bias",
        ),
    };
    named.folder(Layout::BlockOfEachHead).gguf(Layout::Block)
}

/// A layer besides its sizes.
struct Parts {
    norm: Norm,
    rope: Rope,
    activation: Activation,
    d_ff: usize,
    parallel: bool,
    bias: bool,
}

fn complete(mut spec: Spec, layers: usize, parts: Parts) -> Spec {
    spec.final_norm = Some(parts.norm);
    let plain = Plain {
        head_dim: spec.head_dim,
        norm: parts.norm,
        rope: Some(parts.rope),
        activation: parts.activation,
        d_ff: parts.d_ff,
    };
    let mut layer = plain.biased_layer();
    layer.attention.qkv_bias = parts.bias;
    layer.attention.output_bias = parts.bias;
    layer.parallel = parts.parallel;
    spec.layers = vec![layer; layers];
    spec
}

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let head = folder::head(settings, family, false)?;
    let (d, heads) = equal_heads(settings, ("hidden_size", "num_attention_heads"))?;
    let context_length = settings.size("max_position_embeddings")?.unwrap_or(2048);
    let defaults = RopeDefaults {
        theta: settings.positive("rotary_emb_base")?.unwrap_or(10_000.0),
        head_dim: d / heads,
        part: Some(settings.positive("rotary_pct")?.unwrap_or(0.25)),
        context: context_length,
    };
    let parts = Parts {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.positive("layer_norm_eps")?.unwrap_or(1e-5),
        },
        rope: one_rope(settings, defaults)?,
        activation: folder::activation(settings, &["hidden_act"])?.unwrap_or(Activation::Gelu),
        d_ff: settings.required_size("intermediate_size")?,
        parallel: settings.bool("use_parallel_residual")?.unwrap_or(true),
        bias: settings.bool("attention_bias")?.unwrap_or(true),
    };
    settings.ignore(&["classifier_dropout"]);
    let spec = Spec {
        architecture: family.architecture,
        d,
        heads,
        kv_heads: heads,
        head_dim: d / heads,
        vocab: settings.required_size("vocab_size")?,
        context_length,
        embedding: EmbeddingSpec::default(),
        layers: Vec::new(),
        final_norm: None,
        head,
    };
    Ok(complete(
        spec,
        settings.required_layers("num_hidden_layers")?,
        parts,
    ))
}

fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let sizes = gguf::sizes(settings, weights)?;
    let parts = Parts {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.required_positive("attention.layer_norm_epsilon")?,
        },
        rope: gguf_rope::rope(settings, weights, sizes.head_dim)?,
        activation: Activation::Gelu,
        d_ff: sizes.d_ff,
        parallel: settings.bool("use_parallel_residual")?.unwrap_or(true),
        bias: weights.contains("blk.0.attn_qkv.bias"),
    };
    let spec = Spec {
        head: Some(gguf::head(weights)),
        ..sizes.spec(family)
    };
    Ok(complete(spec, sizes.layers, parts))
}
