//! What version 2 says that version 1 does not.

use std::collections::{BTreeMap, HashMap};

use lookback_attention::KeyRanges;

use super::values::{Written, take_dtype, take_if_there, take_json, take_layers};
use crate::scoring_record::RangesRecord;
use crate::{Dtype, KeyTokens, Meta, Version};

/// What keys of notes of one's own begin with.
pub(crate) const OWN: &str = "x_";

/// Adds what version 1 has no keys for, where it is there at all.
pub(super) fn write(meta: &Meta, key_ranges: &[RangesRecord], metadata: &mut Written) {
    metadata.text("text", &meta.text);
    metadata.json("spans", &meta.spans);
    match &meta.keys {
        None => metadata.json("tokens", &meta.tokens),
        Some(keys) => {
            metadata.json("query_tokens", &meta.tokens);
            metadata.json("key_tokens", &keys.tokens);
            metadata.text("key_text", &keys.text);
            metadata.json("key_spans", &keys.spans);
            list(metadata, "key_token_texts", &keys.token_texts);
        }
    }
    if meta.suffix_tokens > 0 {
        metadata.json("suffix_tokens", &meta.suffix_tokens);
    }
    list(metadata, "token_texts", &meta.token_texts);
    list(metadata, "layer_ids", &meta.layer_ids);
    list(metadata, "head_ids", &meta.head_ids);
    list(metadata, "other_layers", &meta.other_layers);
    list(metadata, "key_ranges", key_ranges);
    for (key, value) in &meta.extra {
        metadata.text(key, value);
    }
}

/// Writes a list that is not empty.
fn list<T: serde::Serialize>(metadata: &mut Written, key: &str, values: &[T]) {
    if !values.is_empty() {
        metadata.json(key, &values);
    }
}

/// All of the metadata of version 2.
pub(super) fn parse(metadata: &mut HashMap<String, String>) -> Result<Meta, String> {
    let key_ranges: Vec<RangesRecord> = or_default(metadata, "key_ranges")?;
    let key_ranges: Vec<KeyRanges> = key_ranges
        .into_iter()
        .map(RangesRecord::ranges)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("`key_ranges` of its metadata: {error}"))?;
    let keys = keys(metadata)?;
    let tokens: Vec<u32> = match keys {
        None => take_json(metadata, "tokens")?,
        Some(_) => take_json(metadata, "query_tokens")?,
    };
    Ok(Meta {
        model: text(metadata, "model"),
        model_sha256: metadata.remove("model_sha256"),
        library: text(metadata, "library"),
        text: text(metadata, "text"),
        spans: spans(metadata, "spans", tokens.len())?,
        tokens,
        prefix_tokens: or_default(metadata, "prefix_tokens")?,
        suffix_tokens: or_default(metadata, "suffix_tokens")?,
        token_texts: or_default(metadata, "token_texts")?,
        keys,
        layers: take_layers(metadata, &key_ranges, Version::Two)?,
        layer_ids: or_default(metadata, "layer_ids")?,
        head_ids: or_default(metadata, "head_ids")?,
        other_layers: or_default(metadata, "other_layers")?,
        interventions: or_default(metadata, "edits")?,
        qk_dtype: take_dtype(metadata, &[Dtype::F32, Dtype::F16, Dtype::Bf16])?,
        qk_rounding_max_weight_change: take_if_there(metadata, "qk_rounding_max_weight_change")?,
        extra: own(metadata),
    })
}

/// The keys' tokens, where they are others than the queries'.
fn keys(metadata: &mut HashMap<String, String>) -> Result<Option<KeyTokens>, String> {
    if !metadata.contains_key("query_tokens") {
        return Ok(None);
    }
    if metadata.contains_key("tokens") {
        return Err(
            "its metadata has `tokens`, for queries and keys alike, and `query_tokens`".into(),
        );
    }
    let tokens: Vec<u32> = take_json(metadata, "key_tokens")?;
    Ok(Some(KeyTokens {
        text: text(metadata, "key_text"),
        spans: spans(metadata, "key_spans", tokens.len())?,
        tokens,
        token_texts: or_default(metadata, "key_token_texts")?,
    }))
}

fn text(metadata: &mut HashMap<String, String>, key: &str) -> String {
    metadata.remove(key).unwrap_or_default()
}

fn or_default<T: serde::de::DeserializeOwned + Default>(
    metadata: &mut HashMap<String, String>,
    key: &str,
) -> Result<T, String> {
    Ok(take_if_there(metadata, key)?.unwrap_or_default())
}

/// The spans of `n` tokens; where there are none, all are empty.
fn spans(
    metadata: &mut HashMap<String, String>,
    key: &str,
    n: usize,
) -> Result<Vec<(usize, usize)>, String> {
    Ok(take_if_there(metadata, key)?.unwrap_or_else(|| vec![(0, 0); n]))
}

/// Notes of one's own.
fn own(metadata: &mut HashMap<String, String>) -> BTreeMap<String, String> {
    let own = metadata.extract_if(|key, _| key.starts_with(OWN));
    own.collect()
}
