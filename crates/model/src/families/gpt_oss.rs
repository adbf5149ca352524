//! gpt-oss (OpenAI 2025, <https://arxiv.org/abs/2508.10925>): a window in every second layer, a learned logit in each head's softmax
//! that belongs to no key, biases, and experts with a clamped gate in each layer.

use super::config::experts::{add_experts, mixture, mixture_gguf};
use super::config::folder::{self, Defaults};
use super::config::gguf;
use super::config::windows::{layer_kinds, window_span};
use super::llama::{IGNORED, OUTSIDE};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, Experts, Part, RopeScaling, Spec};

pub(super) const FAMILY: Family = Family {
    architecture: "gpt-oss",
    model_types: &["gpt_oss"],
    classes: &["GptOssForCausalLM"],
    base_classes: &["GptOssModel"],
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
        Named::new(Part::Sinks.weight(), "self_attn.sinks", "attn_sinks.weight"),
        Named::new(
            Part::FeedForwardNorm.weight(),
            "post_attention_layernorm.weight",
            "post_attention_norm.weight",
        ),
        Named::new(
            Part::Router.weight(),
            "mlp.router.weight",
            "ffn_gate_inp.weight",
        ),
        Named::new(Part::Router.bias(), "mlp.router.bias", "ffn_gate_inp.bias"),
        interleaved(Part::ExpertGate, "ffn_gate_exps.weight"),
        interleaved(Part::ExpertUp, "ffn_up_exps.weight"),
        Named::new(
            Part::ExpertDown.weight(),
            "mlp.experts.down_proj",
            "ffn_down_exps.weight",
        )
        .folder(Layout::ExpertsTransposed)
        .gguf(Layout::Experts),
        interleaved_bias(Part::ExpertGate, "ffn_gate_exps.bias"),
        interleaved_bias(Part::ExpertUp, "ffn_up_exps.bias"),
        Named::new(
            Part::ExpertDown.bias(),
            "mlp.experts.down_proj_bias",
            "ffn_down_exps.bias",
        )
        .folder(Layout::Experts)
        .gguf(Layout::Experts),
    ],
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:openai/gpt-oss-20b",
        "Apache-2.0",
        13_761,
    )],
};

const fn interleaved(part: Part, gguf: &'static str) -> Named {
    Named::new(part.weight(), "mlp.experts.gate_up_proj", gguf)
        .folder(Layout::ExpertsInterleavedTransposed)
        .gguf(Layout::Experts)
}

const fn interleaved_bias(part: Part, gguf: &'static str) -> Named {
    Named::new(part.bias(), "mlp.experts.gate_up_proj_bias", gguf)
        .folder(Layout::ExpertsInterleavedTransposed)
        .gguf(Layout::Experts)
}

const DEFAULTS: Defaults = Defaults {
    head_dim: Some(64),
    context: 131_072,
    theta: 150_000.0,
    ..Defaults::LLAMA
};

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let said = ["num_key_value_heads", "rms_norm_eps"];
    folder::explicit(settings, "gpt_oss", &said)?;
    let mut spec = folder::decoder(settings, family, DEFAULTS)?;
    // The clamped gate is built in; the key names the function that it resembles.
    settings.only("swiglu_alpha", &serde_json::json!(1.702))?;
    settings.only("swiglu_limit", &serde_json::json!(7))?;
    settings.ignore(&["experts_per_token", "initial_context_length"]);
    if let Some(mut quantization) = settings.object("quantization_config")? {
        // Which tensors are, they say themselves.
        quantization.only("quant_method", &"mxfp4".into())?;
        quantization.ignore(&["modules_to_not_convert"]);
        quantization.finish()?;
    }
    let mut experts = mixture(settings, ["num_local_experts", "num_experts_per_tok"])?;
    experts.router_bias = true;
    let window = settings.size("sliding_window")?;
    let kinds = layer_kinds(settings, spec.layers.len(), every_second)?;
    let bias = settings.bool("attention_bias")?.unwrap_or(true);
    complete(&mut spec, experts, (window, &kinds), bias);
    Ok(spec)
}

fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
    let window = settings.size("attention.sliding_window")?;
    let experts = mixture_gguf(settings)?;
    let mut experts = experts.ok_or_else(|| settings.missing("expert_count"))?;
    experts.router_bias = true;
    let d_ff = settings.size("expert_feed_forward_length")?;
    let kinds: Vec<bool> = (0..spec.layers.len()).map(every_second).collect();
    complete(&mut spec, experts, (window, &kinds), true);
    for layer in &mut spec.layers {
        if let (Some(feed_forward), Some(d_ff)) = (&mut layer.feed_forward, d_ff) {
            feed_forward.d_ff = d_ff;
        }
        // Which the file does not say.
        if let Some(rope) = &mut layer.attention.rope
            && let RopeScaling::Yarn { truncate, .. } = &mut rope.scaling
        {
            *truncate = false;
        }
    }
    Ok(spec)
}

/// Windows in layers 0, 2, 4 …
fn every_second(layer: usize) -> bool {
    layer.is_multiple_of(2)
}

/// What the family adds to Llama's layers.
fn complete(
    spec: &mut Spec,
    experts: Experts,
    (window, kinds): (Option<usize>, &[bool]),
    bias: bool,
) {
    let all = vec![true; spec.layers.len()];
    add_experts(spec, experts, None, &all);
    for (layer, &windowed) in spec.layers.iter_mut().zip(kinds) {
        layer.attention.span = window_span(window.filter(|_| windowed), spec.context_length);
        layer.attention.sinks = true;
        layer.attention.qkv_bias = bias;
        layer.attention.output_bias = bias;
        if let Some(feed_forward) = &mut layer.feed_forward {
            feed_forward.activation = Activation::ClampedSwiGlu;
            feed_forward.bias = true;
        }
    }
}
