//! Granite 3 (Granite Team 2024, "Granite 3.0 Language Models"): Llama whose embeddings, scores, residual additions and logits
//! are multiplied by factors of their own, after μP (Yang et al. 2022, <https://arxiv.org/abs/2203.03466>).

use serde_json::json;

use super::config::folder::{self, Defaults};
use super::llama::{self, IGNORED, LAYER, OUTSIDE};
use crate::checkpoint::Error;
use crate::checkpoint::family::{Example, Family};
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::Spec;

pub(super) const FAMILY: Family = Family {
    architecture: "granite",
    model_types: &["granite"],
    classes: &["GraniteForCausalLM"],
    base_classes: &["GraniteModel"],
    folder: read_folder,
    gguf: read_gguf,
    base_prefix: "model.",
    layer_prefix: "model.layers.",
    outside: OUTSIDE,
    layer: LAYER,
    ignored: IGNORED,
    examples: &[Example::untested(
        "hf:ibm-granite/granite-3.3-2b-base",
        "Apache-2.0",
        5068,
    )],
};

fn read_folder(settings: &mut Settings, family: &Family) -> Result<Spec, Error> {
    let mut spec = folder::decoder(settings, family, Defaults::LLAMA)?;
    llama::read_biases(settings, &mut spec)?;
    let attention = settings.positive("attention_multiplier")?.unwrap_or(1.0);
    add_scale(&mut spec, attention);
    let keys = [
        "embedding_multiplier",
        "residual_multiplier",
        "logits_scaling",
    ];
    add_factors(settings, &mut spec, keys)?;
    Ok(spec)
}

fn read_gguf(settings: &mut Settings, weights: &Weights, family: &Family) -> Result<Spec, Error> {
    // llama.cpp's switch for models whose queries and keys do not turn.
    settings.only("rope.scaling.finetuned", &json!(true))?;
    let mut spec = llama::read_gguf(settings, weights, family)?;
    if let Some(scale) = settings.positive("attention.scale")? {
        add_scale(&mut spec, scale);
    }
    let keys = ["embedding_scale", "residual_scale", "logit_scale"];
    add_factors(settings, &mut spec, keys)?;
    Ok(spec)
}

fn add_scale(spec: &mut Spec, scale: f32) {
    for layer in &mut spec.layers {
        layer.attention.scale = scale;
    }
}

/// Factors of embeddings and residual additions, and the divisor of logits, under these keys; 1 where they are not there.
fn add_factors(
    settings: &mut Settings,
    spec: &mut Spec,
    [embedding, residual, logits]: [&str; 3],
) -> Result<(), Error> {
    spec.embedding.scale = settings.positive(embedding)?.unwrap_or(1.0);
    let residual = settings.positive(residual)?.unwrap_or(1.0);
    for layer in &mut spec.layers {
        layer.residual_scale = residual;
    }
    let divisor = settings.positive(logits)?.unwrap_or(1.0);
    if let Some(head) = &mut spec.head {
        head.scale = 1.0 / divisor;
    }
    Ok(())
}
