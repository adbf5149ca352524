//! Gemma 2 (Gemma Team 2024, <https://arxiv.org/abs/2408.00118>): norms before and behind each part, windows in every second
//! layer, soft-caps. Gemma 3 (Gemma Team 2025, <https://arxiv.org/abs/2503.19786>): norms of queries and keys instead of
//! soft-caps, five layers with a window to one without, and rotary bases of their own.

use super::config::folder::{self, Defaults};
use super::config::gguf;
use super::config::rope::{RopeDefaults, one_rope, rope_from};
use super::config::windows::{layer_kinds, window_span};
use super::llama::{DOWN, GATE, IGNORED, OUTSIDE, UP};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, NormKind, Part, QkNorm, Rope, Spec};

pub(super) const GEMMA2: Family = Family {
    architecture: "gemma2",
    model_types: &["gemma2"],
    classes: &["Gemma2ForCausalLM"],
    base_classes: &["Gemma2Model"],
    folder: read_gemma2,
    gguf: read_gemma2_gguf,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:google/gemma-2-2b",
        "Gemma terms of use",
        5229,
    )],
};

pub(super) const GEMMA3: Family = Family {
    architecture: "gemma3",
    model_types: &["gemma3_text"],
    classes: &["Gemma3ForCausalLM"],
    base_classes: &["Gemma3TextModel"],
    folder: read_gemma3,
    gguf: read_gemma3_gguf,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:google/gemma-3-270m",
        "Gemma terms of use",
        536,
    )],
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
        Part::AttentionOutputNorm.weight(),
        "post_attention_layernorm.weight",
        "post_attention_norm.weight",
    ),
    Named::new(
        Part::FeedForwardNorm.weight(),
        "pre_feedforward_layernorm.weight",
        "ffn_norm.weight",
    ),
    Named::new(
        Part::FeedForwardOutputNorm.weight(),
        "post_feedforward_layernorm.weight",
        "post_ffw_norm.weight",
    ),
    GATE,
    UP,
    DOWN,
];

const DEFAULTS: Defaults = Defaults {
    norm: NormKind::RmsPlusOne,
    head_dim: Some(256),
    context: 8192,
    activation: Activation::GeluTanh,
    tied: true,
    theta: 10_000.0,
};

fn read_gemma2(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let mut spec = folder::decoder(settings, family, DEFAULTS)?;
    complete_layers(settings, &mut spec)?;
    let window = settings.size("sliding_window")?.or(Some(4096));
    let kinds = layer_kinds(settings, spec.layers.len(), every_second)?;
    add_windows(&mut spec, window, &kinds);
    let scores = soft_cap(settings, "attn_logit_softcapping", Some(50.0))?;
    let logits = soft_cap(settings, "final_logit_softcapping", Some(30.0))?;
    add_soft_caps(&mut spec, scores, logits);
    Ok(spec)
}

/// Windows in layers 0, 2, 4 …
fn every_second(layer: usize) -> bool {
    layer.is_multiple_of(2)
}

fn read_gemma3(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let defaults = Defaults {
        context: 131_072,
        ..DEFAULTS
    };
    let mut local = None;
    let mut spec = folder::decoder_with(settings, family, defaults, |settings, defaults| {
        let ropes = ropes(settings, defaults)?;
        local = Some(ropes.local);
        Ok(ropes.global)
    })?;
    complete_layers(settings, &mut spec)?;
    settings.only("use_bidirectional_attention", &false.into())?;
    let pattern = match settings.size("sliding_window_pattern")? {
        Some(pattern) => pattern,
        None => settings.size("_sliding_window_pattern")?.unwrap_or(6),
    };
    settings.ignore(&["_sliding_window_pattern"]);
    let window = settings.size("sliding_window")?.or(Some(4096));
    let kinds = layer_kinds(settings, spec.layers.len(), |layer| {
        !(layer + 1).is_multiple_of(pattern)
    })?;
    add_windows(&mut spec, window, &kinds);
    if let Some(local) = local {
        add_local_rope(&mut spec, &local, &kinds);
    }
    add_qk_norms(&mut spec);
    let scores = soft_cap(settings, "attn_logit_softcapping", None)?;
    let logits = soft_cap(settings, "final_logit_softcapping", None)?;
    add_soft_caps(&mut spec, scores, logits);
    Ok(spec)
}

/// Gemma 3's rotary embeddings of layers without a window, and with one.
struct Ropes {
    global: Rope,
    local: Rope,
}

/// `rope_theta`, `rope_scaling` and `rope_local_base_freq`, or since transformers 5 one object for each kind of layer.
fn ropes(settings: &mut Settings, defaults: RopeDefaults) -> Result<Ropes, Error> {
    let global_defaults = RopeDefaults {
        theta: 1e6,
        ..defaults
    };
    let by_kind = |value: &serde_json::Value| value.get("full_attention").is_some();
    if settings.peek("rope_parameters").is_some_and(by_kind)
        && let Some(mut kinds) = settings.object("rope_parameters")?
    {
        settings.ignore(&["rope_theta", "rope_scaling", "rope_local_base_freq"]);
        let global = kinds.object("full_attention")?;
        let local = kinds.object("sliding_attention")?;
        let ropes = Ropes {
            global: rope_from(global, None, settings, global_defaults)?,
            local: rope_from(local, None, settings, defaults)?,
        };
        kinds.finish()?;
        return Ok(ropes);
    }
    let theta = settings.positive("rope_local_base_freq")?;
    Ok(Ropes {
        local: Rope::plain(theta.unwrap_or(defaults.theta), defaults.head_dim),
        global: one_rope(settings, global_defaults)?,
    })
}

