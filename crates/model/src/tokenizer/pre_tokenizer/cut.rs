//! A way of cutting a text before merging.

use tokenizers::SplitDelimiterBehavior;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

use crate::tokenizer::Error;
use crate::tokenizer::error::one_line;

/// A way of cutting a text before merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tokenizer) struct PreTokenizer {
    pub(super) cut: Cut,
    /// Whether texts are composed to NFC first.
    pub(super) composes: bool,
    /// Whether a word that is a token as a whole is left so, whatever the merges say.
    pub(super) ignores_merges: bool,
    /// Whether a file that does not say so wants its bos token before every text.
    pub(super) adds_bos: bool,
    /// The same of its separator after every text.
    pub(super) adds_separator: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// GPT-2's pattern.
    Gpt2,
    /// Each digit by itself, then GPT-2's pattern.
    DigitsGpt2,
    /// These patterns, one after the other.
    Patterns(&'static [&'static str]),
}

impl PreTokenizer {
    /// One that does nothing but cut.
    pub(super) const fn of(cut: Cut) -> Self {
        Self {
            cut,
            composes: false,
            ignores_merges: false,
            adds_bos: false,
            adds_separator: false,
        }
    }

    pub(in crate::tokenizer) fn ignores_merges(self) -> bool {
        self.ignores_merges
    }

    pub(in crate::tokenizer) fn adds_bos(self) -> bool {
        self.adds_bos
    }

    pub(in crate::tokenizer) fn adds_separator(self) -> bool {
        self.adds_separator
    }

    pub(in crate::tokenizer) fn normalizer(self) -> Option<NormalizerWrapper> {
        self.composes.then_some(NormalizerWrapper::NFC(NFC))
    }

    /// The library's pre-tokenizer, which also writes bytes as characters.
    pub(in crate::tokenizer) fn build(self) -> Result<PreTokenizerWrapper, Error> {
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
