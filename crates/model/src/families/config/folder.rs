//! config.json, as `transformers` writes it.

use serde_json::{Value, json};

use super::heads::{HeadNames, HeadSizes, even};
use super::known::{NEUTRAL, NOT_IMPLEMENTED, ONLY_ONE};
use super::plain::Plain;
use super::rope::{RopeDefaults, one_rope};
use crate::checkpoint::Error;
use crate::checkpoint::family::Family;
use crate::checkpoint::settings::Settings;
use crate::spec::{Activation, EmbeddingSpec, HeadSpec, Norm, NormKind, Rope, RopeScaling, Spec};

const NAMES: HeadNames = HeadNames {
    heads: "num_attention_heads",
    kv_heads: "num_key_value_heads",
    head_dim: "head_dim",
};

/// What a family of the Llama kind has where config.json says nothing.
#[derive(Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) norm: NormKind,
    pub(crate) head_dim: Option<usize>,
    pub(crate) context: usize,
    pub(crate) activation: Activation,
    pub(crate) tied: bool,
    /// θ of the rotary embedding.
    pub(crate) theta: f32,
}

impl Defaults {
    /// Llama's.
    pub(crate) const LLAMA: Self = Self {
        norm: NormKind::Rms,
        head_dim: None,
        context: 2048,
        activation: Activation::Silu,
        tied: false,
        theta: 10_000.0,
    };
}

/// A decoder under the names that most families share, each layer as [`Plain::layer`] has it.
pub(crate) fn decoder(
    settings: &mut Settings,
    family: &Family,
    defaults: Defaults,
) -> Result<Spec, Error> {
    decoder_with(settings, family, defaults, one_rope)
}

/// [`decoder`], whose rotary embedding is read by `rope`.
pub(crate) fn decoder_with(
    settings: &mut Settings,
    family: &Family,
    defaults: Defaults,
    rope: impl FnOnce(&mut Settings, RopeDefaults) -> Result<Rope, Error>,
) -> Result<Spec, Error> {
    let head = head(settings, family, defaults.tied)?;
    let heads = settings.required_size(NAMES.heads)?;
    let sizes = HeadSizes {
        d: settings.required_size("hidden_size")?,
        heads,
        kv_heads: settings.size(NAMES.kv_heads)?.unwrap_or(heads),
        head_dim: settings.size(NAMES.head_dim)?.or(defaults.head_dim),
    };
    let head_dim = even(settings, NAMES.head_dim, sizes.head_dim(settings, NAMES)?)?;
    let context = settings.size("max_position_embeddings")?;
    let context = context.unwrap_or(defaults.context);
    let norm = Norm {
        kind: defaults.norm,
        eps: settings.positive("rms_norm_eps")?.unwrap_or(1e-6),
    };
    let rope = rope(
        settings,
        RopeDefaults {
            theta: defaults.theta,
            head_dim,
            part: None,
            context,
        },
    )?;
    let context_length = stretched(context, &rope);
    let plain = Plain {
        head_dim,
        norm,
        rope: Some(rope),
        activation: activation(settings, &["hidden_activation", "hidden_act"])?
            .unwrap_or(defaults.activation),
        d_ff: settings.required_size("intermediate_size")?,
    };
    Ok(Spec {
        architecture: family.architecture,
        d: sizes.d,
        heads,
        kv_heads: sizes.kv_heads,
        head_dim,
        vocab: settings.required_size("vocab_size")?,
        context_length,
        embedding: EmbeddingSpec::default(),
        layers: vec![plain.layer(); settings.required_layers("num_hidden_layers")?],
        final_norm: Some(norm),
        head,
    })
}

/// Dynamic scaling is made for texts that are longer than the context before it.
fn stretched(context: usize, rope: &Rope) -> usize {
    match rope.scaling {
        RopeScaling::Dynamic {
            factor,
            original_context_length,
        } if original_context_length == context => (context as f64 * f64::from(factor)) as usize,
        _ => context,
    }
}

