//! How byte-level BPE cuts a text into words before merging, by the names GGUF files give
//! (`tokenizer.ggml.pre`).

mod cut;
mod names;
mod patterns;
#[cfg(test)]
mod tests;

pub(super) use cut::PreTokenizer;

use super::Error;

impl PreTokenizer {
    /// The one of this name: what the file says, or what was asked for instead.
    pub(super) fn from_name(name: Option<&str>) -> Result<Self, Error> {
        let mut known = names::NAMES.iter();
        let found = name.and_then(|name| known.find(|entry| entry.0 == name));
        found
            .map(|entry| entry.1)
            .ok_or_else(|| Error::PreTokenizer {
                found: name.map(str::to_owned),
                known: names::NAMES.iter().map(|entry| entry.0).collect(),
            })
    }
}
