//! What a [`Meta`] looks like in a file's metadata, both ways: strings as they are, all else as JSON.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Dtype, FORMAT, Meta};

/// The metadata of a file.
pub(crate) fn write(meta: &Meta) -> BTreeMap<&'static str, String> {
    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("finite numbers, lists and strings are JSON")
    }
    let mut metadata = BTreeMap::from([
        ("format", FORMAT.to_owned()),
        ("model", meta.model.clone()),
        ("library", meta.library.clone()),
        ("text", meta.text.clone()),
        ("tokens", json(&meta.tokens)),
        ("spans", json(&meta.spans)),
        ("prefix_tokens", json(&meta.prefix_tokens)),
        ("layers", json(&meta.layers)),
        ("edits", json(&meta.interventions)),
        ("qk_dtype", meta.qk_dtype.name().to_owned()),
    ]);
    metadata.extend(meta.model_sha256.clone().map(|hash| ("model_sha256", hash)));
    let change = meta.qk_rounding_max_weight_change;
    metadata.extend(change.map(|change| ("qk_rounding_max_weight_change", json(&change))));
    metadata
}

/// Reads the metadata of a file, and says why where it cannot.
pub(crate) fn parse(mut metadata: HashMap<String, String>) -> Result<Meta, String> {
    // First the format: of another version's file, nothing else need be as it is here.
    let format = take(&mut metadata, "format")?;
    if format != FORMAT {
        return Err(format!(
            "its format is {format:?}, and this version reads {FORMAT:?}"
        ));
    }
    let dtype = take(&mut metadata, "qk_dtype")?;
    let dtypes = [Dtype::F32, Dtype::F16];
    let qk_dtype = dtypes.into_iter().find(|d| d.name() == dtype);
    let meta = Meta {
        model: take(&mut metadata, "model")?,
        model_sha256: metadata.remove("model_sha256"),
        library: take(&mut metadata, "library")?,
        text: take(&mut metadata, "text")?,
        tokens: take_json(&mut metadata, "tokens")?,
        spans: take_json(&mut metadata, "spans")?,
        prefix_tokens: take_json(&mut metadata, "prefix_tokens")?,
        layers: take_json(&mut metadata, "layers")?,
        interventions: take_json(&mut metadata, "edits")?,
        qk_dtype: qk_dtype
            .ok_or_else(|| format!("`qk_dtype` is {dtype:?}, neither f32 nor f16"))?,
        qk_rounding_max_weight_change: match metadata.contains_key("qk_rounding_max_weight_change")
        {
            true => Some(take_json(&mut metadata, "qk_rounding_max_weight_change")?),
            false => None,
        },
    };
    match metadata.keys().min() {
        Some(unknown) => Err(format!(
            "its metadata has {unknown:?}, which {FORMAT} does not know"
        )),
        None => Ok(meta),
    }
}

/// Takes out a value that must be there.
fn take(metadata: &mut HashMap<String, String>, key: &str) -> Result<String, String> {
    let value = metadata.remove(key);
    value.ok_or_else(|| format!("its metadata has no `{key}`"))
}

/// Takes out a value that must be there, as JSON.
fn take_json<T: DeserializeOwned>(
    metadata: &mut HashMap<String, String>,
    key: &str,
) -> Result<T, String> {
    let value = take(metadata, key)?;
    serde_json::from_str(&value).map_err(|error| format!("`{key}` of its metadata: {error}"))
}
