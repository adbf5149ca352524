//! Llama and its relatives (Touvron et al. 2023, <https://arxiv.org/abs/2302.13971>): norm before each part (RMSNorm),
//! rotary position embedding, grouped-query attention, SwiGLU; biases where the configuration asks for them. Mistral
//! (Jiang et al. 2023, <https://arxiv.org/abs/2310.06825>) is Llama, its first version with a sliding window; Mixtral (Jiang et al.
//! 2024, <https://arxiv.org/abs/2401.04088>) is Mistral with a mixture of experts in each layer.

use super::config::experts::{add_experts, mixture, mixture_gguf, sparse_layers_gguf};
use super::config::folder::{self, Defaults};
use super::config::gguf;
use super::config::windows::window_span;
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Layout, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, Part, Spec};

pub(super) const FAMILY: Family = Family {
    architecture: "llama",
    model_types: &["llama", "mistral", "mixtral"],
    classes: &[
        "LlamaForCausalLM",
        "LLaMAForCausalLM",
        "MistralForCausalLM",
        "MixtralForCausalLM",
    ],
    base_classes: &["LlamaModel", "MistralModel", "MixtralModel"],
    folder: read_folder,
    gguf: read_gguf,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[
        Example::tested("smollm2-135m", "Apache-2.0", 98),
        Example::untested("hf:HuggingFaceTB/SmolLM2-135M", "Apache-2.0", 269),
        Example::untested("hf:mistralai/Mistral-7B-v0.1", "Apache-2.0", 14484),
        Example::untested("hf:mistralai/Mixtral-8x7B-v0.1", "Apache-2.0", 93405),
    ],
};

/// Tensors of a layer. llama.cpp interleaves the rows of W_q and W_k.
pub(super) const LAYER: &[Named] = &[
    Named::new(
        Part::AttentionNorm.weight(),
        "input_layernorm.weight",
        "attn_norm.weight",
    ),
    Named::new(Part::Q.weight(), "self_attn.q_proj.weight", "attn_q.weight")
        .gguf(Layout::InterleavedHalves),
    Named::new(Part::K.weight(), "self_attn.k_proj.weight", "attn_k.weight")
        .gguf(Layout::InterleavedHalves),
    Named::new(Part::V.weight(), "self_attn.v_proj.weight", "attn_v.weight"),
    Named::new(
        Part::Output.weight(),
        "self_attn.o_proj.weight",
        "attn_output.weight",
    ),
    Named::new(Part::Q.bias(), "self_attn.q_proj.bias", "attn_q.bias")
        .gguf(Layout::InterleavedHalves),
    Named::new(Part::K.bias(), "self_attn.k_proj.bias", "attn_k.bias")
        .gguf(Layout::InterleavedHalves),
    Named::new(Part::V.bias(), "self_attn.v_proj.bias", "attn_v.bias"),
    Named::new(
        Part::Output.bias(),
        "self_attn.o_proj.bias",
        "attn_output.bias",
    ),
    Named::new(
        Part::FeedForwardNorm.weight(),
        "post_attention_layernorm.weight",
        "ffn_norm.weight",
    ),
    GATE,
    UP,
    DOWN,
    Named::new(Part::Gate.bias(), "mlp.gate_proj.bias", "ffn_gate.bias"),
    Named::new(Part::Up.bias(), "mlp.up_proj.bias", "ffn_up.bias"),
    Named::new(Part::Down.bias(), "mlp.down_proj.bias", "ffn_down.bias"),
    Named::new(
        Part::Router.weight(),
        "block_sparse_moe.gate.weight",
        "ffn_gate_inp.weight",
    ),
    Named::new(
        Part::ExpertGate.weight(),
        "block_sparse_moe.experts.{}.w1.weight",
        "ffn_gate_exps.weight",
    )
    .gguf(Layout::Experts),
    Named::new(
        Part::ExpertUp.weight(),
        "block_sparse_moe.experts.{}.w3.weight",
        "ffn_up_exps.weight",
    )
    .gguf(Layout::Experts),
    Named::new(
        Part::ExpertDown.weight(),
        "block_sparse_moe.experts.{}.w2.weight",
        "ffn_down_exps.weight",
    )
    .gguf(Layout::Experts),
];

