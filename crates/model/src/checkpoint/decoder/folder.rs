//! config.json.

use serde_json::{Value, json};

use super::super::format::Format;
use super::super::settings::Settings;
use super::super::{Activation, Config, Error, Rope, RopeScaling};
use super::known::{NEUTRAL, NOT_IMPLEMENTED, ONLY_ONE};
use super::{HeadNames, Heads};

const NAMES: HeadNames = HeadNames {
    heads: "num_attention_heads",
    kv_heads: "num_key_value_heads",
    head_dim: "head_dim",
};

/// Reads config.json.
pub(crate) fn config(mut settings: Settings, format: &Format) -> Result<Config, Error> {
    check_explicit(&mut settings, format)?;
    check_classes(&mut settings, format)?;
    let sizes = Heads {
        d: settings.required_size("hidden_size")?,
        heads: settings.required_size(NAMES.heads)?,
        kv_heads: 0,
        head_dim: settings.size(NAMES.head_dim)?,
    };
    let sizes = Heads {
        kv_heads: settings.size(NAMES.kv_heads)?.unwrap_or(sizes.heads),
        ..sizes
    };
    let context_length = settings.size("max_position_embeddings")?;
    let config = Config {
        architecture: format.architecture,
        d: sizes.d,
        layers: settings.required_size("num_hidden_layers")?,
        heads: sizes.heads,
        kv_heads: sizes.kv_heads,
        head_dim: sizes.head_dim(&settings, NAMES)?,
        d_ff: settings.required_size("intermediate_size")?,
        vocab: settings.required_size("vocab_size")?,
        // As transformers has it where they are not given.
        context_length: context_length.unwrap_or(2048),
        norm_eps: settings.positive("rms_norm_eps")?.unwrap_or(1e-6),
        rope: rope(&mut settings)?,
        tied: settings.bool("tie_word_embeddings")?.unwrap_or(false),
        activation: activation(&mut settings)?,
    };
    check_layer_types(&mut settings)?;
    validate_the_rest(settings)?;
    Ok(config)
}

fn validate_the_rest(mut settings: Settings) -> Result<(), Error> {
    if let Some(window) = settings.take("sliding_window") {
        return Err(settings.unsupported("sliding_window", &window, "null"));
    }
    // How many layers a sliding window would begin with; there is none.
    settings.ignore(&["max_window_layers"]);
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

/// Refuses a file that leaves unsaid what does not go without saying.
fn check_explicit(settings: &mut Settings, format: &Format) -> Result<(), Error> {
    let model_type = settings.text("model_type")?;
    let unsaid = format
        .explicit
        .iter()
        .filter(|(name, _)| model_type.as_deref() == Some(name))
        .flat_map(|(_, keys)| keys.iter())
        .find(|key| !settings.contains(key));
    match unsaid {
        None => Ok(()),
        Some(key) => Err(settings.missing(key)),
    }
}

/// Refuses models with another head, and those with code of their own.
fn check_classes(settings: &mut Settings, format: &Format) -> Result<(), Error> {
    let Some(found) = settings.take("architectures") else {
        return Ok(());
    };
    let known = |name: &Value| {
        name.as_str()
            .is_some_and(|name| format.classes.contains(&name))
    };
    match found.as_array() {
        Some(names) if names.iter().all(known) => Ok(()),
        _ => Err(settings.unsupported("architectures", &found, &format.classes.join(", "))),
    }
}

fn activation(settings: &mut Settings) -> Result<Activation, Error> {
    match settings.text("hidden_act")?.as_deref() {
        // Two names of one function.
        None | Some("silu" | "swish") => Ok(Activation::Silu),
        Some(other) => Err(settings.unsupported("hidden_act", &other.into(), "silu")),
    }
}

fn check_layer_types(settings: &mut Settings) -> Result<(), Error> {
    let Some(found) = settings.take("layer_types") else {
        return Ok(());
    };
    let full = found
        .as_array()
        .is_some_and(|types| types.iter().all(|kind| kind == "full_attention"));
    if full {
        Ok(())
    } else {
        Err(settings.unsupported("layer_types", &found, "full_attention everywhere"))
    }
}

/// `rope_theta` and `rope_scaling`, or both in `rope_parameters` (since transformers 5).
fn rope(settings: &mut Settings) -> Result<Rope, Error> {
    let outer_theta = settings.positive("rope_theta")?;
    let old = settings.object("rope_scaling")?;
    let new = settings.object("rope_parameters")?;
    let parameters = match (old, new) {
        (Some(_), Some(_)) => {
            let both = "both rope_scaling and rope_parameters".into();
            return Err(settings.unsupported("rope_scaling", &both, "one of them"));
        }
        (old, new) => old.or(new),
    };
    let Some(mut parameters) = parameters else {
        return Ok(Rope {
            theta: outer_theta.unwrap_or(10_000.0),
            scaling: RopeScaling::None,
        });
    };
    let inner_theta = parameters.positive("rope_theta")?;
    if let (Some(outer), Some(inner)) = (outer_theta, inner_theta)
        && outer != inner
    {
        return Err(parameters.invalid("rope_theta", &inner.into(), &outer.to_string()));
    }
    parameters.only("partial_rotary_factor", &json!(1))?;
    let scaling = rope_scaling(&mut parameters)?;
    parameters.finish()?;
    Ok(Rope {
        theta: inner_theta.or(outer_theta).unwrap_or(10_000.0),
        scaling,
    })
}

fn rope_scaling(parameters: &mut Settings) -> Result<RopeScaling, Error> {
    let new_name = parameters.text("rope_type")?;
    let old_name = parameters.text("type")?;
    if let (Some(new), Some(old)) = (&new_name, &old_name)
        && new != old
    {
        return Err(parameters.invalid(
            "type",
            &old.as_str().into(),
            &format!("{new:?}, as rope_type"),
        ));
    }
    match new_name.or(old_name).as_deref() {
        None | Some("default") => Ok(RopeScaling::None),
        Some("linear") => Ok(RopeScaling::Linear {
            factor: parameters.required_positive("factor")?,
        }),
        Some("llama3") => {
            let low_freq_factor = parameters.required_positive("low_freq_factor")?;
            let high_freq_factor = parameters.required_positive("high_freq_factor")?;
            if high_freq_factor <= low_freq_factor {
                let expected = format!("more than low_freq_factor, {low_freq_factor}");
                return Err(parameters.invalid(
                    "high_freq_factor",
                    &high_freq_factor.into(),
                    &expected,
                ));
            }
            Ok(RopeScaling::Llama3 {
                factor: parameters.required_positive("factor")?,
                low_freq_factor,
                high_freq_factor,
                original_context_length: parameters
                    .required_size("original_max_position_embeddings")?,
            })
        }
        Some(other) => {
            Err(parameters.unsupported("rope_type", &other.into(), "default, linear or llama3"))
        }
    }
}
