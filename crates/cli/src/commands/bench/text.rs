//! What is read where speed is measured.

use lookback_model::{Model, Prefix};

/// What is read, over and over up to the length asked for: ordinary prose, so that attention is as it is in use.
const TEXT: &str = "The lighthouse keeper counted the boats each evening, and wrote the number in a long book. \
    When the wind rose he counted twice, because some captains liked to run without a lamp, and his daughter, who \
    had better eyes, checked him from the gallery. In forty years they had disagreed on eleven nights. ";

/// `length` tokens of prose, the prefix declared for the model first.
pub(super) fn tokens(model: &Model, length: usize) -> anyhow::Result<Vec<u32>> {
    let once = model.tokenizer().encode(TEXT, &Prefix::Declared)?;
    let (prefix, text) = once.ids.split_at(once.prefix_tokens);
    let prose = prefix.iter().chain(text.iter().cycle());
    Ok(prose.take(length).copied().collect())
}

/// A text of at most `length` tokens with the prefix, and hardly fewer.
pub(super) fn prose(model: &Model, length: usize) -> anyhow::Result<String> {
    let mut text = TEXT.repeat(length * 4 / TEXT.len() + 2);
    loop {
        let encoding = model.tokenizer().encode(&text, &Prefix::Declared)?;
        if encoding.ids.len() <= length {
            text += TEXT;
            continue;
        }
        let end = encoding.spans[length - 1].1;
        // The last word may be read as other tokens than within the longer text.
        text.truncate(text[..end].rfind(' ').unwrap_or(end));
        let encoding = model.tokenizer().encode(&text, &Prefix::Declared)?;
        if encoding.ids.len() <= length {
            return Ok(text);
        }
    }
}