/// Tensors outside the layers, as most decoders since Llama name them.
pub(super) const OUTSIDE: &[Named] = &[
    Named::new(
        Part::Embedding.weight(),
        "model.embed_tokens.weight",
        "token_embd.weight",
    ),
    Named::new(
        Part::FinalNorm.weight(),
        "model.norm.weight",
        "output_norm.weight",
    ),
    Named::new(Part::Head.weight(), "lm_head.weight", "output.weight"),
];

pub(super) const GATE: Named = Named::new(
    Part::Gate.weight(),
    "mlp.gate_proj.weight",
    "ffn_gate.weight",
);
pub(super) const UP: Named = Named::new(Part::Up.weight(), "mlp.up_proj.weight", "ffn_up.weight");
pub(super) const DOWN: Named = Named::new(
    Part::Down.weight(),
    "mlp.down_proj.weight",
    "ffn_down.weight",
);

const MIXTRAL: Defaults = Defaults {
    context: 131_072,
    theta: 1e6,
    ..Defaults::LLAMA
};

/// The frequencies follow from the configuration; GGUF's factors are part of it.
pub(super) const IGNORED: &[&str] = &["rope_freqs.weight", ".self_attn.rotary_emb.inv_freq"];

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    folder::explicit(
        settings,
        "mistral",
        &["sliding_window", "num_key_value_heads"],
    )?;
    let said = ["num_key_value_heads", "rms_norm_eps"];
    folder::explicit(settings, "mixtral", &said)?;
    let is_mixtral = folder::is_type(settings, "mixtral");
    let defaults = match is_mixtral {
        true => MIXTRAL,
        false => Defaults::LLAMA,
    };
    let mut spec = folder::decoder(settings, family, defaults)?;
    let window = match folder::is_type(settings, "mistral") || is_mixtral {
        true => settings.size("sliding_window")?,
        false => None,
    };
    if is_mixtral {
        let experts = mixture(settings, ["num_local_experts", "num_experts_per_tok"])?;
        let layers = vec![true; spec.layers.len()];
        add_experts(&mut spec, experts, None, &layers);
    }
    let span = window_span(window, spec.context_length);
    for layer in &mut spec.layers {
        layer.attention.span = span;
    }
    read_biases(settings, &mut spec)?;
    Ok(spec)
}

/// `attention_bias` and `mlp_bias`.
pub(super) fn read_biases(settings: &mut Settings, spec: &mut Spec) -> Result<(), Error> {
    folder::attention_bias(settings, spec)?;
    let mlp_bias = settings.bool("mlp_bias")?.unwrap_or(false);
    let parts = spec.layers.iter_mut();
    for feed_forward in parts.filter_map(|layer| layer.feed_forward.as_mut()) {
        feed_forward.bias = mlp_bias;
    }
    Ok(())
}

pub(super) fn read_gguf(
    settings: &mut Settings,
    weights: &Weights,
    family: &Family,
) -> Result<Spec, Error> {
    let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
    let mut ropes = spec
        .layers
        .iter()
        .filter_map(|layer| layer.attention.rope.as_ref());
    // The interleaved rows are put back for heads that turn as a whole.
    if let Some(rope) = ropes.find(|rope| rope.dims != spec.head_dim) {
        let whole = spec.head_dim.to_string();
        return Err(settings.unsupported("rope.dimension_count", &rope.dims.into(), &whole));
    }
    if let Some(experts) = mixture_gguf(settings)? {
        let layers = sparse_layers_gguf(weights, spec.layers.len())?;
        add_experts(&mut spec, experts, None, &layers);
    }
    for layer in &mut spec.layers {
        layer.attention.qkv_bias = weights.contains("blk.0.attn_q.bias");
        layer.attention.output_bias = weights.contains("blk.0.attn_output.bias");
        if let Some(feed_forward) = &mut layer.feed_forward {
            feed_forward.bias = weights.contains("blk.0.ffn_up.bias");
        }
    }
    Ok(spec)
}
