//! A GGUF file as a checkpoint.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::family::{self, Families, Family, FileKind};
use super::gguf::{GgufFile, Value};
use super::gguf_parts::Parts;
use super::resolve::resolve;
use super::settings::Settings;
use super::weights::Weights;
use super::{Checkpoint, Error, GgufError, OpenOptions, Provenance};
use crate::families;
use crate::printable::printable;
use crate::spec::Spec;
use crate::tokenizer::Tokenizer;

pub(super) fn open(path: &Path, all: Families, options: &OpenOptions) -> Result<Checkpoint, Error> {
    let parts = Parts::open(path)?;
    let family = family_of(&parts, all, path)?;
    let file = parts.metadata();
    let at = |source: GgufError| Error::Gguf {
        path: path.to_owned(),
        source,
    };
    let pre_tokenizer = options.pre_tokenizer.as_deref();
    let tokenizer = Tokenizer::from_gguf(file, pre_tokenizer);
    let mut tokenizer = tokenizer.map_err(|source| Error::Tokenizer {
        path: path.to_owned(),
        source,
    })?;
    let stated = file.text("tokenizer.ggml.pre").map_err(at)?;
    let mut notes: Vec<String> = cut_otherwise(stated, pre_tokenizer).into_iter().collect();
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
    let stop_tokens = super::stop::tokens(&tokenizer, stop_ids(file).map_err(at)?);
    let (spec, weights, passed) = read_weights(parts, family, path, &options.accept_keys)?;
    notes.extend(passed);
    let weights = Arc::new(weights);
    Ok(Checkpoint {
        spec,
        family,
        tokenizer,
        chat_template,
        stop_tokens,
        provenance: Provenance::new(name, path, Arc::clone(&weights)),
        weights,
        notes,
    })
}

/// The specification that a file asks for, whose tensors are there.
pub(super) fn spec(path: &Path, all: Families) -> Result<Spec, Error> {
    let parts = Parts::open(path)?;
    let family = family_of(&parts, all, path)?;
    Ok(read_weights(parts, family, path, &[])?.0)
}

fn family_of(parts: &Parts, all: Families, path: &Path) -> Result<&'static Family, Error> {
    let architecture = parts
        .metadata()
        .text("general.architecture")
        .map_err(|source| Error::Gguf {
            path: path.to_owned(),
            source,
        })?;
    family::by_architecture(all, architecture, path)
}

/// The specification, the weights that it asks for, and notes of unknown keys that were passed over.
fn read_weights(
    parts: Parts,
    family: &Family,
    path: &Path,
    accepted: &[String],
) -> Result<(Spec, Weights, Vec<String>), Error> {
    let mut settings = settings(parts.metadata(), family, path).accepting(accepted);
    let weights = parts.into_weights();
    let spec = (family.gguf)(&mut settings, &weights, family)?;
    families::gguf::finish(&mut settings)?;
    let weights = resolve(family, &spec, weights, FileKind::Gguf)?;
    Ok((spec, weights, settings.notes()))
}

/// A note where words are cut in another way than the file says.
fn cut_otherwise(stated: Option<&str>, asked: Option<&str>) -> Option<String> {
    let (stated, asked) = (stated?, asked?);
    (stated != asked).then(|| {
        format!(
            "words are cut as by {asked}, which was asked for; the file names {}",
            printable(stated)
        )
    })
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
