//! tokenizer.json, with what tokenizer_config.json says about it.

use serde_json::Value;
use tokenizers::Tokenizer as LibraryTokenizer;

use super::decoder::Decoder;
use super::error::one_line;
use super::library::Library;
use super::{Error, Model, Specials, Tokenizer, steps};
use crate::printable::printable;

/// What other files say about a tokenizer.json.
#[derive(Debug, Default)]
pub(crate) struct JsonOptions {
    /// The tokens around a text, by their texts.
    pub(crate) bos: Option<String>,
    pub(crate) eos: Option<String>,
    /// The same by their ids, where they have no texts.
    pub(crate) bos_id: Option<u32>,
    pub(crate) eos_id: Option<u32>,
    /// Whether a bos token is put before every text; None leaves it to tokenizer.json.
    pub(crate) adds_bos: Option<bool>,
}

impl Tokenizer {
    /// The tokenizer of a `tokenizer.json`.
    pub(crate) fn from_json(json: &str, options: &JsonOptions) -> Result<Self, Error> {
        let damaged = |detail: String| Error::Json { detail };
        let mut value: Value =
            serde_json::from_str(json).map_err(|error| damaged(one_line(error)))?;
        if !value.is_object() {
            return Err(damaged("it is no object".to_owned()));
        }
        check_model(&value["model"])?;
        let decoder = decoder(&value["decoder"])?;
        steps::check_normalizer(&value["normalizer"], decoder)?;
        steps::check_pre_tokenizer(&value["pre_tokenizer"], decoder)?;
        steps::check_unknown(&value["model"], decoder)?;
        let put_before = first_of_template(&value["post_processor"]).map(str::to_owned);
        // Cutting short and filling up are for training, and what stands around a text is up
        // to the caller. The library takes a template's tokens on trust.
        for part in ["truncation", "padding", "post_processor"] {
            value[part] = Value::Null;
        }
        let library: LibraryTokenizer =
            serde_json::from_value(value).map_err(|error| damaged(one_line(error)))?;
        let by_text = |text: &Option<String>| library.token_to_id(text.as_deref()?);
        let token = |text: &Option<String>, id: Option<u32>| match text {
            Some(_) => by_text(text),
            None => id.filter(|&id| library.id_to_token(id).is_some()),
        };
        let put_before = by_text(&put_before);
        let bos = token(&options.bos, options.bos_id);
        let specials = Specials {
            bos: bos.or(put_before.filter(|_| options.bos.is_none())),
            eos: token(&options.eos, options.eos_id),
            adds_bos: options
                .adds_bos
                .unwrap_or_else(|| put_before.is_some() && (bos.is_none() || put_before == bos)),
        };
        Ok(Tokenizer::new(
            Model::Library(Library::new(library, decoder)?),
            decoder,
            specials,
        ))
    }
}

/// The token that a post-processor puts before every text.
fn first_of_template(processor: &Value) -> Option<&str> {
    match processor["type"].as_str()? {
        "TemplateProcessing" => processor["single"][0]["SpecialToken"]["id"].as_str(),
        "BertProcessing" | "RobertaProcessing" => processor["cls"][0].as_str(),
        "Sequence" => processor["processors"]
            .as_array()?
            .iter()
            .find_map(first_of_template),
        _ => None,
    }
}

/// Checks what the library takes on trust.
fn check_model(model: &Value) -> Result<(), Error> {
    match model["type"].as_str() {
        // Files from before the type was written.
        Some("BPE") | None if model["merges"].is_array() => check_bpe(model),
        Some("Unigram") => Ok(()),
        found => Err(Error::Unsupported {
            part: "model",
            found: printable(found.unwrap_or("(unknown)")),
            supported: "BPE, Unigram".to_owned(),
        }),
    }
}

fn check_bpe(model: &Value) -> Result<(), Error> {
    let damaged = |detail: String| Error::Vocabulary { detail };
    for key in ["dropout", "continuing_subword_prefix", "end_of_word_suffix"] {
        let value = &model[key];
        let absent = value.is_null() || value == "" || value.as_f64() == Some(0.0);
        if !absent {
            return Err(Error::Unsupported {
                part: "model",
                found: printable(&format!("{key} = {value}")),
                supported: "its absence".to_owned(),
            });
        }
    }
    let vocabulary = model["vocab"]
        .as_object()
        .ok_or_else(|| damaged("model.vocab is no object".to_owned()))?;
    let mut merged = String::new();
    for merge in model["merges"].as_array().into_iter().flatten() {
        let pair = match merge {
            Value::String(line) => line.split_once(' '),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(left), Value::String(right)] => {
                    Some((left.as_str(), right.as_str()))
                }
                _ => None,
            },
            _ => None,
        };
        let (left, right) = pair.ok_or_else(|| {
            damaged(format!(
                "the merge {} is no pair",
                printable(&merge.to_string())
            ))
        })?;
        merged.clear();
        merged.push_str(left);
        merged.push_str(right);
        for part in [left, right, &merged] {
            if !vocabulary.contains_key(part) {
                return Err(damaged(format!(
                    "the merge {} needs {}, which is no token",
                    printable(&merge.to_string()),
                    printable(&format!("{part:?}"))
                )));
            }
        }
    }
    Ok(())
}

/// How tokens become text again; decoders of other families are refused.
fn decoder(value: &Value) -> Result<Decoder, Error> {
    let unsupported = || Error::Unsupported {
        part: "decoder",
        found: printable(&value.to_string()),
        supported: "ByteLevel, Metaspace, and Replace, ByteFallback, Fuse and Strip in sequence"
            .to_owned(),
    };
    match value["type"].as_str() {
        Some("ByteLevel") => Ok(Decoder::ByteLevel),
        Some("Metaspace") => {
            let added = value["prepend_scheme"] != "never" && value["add_prefix_space"] != false;
            if value["replacement"] == "▁" {
                Ok(Decoder::Spaces {
                    byte_tokens: false,
                    strip: usize::from(added),
                })
            } else {
                Err(unsupported())
            }
        }
        Some("Sequence") => {
            let steps = value["decoders"].as_array().ok_or_else(unsupported)?;
            sequence(steps).ok_or_else(unsupported)
        }
        _ => Err(unsupported()),
    }
}

fn sequence(steps: &[Value]) -> Option<Decoder> {
    if let [single] = steps {
        return decoder(single).ok();
    }
    let (mut spaces, mut byte_tokens, mut strip) = (false, false, 0);
    for step in steps {
        match step["type"].as_str()? {
            "Replace" if step["pattern"]["String"] == "▁" && step["content"] == " " => {
                spaces = true;
            }
            "ByteFallback" => byte_tokens = true,
            "Fuse" => {}
            "Strip" if step["content"] == " " && step["stop"] == 0 => {
                strip = usize::try_from(step["start"].as_u64()?).ok()?;
            }
            _ => return None,
        }
    }
    spaces.then_some(Decoder::Spaces { byte_tokens, strip })
}
