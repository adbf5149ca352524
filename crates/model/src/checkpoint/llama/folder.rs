//! config.json of a Llama model.

use serde_json::{Value, json};

use super::super::settings::Settings;
use super::super::{Activation, Config, Error, Rope, RopeScaling};
use super::{HeadNames, Heads};

const NAMES: HeadNames = HeadNames {
    heads: "num_attention_heads",
    kv_heads: "num_key_value_heads",
    head_dim: "head_dim",
};

/// Settings of `transformers` that change nothing in a forward pass without dropout: provenance,
/// training, generation, the form of outputs, how attention is computed.
const NEUTRAL: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_commit_hash",
    "_name_or_path",
    "attention_dropout",
    "attn_implementation",
    "attn_pdrop",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "cls_token_id",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "embd_pdrop",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "hidden_dropout",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_llama_config",
    "keys_to_ignore_at_inference",
    "label2id",
    "length_penalty",
    "max_length",
    "max_sequence_length",
    "min_length",
    "model_name",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "pad_token_id",
    "prefix",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "resid_pdrop",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "use_bfloat16",
    "use_cache",
];

/// Settings that change the mathematics, or that announce something that would, unless absent
/// or false.
const NOT_IMPLEMENTED: &[&str] = &[
    "add_cross_attention",
    "attention_bias",
    "attn_logit_softcapping",
    "attn_temperature_tuning",
    "auto_map",
    "clip_qkv",
    "cross_attention_hidden_size",
    "final_logit_softcapping",
    "is_encoder_decoder",
    "mlp_bias",
    "no_rope_layers",
    "num_experts",
    "num_local_experts",
    "qk_layernorm",
    "quantization_config",
    "query_pre_attn_scalar",
    "rope_interleaved",
    "tie_encoder_decoder",
    "use_qk_norm",
    "use_sliding_window",
];

/// Factors that are implemented only where they are 1.
const ONLY_ONE: &[&str] = &[
    "attention_multiplier",
    "embedding_multiplier",
    "logit_scale",
    "logits_scaling",
    "partial_rotary_factor",
    "pretraining_tp",
    "residual_multiplier",
];

pub(super) fn config(mut settings: Settings) -> Result<Config, Error> {
    check_architectures(&mut settings)?;
    check_window(&mut settings)?;
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
        architecture: "llama",
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
    refuse_the_rest(settings)?;
    Ok(config)
}

fn refuse_the_rest(mut settings: Settings) -> Result<(), Error> {
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

fn check_architectures(settings: &mut Settings) -> Result<(), Error> {
    const SUPPORTED: [&str; 3] = ["LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM"];
    let Some(found) = settings.take("architectures") else {
        return Ok(());
    };
    let known = found.as_array().is_some_and(|names| {
        names
            .iter()
            .all(|name| name.as_str().is_some_and(|name| SUPPORTED.contains(&name)))
    });
    if known {
        Ok(())
    } else {
        Err(settings.unsupported("architectures", &found, &SUPPORTED.join(", ")))
    }
}

/// Refuses a sliding window. A Mistral without the setting has one of 4,096.
fn check_window(settings: &mut Settings) -> Result<(), Error> {
    let mistral = settings.text("model_type")?.as_deref() == Some("mistral");
    if mistral && !settings.contains("sliding_window") {
        return Err(settings.missing("sliding_window (null, for none)"));
    }
    if mistral && !settings.contains(NAMES.kv_heads) {
        return Err(settings.missing(NAMES.kv_heads));
    }
    match settings.take("sliding_window") {
        None => Ok(()),
        Some(window) => Err(settings.unsupported("sliding_window", &window, "null")),
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
