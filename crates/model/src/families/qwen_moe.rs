//! Qwen2's and Qwen3's mixtures of experts (Yang et al. 2024, <https://arxiv.org/abs/2407.10671>, and 2025,
//! <https://arxiv.org/abs/2505.09388>): their attention, and in most layers many small experts. Qwen2's have a shared one beside them.

use super::config::experts::{
    EXPERTS, add_experts, mixture, mixture_gguf, sparse_layers, sparse_layers_gguf,
};
use super::config::folder::{self, Defaults};
use super::config::gguf;
use super::llama::{IGNORED, OUTSIDE};
use super::qwen::{LAYER, add_qk_norms, add_qwen2_biases, read_windows};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family, Named};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, Part, SharedExpert, Shares, Spec};

pub(super) const QWEN2_MOE: Family = Family {
    architecture: "qwen2moe",
    model_types: &["qwen2_moe"],
    classes: &["Qwen2MoeForCausalLM"],
    base_classes: &["Qwen2MoeModel"],
    folder: read_qwen2_moe,
    gguf: read_qwen2_moe_gguf,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: &MIXTURE_LAYER,
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:Qwen/Qwen1.5-MoE-A2.7B",
        "Tongyi Qianwen",
        28_632,
    )],
};

pub(super) const QWEN3_MOE: Family = Family {
    architecture: "qwen3moe",
    model_types: &["qwen3_moe"],
    classes: &["Qwen3MoeForCausalLM"],
    base_classes: &["Qwen3MoeModel"],
    folder: read_qwen3_moe,
    gguf: read_qwen3_moe_gguf,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: &MIXTURE_LAYER,
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:Qwen/Qwen3-30B-A3B",
        "Apache-2.0",
        61_066,
    )],
};

/// A layer's tensors, of mixtures and of layers without experts.
const MIXTURE_LAYER: [Named; LAYER.len() + 8] = {
    let [gate, up, down] = EXPERTS;
    let more = [
        Named::new(
            Part::Router.weight(),
            "mlp.gate.weight",
            "ffn_gate_inp.weight",
        ),
        gate,
        up,
        down,
        Named::new(
            Part::SharedExpertGate.weight(),
            "mlp.shared_expert.gate_proj.weight",
            "ffn_gate_shexp.weight",
        ),
        Named::new(
            Part::SharedExpertUp.weight(),
            "mlp.shared_expert.up_proj.weight",
            "ffn_up_shexp.weight",
        ),
        Named::new(
            Part::SharedExpertDown.weight(),
            "mlp.shared_expert.down_proj.weight",
            "ffn_down_shexp.weight",
        ),
        Named::new(
            Part::SharedExpertShare.weight(),
            "mlp.shared_expert_gate.weight",
            "ffn_gate_inp_shexp.weight",
        ),
    ];
    let mut all = [more[0]; LAYER.len() + 8];
    let mut index = 0;
    while index < all.len() {
        all[index] = match index.checked_sub(LAYER.len()) {
            Some(index) => more[index],
            None => LAYER[index],
        };
        index += 1;
    }
    all
};

fn read_qwen2_moe(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    folder::explicit(settings, "qwen2_moe", &["num_key_value_heads"])?;
    let defaults = Defaults {
        context: 32_768,
        ..Defaults::LLAMA
    };
    let mut spec = folder::decoder(settings, family, defaults)?;
    // Every second layer of the first ones, where Qwen2 has its windows in the last ones.
    read_windows(settings, &mut spec, |layer, most| {
        layer.is_multiple_of(2) && layer < most
    })?;
    let d_ff = settings.required_size("shared_expert_intermediate_size")?;
    add_mixtures(
        settings,
        &mut spec,
        Some(SharedExpert { d_ff, gated: true }),
    )?;
    if settings.bool("qkv_bias")?.unwrap_or(true) {
        add_qwen2_biases(&mut spec);
    }
    Ok(spec)
}

fn read_qwen3_moe(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    folder::explicit(settings, "qwen3_moe", &["num_key_value_heads"])?;
    let defaults = Defaults {
        context: 32_768,
        head_dim: Some(128),
        ..Defaults::LLAMA
    };
    let mut spec = folder::decoder(settings, family, defaults)?;
    read_windows(settings, &mut spec, |_, _| true)?;
    add_mixtures(settings, &mut spec, None)?;
    folder::attention_bias(settings, &mut spec)?;
    add_qk_norms(&mut spec);
    Ok(spec)
}

fn add_mixtures(
    settings: &mut Settings,
    spec: &mut Spec,
    shared: Option<SharedExpert>,
) -> Result<(), Error> {
    // transformers 5 writes the name that other families have.
    let count = match settings.contains("num_local_experts") {
        true => "num_local_experts",
        false => "num_experts",
    };
    let mut experts = mixture(settings, [count, "num_experts_per_tok"])?;
    if !settings.bool("norm_topk_prob")?.unwrap_or(false) {
        experts.shares = Shares::OfAll;
    }
    experts.shared = shared;
    let d_ff = settings.required_size("moe_intermediate_size")?;
    let sparse = sparse_layers(settings, spec.layers.len())?;
    add_experts(spec, experts, Some(d_ff), &sparse);
    Ok(())
}

fn read_qwen2_moe_gguf(
    settings: &mut Settings,
    weights: &Weights,
    family: &Family,
) -> Result<Spec, Error> {
    let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
    let d_ff = settings.size("expert_shared_feed_forward_length")?;
    if let Some(mut experts) = mixture_gguf(settings)? {
        // llama.cpp's rule: this family's shares are those of all experts.
        experts.shares = Shares::OfAll;
        experts.shared = d_ff.map(|d_ff| SharedExpert { d_ff, gated: true });
        let d_ff = settings.size("expert_feed_forward_length")?;
        let sparse = sparse_layers_gguf(weights, spec.layers.len())?;
        add_experts(&mut spec, experts, d_ff, &sparse);
    }
    add_qwen2_biases(&mut spec);
    Ok(spec)
}

fn read_qwen3_moe_gguf(
    settings: &mut Settings,
    weights: &Weights,
    family: &Family,
) -> Result<Spec, Error> {
    let mut spec = gguf::decoder(settings, weights, family, Activation::Silu)?;
    if let Some(experts) = mixture_gguf(settings)? {
        let d_ff = settings.size("expert_feed_forward_length")?;
        let sparse = sparse_layers_gguf(weights, spec.layers.len())?;
        add_experts(&mut spec, experts, d_ff, &sparse);
    }
    add_qk_norms(&mut spec);
    Ok(spec)
}
