//! A GGUF file's keys that begin with its architecture.

use serde_json::{Value, json};

use super::gguf_rope::rope;
use super::heads::{HeadNames, HeadSizes};
use super::plain::Plain;
use crate::checkpoint::Error;
use crate::checkpoint::family::Family;
use crate::checkpoint::settings::Settings;
use crate::checkpoint::weights::Weights;
use crate::spec::{Activation, EmbeddingSpec, HeadSpec, Norm, NormKind, Spec};

const NAMES: HeadNames = HeadNames {
    heads: "attention.head_count",
    kv_heads: "attention.head_count_kv",
    head_dim: "attention.key_length",
};

/// What every family's file says.
pub(crate) struct Sizes {
    pub(crate) d: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) layers: usize,
    pub(crate) d_ff: usize,
    pub(crate) vocab: usize,
    pub(crate) context_length: usize,
}

/// Reads the sizes.
pub(crate) fn sizes(settings: &mut Settings, weights: &Weights) -> Result<Sizes, Error> {
    let heads = settings.required_size(NAMES.heads)?;
    let sizes = HeadSizes {
        d: settings.required_size("embedding_length")?,
        heads,
        kv_heads: settings.size(NAMES.kv_heads)?.unwrap_or(heads),
        head_dim: settings.size(NAMES.head_dim)?,
    };
    let head_dim = sizes.head_dim(settings, NAMES)?;
    settings.only("attention.value_length", &json!(head_dim))?;
    Ok(Sizes {
        d: sizes.d,
        heads,
        kv_heads: sizes.kv_heads,
        head_dim,
        layers: settings.required_layers("block_count")?,
        d_ff: settings.required_size("feed_forward_length")?,
        vocab: vocab(settings, weights)?,
        context_length: settings.required_size("context_length")?,
    })
}

/// A decoder of the Llama kind, each layer as [`Plain::layer`] has it.
pub(crate) fn decoder(
    settings: &mut Settings,
    weights: &Weights,
    family: &Family,
    activation: Activation,
) -> Result<Spec, Error> {
    let sizes = sizes(settings, weights)?;
    let norm = Norm {
        kind: NormKind::Rms,
        eps: settings.required_positive("attention.layer_norm_rms_epsilon")?,
    };
    let plain = Plain {
        head_dim: sizes.head_dim,
        norm,
        rope: Some(rope(settings, weights, sizes.head_dim)?),
        activation,
        d_ff: sizes.d_ff,
    };
    Ok(Spec {
        final_norm: Some(norm),
        head: Some(head(weights)),
        layers: vec![plain.layer(); sizes.layers],
        ..sizes.spec(family)
    })
}

/// Refuses a GGUF file of a family that only folders are read of.
pub(crate) fn folder_only(
    settings: &mut Settings,
    _: &Weights,
    family: &Family,
) -> Result<Spec, Error> {
    let found = family.architecture.into();
    Err(settings.unsupported("general.architecture", &found, "a folder"))
}

impl Sizes {
    /// A specification without layers and ends.
    pub(crate) fn spec(&self, family: &Family) -> Spec {
        Spec {
            architecture: family.architecture,
            d: self.d,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            vocab: self.vocab,
            context_length: self.context_length,
            embedding: EmbeddingSpec::default(),
            layers: Vec::new(),
            final_norm: None,
            head: None,
        }
    }
}

/// The output head: the embedding table where no other is stored.
pub(crate) fn head(weights: &Weights) -> HeadSpec {
    HeadSpec {
        tied: !weights.contains("output.weight"),
        ..HeadSpec::default()
    }
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

/// Refuses whatever else would change the mathematics, and what nobody has looked at.
pub(crate) fn finish(settings: &mut Settings) -> Result<(), Error> {
    for (key, neutral) in only_neutral() {
        settings.only(key, &neutral)?;
    }
    settings.finish()
}
