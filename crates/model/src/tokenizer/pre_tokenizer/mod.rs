//! How byte-level BPE cuts a text into words before merging, by the names GGUF files give
//! (`tokenizer.ggml.pre`).

mod names;
mod patterns;
#[cfg(test)]
mod tests;

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
pub(super) struct PreTokenizer {
    cut: Cut,
    /// Whether texts are composed to NFC first.
    composes: bool,
    /// Whether a word that is a token as a whole is left so, whatever the merges say.
    ignores_merges: bool,
    /// Whether a file that does not say so wants its bos token before every text.
    adds_bos: bool,
    /// The same of its separator after every text.
    adds_separator: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// GPT-2's pattern.
    Gpt2,
    /// Each digit by itself, then GPT-2's pattern.
    DigitsGpt2,
    /// These patterns, one after the other.
    Patterns(&'static [&'static str]),
}

impl PreTokenizer {
    /// One that does nothing but cut.
    const fn of(cut: Cut) -> Self {
        Self {
            cut,
            composes: false,
            ignores_merges: false,
            adds_bos: false,
            adds_separator: false,
        }
    }

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

    pub(super) fn ignores_merges(self) -> bool {
        self.ignores_merges
    }

    pub(super) fn adds_bos(self) -> bool {
        self.adds_bos
    }

    pub(super) fn adds_separator(self) -> bool {
        self.adds_separator
    }

    pub(super) fn normalizer(self) -> Option<NormalizerWrapper> {
        self.composes.then_some(NormalizerWrapper::NFC(NFC))
    }

    /// The library's pre-tokenizer, which also writes bytes as characters.
    pub(super) fn build(self) -> Result<PreTokenizerWrapper, Error> {
        let gpt2 = ByteLevel::new(false, true, true).into();
        let steps = match self.cut {
            Cut::Gpt2 => return Ok(gpt2),
            Cut::DigitsGpt2 => vec![Digits::new(true).into(), gpt2],
            Cut::Patterns(patterns) => {
                let mut steps = patterns
                    .iter()
                    .copied()
                    .map(split)
                    .collect::<Result<Vec<_>, _>>()?;
                steps.push(ByteLevel::new(false, true, false).into());
                steps
            }
        };
        Ok(Sequence::new(steps).into())
    }
}

fn split(pattern: &str) -> Result<PreTokenizerWrapper, Error> {
    let isolated = SplitDelimiterBehavior::Isolated;
    let split = Split::new(SplitPattern::Regex(pattern.to_owned()), isolated, false);
    split.map(Into::into).map_err(|error| Error::Encode {
        detail: one_line(error),
    })
}
