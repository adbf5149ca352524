//! BLOOM (BigScience Workshop 2022, <https://arxiv.org/abs/2211.05100>): LayerNorm of the embeddings and before each part, biases
//! everywhere, and a penalty of the distance (ALiBi) in place of positions.

use serde_json::json;

use super::config::heads::equal_heads;
use super::config::plain::Plain;
use super::config::{folder, gguf};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, EmbeddingSpec, LayerSpec, Norm, NormKind, Part, Spec, alibi_slopes};

pub(super) const FAMILY: Family = Family {
    architecture: "bloom",
    model_types: &["bloom"],
    classes: &["BloomForCausalLM"],
    base_classes: &["BloomModel"],
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
            Part::EmbeddingNorm.weight(),
            "transformer.word_embeddings_layernorm.weight",
            "token_embd_norm.weight",
        ),
        Named::new(
            Part::EmbeddingNorm.bias(),
            "transformer.word_embeddings_layernorm.bias",
            "token_embd_norm.bias",
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
    ignored: &[],
    examples: &[Example::untested(
        "hf:bigscience/bloom-560m",
        "BigScience RAIL 1.0",
        1118,
    )],
};

/// Queries, keys and values in one tensor: head by head in a folder.
pub(super) const fn fused(part: Part, bias: bool) -> Named {
    let named = match bias {
        false => {
            let folder = "self_attention.query_key_value.weight";
            Named::new(part.weight(), folder, "attn_qkv.weight")
        }
        true => {
            let folder = "self_attention.query_key_value.bias";
            Named::new(part.bias(), folder, "attn_qkv.bias")
        }
    };
    named.folder(Layout::BlockOfEachHead).gguf(Layout::Block)
}

/// Adds norms, and `layers` of feed-forward parts of `d_ff` entries.
fn complete(mut spec: Spec, layers: usize, norm: Norm, d_ff: usize) -> Spec {
    let plain = Plain {
        head_dim: spec.head_dim,
        norm,
        rope: None,
        activation: Activation::GeluTanh,
        d_ff,
    };
    let mut layer: LayerSpec = plain.biased_layer();
    layer.attention.alibi = Some(alibi_slopes(spec.heads));
    spec.embedding = EmbeddingSpec {
        norm: Some(norm),
        ..EmbeddingSpec::default()
    };
    spec.final_norm = Some(norm);
    spec.layers = vec![layer; layers];
    spec
}

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let [d_name, heads_name, layers_name] = old_and_new_names(settings);
    let (d, heads) = equal_heads(settings, (d_name, heads_name))?;
    settings.only("apply_residual_connection_post_layernorm", &json!(false))?;
    settings.only("n_inner", &json!(4 * d))?;
    // How the products were computed in training; the masks' offset is that of another implementation.
    settings.ignore(&[
        "attention_softmax_in_fp32",
        "bias_dropout_fusion",
        "masked_softmax_fusion",
        "offset_alibi",
        "skip_bias_add",
        "skip_bias_add_qkv",
        "slow_but_exact",
        "unk_token_id",
    ]);
    let norm = Norm {
        kind: NormKind::Layer,
        eps: settings.positive("layer_norm_epsilon")?.unwrap_or(1e-5),
    };
    let spec = Spec {
        architecture: family.architecture,
        d,
        heads,
        kv_heads: heads,
        head_dim: d / heads,
        vocab: settings.required_size("vocab_size")?,
        // What it was trained on; nothing ends there.
        context_length: settings.size("seq_length")?.unwrap_or(2048),
        embedding: EmbeddingSpec::default(),
        layers: Vec::new(),
        final_norm: None,
        head,
    };
    let layers = settings.required_layers(layers_name)?;
    Ok(complete(spec, layers, norm, 4 * d))
}

/// What the file calls d, H and the number of layers.
fn old_and_new_names(settings: &Settings) -> [&'static str; 3] {
    let first = |old, new| if settings.contains(old) { old } else { new };
    [
        first("n_embed", "hidden_size"),
        first("num_attention_heads", "n_head"),
        first("num_hidden_layers", "n_layer"),
    ]
}

fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let sizes = gguf::sizes(settings, weights)?;
    let norm = Norm {
        kind: NormKind::Layer,
        eps: settings.required_positive("attention.layer_norm_epsilon")?,
    };
    let spec = Spec {
        head: Some(gguf::head(weights)),
        ..sizes.spec(family)
    };
    Ok(complete(spec, sizes.layers, norm, sizes.d_ff))
}
