//! How byte-level BPE cuts a text into words before merging, by the names GGUF files give
//! (`tokenizer.ggml.pre`).

use tokenizers::SplitDelimiterBehavior;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

use super::Error;
use super::error::one_line;

/// A way of cutting a text before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PreTokenizer {
    /// GPT-2's pattern.
    Gpt2,
    /// SmolLM: each digit by itself, then GPT-2's pattern.
    SmolLm,
    /// Llama 3's pattern: up to three digits together. A word that is a token is not merged.
    Llama3,
    /// Qwen 2's pattern: each digit by itself. Texts are composed to NFC first.
    Qwen2,
}

/// The names that llama.cpp's converter gives to each. It has further names for some that only resemble one of these,
/// and none is taken for another before its tokens have been compared.
const NAMES: [(&str, PreTokenizer); 4] = [
    ("smollm", PreTokenizer::SmolLm),
    ("llama-bpe", PreTokenizer::Llama3),
    ("qwen2", PreTokenizer::Qwen2),
    ("gpt-2", PreTokenizer::Gpt2),
];

impl PreTokenizer {
    pub(super) fn from_name(name: &str) -> Result<Self, Error> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, pre_tokenizer)| *pre_tokenizer)
            .ok_or_else(|| Error::Unsupported {
                part: "pre-tokenizer (tokenizer.ggml.pre)",
                found: name.to_owned(),
                supported: NAMES.map(|(known, _)| known).join(", "),
            })
    }

    /// Whether a word that is a token as a whole is left so, whatever the merges say.
    pub(super) fn ignores_merges(self) -> bool {
        self == PreTokenizer::Llama3
    }

    /// Whether a file that does not say so wants its bos token before every text.
    pub(super) fn adds_bos(self) -> bool {
        self == PreTokenizer::Llama3
    }

    pub(super) fn normalizer(self) -> Option<NormalizerWrapper> {
        (self == PreTokenizer::Qwen2).then_some(NormalizerWrapper::NFC(NFC))
    }

    /// The library's pre-tokenizer, which also writes bytes as characters.
    pub(super) fn build(self) -> Result<PreTokenizerWrapper, Error> {
        let gpt2 = ByteLevel::new(false, true, true).into();
        let steps = match self {
            PreTokenizer::Gpt2 => return Ok(gpt2),
            PreTokenizer::SmolLm => vec![Digits::new(true).into(), gpt2],
            PreTokenizer::Llama3 => split_by(r"\p{N}{1,3}")?,
            PreTokenizer::Qwen2 => split_by(r"\p{N}")?,
        };
        Ok(Sequence::new(steps).into())
    }
}

/// The pattern that Llama 3 and Qwen 2 share but for how many digits stay together.
fn split_by(digits: &str) -> Result<Vec<PreTokenizerWrapper>, Error> {
    let pattern = [
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        digits,
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
    .join("|");
    let split = Split::new(
        SplitPattern::Regex(pattern),
        SplitDelimiterBehavior::Isolated,
        false,
    )
    .map_err(|error| Error::Encode {
        detail: one_line(error),
    })?;
    Ok(vec![
        split.into(),
        ByteLevel::new(false, true, false).into(),
    ])
}
