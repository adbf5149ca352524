//! A Hugging Face folder as a checkpoint.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::adapter::Adapter;
use super::family::{self, Families, Family, FileKind};
use super::folder_weights::read_weights;
use super::resolve::resolve;
use super::settings::Settings;
use super::small_files::{SMALL_FILE, read_json, read_optional_json, read_text};
use super::weights::Weights;
use super::{Checkpoint, Error, OpenOptions, Provenance};
use crate::families;
use crate::spec::{Part, Spec};
use crate::tokenizer::{JsonOptions, Tokenizer};

/// The largest vocabularies in use take a tenth of this.
const TOKENIZER_FILE: u64 = 512 << 20;

/// A configuration, and the weights that it asks for.
struct Described {
    json: Value,
    family: &'static Family,
    spec: Spec,
    weights: Weights,
    notes: Vec<String>,
}

/// The specification that a folder asks for, whose tensors are there.
pub(super) fn spec(path: &Path, all: Families) -> Result<Spec, Error> {
    Ok(describe(path, all, &OpenOptions::default(), None)?.spec)
}

fn describe(
    path: &Path,
    all: Families,
    options: &OpenOptions,
    adapter: Option<Adapter>,
) -> Result<Described, Error> {
    let config_path = path.join("config.json");
    if !config_path.exists() {
        return Err(Error::MissingFile {
            folder: path.to_owned(),
            file: "config.json",
            hint: gguf_hint(path),
        });
    }
    let json = read_json(&config_path)?;
    let Config {
        family,
        mut spec,
        notes: passed,
    } = read_config(&config_path, &json, all, &options.accept_keys)?;
    let (weights, extra) = read_weights(path, family)?;
    let weights = as_named_today(family, weights);
    let untied = untie_if_another_is_stored(family, &mut spec, &weights)?;
    let (weights, merged) = match adapter {
        Some(adapter) => adapter.merge(weights, family, spec.tied())?,
        None => (weights, Vec::new()),
    };
    let weights = resolve(family, &spec, weights, FileKind::Folder)?;
    let notes = passed.into_iter().chain(untied).chain(extra).chain(merged);
    Ok(Described {
        json,
        family,
        spec,
        weights,
        notes: notes.collect(),
    })
}

pub(super) fn open(
    path: &Path,
    all: Families,
    options: &OpenOptions,
    adapter: Option<Adapter>,
) -> Result<Checkpoint, Error> {
    let opened = path;
    let base = adapter
        .as_ref()
        .map(|adapter| adapter.base(options.base.as_deref()));
    let base = base.transpose()?;
    let path = base.as_deref().unwrap_or(path);
    if let Some(name) = &options.pre_tokenizer {
        return Err(Error::PreTokenizerOfFolder { name: name.clone() });
    }
    let Described {
        json,
        family,
        spec,
        weights,
        notes,
    } = describe(path, all, options, adapter)?;
    // An adapter may have a tokenizer of its own.
    let texts_at = match opened.join("tokenizer.json").exists() {
        true => opened,
        false => path,
    };
    let texts = Texts::read(texts_at, path, &json)?;
    let name = super::names::folder_name(path);
    let mut tokenizer = tokenizer(texts_at, &texts)?;
    let published = json["_name_or_path"].as_str().unwrap_or("");
    let published = published.rsplit('/').next().unwrap_or("");
    tokenizer.declare_prefix(
        super::names::declared(&name).or_else(|| super::names::declared(published)),
    );
    let weights = Arc::new(weights);
    Ok(Checkpoint {
        spec,
        family,
        stop_tokens: super::stop::tokens(&tokenizer, texts.stop_ids),
        chat_template: texts.chat_template,
        tokenizer,
        provenance: Provenance::new(
            super::names::folder_name(opened),
            opened,
            Arc::clone(&weights),
        ),
        weights,
        notes,
    })
}

/// The specification that the file at `path`, a config.json, asks for; no weights are needed.
///
/// # Errors
/// A setting that is missing, invalid, not implemented or unknown, by name.
pub(super) fn spec_of_config(path: &Path, all: Families) -> Result<Spec, Error> {
    Ok(read_config(path, &read_json(path)?, all, &[])?.spec)
}

/// What a config.json says.
struct Config {
    family: &'static Family,
    spec: Spec,
    notes: Vec<String>,
}

fn read_config(
    path: &Path,
    json: &Value,
    all: Families,
    accepted: &[String],
) -> Result<Config, Error> {
    let Value::Object(values) = json.clone() else {
        return Err(Error::Json {
            path: path.to_owned(),
            detail: "it is no object".to_owned(),
        });
    };
    let family = family::by_model_type(all, json["model_type"].as_str(), path)?;
    let mut settings = Settings::new(path.display().to_string(), "", values).accepting(accepted);
    let spec = (family.folder)(&mut settings, family)?;
    families::folder::finish(&mut settings)?;
    Ok(Config {
        family,
        spec,
        notes: settings.notes(),
    })
}

