//! A GGUF file as a checkpoint.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::family::{self, Families, Family, FileKind};
use super::gguf::{GgufFile, Value};
use super::resolve::resolve;
use super::settings::Settings;
use super::weights::{Order, StoredTensor, Weights};
use super::{Checkpoint, Error, GgufError, Provenance};
use crate::families;
use crate::spec::Spec;
use crate::tokenizer::Tokenizer;

pub(super) fn open(path: &Path, all: Families) -> Result<Checkpoint, Error> {
    let (file, family) = open_file(path, all)?;
    let at = |source: GgufError| Error::Gguf {
        path: path.to_owned(),
        source,
    };
    let mut tokenizer = Tokenizer::from_gguf(&file).map_err(|source| Error::Tokenizer {
        path: path.to_owned(),
        source,
    })?;
    let basename = file.text("general.basename").map_err(at)?;
    let name = file.text("general.name").map_err(at)?;
    tokenizer.declare_prefix(super::names::declared(basename.or(name).unwrap_or("")));
    let name = name.map(str::to_owned).unwrap_or_else(|| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    });
    let chat_template = file
        .text("tokenizer.chat_template")
        .map_err(at)?
        .map(str::to_owned);
    let stop_tokens = super::stop::tokens(&tokenizer, stop_ids(&file).map_err(at)?);
    let (spec, weights) = read_weights(file, family, path)?;
    let weights = Arc::new(weights);
    Ok(Checkpoint {
        spec,
        family,
        tokenizer,
        chat_template,
        stop_tokens,
        provenance: Provenance::new(name, path, Arc::clone(&weights)),
        weights,
        notes: Vec::new(),
    })
}

/// The specification that a file asks for, whose tensors are there.
pub(super) fn spec(path: &Path, all: Families) -> Result<Spec, Error> {
    let (file, family) = open_file(path, all)?;
    Ok(read_weights(file, family, path)?.0)
}

fn open_file(path: &Path, all: Families) -> Result<(GgufFile, &'static Family), Error> {
    let file = GgufFile::open(path)?;
    check_whole(&file, path)?;
    let architecture = file
        .text("general.architecture")
        .map_err(|source| Error::Gguf {
            path: path.to_owned(),
            source,
        })?;
    let family = family::by_architecture(all, architecture, path)?;
    Ok((file, family))
}

fn read_weights(file: GgufFile, family: &Family, path: &Path) -> Result<(Spec, Weights), Error> {
    let mut settings = settings(&file, family, path);
    let weights = stored_weights(file);
    let spec = (family.gguf)(&mut settings, &weights, family)?;
    families::gguf::finish(&mut settings)?;
    let weights = resolve(family, &spec, weights, FileKind::Gguf)?;
    Ok((spec, weights))
}

/// Refuses one shard of several.
fn check_whole(file: &GgufFile, path: &Path) -> Result<(), Error> {
    match file.value("split.count") {
        None | Some(Value::Unsigned(0 | 1)) => Ok(()),
        Some(shards) => Err(Error::UnsupportedSetting {
            source_name: path.display().to_string(),
            key: "split.count".to_owned(),
            value: shards.describe(),
            supported: "one file; join the shards with llama-gguf-split --merge".to_owned(),
        }),
    }
}

/// Ids of the tokens that the file says end an answer.
fn stop_ids(file: &GgufFile) -> Result<Vec<u32>, GgufError> {
    let mut ids = Vec::new();
    for key in [
        "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.eot_token_id",
        "tokenizer.ggml.eom_token_id",
    ] {
        ids.extend(file.token(key)?);
    }
    Ok(ids)
}

/// The architecture's own keys, without their common beginning.
fn settings(file: &GgufFile, family: &Family, path: &Path) -> Settings {
    let beginning = format!("{}.", family.architecture);
    let own = file.keys().filter_map(|(key, value)| {
        let key = key.strip_prefix(&beginning)?;
        Some((key.to_owned(), to_json(value)))
    });
    Settings::new(path.display().to_string(), beginning.clone(), own)
}

/// A value as JSON. What JSON cannot say becomes a text, which no setting that is read accepts.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Unsigned(number) => (*number).into(),
        Value::Signed(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Float(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => number.into(),
            None => value.describe().into(),
        },
        Value::Array(_) => value.describe().into(),
    }
}

/// The file's tensors, under their own names and with their rows as they stand.
fn stored_weights(file: GgufFile) -> Weights {
    let (map, tensors) = file.into_tensors();
    let tensors: HashMap<String, StoredTensor> = tensors
        .into_iter()
        .map(|tensor| {
            let stored = StoredTensor {
                file: 0,
                bytes: tensor.bytes,
                dtype: tensor.dtype,
                shape: tensor.shape,
                order: Order::AsStored,
            };
            (tensor.name, stored)
        })
        .collect();
    Weights::new(vec![map], tensors)
}
