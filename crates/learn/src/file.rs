//! The model's file: GGUF of the architecture `pronoun`, which `lookback-model` loads.

use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use lookback_model::write_atomic;

use crate::config::Config;
use crate::config::NORM_EPS;
use crate::error::Error;
use crate::parameters::Parameters;
use crate::vocabulary::{TABLE, Vocabulary};

/// Tokens that the model reads at most: a few sentences, many times what it is trained on.
const CONTEXT: u32 = 1024;

/// Writes a model to `path`: matrices in f16, gains in f32, the table as it stands in the vocabulary. The file
/// appears whole or not at all.
///
/// # Errors
/// [`Error::Setting`] where the configuration is none that the family has; [`Error::Io`].
pub fn write(
    path: &Path,
    vocabulary: &Vocabulary,
    config: &Config,
    parameters: &Parameters,
) -> Result<(), Error> {
    let theta = check(config)?;
    let metadata = metadata(vocabulary, config, theta);
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let mut tensors = vec![(TABLE.to_owned(), vocabulary.table()?)];
    for (name, var) in parameters.iter() {
        let tensor = if var.rank() == 2 {
            QTensor::quantize(&var.t()?.contiguous()?, GgmlDType::F16)?
        } else {
            QTensor::quantize(var.as_tensor(), GgmlDType::F32)?
        };
        tensors.push((format!("{name}.weight"), tensor));
    }
    let tensors: Vec<(&str, &QTensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    write_atomic(path, |file| {
        gguf_file::write(file, &metadata, &tensors).map_err(std::io::Error::other)
    })
    .map_err(Error::io(path))
}

/// The θ of a configuration that the family can have.
fn check(config: &Config) -> Result<f32, Error> {
    let invalid = |setting, value: String, expected| {
        Err(Error::Setting {
            setting,
            value,
            expected,
        })
    };
    config.check()?;
    if config.d_v != config.d_k {
        return invalid(
            "d_v",
            config.d_v.to_string(),
            "d_k, where a model is written to a file",
        );
    }
    let switches = [
        ("residual", config.residual, true),
        ("norm", config.norm, true),
        ("scaled", config.scaled, true),
        ("mlp", config.mlp.is_some(), false),
        ("free_embeddings", config.free_embeddings, false),
    ];
    for (setting, found, expected) in switches {
        if found != expected {
            let expected = if expected {
                "true, where a model is written to a file"
            } else {
                "absent, where a model is written to a file"
            };
            return invalid(setting, found.to_string(), expected);
        }
    }
    match config.rotary {
        Some(theta) => Ok(theta),
        None => invalid(
            "rotary",
            "none".to_owned(),
            "given, where a model is written to a file",
        ),
    }
}

fn metadata(vocabulary: &Vocabulary, config: &Config, theta: f32) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::String(text.to_owned());
    let size = |size: usize| Value::U32(size as u32);
    let texts =
        |texts: &[String]| Value::Array(texts.iter().map(|t| Value::String(t.clone())).collect());
    vec![
        ("general.architecture", text("pronoun")),
        ("general.name", text("pronoun")),
        ("general.license", text("apache-2.0")),
        (
            "general.description",
            text(
                "Attention heads trained by lookback learn; token embeddings and tokenizer of SmolLM2-135M-Instruct (Hugging Face, Apache-2.0), reduced.",
            ),
        ),
        ("pronoun.embedding_length", size(config.d)),
        ("pronoun.block_count", size(config.layers)),
        ("pronoun.attention.head_count", size(config.heads)),
        ("pronoun.attention.key_length", size(config.d_k)),
        ("pronoun.attention.value_length", size(config.d_v)),
        (
            "pronoun.attention.layer_norm_rms_epsilon",
            Value::F32(NORM_EPS),
        ),
        ("pronoun.rope.freq_base", Value::F32(theta)),
        ("pronoun.context_length", Value::U32(CONTEXT)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text(&vocabulary.pre)),
        ("tokenizer.ggml.tokens", texts(&vocabulary.tokens)),
        (
            "tokenizer.ggml.token_type",
            Value::Array(
                vocabulary
                    .kinds
                    .iter()
                    .map(|&kind| Value::I32(kind))
                    .collect(),
            ),
        ),
        ("tokenizer.ggml.merges", texts(&vocabulary.merges)),
        ("tokenizer.ggml.bos_token_id", Value::U32(vocabulary.bos)),
        ("tokenizer.ggml.eos_token_id", Value::U32(vocabulary.eos)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
    ]
}