/// Names as `transformers` writes them today: with the beginning that a base model leaves out, and without those of the
/// first BERT.
fn as_named_today(family: &Family, weights: Weights) -> Weights {
    let is_base = !weights
        .names()
        .any(|name| name.starts_with(family.base_prefix));
    let (files, tensors) = weights.into_parts();
    let renamed = tensors.into_iter().map(|(name, tensor)| {
        let name = match (
            name.strip_suffix("LayerNorm.gamma"),
            name.strip_suffix("LayerNorm.beta"),
        ) {
            (Some(owner), _) => format!("{owner}LayerNorm.weight"),
            (_, Some(owner)) => format!("{owner}LayerNorm.bias"),
            _ => name,
        };
        match is_base && !family.is_of_head(&name) {
            true => (format!("{}{name}", family.base_prefix), tensor),
            false => (name, tensor),
        }
    });
    let renamed = renamed.collect();
    Weights::new(files, renamed)
}

/// Where the configuration says that the output head is the embedding table, and another one is stored: the stored one counts, as it
/// does in transformers. Says so.
fn untie_if_another_is_stored(
    family: &Family,
    spec: &mut Spec,
    weights: &Weights,
) -> Result<Option<String>, Error> {
    let [Some(embeddings), Some(head)] = [Part::Embedding, Part::Head].map(|part| {
        let mut entries = family.entries(false, part.weight());
        entries.find(|named| weights.contains(named.folder))
    }) else {
        return Ok(None);
    };
    let (head, embeddings) = (head.folder, embeddings.folder);
    let Some(spec) = spec.head.as_mut().filter(|head| head.tied) else {
        return Ok(None);
    };
    if weights.same_numbers(head, embeddings)? {
        return Ok(None);
    }
    spec.tied = false;
    Ok(Some(format!(
        "config.json says tie_word_embeddings, and the {head} that is stored is another matrix than {embeddings}: \
         the stored one is used"
    )))
}

/// What to do with a folder that is no checkpoint but holds GGUF files.
fn gguf_hint(path: &Path) -> String {
    let files = std::fs::read_dir(path).into_iter().flatten().flatten();
    let gguf = files
        .map(|entry| entry.path())
        .find(|file| file.extension().is_some_and(|ending| ending == "gguf"));
    match gguf {
        Some(file) => format!("; it has {}: give that file", file.display()),
        None => "; a checkpoint's folder has one".to_owned(),
    }
}

fn tokenizer(folder: &Path, texts: &Texts) -> Result<Tokenizer, Error> {
    let path = folder.join("tokenizer.json");
    if !path.exists() {
        return Err(Error::MissingFile {
            folder: folder.to_owned(),
            file: "tokenizer.json",
            hint: "; older formats (vocab.json, tokenizer.model) are not read: save it with transformers' tokenizer.save_pretrained".to_owned(),
        });
    }
    let json = read_text(&path, TOKENIZER_FILE)?;
    Tokenizer::from_json(&json, &texts.tokenizer)
        .map_err(|source| Error::Tokenizer { path, source })
}

/// What the small files beside the weights say about texts.
struct Texts {
    tokenizer: JsonOptions,
    chat_template: Option<String>,
    stop_ids: Vec<u32>,
}

impl Texts {
    /// From the files beside the tokenizer in `folder`, and the configuration of the model in `model`.
    fn read(folder: &Path, model: &Path, config: &Value) -> Result<Self, Error> {
        let tokenizer = read_optional_json(&folder.join("tokenizer_config.json"))?;
        let generation = read_optional_json(&model.join("generation_config.json"))?;
        let template_file = folder.join("chat_template.jinja");
        let chat_template = if template_file.exists() {
            Some(read_text(&template_file, SMALL_FILE)?)
        } else {
            template(&tokenizer["chat_template"])
        };
        let mut stop_ids = ids(&config["eos_token_id"]);
        stop_ids.extend(ids(&generation["eos_token_id"]));
        Ok(Self {
            tokenizer: JsonOptions {
                bos: token(&tokenizer["bos_token"]),
                eos: token(&tokenizer["eos_token"]),
                mask: token(&tokenizer["mask_token"]),
                bos_id: ids(&config["bos_token_id"]).first().copied(),
                eos_id: ids(&config["eos_token_id"]).first().copied(),
                adds_bos: tokenizer["add_bos_token"].as_bool(),
                adds_eos: tokenizer["add_eos_token"].as_bool(),
            },
            chat_template,
            stop_ids,
        })
    }
}

/// A token's text, written as such or as an object.
fn token(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value["content"].as_str());
    text.map(str::to_owned)
}

/// One id, or several.
fn ids(value: &Value) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value.as_array() {
        Some(several) => several.iter().filter_map(one).collect(),
        None => one(value).into_iter().collect(),
    }
}

/// A template, or the one called `default` of several.
fn template(value: &Value) -> Option<String> {
    let named = || {
        let default = value
            .as_array()?
            .iter()
            .find(|entry| entry["name"] == "default")?;
        default["template"].as_str()
    };
    value.as_str().or_else(named).map(str::to_owned)
}