/// The output head that the class in `architectures` has: none of a base model.
pub(crate) fn head(
    settings: &mut Settings,
    family: &Family,
    tied: bool,
) -> Result<Option<HeadSpec>, Error> {
    let tied = settings.bool("tie_word_embeddings")?.unwrap_or(tied);
    let head = HeadSpec {
        tied,
        ..HeadSpec::default()
    };
    let Some(found) = settings.take("architectures") else {
        return Ok(Some(head));
    };
    let names: Option<Vec<&str>> = found
        .as_array()
        .and_then(|names| names.iter().map(Value::as_str).collect());
    let names = names.unwrap_or_default();
    let all_of = |classes: &[&str]| !names.is_empty() && names.iter().all(|n| classes.contains(n));
    if all_of(family.classes) {
        Ok(Some(head))
    } else if all_of(family.base_classes) {
        Ok(None)
    } else {
        let known = [family.classes, family.base_classes].concat().join(", ");
        Err(settings.unsupported("architectures", &found, &known))
    }
}

/// An activation under one of several names, the first that is there.
pub(crate) fn activation(
    settings: &mut Settings,
    keys: &[&str],
) -> Result<Option<Activation>, Error> {
    let mut found = None;
    for key in keys {
        let Some(name) = settings.text(key)? else {
            continue;
        };
        let activation = Activation::by_name(&name)
            .ok_or_else(|| settings.unsupported(key, &name.into(), Activation::NAMES))?;
        found = found.or(Some(activation));
    }
    Ok(found)
}

/// `attention_bias`: whether W_q, W_k, W_v and W_o of all layers have biases.
pub(crate) fn attention_bias(settings: &mut Settings, spec: &mut Spec) -> Result<(), Error> {
    let bias = settings.bool("attention_bias")?.unwrap_or(false);
    for layer in &mut spec.layers {
        layer.attention.qkv_bias = bias;
        layer.attention.output_bias = bias;
    }
    Ok(())
}

/// Whether the file is of this `model_type`.
pub(crate) fn is_type(settings: &Settings, model_type: &str) -> bool {
    settings.peek("model_type").and_then(Value::as_str) == Some(model_type)
}

/// Refuses a file of the `model_type` that leaves one of `keys` unsaid, be it as null, where transformers takes something
/// else than nothing.
pub(crate) fn explicit(settings: &Settings, model_type: &str, keys: &[&str]) -> Result<(), Error> {
    let is = is_type(settings, model_type);
    let unsaid = keys.iter().find(|key| is && !settings.contains(key));
    unsaid.map_or(Ok(()), |key| Err(settings.missing(key)))
}

fn only_full_attention(settings: &mut Settings) -> Result<(), Error> {
    let Some(found) = settings.take("layer_types") else {
        return Ok(());
    };
    let mut types = found.as_array().into_iter().flatten();
    match found.is_array() && types.all(|kind| kind == "full_attention") {
        true => Ok(()),
        false => Err(settings.unsupported("layer_types", &found, "full_attention everywhere")),
    }
}

/// Refuses whatever else would change the mathematics, and what nobody has looked at.
pub(crate) fn finish(settings: &mut Settings) -> Result<(), Error> {
    settings.ignore(&["model_type"]);
    if let Some(window) = settings.take("sliding_window") {
        return Err(settings.unsupported("sliding_window", &window, "null"));
    }
    // How many layers a sliding window would begin with; there is none.
    settings.ignore(&["max_window_layers"]);
    only_full_attention(settings)?;
    settings.only("pruned_heads", &json!({}))?;
    for key in NOT_IMPLEMENTED {
        settings.only(key, &Value::Bool(false))?;
    }
    for key in ONLY_ONE {
        settings.only(key, &json!(1))?;
    }
    settings.ignore(NEUTRAL);
    settings.ignore_beginning(&["unsloth_"]);
    settings.finish()
}
