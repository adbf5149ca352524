//! Tokens, texts and spans.

use crate::error::ensure;
use crate::{Error, Meta};

/// The tokens of the queries, or of the keys.
struct Tokens<'a> {
    /// What their metadata's keys begin with.
    side: &'static str,
    text: &'a str,
    count: usize,
    spans: &'a [(usize, usize)],
    texts: &'a [Option<String>],
    /// How many tokens before and after the text have empty spans.
    outside: (usize, usize),
}

/// The counts of tokens agree, spans and texts fit, and the model's hash is one.
pub(super) fn all(meta: &Meta) -> Result<(), Error> {
    let n = meta.tokens.len();
    let (prefix, suffix) = (meta.prefix_tokens, meta.suffix_tokens);
    ensure(n > 0, || "it has no tokens".into())?;
    ensure(prefix <= n, || {
        format!("`prefix_tokens` is {prefix} of {n} tokens")
    })?;
    ensure(suffix <= n - prefix, || {
        format!("`suffix_tokens` is {suffix} of {n} tokens, {prefix} of them the prefix's")
    })?;
    one_side(&Tokens {
        side: "",
        text: &meta.text,
        count: n,
        spans: &meta.spans,
        texts: &meta.token_texts,
        outside: (prefix, suffix),
    })?;
    if let Some(keys) = &meta.keys {
        one_side(&Tokens {
            side: "key_",
            text: &keys.text,
            count: keys.tokens.len(),
            spans: &keys.spans,
            texts: &keys.token_texts,
            outside: (0, 0),
        })?;
    }
    let is_hash = |hash: &String| {
        hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    ensure(meta.model_sha256.as_ref().is_none_or(is_hash), || {
        "`model_sha256` is not 64 lower-case hexadecimal digits".into()
    })
}

fn one_side(tokens: &Tokens) -> Result<(), Error> {
    let (side, n) = (tokens.side, tokens.count);
    ensure(n > 0, || format!("it has no {side}tokens"))?;
    ensure(tokens.spans.len() == n, || {
        format!(
            "there are {n} `{side}tokens` and {} `{side}spans`",
            tokens.spans.len()
        )
    })?;
    spans(tokens)?;
    ensure(tokens.texts.len() <= n, || {
        format!(
            "there are {} `{side}token_texts` of {n} tokens",
            tokens.texts.len()
        )
    })?;
    let texts = tokens.texts.iter().zip(tokens.spans).enumerate();
    for (token, (text, (start, end))) in texts {
        ensure(text.as_ref().is_none_or(|text| !text.is_empty()), || {
            format!("the text of token {token} in `{side}token_texts` is empty")
        })?;
        ensure(text.is_none() || start == end, || {
            format!("token {token} has both a span and a text of its own in `{side}token_texts`")
        })?;
    }
    Ok(())
}

/// Spans lie in the text, on characters' boundaries, in order; those outside the text are empty.
fn spans(tokens: &Tokens) -> Result<(), Error> {
    let (text, (prefix, suffix)) = (tokens.text, tokens.outside);
    let mut before = (0, 0);
    for (token, &(start, end)) in tokens.spans.iter().enumerate() {
        let name = || format!("the {}span {start}..{end} of token {token}", tokens.side);
        ensure(start <= end && end <= text.len(), || {
            format!(
                "{} does not lie in the text of {} bytes",
                name(),
                text.len()
            )
        })?;
        ensure(
            text.is_char_boundary(start) && text.is_char_boundary(end),
            || format!("{} cuts a character", name()),
        )?;
        if start == end {
            continue;
        }
        for (holds, part) in [
            (token >= prefix, "prefix"),
            (token < tokens.count - suffix, "suffix"),
        ] {
            ensure(holds, || {
                format!(
                    "{} is not empty, though the token belongs to the {part}",
                    name()
                )
            })?;
        }
        ensure(start >= before.0 && end >= before.1, || {
            format!(
                "{} is out of order: {}..{} comes before it",
                name(),
                before.0,
                before.1
            )
        })?;
        before = (start, end);
    }
    Ok(())
}
