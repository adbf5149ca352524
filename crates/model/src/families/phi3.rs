//! Phi-3 (Abdin et al. 2024, <https://arxiv.org/abs/2404.14219>) and Phi-4-mini (Abouelenin et al. 2025,
//! <https://arxiv.org/abs/2503.01743>): Llama whose queries, keys and values lie in one matrix, as gate and up do; a window
//! in some, LongRoPE in others, and in Phi-4-mini a part of each head that does not turn.

use serde_json::json;

use super::config::folder::{self, Defaults};
use super::config::gguf;
use super::config::rope::{RopeDefaults, one_rope};
use super::config::windows::window_span;
use super::llama::{DOWN, OUTSIDE};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, Part, Rope, RopeScaling, Spec};

pub(super) const FAMILY: Family = Family {
    architecture: "phi3",
    model_types: &["phi3"],
    classes: &["Phi3ForCausalLM"],
    base_classes: &["Phi3Model"],
    folder: read_folder,
    gguf: read_gguf,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: &[
        Named::new(
            Part::AttentionNorm.weight(),
            "input_layernorm.weight",
            "attn_norm.weight",
        ),
        fused(Part::Q, "self_attn.qkv_proj.weight", "attn_qkv.weight"),
        fused(Part::K, "self_attn.qkv_proj.weight", "attn_qkv.weight"),
        fused(Part::V, "self_attn.qkv_proj.weight", "attn_qkv.weight"),
        Named::new(
            Part::Output.weight(),
            "self_attn.o_proj.weight",
            "attn_output.weight",
        ),
        Named::new(
            Part::FeedForwardNorm.weight(),
            "post_attention_layernorm.weight",
            "ffn_norm.weight",
        ),
        fused(Part::Gate, "mlp.gate_up_proj.weight", "ffn_up.weight"),
        fused(Part::Up, "mlp.gate_up_proj.weight", "ffn_up.weight"),
        DOWN,
    ],
    // Frequencies follow from the configuration; GGUF's factors are part of it.
    ignored: &[
        "rope_factors_long.weight",
        "rope_factors_short.weight",
        ".self_attn.rotary_emb.inv_freq",
    ],
    examples: &[
        Example::untested("hf:microsoft/Phi-3-mini-4k-instruct", "MIT", 7642),
        Example::untested("hf:microsoft/Phi-4-mini-instruct", "MIT", 7672),
    ],
};

/// One of several blocks in one tensor.
const fn fused(part: Part, folder: &'static str, gguf: &'static str) -> Named {
    Named::new(part.weight(), folder, gguf)
        .folder(Layout::Block)
        .gguf(Layout::Block)
}

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    folder::explicit(settings, "phi3", &["rms_norm_eps"])?;
    let defaults = Defaults {
        context: 4096,
        ..Defaults::LLAMA
    };
    let mut spec = folder::decoder_with(settings, family, defaults, rope)?;
    // Published files name code of their own, which transformers has had for itself since; the rest announces parts that
    // none of them has.
    settings.ignore(&["auto_map"]);
    settings.only("full_attn_mod", &json!(1))?;
    settings.only("interpolate_factor", &json!(1))?;
    settings.only("lm_head_bias", &json!(false))?;
    let window = settings.size("sliding_window")?;
    add_window(&mut spec, window);
    Ok(spec)
}

/// Rotary embedding of a part of each head, scaled by LongRoPE or not at all: transformers takes `yarn` for another name of
/// LongRoPE here.
fn rope(settings: &mut Settings, defaults: RopeDefaults) -> Result<Rope, Error> {
    let rope = one_rope(
        settings,
        RopeDefaults {
            part: Some(1.0),
            ..defaults
        },
    )?;
    match rope.scaling {
        RopeScaling::None | RopeScaling::LongRope { .. } => Ok(rope),
        _ => {
            let found = json!("another scaling");
            Err(settings.unsupported("rope_scaling.type", &found, "longrope"))
        }
    }
}

fn add_window(spec: &mut Spec, window: Option<usize>) {
    let span = window_span(window, spec.context_length);
    for layer in &mut spec.layers {
        layer.attention.span = span;
    }
}

/// llama.cpp writes the window, 0 where there is none.
fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
    let none = settings.peek("attention.sliding_window") == Some(&json!(0));
    let window = match none {
        true => None,
        false => settings.size("attention.sliding_window")?,
    };
    add_window(&mut spec, window);
    Ok(spec)
}