/// What both families add to Llama's layers: √d, norms behind each part, a scale of their own.
fn complete_layers(settings: &mut Settings, spec: &mut Spec) -> Result<(), Error> {
    let scalar = settings.positive("query_pre_attn_scalar")?.unwrap_or(256.0);
    add_norms_and_scale(spec, (f64::from(scalar).powf(-0.5)) as f32);
    folder::attention_bias(settings, spec)
}

fn add_norms_and_scale(spec: &mut Spec, scale: f32) {
    spec.embedding.scale = (spec.d as f64).sqrt() as f32;
    for layer in &mut spec.layers {
        layer.attention.scale = scale;
        layer.attention_norms.output = layer.attention_norms.before;
        layer.feed_forward_norms.output = layer.feed_forward_norms.before;
    }
}

fn add_windows(spec: &mut Spec, window: Option<usize>, kinds: &[bool]) {
    for (layer, &windowed) in spec.layers.iter_mut().zip(kinds) {
        layer.attention.span = window_span(window.filter(|_| windowed), spec.context_length);
    }
}

fn add_local_rope(spec: &mut Spec, local: &Rope, kinds: &[bool]) {
    for (layer, &windowed) in spec.layers.iter_mut().zip(kinds) {
        if windowed {
            layer.attention.rope = Some(local.clone());
        }
    }
}

fn add_qk_norms(spec: &mut Spec) {
    for layer in &mut spec.layers {
        layer.attention.qk_norm = layer.attention_norms.before.map(QkNorm::PerHead);
    }
}

/// Soft-caps of the scores and of the logits.
fn add_soft_caps(spec: &mut Spec, scores: Option<f32>, logits: Option<f32>) {
    for layer in &mut spec.layers {
        layer.attention.soft_cap = scores;
    }
    if let Some(head) = &mut spec.head {
        head.soft_cap = logits;
    }
}

/// A soft-cap: none where it is null, the family's where it is not there.
fn soft_cap(
    settings: &mut Settings,
    key: &str,
    default: Option<f32>,
) -> Result<Option<f32>, Error> {
    let default = default.filter(|_| !settings.contains(key));
    Ok(settings.positive(key)?.or(default))
}

/// GGUF's keys of soft-caps.
const CAPS: [&str; 2] = ["attn_logit_softcapping", "final_logit_softcapping"];

fn read_gemma2_gguf(
    settings: &mut Settings,
    weights: &Weights,
    family: &Family,
) -> Result<Spec, Error> {
    let mut spec = gguf::decoder(settings, weights, family, Activation::GeluTanh)?;
    // llama.cpp's rule: the largest model of the family has 46 layers and another scale.
    let entries = match spec.layers.len() {
        46 => spec.d / spec.heads,
        _ => spec.head_dim,
    };
    add_norms_and_scale(&mut spec, 1.0 / (entries as f32).sqrt());
    let window = settings.size("attention.sliding_window")?.or(Some(4096));
    let kinds: Vec<bool> = (0..spec.layers.len()).map(every_second).collect();
    add_windows(&mut spec, window, &kinds);
    let [scores, logits] = CAPS.map(|key| settings.positive(key));
    add_soft_caps(&mut spec, scores?.or(Some(50.0)), logits?.or(Some(30.0)));
    Ok(spec)
}

fn read_gemma3_gguf(
    settings: &mut Settings,
    weights: &Weights,
    family: &Family,
) -> Result<Spec, Error> {
    let mut spec = gguf::decoder(settings, weights, family, Activation::GeluTanh)?;
    // llama.cpp's rule, as for Gemma 2.
    let entries = match spec.layers.len() {
        62 => spec.d / spec.heads,
        _ => spec.head_dim,
    };
    add_norms_and_scale(&mut spec, 1.0 / (entries as f32).sqrt());
    let pattern = settings
        .size("attention.sliding_window_pattern")?
        .unwrap_or(6);
    let kinds: Vec<bool> = (1..=spec.layers.len())
        .map(|layer| !layer.is_multiple_of(pattern))
        .collect();
    let window = settings.size("attention.sliding_window")?;
    add_windows(&mut spec, window, &kinds);
    let theta = settings.positive("rope.freq_base_swa")?.unwrap_or(10_000.0);
    let local = Rope::plain(theta, spec.head_dim);
    if window.is_some() {
        add_local_rope(&mut spec, &local, &kinds);
    }
    add_qk_norms(&mut spec);
    let [scores, logits] = CAPS.map(|key| settings.positive(key));
    add_soft_caps(&mut spec, scores?, logits?);
    Ok(spec)
}
