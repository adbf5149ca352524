//! A GGUF file's keys that begin with its architecture.

use serde_json::{Value, json};

use super::super::format::Format;
use super::super::settings::Settings;
use super::super::weights::Weights;
use super::super::{Activation, Config, Error, Rope, RopeScaling};
use super::{HeadNames, Heads};

const NAMES: HeadNames = HeadNames {
    heads: "attention.head_count",
    kv_heads: "attention.head_count_kv",
    head_dim: "attention.key_length",
};

/// Keys that change the mathematics unless they have this value, or are absent.
fn only_neutral() -> [(&'static str, Value); 12] {
    [
        ("attention.causal", json!(true)),
        ("attention.clamp_kqv", json!(0)),
        ("attention.scale", json!(0)),
        ("attention.sliding_window", json!(0)),
        ("embedding_scale", json!(1)),
        ("expert_count", json!(0)),
        ("expert_used_count", json!(0)),
        ("logit_scale", json!(1)),
        ("residual_scale", json!(1)),
        ("tensor_data_layout", json!("Meta AI original pth")),
        ("use_parallel_residual", json!(false)),
        ("rope.scaling.attn_factor", json!(1)),
    ]
}

/// Reads the architecture's keys.
pub(crate) fn config(
    mut settings: Settings,
    weights: &Weights,
    format: &Format,
) -> Result<Config, Error> {
    let sizes = Heads {
        d: settings.required_size("embedding_length")?,
        heads: settings.required_size(NAMES.heads)?,
        kv_heads: 0,
        head_dim: settings.size(NAMES.head_dim)?,
    };
    let sizes = Heads {
        kv_heads: settings.size(NAMES.kv_heads)?.unwrap_or(sizes.heads),
        ..sizes
    };
    let head_dim = sizes.head_dim(&settings, NAMES)?;
    for key in ["attention.value_length", "rope.dimension_count"] {
        settings.only(key, &json!(head_dim))?;
    }
    let config = Config {
        architecture: format.architecture,
        d: sizes.d,
        layers: settings.required_size("block_count")?,
        heads: sizes.heads,
        kv_heads: sizes.kv_heads,
        head_dim,
        d_ff: settings.required_size("feed_forward_length")?,
        vocab: vocab(&mut settings, weights)?,
        context_length: settings.required_size("context_length")?,
        norm_eps: settings.required_positive("attention.layer_norm_rms_epsilon")?,
        rope: rope(&mut settings, weights, head_dim)?,
        tied: !weights.contains("output.weight"),
        activation: Activation::Silu,
    };
    for (key, neutral) in only_neutral() {
        settings.only(key, &neutral)?;
    }
    settings.finish()?;
    Ok(config)
}

/// The rows of the embedding table; `vocab_size`, where it is given, says the same.
fn vocab(settings: &mut Settings, weights: &Weights) -> Result<usize, Error> {
    let rows = weights.get("token_embd.weight")?.shape[0];
    match settings.size("vocab_size")? {
        Some(stated) if stated != rows => {
            let expected = format!("the {rows} rows of token_embd.weight");
            Err(settings.invalid("vocab_size", &stated.into(), &expected))
        }
        _ => Ok(rows),
    }
}

fn rope(settings: &mut Settings, weights: &Weights, head_dim: usize) -> Result<Rope, Error> {
    let theta = settings.positive("rope.freq_base")?.unwrap_or(10_000.0);
    // What the file was converted from, and whether it was trained so.
    settings.ignore(&[
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",
    ]);
    let old_factor = settings.positive("rope.scale_linear")?;
    let factor = settings.positive("rope.scaling.factor")?.or(old_factor);
    let kind = settings.text("rope.scaling.type")?;
    let scaling = match (kind.as_deref(), factor) {
        (Some("none"), _) | (None, None) => RopeScaling::None,
        // llama.cpp takes a factor without a type as linear.
        (Some("linear") | None, Some(factor)) => RopeScaling::Linear { factor },
        (Some("linear"), None) => return Err(settings.missing("rope.scaling.factor")),
        (Some(other), _) => {
            return Err(settings.unsupported(
                "rope.scaling.type",
                &other.into(),
                "none, linear, or the tensor rope_freqs.weight",
            ));
        }
    };
    let scaling = match (scaling, factors(weights, head_dim)?) {
        (scaling, None) => scaling,
        (RopeScaling::None, Some(factors)) => RopeScaling::Factors(factors),
        (_, Some(_)) => {
            return Err(settings.unsupported(
                "rope.scaling.type",
                &"linear, together with rope_freqs.weight".into(),
                "one of them",
            ));
        }
    };
    Ok(Rope { theta, scaling })
}

/// The divisors of the frequencies that converters write for Llama 3's scaling.
fn factors(weights: &Weights, head_dim: usize) -> Result<Option<Vec<f32>>, Error> {
    const NAME: &str = "rope_freqs.weight";
    if !weights.contains(NAME) {
        return Ok(None);
    }
    let found = &weights.get(NAME)?.shape;
    if found[..] != [head_dim / 2] {
        return Err(Error::Shape {
            name: NAME.to_owned(),
            found: found.clone(),
            expected: vec![head_dim / 2],
        });
    }
    let factors = weights.tensor_f32(NAME)?.to_vec1()?;
    match factors.iter().position(|&factor| factor <= 0.0) {
        None => Ok(Some(factors)),
        Some(index) => Err(Error::RopeFactor {
            name: NAME.to_owned(),
            value: factors[index],
            index,
        }),
    }
}
