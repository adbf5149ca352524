//! GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): learned positions, LayerNorm before
//! each part, biases everywhere, a plain feed-forward part, the embedding table as output head.

use super::config::heads::{equal_heads, even};
use super::config::plain::Plain;
use super::config::{folder, gguf};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, EmbeddingSpec, LearnedPositions, Norm, NormKind, Part, Spec};

pub(super) const FAMILY: Family = Family {
    architecture: "gpt2",
    model_types: &["gpt2"],
    classes: &["GPT2LMHeadModel"],
    base_classes: &["GPT2Model"],
    folder: read_folder,
    gguf: read_gguf,
    base_prefix: "transformer.",
    layer_prefix: "transformer.h.",
    outside: &[
        Named::new(
            Part::Embedding.weight(),
            "transformer.wte.weight",
            "token_embd.weight",
        ),
        Named::new(
            Part::Positions.weight(),
            "transformer.wpe.weight",
            "position_embd.weight",
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
            "ln_1.weight",
            "attn_norm.weight",
        ),
        Named::new(Part::AttentionNorm.bias(), "ln_1.bias", "attn_norm.bias"),
        fused(Part::Q, false),
        fused(Part::K, false),
        fused(Part::V, false),
        fused(Part::Q, true),
        fused(Part::K, true),
        fused(Part::V, true),
        Named::new(
            Part::Output.weight(),
            "attn.c_proj.weight",
            "attn_output.weight",
        )
        .folder(Layout::Transposed),
        Named::new(Part::Output.bias(), "attn.c_proj.bias", "attn_output.bias"),
        Named::new(
            Part::FeedForwardNorm.weight(),
            "ln_2.weight",
            "ffn_norm.weight",
        ),
        Named::new(Part::FeedForwardNorm.bias(), "ln_2.bias", "ffn_norm.bias"),
        Named::new(Part::Up.weight(), "mlp.c_fc.weight", "ffn_up.weight")
            .folder(Layout::Transposed),
        Named::new(Part::Up.bias(), "mlp.c_fc.bias", "ffn_up.bias"),
        Named::new(Part::Down.weight(), "mlp.c_proj.weight", "ffn_down.weight")
            .folder(Layout::Transposed),
        Named::new(Part::Down.bias(), "mlp.c_proj.bias", "ffn_down.bias"),
    ],
    // The causal mask, which older files store.
    ignored: &[".attn.bias", ".attn.masked_bias"],
    examples: &[Example::untested("hf:openai-community/gpt2", "MIT", 548)],
};

/// Queries, keys and values in one tensor, in a folder with rows and columns exchanged.
const fn fused(part: Part, bias: bool) -> Named {
    let named = match bias {
        false => Named::new(part.weight(), "attn.c_attn.weight", "attn_qkv.weight"),
        true => Named::new(part.bias(), "attn.c_attn.bias", "attn_qkv.bias"),
    };
    named.folder(Layout::TransposedBlock).gguf(Layout::Block)
}

/// What a layer is made of besides its sizes.
struct Parts {
    norm: Norm,
    activation: Activation,
    d_ff: usize,
    /// Whether scores are divided by √d_k.
    scaled: bool,
    /// Whether they are divided by the layer's number too, counted from 1.
    by_layer: bool,
}

fn complete(mut spec: Spec, layers: usize, parts: &Parts) -> Spec {
    let plain = Plain {
        head_dim: spec.head_dim,
        norm: parts.norm,
        rope: None,
        activation: parts.activation,
        d_ff: parts.d_ff,
    };
    spec.embedding = EmbeddingSpec {
        positions: Some(LearnedPositions {
            rows: spec.context_length,
            first: 0,
        }),
        ..EmbeddingSpec::default()
    };
    spec.final_norm = Some(parts.norm);
    let scale = match parts.scaled {
        true => 1.0 / (spec.head_dim as f32).sqrt(),
        false => 1.0,
    };
    let layer = |index: usize| {
        let mut layer = plain.biased_layer();
        layer.attention.scale = scale
            / if parts.by_layer {
                (index + 1) as f32
            } else {
                1.0
            };
        layer
    };
    spec.layers = (0..layers).map(layer).collect();
    spec
}

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let head = folder::head(settings, family, true)?;
    let (d, heads) = equal_heads(settings, ("n_embd", "n_head"))?;
    let context_length = settings.size("n_positions")?.unwrap_or(1024);
    settings.ignore(&["n_ctx", "reorder_and_upcast_attn"]);
    settings.ignore_beginning(&["summary_"]);
    let parts = Parts {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.positive("layer_norm_epsilon")?.unwrap_or(1e-5),
        },
        activation: folder::activation(settings, &["activation_function"])?
            .unwrap_or(Activation::GeluTanh),
        d_ff: settings.size("n_inner")?.unwrap_or(4 * d),
        scaled: settings.bool("scale_attn_weights")?.unwrap_or(true),
        by_layer: settings
            .bool("scale_attn_by_inverse_layer_idx")?
            .unwrap_or(false),
    };
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
    Ok(complete(spec, settings.required_layers("n_layer")?, &parts))
}

fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let sizes = gguf::sizes(settings, weights)?;
    // Converters write it, and nothing turns.
    if let Some(dims) = settings.size("rope.dimension_count")? {
        even(settings, "rope.dimension_count", dims)?;
    }
    let parts = Parts {
        norm: Norm {
            kind: NormKind::Layer,
            eps: settings.required_positive("attention.layer_norm_epsilon")?,
        },
        activation: Activation::GeluTanh,
        d_ff: sizes.d_ff,
        scaled: true,
        by_layer: false,
    };
    let spec = Spec {
        head: Some(gguf::head(weights)),
        ..sizes.spec(family)
    };
    Ok(complete(spec, sizes.layers, &parts))
}
