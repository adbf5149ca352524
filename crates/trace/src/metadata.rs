//! What a [`Meta`] looks like in a file's metadata, both ways: strings as they are, all else as JSON.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::scoring_record::ScoringRecord;
use crate::{Dtype, FORMAT, Meta, quoted};

/// The metadata of a file.
pub(crate) fn write(meta: &Meta) -> BTreeMap<&'static str, String> {
    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("finite numbers, lists and strings are JSON")
    }
    let layers: Vec<ScoringRecord> = meta
        .layers
        .iter()
        .map(|scoring| ScoringRecord::new(scoring).expect("a trace's scoring is validated"))
        .collect();
    let (text, spans) = with_prefix(meta);
    let mut metadata = BTreeMap::from([
        ("format", FORMAT.to_owned()),
        ("model", meta.model.clone()),
        ("library", meta.library.clone()),
        ("text", text),
        ("tokens", json(&meta.tokens)),
        ("spans", json(&spans)),
        ("prefix_tokens", json(&meta.prefix_tokens)),
        ("layers", json(&layers)),
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
            "its format is {}, and this version reads {FORMAT:?}",
            quoted(&format)
        ));
    }
    let dtype = take(&mut metadata, "qk_dtype")?;
    let dtypes = [Dtype::F32, Dtype::F16];
    let qk_dtype = dtypes.into_iter().find(|d| d.name() == dtype);
    let mut meta = Meta {
        model: take(&mut metadata, "model")?,
        model_sha256: metadata.remove("model_sha256"),
        library: take(&mut metadata, "library")?,
        text: take(&mut metadata, "text")?,
        tokens: take_json(&mut metadata, "tokens")?,
        spans: take_json(&mut metadata, "spans")?,
        prefix_tokens: take_json(&mut metadata, "prefix_tokens")?,
        prefix_texts: Vec::new(),
        layers: take_json::<Vec<ScoringRecord>>(&mut metadata, "layers")?
            .into_iter()
            .map(ScoringRecord::scoring)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("`layers` of its metadata: {error}"))?,
        interventions: take_json(&mut metadata, "edits")?,
        qk_dtype: qk_dtype
            .ok_or_else(|| format!("`qk_dtype` is {}, neither f32 nor f16", quoted(&dtype)))?,
        qk_rounding_max_weight_change: match metadata.contains_key("qk_rounding_max_weight_change")
        {
            true => Some(take_json(&mut metadata, "qk_rounding_max_weight_change")?),
            false => None,
        },
    };
    match metadata.keys().min() {
        Some(unknown) => Err(format!(
            "its metadata has {}, which {FORMAT} does not know",
            quoted(unknown)
        )),
        None => {
            take_prefix_off(&mut meta);
            Ok(meta)
        }
    }
}

/// Text and spans as a file has them: the prefix's texts, where they are known, before the text, each before the empty span of
/// its token. So a reader that looks for nothing there reads the file as any other.
fn with_prefix(meta: &Meta) -> (String, Vec<(usize, usize)>) {
    let mut text = meta.prefix_texts.concat();
    let shift = text.len();
    let mut end = 0;
    let of_prefix = meta.prefix_texts.iter().map(|text| {
        end += text.len();
        (end, end)
    });
    let mut spans: Vec<(usize, usize)> = of_prefix.collect();
    let rest = &meta.spans[spans.len()..];
    spans.extend(
        rest.iter()
            .map(|&(start, end)| (start + shift, end + shift)),
    );
    text.push_str(&meta.text);
    (text, spans)
}

/// Takes the prefix's texts off the text again, if it begins with one for each token of the prefix.
fn take_prefix_off(meta: &mut Meta) {
    let Some((of_prefix, rest)) = meta.spans.split_at_checked(meta.prefix_tokens) else {
        return;
    };
    let mut texts = Vec::with_capacity(of_prefix.len());
    let mut shift = 0;
    for &(start, end) in of_prefix {
        match meta.text.get(shift..end) {
            Some(text) if start == end && !text.is_empty() => texts.push(text.to_owned()),
            _ => return,
        }
        shift = end;
    }
    // A span that is none is left to be refused as it stands.
    if rest
        .iter()
        .any(|&(start, end)| start < shift || end < start)
    {
        return;
    }
    meta.text.drain(..shift);
    for (token, (start, end)) in meta.spans.iter_mut().enumerate() {
        let by = match token < meta.prefix_tokens {
            true => *end,
            false => shift,
        };
        (*start, *end) = (*start - by, *end - by);
    }
    meta.prefix_texts = texts;
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
