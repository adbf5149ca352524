//! Qwen2 and 2.5 (Yang et al. 2024, <https://arxiv.org/abs/2407.10671>): Llama with biases of W_q, W_k and W_v. Qwen3
//! (Yang et al. 2025, <https://arxiv.org/abs/2505.09388>): none, but norms of each head's queries and keys.

use super::config::folder::{self, Defaults};
use super::config::gguf;
use super::config::windows::{layer_kinds, window_span};
use super::llama::{DOWN, GATE, IGNORED, OUTSIDE, UP};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::spec::{Activation, Part, QkNorm, Spec};

pub(super) const QWEN2: Family = Family {
    architecture: "qwen2",
    model_types: &["qwen2"],
    classes: &["Qwen2ForCausalLM"],
    base_classes: &["Qwen2Model"],
    folder: read_qwen2,
    gguf: |settings, weights, family| {
        let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
        add_qwen2_biases(&mut spec);
        Ok(spec)
    },
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[Example::untested("hf:Qwen/Qwen2.5-0.5B", "Apache-2.0", 988)],
};

pub(super) const QWEN3: Family = Family {
    architecture: "qwen3",
    model_types: &["qwen3"],
    classes: &["Qwen3ForCausalLM"],
    base_classes: &["Qwen3Model"],
    folder: read_qwen3,
    gguf: |settings, weights, family| {
        let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
        add_qk_norms(&mut spec);
        Ok(spec)
    },
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[Example::untested("hf:Qwen/Qwen3-0.6B", "Apache-2.0", 1503)],
};

/// Both families' tensors of a layer.
pub(super) const LAYER: &[Named] = &[
    Named::new(
        Part::AttentionNorm.weight(),
        "input_layernorm.weight",
        "attn_norm.weight",
    ),
    Named::new(Part::Q.weight(), "self_attn.q_proj.weight", "attn_q.weight"),
    Named::new(Part::K.weight(), "self_attn.k_proj.weight", "attn_k.weight"),
    Named::new(Part::V.weight(), "self_attn.v_proj.weight", "attn_v.weight"),
    Named::new(
        Part::Output.weight(),
        "self_attn.o_proj.weight",
        "attn_output.weight",
    ),
    Named::new(Part::Q.bias(), "self_attn.q_proj.bias", "attn_q.bias"),
    Named::new(Part::K.bias(), "self_attn.k_proj.bias", "attn_k.bias"),
    Named::new(Part::V.bias(), "self_attn.v_proj.bias", "attn_v.bias"),
    Named::new(
        Part::Output.bias(),
        "self_attn.o_proj.bias",
        "attn_output.bias",
    ),
    Named::new(
        Part::QNorm.weight(),
        "self_attn.q_norm.weight",
        "attn_q_norm.weight",
    ),
    Named::new(
        Part::KNorm.weight(),
        "self_attn.k_norm.weight",
        "attn_k_norm.weight",
    ),
    Named::new(
        Part::FeedForwardNorm.weight(),
        "post_attention_layernorm.weight",
        "ffn_norm.weight",
    ),
    GATE,
    UP,
    DOWN,
];

fn read_qwen2(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    folder::explicit(settings, "qwen2", &["num_key_value_heads"])?;
    let defaults = Defaults {
        context: 32_768,
        ..Defaults::LLAMA
    };
    let mut spec = folder::decoder(settings, family, defaults)?;
    read_windows(settings, &mut spec, |layer, first| layer >= first)?;
    add_qwen2_biases(&mut spec);
    Ok(spec)
}

fn read_qwen3(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    folder::explicit(settings, "qwen3", &["num_key_value_heads"])?;
    let defaults = Defaults {
        context: 32_768,
        head_dim: Some(128),
        ..Defaults::LLAMA
    };
    let mut spec = folder::decoder(settings, family, defaults)?;
    read_windows(settings, &mut spec, |layer, first| layer >= first)?;
    folder::attention_bias(settings, &mut spec)?;
    add_qk_norms(&mut spec);
    Ok(spec)
}

/// Where `use_sliding_window` says so, the layers that `has_window` names of their number and `max_window_layers` have one,
/// unless `layer_types` names them.
pub(super) fn read_windows(
    settings: &mut Settings,
    spec: &mut Spec,
    has_window: impl Fn(usize, usize) -> bool,
) -> Result<(), Error> {
    let used = settings.bool("use_sliding_window")?.unwrap_or(false);
    let window = match used {
        true => settings.size("sliding_window")?,
        false => {
            settings.ignore(&["sliding_window"]);
            None
        }
    };
    let layers = settings.take("max_window_layers");
    let layers = layers.and_then(|layers| layers.as_u64()).unwrap_or(28) as usize;
    let kinds = layer_kinds(settings, spec.layers.len(), |layer| {
        window.is_some() && has_window(layer, layers)
    })?;
    for (layer, windowed) in spec.layers.iter_mut().zip(kinds) {
        let window = window.filter(|_| windowed);
        layer.attention.span = window_span(window, spec.context_length);
    }
    Ok(())
}

pub(super) fn add_qwen2_biases(spec: &mut Spec) {
    for layer in &mut spec.layers {
        layer.attention.qkv_bias = true;
    }
}

pub(super) fn add_qk_norms(spec: &mut Spec) {
    for layer in &mut spec.layers {
        layer.attention.qk_norm = layer.attention_norms.before.map(QkNorm::PerHead);
    }
}
