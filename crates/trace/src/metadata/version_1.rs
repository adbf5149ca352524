//! What version 1 says in its own way: the prefix's texts stand before the text, each before the empty span of its token.

use std::collections::HashMap;

use super::values::{Written, take, take_dtype, take_if_there, take_json, take_layers};
use crate::{Dtype, Meta, Version};

/// Adds tokens, text and spans.
pub(super) fn write(meta: &Meta, metadata: &mut Written) {
    let (text, spans) = with_prefix(meta);
    metadata.text("text", &text);
    metadata.json("tokens", &meta.tokens);
    metadata.json("spans", &spans);
}

/// All of the metadata of version 1.
pub(super) fn parse(metadata: &mut HashMap<String, String>) -> Result<Meta, String> {
    let qk_dtype = take_dtype(metadata, &[Dtype::F32, Dtype::F16])?;
    let mut meta = Meta {
        model: take(metadata, "model")?,
        model_sha256: metadata.remove("model_sha256"),
        library: take(metadata, "library")?,
        text: take(metadata, "text")?,
        tokens: take_json(metadata, "tokens")?,
        spans: take_json(metadata, "spans")?,
        prefix_tokens: take_json(metadata, "prefix_tokens")?,
        layers: take_layers(metadata, &[], Version::One)?,
        interventions: take_json(metadata, "edits")?,
        qk_dtype,
        qk_rounding_max_weight_change: take_if_there(metadata, "qk_rounding_max_weight_change")?,
        ..Meta::default()
    };
    take_prefix_off(&mut meta);
    Ok(meta)
}

/// Text and spans as a file has them: the prefix's texts, where they are known, before the text, each before the empty span of
/// its token. So a reader that looks for nothing there reads the file as any other.
fn with_prefix(meta: &Meta) -> (String, Vec<(usize, usize)>) {
    let of_prefix = meta.prefix_texts();
    let mut text = of_prefix.concat();
    let shift = text.len();
    let mut end = 0;
    let mut spans: Vec<(usize, usize)> = of_prefix
        .iter()
        .map(|text| {
            end += text.len();
            (end, end)
        })
        .collect();
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
            Some(text) if start == end && !text.is_empty() => texts.push(Some(text.to_owned())),
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
    meta.token_texts = texts;
}
